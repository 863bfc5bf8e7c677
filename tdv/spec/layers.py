"""A spec file together with those that it extends, as one mapping that still knows the place of each key.

In: the path of a ``dataset.yaml``. Out: `Layers`. Always holds: `data` conforms to the JSON Schema; what did not
was noted as a mistake and left out, so that the rest can be checked in the same run.

A spec that extends another is laid over it: mappings down to the keys of a column are merged, everything else
(a value, a list, the options of a generator) replaces what was there. Tables and columns keep the base's order.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any, Final

from tdv.documents import Document, Mistakes, Path, conforms, did_you_mean, load, quoted, schema
from tdv.errors import Problem
from tdv.spec.types import is_torn

_SCHEMA: Final = "dataset"
_DEPTHS: Final = {"compat": 1, "requires": 1, "levels": 1, "tables": 4}


@dataclass(frozen=True, slots=True)
class Layers:
    """`data` is the merged and pruned mapping; `names` holds every table and column name before pruning.

    `documents` and their `directories` begin with the spec itself.
    """

    data: Mapping[str, Any]
    names: Mapping[str, tuple[str, ...]]
    documents: tuple[Document, ...]
    directories: tuple[FilePath, ...]

    def problem(self, path: Path, message: str) -> Problem:
        """A mistake at `path`, placed in the file that says most about it."""
        return max(self.documents, key=lambda document: document.depth(path)).problem(path, message)


def read(path: FilePath, root: FilePath, mistakes: Mistakes) -> Layers:
    """Reads the spec at `path` and all that it extends; notes every breach of the JSON Schema."""
    layers: list[_Layer] = []
    seen: list[FilePath] = []
    following: FilePath | None = path
    while following is not None:
        seen.append(following)
        layers.append(_Layer.of(load(following, root), mistakes))
        following = _next(layers[-1], following, seen, mistakes)
    merged: dict[str, Any] = {}
    names: dict[str, dict[str, None]] = {}
    for layer in reversed(layers):
        merged = _merge(merged, layer.data, _DEPTHS)
        for table, columns in layer.names.items():
            names.setdefault(table, {}).update(dict.fromkeys(columns))
    return Layers(
        data=merged,
        names={table: tuple(columns) for table, columns in names.items()},
        documents=tuple(layer.document for layer in layers),
        directories=tuple(spec.parent for spec in seen),
    )


@dataclass(frozen=True, slots=True)
class _Layer:
    """One file: its document, what of it conforms, and the names of its tables and columns."""

    document: Document
    data: dict[str, Any]
    names: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, document: Document, mistakes: Mistakes) -> _Layer:
        rules = schema(_SCHEMA)
        names = _names(document.data)
        if conforms(document.data, rules, rules):
            return cls(document, document.data, names)
        data = copy.deepcopy(document.data)
        for path, message in _torn_types(data):
            mistakes.add(document.problem(path, message), "Write the type in quotes.")
        gone: set[Path] = set()
        while found := _prune(document, data, mistakes, gone):
            gone |= found
        return cls(document, data if isinstance(data, dict) else {}, names)


def _prune(document: Document, data: Any, mistakes: Mistakes, gone: Collection[Path]) -> set[Path]:
    """Notes what of `data` breaks the schema and takes it out, lists whole; gives what was taken out."""
    # jsonschema is imported for wrong specs only.
    from tdv.documents.explain import explain

    pruned: set[Path] = set()
    for path in explain(Document(document.file, data, document.node), schema(_SCHEMA), mistakes, gone):
        whole = next((path[:index] for index, step in enumerate(path) if isinstance(step, int)), path)
        holder = data
        for step in whole[:-1]:
            holder = holder.get(step) if isinstance(holder, dict) else None
        if whole and isinstance(holder, dict) and whole[-1] in holder:
            del holder[whole[-1]]
            pruned.add(whole)
    return pruned


def _torn_types(data: Any) -> list[tuple[Path, str]]:
    """Takes out types that a comma tore apart, with the splinters, which would look like unknown keys."""
    found: list[tuple[Path, str]] = []
    for table, column, item in _columns(data):
        kind = item.get("type")
        if not isinstance(kind, str) or not is_torn(kind):
            continue
        splinters = [key for key, value in item.items() if value is None and re.search(r"[)>]$", key)]
        for key in splinters:
            del item[key]
        whole = ",".join([kind, *splinters])
        text = f'expected a type, found {quoted(kind)}; write it in quotes: "{whole}"'
        found.append((("tables", table, "columns", column, "type"), text))
        item["type"] = "json"
    return found


def _columns(data: Any) -> list[tuple[str, str, dict[str, Any]]]:
    tables = data.get("tables") if isinstance(data, dict) else None
    found = []
    for name, table in tables.items() if isinstance(tables, dict) else ():
        columns = table.get("columns") if isinstance(table, dict) else None
        for column, item in columns.items() if isinstance(columns, dict) else ():
            if isinstance(item, dict):
                found.append((name, column, item))
    return found


def _names(data: Any) -> dict[str, tuple[str, ...]]:
    tables = data.get("tables") if isinstance(data, dict) else None
    found: dict[str, tuple[str, ...]] = {}
    for name, table in tables.items() if isinstance(tables, dict) else ():
        columns = table.get("columns") if isinstance(table, dict) else None
        found[name] = tuple(columns) if isinstance(columns, dict) else ()
    return found


def _next(layer: _Layer, path: FilePath, seen: list[FilePath], mistakes: Mistakes) -> FilePath | None:
    """The spec that this one extends, or None; datasets are directories side by side."""
    name = layer.data.get("extends")
    if name is None:
        return None
    datasets = path.parent.parent
    base: FilePath = datasets / name / path.name
    if base in seen:
        mistakes.add(
            layer.document.problem(("extends",), f"{name!r} extends this dataset in turn"), "Remove one extends."
        )
        return None
    if not base.is_file():
        known = sorted(entry.parent.name for entry in datasets.glob(f"*/{path.name}"))
        text = f"there is no dataset {name!r}{did_you_mean(name, known)}"
        mistakes.add(layer.document.problem(("extends",), text), f"Datasets here: {', '.join(known)}.")
        return None
    return base


def _merge(below: Mapping[str, Any], above: Mapping[str, Any], depths: Mapping[str, int] | int) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        depth = depths if isinstance(depths, int) else depths.get(key, 0)
        there = merged.get(key)
        if depth > 0 and isinstance(there, dict) and isinstance(value, dict):
            merged[key] = _merge(there, value, depth - 1)
        else:
            merged[key] = value
    return merged

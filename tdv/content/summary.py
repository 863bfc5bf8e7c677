"""``snapshot.yaml``: what a build did to schema, counts and statistics, for `git diff` to show.

In: a manifest and the facts of its columns. Out: YAML text with one fact a line. Always holds: equal content
and schema give equal text on every machine; no value of a private column stands in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pyarrow as pa

from tdv.content.arrow import one_chunk
from tdv.content.facts import Facts, described, facts_of, merged
from tdv.model.manifest import Manifest, TableManifest
from tdv.model.schema import Column, TableSchema

FORMAT: Final = "tdv.summary/v1"
_LONGEST: Final = 80
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_(),<>-]*(?: [A-Za-z0-9_(),<>-]+)*")
_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_UNPRINTABLE: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")

TableFacts = dict[str, Facts]


class TableStatistics:
    """Collects the facts of a table; parts may be looked at in any thread, and are added in their order."""

    def __init__(self, schema: TableSchema) -> None:
        self._schema = schema
        self.facts: TableFacts = {}

    def of_part(self, part: pa.Table) -> TableFacts:
        """The facts of each column of one part."""
        known, found = self.facts, {}
        for column in self._schema.columns:
            is_unique = (column.name,) in (self._schema.key, *self._schema.uniques)
            found[column.name] = facts_of(
                one_chunk(part.column(column.name)), column, known.get(column.name), is_unique=is_unique
            )
        return found

    def add(self, found: TableFacts) -> None:
        """Takes the facts of a part."""
        known = self.facts
        self.facts = {name: merged(known[name], facts) for name, facts in found.items()} if known else found


def summary(manifest: Manifest, facts: Mapping[str, TableFacts]) -> str:
    """The text of ``snapshot.yaml``."""
    return "".join(f"{line}\n" for line in _lines(manifest, facts))


def _lines(manifest: Manifest, facts: Mapping[str, TableFacts]) -> Iterator[str]:
    yield f"format: {FORMAT}"
    yield f"dataset: {scalar(manifest.dataset)}"
    yield f"digest: {manifest.digest}"
    yield f"content: {manifest.content}"
    yield f"schema: {manifest.schema_digest}"
    if manifest.invariants:
        yield "invariants:"
        yield from (f"  - {scalar(invariant)}" for invariant in manifest.invariants)
    yield "tables:" if manifest.tables else "tables: {}"
    for table in manifest.tables:
        yield from (f"  {line}" for line in _table(table, facts[table.name]))
    if manifest.scenarios:
        yield "scenarios:"
        for scenario in manifest.scenarios:
            yield f"  {scalar(scenario.name)}: {scenario.digest}"


def _table(table: TableManifest, facts: TableFacts) -> Iterator[str]:
    schema = table.schema
    yield f"{scalar(table.name)}:"
    yield f"  rows: {table.rows}"
    yield f"  digest: {table.digest}"
    yield f"  key: [{', '.join(map(scalar, schema.key))}]"
    for word, items in (
        ("unique", [f"({', '.join(unique)})" for unique in schema.uniques]),
        ("references", [str(reference) for reference in schema.references]),
        ("checks", list(schema.checks)),
    ):
        if items:
            yield f"  {word}:"
            yield from (f"    - {scalar(item)}" for item in items)
    yield "  columns:"
    for column in schema.columns:
        yield from (f"    {line}" for line in _column(column, facts[column.name]))


def _column(column: Column, facts: Facts) -> Iterator[str]:
    yield f"{scalar(column.name)}:"
    declared = {name: value for name, value in column.to_plain().items() if name not in ("name", "description")}
    for name, value in (*declared.items(), *described(facts, column).items()):
        yield f"  {name}: {scalar(_shortened(value))}"


def _shortened(value: Any) -> Any:
    return f"{value[: _LONGEST - 1]}…" if isinstance(value, str) and len(value) > _LONGEST else value


def scalar(value: Any) -> str:
    """One line of YAML: plain where that is safe in every version of YAML, else as JSON writes it."""
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
            return value
        return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))
    if isinstance(value, list | tuple):
        return "[" + ", ".join(json.dumps(item) for item in value) + "]"
    return json.dumps(value)

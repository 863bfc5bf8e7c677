"""What a JSON Schema cannot say about a spec, for the dataset as a whole and for its tables.

In: the layers of a spec. Out: mistakes. Always holds: a spec without mistakes can be assembled without looking
anything up again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from pathlib import Path as FilePath
from typing import Final

from tdv.documents import Mistakes, Path, did_you_mean, quoted
from tdv.model.ranges import Range
from tdv.model.reference import Ref
from tdv.model.types import LogicalType
from tdv.spec.columns import check_column
from tdv.spec.generators import check_generators
from tdv.spec.layers import Layers
from tdv.spec.references import check_references
from tdv.spec.sheet import Notes, Sheet
from tdv.spec.types import parse_type

_LONGEST_NAME: Final = 63
_RESERVED: Final = frozenset({".", "..", "manifest.json"})
_RESERVED_STARTS: Final = ("_tdv", "sqlite_")


def check(layers: Layers, root: FilePath, mistakes: Mistakes) -> None:
    """Notes every mistake in the spec that is not one against its JSON Schema."""
    notes = Notes(layers, mistakes)
    _check_name(notes)
    _check_clock(notes)
    _check_ranges(notes)
    _check_sources(notes, root)
    sheets = _sheets(notes)
    _check_names(notes, ("tables",), layers.names)
    for sheet in sheets.values():
        _check_table(notes, sheet)
        check_references(notes, sheet, sheets)
        check_generators(notes, sheet)


def refuse_of_migrations(layers: Layers, of_migrations: Collection[str], mistakes: Mistakes) -> None:
    """Notes the tables of the migration tool: their rows would say that a target stands where it does not."""
    for name in layers.names:
        if name.casefold() in of_migrations:
            problem = layers.problem(("tables", name), f"the migration tool of tdv.yaml keeps the table {quoted(name)}")
            mistakes.add(problem, "Take the table out of the spec: the tool fills it, and it is no data.")


def parse_instant(text: str) -> datetime:
    """A point in time in UTC; without a zone it is UTC already. Raises `ValueError`."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _check_name(notes: Notes) -> None:
    spec = notes.layers.documents[0]
    directory = FilePath(spec.file).parent.name
    name = notes.layers.data.get("dataset")
    if name is None:
        return
    if directory and name != directory:
        notes.add(
            ("dataset",),
            f"expected {directory!r}, the name of the directory, found {name!r}",
            f"Write 'dataset: {directory}', or rename the directory to {name}.",
        )
    if Ref.parse(name).dataset != name:
        notes.add(("dataset",), f"{name!r} would be read as a version", "Choose a name that begins with another word.")


def _check_clock(notes: Notes) -> None:
    text = notes.layers.data.get("as_of")
    if text is None:
        return
    try:
        parse_instant(text)
    except (ValueError, OverflowError):
        notes.add(("as_of",), f"expected a time that exists, such as 2026-01-01T00:00:00Z, found {quoted(text)}")


def _check_ranges(notes: Notes) -> None:
    data = notes.layers.data
    ranges: dict[Path, str] = {("requires", name): text for name, text in data.get("requires", {}).items()}
    if data.get("compat", {}).get("app") is not None:
        ranges["compat", "app"] = data["compat"]["app"]
    for path, text in ranges.items():
        try:
            Range.parse(text)
        except ValueError as exc:
            notes.add(path, str(exc), 'Write a range such as "^1.2" or ">=1.2,<3".')
    if data.get("dataset") in data.get("requires", {}):
        notes.add(("requires", data["dataset"]), "a dataset cannot require itself", "Remove it.")


def _check_sources(notes: Notes, root: FilePath) -> None:
    for index, source in enumerate(notes.layers.data.get("sources", ())):
        path = ("sources", index)
        inside = (root / source).resolve()
        if FilePath(source).is_absolute() or not inside.is_relative_to(root.resolve()):
            notes.add(path, f"{quoted(source)} is outside of the repository", "Name a path relative to tdv.yaml.")
        elif not inside.exists():
            there = inside.parent
            siblings = [entry.name for entry in there.iterdir()] if there.is_dir() else []
            notes.add(
                path,
                f"{quoted(source)} does not exist{did_you_mean(inside.name, siblings)}",
                "Name a file or directory that the factories read, relative to tdv.yaml.",
            )


def _sheets(notes: Notes) -> dict[str, Sheet]:
    """The tables, with those columns whose type can be read."""
    layers = notes.layers
    tables = layers.data.get("tables")
    is_extending = len(layers.documents) > 1  # alone, a spec without them breaks the schema
    if tables is None and is_extending and not notes.has(("extends",)):
        notes.add((), "the key 'tables' is missing", "Add 'tables:' with at least one table.")
    sheets: dict[str, Sheet] = {}
    for name, table in (tables or {}).items():
        if "columns" not in table and is_extending and not layers.names.get(name):
            notes.add(("tables", name), "the key 'columns' is missing", "Add 'columns:' there.")
        types: dict[str, LogicalType] = {}
        for column, item in table.get("columns", {}).items():
            path = ("tables", name, "columns", column)
            if "type" not in item:
                if is_extending:
                    notes.add(path, "the key 'type' is missing", "Add 'type:' there.")
                continue
            if notes.has((*path, "type")):
                continue
            try:
                types[column] = parse_type(item["type"])
            except ValueError as exc:
                notes.add((*path, "type"), str(exc), "docs/reference/spec.md lists the types.")
        sheets[name] = Sheet(name, table, layers.names.get(name, ()), types)
    return sheets


def _check_table(notes: Notes, sheet: Sheet) -> None:
    _check_names(notes, (*sheet.path, "columns"), sheet.names)
    for name in sheet.types:
        check_column(notes, sheet, name)
    factory = sheet.data.get("factory")
    code = "factories.py"
    if factory is not None and not any((place / code).is_file() for place in notes.layers.directories):
        notes.add(
            (*sheet.path, "factory"), f"there is no {code} beside the spec", f"Write the class {factory} into {code}."
        )


def _check_names(notes: Notes, path: Path, names: Iterable[str]) -> None:
    """Names of tables or columns: printable, short enough for every database, and different in any spelling."""
    what = "table" if path[-1] == "tables" else "column"
    seen: dict[str, str] = {}
    for name in names:
        here = (*path, name)
        reason = _forbidden(name, what)
        if reason is not None:
            notes.add(here, f"{quoted(name)} cannot be the name of a {what}: {reason}", "Choose another name.")
        twin = seen.setdefault(name.casefold(), name)
        if twin != name:
            notes.add(
                here,
                f"differs from {twin!r} only in upper and lower case, which databases do not tell apart",
                "Rename it.",
            )


def _forbidden(name: str, what: str) -> str | None:
    if not name.isprintable():
        return "it holds characters that cannot be printed"
    if name != name.strip():
        return "it begins or ends with a space"
    if len(name) <= _LONGEST_NAME < len(name.encode()):  # more characters break the schema
        return f"it is longer than the {_LONGEST_NAME} bytes that every database takes"
    if what == "table" and ("/" in name or "\\" in name):
        return "it holds a slash or backslash, and names are names of files too"
    is_reserved = name.casefold() in _RESERVED or name.casefold().startswith(_RESERVED_STARTS)
    return "it is reserved" if what == "table" and is_reserved else None

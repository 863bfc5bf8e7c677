"""Keys, unique sets and references: each must lead to columns that can carry it.

In: a table and all tables. Out: mistakes. Always holds: a reference without a mistake points to the key or to a
unique set of its table, column by column of one type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tdv.documents import Path, did_you_mean, quoted
from tdv.model.schema import Reference
from tdv.spec.sheet import Notes, Sheet
from tdv.spec.types import INTEGERS


@dataclass(frozen=True, slots=True)
class Written:
    """A reference and where it is written; `to` is () where it was left out and the table is unknown."""

    path: Path
    reference: Reference


def check_references(notes: Notes, sheet: Sheet, sheets: Mapping[str, Sheet]) -> None:
    """Notes every mistake in the key, the unique sets and the references of `sheet`."""
    _check_key(notes, sheet)
    for index, columns in enumerate(sheet.data.get("unique", ())):
        path = (*sheet.path, "unique", index)
        for name in _known(notes, path, sheet, columns):
            if name in sheet.types and not sheet.types[name].may_be_key:
                notes.add(path, f"{name!r} is {sheet.types[name]}, which cannot be unique: equality is not exact")
    for written in written_references(sheet, sheets):
        _check_reference(notes, written, sheet, sheets)


def written_references(sheet: Sheet, sheets: Mapping[str, Sheet]) -> Iterator[Written]:
    """The references of a table: those of its columns in declared order, then its own."""
    for name, column in sheet.columns.items():
        if "references" in column:
            path = (*sheet.path, "columns", name, "references")
            yield Written(path, _of_column(name, column["references"], sheets))
    for index, item in enumerate(sheet.data.get("references", ())):
        dataset = item.get("dataset")
        there = sheets.get(item["table"]) if dataset is None else None
        to = tuple(item.get("to", there.key if there else ()))
        reference = Reference(tuple(item["columns"]), item["table"], to, dataset)
        yield Written((*sheet.path, "references", index), reference)


def _of_column(name: str, written: str | Mapping[str, Any], sheets: Mapping[str, Sheet]) -> Reference:
    if not isinstance(written, str):
        return Reference((name,), written["table"], (written["column"],), written.get("dataset"))
    dataset, colon, place = written.partition(":")
    if not colon:
        dataset, place = "", written
    table, column = _split(place, {} if dataset else sheets)
    return Reference((name,), table, (column,), dataset or None)


def _split(place: str, sheets: Mapping[str, Sheet]) -> tuple[str, str]:
    """Splits ``table.column`` at the dot that leads somewhere; names may hold dots themselves."""
    dots = [index for index, letter in enumerate(place) if letter == "."]
    for dot in dots:
        sheet = sheets.get(place[:dot])
        if sheet is not None and place[dot + 1 :] in sheet.names:
            return place[:dot], place[dot + 1 :]
    table, _, column = place.rpartition(".")
    return table, column


def _check_key(notes: Notes, sheet: Sheet) -> None:
    path = (*sheet.path, "key")
    for name in _known(notes, path, sheet, sheet.key):
        kind = sheet.types.get(name)
        if kind is not None and not kind.may_be_key:
            notes.add(
                path, f"{name!r} is {kind}, which cannot be a key: equality is not exact", "Choose other columns."
            )
        if sheet.columns.get(name, {}).get("nullable"):
            notes.add(
                (*sheet.path, "columns", name, "nullable"),
                "a key column is never null",
                f"Remove 'nullable' of {name}.",
            )


def _known(notes: Notes, path: Path, sheet: Sheet, columns: Any) -> list[str]:
    """Those of `columns` that the table has; notes the others."""
    for name in columns:
        if name not in sheet.names:
            notes.add(
                path,
                f"there is no column {quoted(name)} in {sheet.name!r}{did_you_mean(name, sheet.names)}",
                f"Columns of {sheet.name}: {', '.join(sheet.names)}.",
            )
    return [name for name in columns if name in sheet.names]


def _check_reference(notes: Notes, written: Written, sheet: Sheet, sheets: Mapping[str, Sheet]) -> None:
    reference, path = written.reference, written.path
    _known(notes, path, sheet, reference.columns)
    if reference.dataset is not None:
        _check_dataset(notes, written)
        return
    there = sheets.get(reference.table)
    if there is None:
        if reference.table not in notes.layers.names:
            text = f"there is no table {quoted(reference.table)}{did_you_mean(reference.table, sheets)}"
            notes.add(path, text, f"Tables here: {', '.join(sheets)}.")
        return
    if not reference.to:
        notes.add(
            path, f"the table {there.name!r} has no key", f"Say which columns: to: [...], or give {there.name} a key."
        )
        return
    if len(reference.columns) != len(reference.to):
        text = f"{len(reference.columns)} column(s) cannot refer to {len(reference.to)}: ({', '.join(reference.to)})"
        notes.add(path, text, "Name one column under to: for each under columns:.")
        return
    known = _known(notes, path, there, reference.to)
    if len(known) == len(reference.to):
        _check_fit(notes, written, sheet, there)


def _check_dataset(notes: Notes, written: Written) -> None:
    reference, data = written.reference, notes.layers.data
    required = data.get("requires", {})
    if reference.dataset == data.get("dataset"):
        notes.add(written.path, "a reference within the dataset does not name it", "Remove the name before the colon.")
    elif reference.dataset not in required and not notes.has(("requires", str(reference.dataset))):
        notes.add(
            written.path,
            f"{quoted(reference.dataset)} is not under requires:{did_you_mean(reference.dataset, required)}",
            f'Add requires: {{{reference.dataset}: "*"}}, or a narrower range.',
        )
    if not reference.to:
        notes.add(written.path, "a reference into another dataset names its columns", "Add to: [...].")
    elif len(reference.columns) != len(reference.to):
        notes.add(written.path, f"{len(reference.columns)} column(s) cannot refer to {len(reference.to)}")


def _check_fit(notes: Notes, written: Written, sheet: Sheet, there: Sheet) -> None:
    """The columns referred to are a key or unique, and of the same types."""
    reference = written.reference
    sets = [set(there.key), *(set(unique) for unique in there.uniques)]
    if set(reference.to) not in sets:
        place = ", ".join(reference.to)
        notes.add(
            written.path,
            f"{there.name}({place}) is neither the key nor unique",
            f"Add 'unique: true' to that column, or 'unique: [[{place}]]' to {there.name}.",
        )
    for column, to in zip(reference.columns, reference.to, strict=True):
        mine, its = sheet.types.get(column), there.types.get(to)
        both_whole = mine is not None and its is not None and {mine.name, its.name} <= INTEGERS
        if mine is not None and its is not None and mine != its and not both_whole:
            text = f"{column!r} is {mine}, but {there.name}.{to} is {its}"
            notes.add(written.path, text, f"Give {column} the type {its}.")

"""A schema as the text of ``dataset.yaml``, laid out for reviewers.

In: a `DatasetSchema`, as a database or another reader gave it. Out: YAML with one line per column, aligned within a
table. Always holds: `tdv.spec.load` reads the text back as the same schema; the same schema gives the same text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tdv.documents.yaml_text import scalar
from tdv.model.schema import Column, DatasetSchema, Reference, TableSchema

_WIDEST_NAME: Final = 32


def tables_text(schema: DatasetSchema) -> str:
    """The ``tables:`` and ``invariants:`` of a spec whose rows are all hand-written."""
    lines = ["tables:"]
    for table in schema.tables:
        lines += ["", *(f"  {line}" if line else "" for line in table_lines(table))]
    if schema.invariants:
        lines += ["", "invariants:", *(f"  - {_scalar(text)}" for text in schema.invariants)]
    return "\n".join(lines) + "\n"


def flow(value: Any) -> str:
    """A plain value on one line: ``{type: string, maxLength: 160}``."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(name)}: {flow(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(item) for item in value) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    return json.dumps(value) if isinstance(value, float) else scalar(value, flow=True)


def table_lines(table: TableSchema) -> Iterator[str]:
    """One table, its name first."""
    yield f"{_scalar(table.name)}:"
    if table.description:
        yield f"  description: {_scalar(table.description)}"
    if table.key:
        yield f"  key: {flow(table.key)}"
    alone = {unique[0] for unique in table.uniques if len(unique) == 1}
    inline = _inline_references(table.references)
    width = max((len(_scalar(name)) for name in table.column_names), default=0) + 1
    yield "  columns:"
    for column in table.columns:
        name = f"{_scalar(column.name)}:".ljust(min(width, _WIDEST_NAME))
        yield f"    {name} {flow(column_plain(column, column.name in alone, inline.get(column.name)))}"
    yield from _list("unique", [unique for unique in table.uniques if len(unique) > 1])
    yield from _list("references", [reference_plain(item) for item in table.references if item not in inline.values()])
    yield from _list("checks", table.checks)


def _list(key: str, items: Sequence[Any]) -> Iterator[str]:
    if items:
        yield f"  {key}:"
        yield from (f"    - {flow(item)}" for item in items)


def column_plain(column: Column, unique: bool, reference: Reference | None) -> dict[str, Any]:
    """A column as a mapping of the spec; `unique` and `reference` are what stands at the column itself."""
    plain: dict[str, Any] = {"type": str(column.type)}
    if column.nullable:
        plain["nullable"] = True
    if unique:
        plain["unique"] = True
    plain |= column.rules.to_plain()
    if column.privacy:
        plain["privacy"] = column.privacy
    if reference is not None:
        plain["references"] = reference_place(reference)
    if column.description:
        plain["description"] = column.description
    return plain


def _inline_references(references: Sequence[Reference]) -> dict[str, Reference]:
    """The references that can stand at their column: of one column, and the first there."""
    inline: dict[str, Reference] = {}
    for reference in references:
        if len(reference.columns) == 1:
            inline.setdefault(reference.columns[0], reference)
    return inline


def reference_place(reference: Reference) -> Any:
    """``Artist.ArtistId``, or a mapping where a name would not survive in that form."""
    if not any(mark in name for name in (reference.table, *reference.to) for mark in ".:"):
        place = f"{reference.table}.{reference.to[0]}"
        return f"{reference.dataset}:{place}" if reference.dataset else place
    plain = {"table": reference.table, "column": reference.to[0]}
    return plain | {"dataset": reference.dataset} if reference.dataset else plain


def reference_plain(reference: Reference) -> dict[str, Any]:
    """A reference as an item of the table's list."""
    plain: dict[str, Any] = {"columns": list(reference.columns), "table": reference.table, "to": list(reference.to)}
    return plain | {"dataset": reference.dataset} if reference.dataset else plain

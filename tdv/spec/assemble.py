"""Checked layers as a `DatasetSpec`.

In: layers without a mistake. Out: the frozen value. Always holds: a spec that says nothing gets the defaults that
docs/reference/spec.md names.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tdv.model.compat import Span
from tdv.model.schema import Column, Rules, TableSchema
from tdv.model.spec import DatasetSpec, TableSpec
from tdv.model.types import LogicalType
from tdv.spec.check import parse_instant
from tdv.spec.generators import read_generator
from tdv.spec.layers import Layers
from tdv.spec.references import written_references
from tdv.spec.sheet import Sheet
from tdv.spec.types import parse_type

AS_OF: Final = datetime(2020, 1, 1, tzinfo=UTC)
# What `privacy:` says of a column that somebody looked at and found to hold nothing personal.
NOT_PRIVATE: Final = "none"


def assemble(layers: Layers, path: Path, root: Path) -> DatasetSpec:
    """The spec that checked `layers` describe; `path` is its file."""
    data = layers.data
    sheets = {name: _sheet(name, table) for name, table in data["tables"].items()}
    compat = data.get("compat", {})
    return DatasetSpec(
        name=data["dataset"],
        tables=tuple(_table(sheet, sheets) for sheet in sheets.values()),
        seed=data.get("seed", 0),
        as_of=parse_instant(data["as_of"]) if "as_of" in data else AS_OF,
        locale=data.get("locale", "en_US"),
        description=data.get("description", ""),
        app=compat.get("app"),
        migration=Span.from_plain(compat["migration"]) if "migration" in compat else None,
        requires=dict(data.get("requires", {})),
        extends=data.get("extends"),
        sources=tuple(data.get("sources", ())),
        invariants=tuple(data.get("invariants", ())),
        levels=dict(data.get("levels", {})),
        path=path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path),
    )


def _sheet(name: str, table: Mapping[str, Any]) -> Sheet:
    types: dict[str, LogicalType] = {column: parse_type(item["type"]) for column, item in table["columns"].items()}
    return Sheet(name, table, tuple(table["columns"]), types)


def _table(sheet: Sheet, sheets: Mapping[str, Sheet]) -> TableSpec:
    references = [written.reference for written in written_references(sheet, sheets)]
    schema = TableSchema(
        name=sheet.name,
        columns=tuple(_column(name, item, sheet.types[name]) for name, item in sheet.columns.items()),
        key=sheet.key,
        uniques=sheet.uniques,
        references=tuple(dict.fromkeys(references)),
        checks=tuple(sheet.data.get("checks", ())),
        description=sheet.data.get("description", ""),
    )
    generators = {name: item["generate"] for name, item in sheet.columns.items() if "generate" in item}
    return TableSpec(
        schema=schema,
        rows=sheet.data.get("rows", 0),
        factory=sheet.data.get("factory"),
        generators={name: read_generator(written) for name, written in generators.items()},
        strict=sheet.data.get("strict", True),
    )


def _column(name: str, item: Mapping[str, Any], kind: LogicalType) -> Column:
    return Column(
        name=name,
        type=kind,
        nullable=item.get("nullable", False),
        rules=Rules.from_plain(item),
        privacy="" if item.get("privacy") == NOT_PRIVATE else item.get("privacy"),
        description=item.get("description", ""),
    )

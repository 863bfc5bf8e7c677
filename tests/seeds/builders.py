"""Values that the tests of seeds share."""

from __future__ import annotations

from datetime import UTC, datetime

from tdv.model.schema import Column, TableSchema
from tdv.model.spec import DatasetSpec, TableSpec
from tdv.model.types import LogicalType

AS_OF = datetime(2026, 1, 1, tzinfo=UTC)


def columns(**kinds: str) -> tuple[Column, ...]:
    """``columns(id="int64", name="string?")``: a question mark makes a column nullable."""
    return tuple(Column(name, LogicalType.parse(kind.rstrip("?")), kind.endswith("?")) for name, kind in kinds.items())


def dataset(*tables: TableSchema | TableSpec, name: str = "shop") -> DatasetSpec:
    """A spec of these tables."""
    specs = tuple(table if isinstance(table, TableSpec) else TableSpec(table) for table in tables)
    return DatasetSpec(name, specs, seed=1, as_of=AS_OF, path=f"datasets/{name}/dataset.yaml")

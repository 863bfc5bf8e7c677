"""The loss tables: applied to a schema and its rows before any row moves.

In: what an adapter says about each type, and the tables to load. Out: nothing, or one error that names every
column that the engine cannot hold. Always holds: a refused value stops the load while the target is untouched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa

from tdv.content.json_null import holds_json_null
from tdv.errors import DataError
from tdv.model.schema import Column, TableSchema
from tdv.model.types import LogicalType
from tdv.targets.protocol import Content, Item, Load, Loss
from tdv.targets.survey import refuse_twice


def loss_of(kind: LogicalType, losses: Mapping[str, Loss]) -> Loss:
    """The entry of a type; ``decimal>15`` and the like stand for decimals of more digits."""
    if kind.name == "decimal":
        limits = sorted((int(name.partition(">")[2]) for name in losses if name.startswith("decimal>")), reverse=True)
        for limit in limits:
            if kind.precision > limit:
                return losses[f"decimal>{limit}"]
    return losses[kind.name]


def refuse_types(tables: Iterable[TableSchema], losses: Mapping[str, Loss], engine: str) -> None:
    """Raises `DataError` for columns whose type the engine does not take, all at once."""
    refused = [
        f"{table.name}.{column.name} ({column.type})"
        for table in tables
        for column in table.columns
        if loss_of(column.type, losses).fate == "refused"
    ]
    if refused:
        raise DataError(
            f"{engine} cannot hold {', '.join(refused)}",
            hint="Use another target, or change the type in the spec.",
            columns=refused,
        )


def accepted(load: Load, losses: Mapping[str, Loss], engine: str) -> list[tuple[Item, Content]]:
    """The rows to load, opened; raises `DataError` for types that the engine does not take, and `Refused` for a table
    of two datasets."""
    contents = [(item, item.content()) for item in load.items]
    refuse_twice((item.dataset, table.name) for item, content in contents for table in content.tables)
    refuse_types((table.schema for _, content in contents for table in content.tables), losses, engine)
    return contents


def refuse_inner_null(array: pa.Array, column: Column, table: str, engine: str) -> None:
    """Raises `DataError` for JSON's null in a list or struct that is written as JSON, where NULL is a null, too."""
    if column.type.is_nested and holds_json_null(array, column.type):
        raise refused_value(table, column.name, "JSON's null in a list or struct: it would come back as NULL", engine)


def refused_value(table: str, column: str, what: str, engine: str) -> DataError:
    """The error for a value that the engine cannot give back as it was."""
    return DataError(
        f"table {table!r}, column {column!r}: {engine} cannot hold {what}",
        hint="Use another target, or change the value in the seeds or the generator.",
        table=table,
        column=column,
    )

"""Rows read back from tables of a MySQL database.

In: a connection, where each table is. Out: nothing, or `IntegrityError`. Always holds: rows come as they are stored,
which is as they went in, and are sorted only where they are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tdv.content.order import ordered_stream
from tdv.errors import IntegrityError
from tdv.model.schema import TableSchema
from tdv.targets.mysql.rows import read
from tdv.targets.mysql.wire import Connection
from tdv.targets.protocol import TableContent
from tdv.targets.verification import check

if TYPE_CHECKING:
    import pyarrow as pa


def check_rows(
    connection: Connection, tables: Iterable[TableContent], place: Callable[[str], str], scratch: Path
) -> None:
    """Raises `IntegrityError` for a table that comes back as another one."""

    def stored(table: TableSchema) -> Iterator[pa.Table]:
        return read(connection, place(table.name), table)

    def in_order(table: TableSchema) -> Iterator[pa.Table]:
        return ordered_stream(stored(table), table, scratch)

    for table in tables:
        try:
            check(stored, [table], "MySQL")
        except IntegrityError:
            check(in_order, [table], "MySQL")

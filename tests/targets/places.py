"""A database of a server with a target on it, and what tests do with both."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from tdv.model.receipt import Receipt
from tdv.model.schema import Reference, TableSchema
from tdv.targets.verification import target_digest
from tdv.testing import USERS, checkout, snapshot, table, users, wanted
from tests.targets.builders import target
from tests.targets.servers import run_mysql, run_sql

ORDERS = table(
    "orders",
    {"id": "int64", "user_id": "int64", "parent": "int64?"},
    references=(Reference(("user_id",), "users", ("id",)), Reference(("parent",), "orders", ("id",))),
)
ORDER_ROWS = pa.table({"id": [1, 2, 3], "user_id": [1, 1, 2], "parent": pa.array([3, None, 2], pa.int64())})


class Restored:
    """A database of a server with a target on it."""

    def __init__(self, directory: Path, url: str) -> None:
        self.directory = directory
        self.url = url
        self.target = target(directory, url)

    def owned(self) -> Self:
        self.target = target(self.directory, self.url, owns="database")
        return self

    def checkout(self, rows: int = 5, version: str = "1.0.0", **options: Any) -> Receipt:
        found = snapshot(self.directory, {USERS: users(rows)})
        return checkout(self.directory, self.target, wanted(found, version), **options)

    def holds(self, rows: int) -> bool:
        manifest = snapshot(self.directory, {USERS: users(rows)}).manifest
        return target_digest(self.target, manifest.schema) == manifest.content


class Place(Restored):
    """A PostgreSQL database, and SQL on it."""

    def checkout_tables(self, tables: dict[TableSchema, pa.Table], **options: Any) -> Receipt:
        return checkout(self.directory, self.target, snapshot(self.directory, tables), **options)

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        return run_sql(self.url, *statements)

    def ids(self) -> list[int]:
        return [row[0] for row in self.sql("SELECT id FROM users ORDER BY 1")]


class MysqlPlace(Place):
    """The same on MySQL."""

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        return run_mysql(self.url, *statements)


def shop() -> dict[TableSchema, pa.Table]:
    return {USERS: users(3), ORDERS: ORDER_ROWS}

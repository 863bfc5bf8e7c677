"""`tdv health`: whether a target is there and holds what it should.

In: a target, and what it should hold, by digest. Out: one check per promise. Always holds: nothing is written; rows
are compared by the digest of what the engine gives back, and a table that differs is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from tdv.errors import TdvError
from tdv.model.schema import DatasetSchema, TableSchema
from tdv.targets.inspecting import inspected
from tdv.targets.protocol import Answering, Content, Findable, Held, Indexed, Schemaless, Target
from tdv.targets.sql import indexed
from tdv.targets.verification import table_digest

FORMAT: Final = "tdv.health/v1"


@dataclass(frozen=True, slots=True)
class Expected:
    """One dataset that the target should hold; `content` gives its tables, or those of some of its scenarios."""

    dataset: str
    version: str
    digest: str
    content: Callable[[tuple[str, ...]], Content] = field(repr=False)


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One thing that was looked at: ``reachable``, ``version``, ``rows``, ``keys``, ``indexes`` or ``query``."""

    check: str
    dataset: str
    table: str
    ok: bool
    message: str

    def to_plain(self) -> dict[str, Any]:
        return {
            "check": self.check,
            "dataset": self.dataset,
            "table": self.table,
            "ok": self.ok,
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class Health:
    """Everything that was looked at in one target."""

    target: str
    checks: tuple[HealthCheck, ...]

    @property
    def ok(self) -> bool:
        """True if nothing is wrong."""
        return all(check.ok for check in self.checks)

    def to_plain(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "target": self.target,
            "ok": self.ok,
            "checks": [check.to_plain() for check in self.checks],
        }


def health(target: Target, expected: Sequence[Expected], queries: Sequence[str] = ()) -> Health:
    """Looks at the target; what is wrong with it is an answer and no error. Raises what opening a release raises.

    Each of the `queries` gives one true value; they are for a target that is `Answering`.
    """
    try:
        held = {item.dataset: item for item in target.held()}
        there = bool(held) or not isinstance(target, Findable) or target.exists()
    except TdvError as exc:
        return unreachable(target.shown, exc.message)
    if not there:
        return unreachable(target.shown, "nothing is there")
    checks = [HealthCheck("reachable", "", "", True, "reachable")]
    for item in expected:
        found = held.get(item.dataset)
        version = _version(item, found)
        checks.append(version)
        if found is not None and version.ok:
            checks += _rows(target, item, found)
    if isinstance(target, Answering):
        checks += [_query(target, query) for query in queries]
    return Health(target.shown, tuple(checks))


def unreachable(shown: str, message: str) -> Health:
    """What there is to say of a target that cannot be asked."""
    return Health(shown, (HealthCheck("reachable", "", "", False, message),))


def _version(item: Expected, found: Held | None) -> HealthCheck:
    if found is None:
        message, ok = f"it holds no {item.dataset}, expected v{item.version}", False
    elif found.digest != item.digest:
        message, ok = f"it holds v{found.version} ({found.digest}), expected v{item.version} ({item.digest})", False
    else:
        message, ok = f"v{found.version}, loaded {found.loaded_at}", True
    return HealthCheck("version", item.dataset, "", ok, message)


def _rows(target: Target, item: Expected, found: Held) -> Iterator[HealthCheck]:
    content = item.content(found.scenarios)
    readable = []
    for table in content.tables:
        try:
            rows, digest = table_digest(target.read, table.schema)
        except TdvError as exc:
            yield HealthCheck("rows", item.dataset, table.name, False, exc.message)
            continue
        readable.append(table.name)
        ok = digest == table.digest
        changed = "other values than were loaded" if rows == table.rows else f"{rows} rows, expected {table.rows}"
        message = f"{rows} rows" if ok else changed
        yield HealthCheck("rows", item.dataset, table.name, ok, message)
    if not isinstance(target, Schemaless):
        yield from _keys(target, item.dataset, content.schema)
    if isinstance(target, Indexed):
        names = [name for name in readable if found.made(name)]
        yield from _indexes(target, item.dataset, content.schema, names)


def _keys(target: Target, dataset: str, schema: DatasetSchema) -> Iterator[HealthCheck]:
    """Keys and unique columns, with the indexes that serve them."""
    try:
        present = {table.name: table for table in inspected(target, schema.tables)}
    except TdvError as exc:
        yield HealthCheck("keys", dataset, "", False, exc.message)
        return
    for table in schema.tables:
        there = present.get(table.name)
        if there is not None:
            missing = sorted(", ".join(columns) for columns in _unique(table) - _unique(there))
            message = f"no longer unique: {'; '.join(missing)}" if missing else "unique as declared"
            yield HealthCheck("keys", dataset, table.name, not missing, message)


def _indexes(target: Indexed, dataset: str, schema: DatasetSchema, names: Sequence[str]) -> Iterator[HealthCheck]:
    """The indexes of references, in the tables of these `names`, which tdv made; those of others are not its affair."""
    known = [table.name for table in schema.tables]
    wanted = {table.name: indexed(table, known) for table in schema.tables if table.name in names}
    try:
        there = target.indexes([name for name, columns in wanted.items() if columns])
    except TdvError as exc:
        yield HealthCheck("indexes", dataset, "", False, exc.message)
        return
    for name, indexes in there.items():
        missing = [
            ", ".join(columns)
            for columns in wanted[name]
            if not any(index[: len(columns)] == columns for index in indexes)
        ]
        message = f"no longer indexed: {'; '.join(missing)}" if missing else "references are indexed"
        yield HealthCheck("indexes", dataset, name, not missing, message)


def _query(target: Answering, query: str) -> HealthCheck:
    shown = " ".join(query.split())
    try:
        found = _found(target.answer(query))
    except TdvError as exc:
        return HealthCheck("query", "", "", False, f"{shown}: {exc.message}")
    ok = found == "true"
    return HealthCheck("query", "", "", ok, shown if ok else f"{shown}: it gives {found}, not one true value")


def _found(rows: Sequence[tuple[Any, ...]]) -> str:
    """What a query gave; text and the like, which may be private, only by its type."""
    if len(rows) != 1:
        return "more than one row" if rows else "no row"
    if len(rows[0]) != 1:
        return f"{len(rows[0])} columns"
    (value,) = rows[0]
    if value is None:
        return "NULL"
    if not isinstance(value, int | float | Decimal):
        return f"a value of the type {type(value).__name__}"
    # SQLite and MySQL have no truth values of their own.
    return "true" if value == 1 else str(value).lower()


def _unique(table: TableSchema) -> set[tuple[str, ...]]:
    return {tuple(sorted(columns)) for columns in (table.key, *table.uniques) if columns}

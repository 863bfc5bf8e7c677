"""How to write SQL for an engine that somebody else runs: one `Dialect` per engine, found by its name.

In: schemas and canonical columns. Out: statements, each on one line, in the forms that the engine's adapter gives
tables and values. Always holds: what a script leaves behind is declared as a checkout would have declared it; no
literal holds a character that steers a terminal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol, Self

from tdv.errors import UsageError
from tdv.model.schema import Column, DatasetSchema, TableSchema
from tdv.model.types import LogicalType
from tdv.targets.sql import listed, quote

if TYPE_CHECKING:
    import pyarrow as pa

DIALECTS: Final = ("sqlite", "duckdb", "postgresql", "mysql")
_SYNONYMS: Final = {"postgres": "postgresql", "mariadb": "mysql"}
Place = tuple[str, str]
"""A table and its column."""
LOOSE: Final = "_tdv_changing_"
"""What the tables are called in which rows wait while theirs is made anew."""
_STEERING: Final = re.compile("([\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+)")


@dataclass(frozen=True, slots=True)
class Known:
    """The tables that references may point to, before and afterwards."""

    old: frozenset[str]
    new: frozenset[str]


@dataclass(frozen=True, slots=True)
class Reshape:
    """A table whose declaration changes, or whose rows take each other's unique values.

    `common` are the columns whose values stay with their rows, in the types that hold those of both states; with `anew`
    no row of the older state is of use, all come from the newer one. `clashing` are the unique columns that rows take
    from each other. `number` tells the tables of one script apart.
    """

    old: TableSchema
    new: TableSchema
    common: TableSchema
    known: Known
    number: int
    anew: bool = False
    clashing: tuple[tuple[str, ...], ...] = ()

    @property
    def name(self) -> str:
        """The table's name."""
        return self.new.name

    @property
    def stays(self) -> tuple[str, ...]:
        """The columns whose values stay with their rows."""
        return () if self.anew else self.common.column_names

    @property
    def loose(self) -> TableSchema:
        """A table that takes the rows of both states: the newer columns in common types, with no rule but the key."""
        common = {column.name: column.type for column in self.common.columns if column.name in self.stays}
        columns = [Column(c.name, common.get(c.name, c.type), c.name not in self.common.key) for c in self.new.columns]
        return TableSchema(f"{LOOSE}{self.number}", tuple(columns), self.common.key)


@dataclass(frozen=True, slots=True)
class Outline:
    """What a script does. `aside`: references are not looked at before the end. `filled` are tables that get rows."""

    old: DatasetSchema
    new: DatasetSchema
    aside: bool
    reshaped: tuple[Reshape, ...] = ()
    filled: tuple[str, ...] = ()

    @property
    def declares(self) -> bool:
        """Whether a table comes, goes or is declared anew."""
        before, after = ({table.name for table in schema.tables} for schema in (self.old, self.new))
        return bool(self.reshaped) or before != after


class Dialect(Protocol):
    """Statements come without the semicolon."""

    @property
    def name(self) -> str:
        """As people write it."""

    def notes(self, outline: Outline) -> list[str]:
        """What somebody who runs the script has to know."""

    def beside(self, wanted: DatasetSchema) -> Dialect:
        """The same for a script that brings tables of `wanted`, which refer to those of the database."""

    def refuse(self, tables: Iterable[TableSchema]) -> None:
        """Raises `DataError` for names and types that the engine does not take."""

    def literals(self, array: pa.Array, column: Column, table: str) -> list[str]:
        """Each value as an expression, NULL for null; raises `DataError` for one that the engine cannot hold."""

    def equal(self, column: Column, literal: str, table: str) -> str:
        """A condition that a column of `table`, which may hold values in another type, is `literal`, no NULL."""

    def cast(self, name: str, old: LogicalType, new: LogicalType) -> str | None:
        """A column's value in another type, as the engine keeps it there; None where it takes more than an
        expression."""

    def holds(self, found: LogicalType, wanted: LogicalType) -> bool:
        """Whether a column that is read as `found` takes the values of `wanted` as they are written here."""

    def comparable(self, found: LogicalType, wanted: LogicalType) -> bool:
        """Whether a reference may lead from a column that is read as `found` to one of type `wanted`, and back."""

    def overriding(self, table: TableSchema) -> str:
        """What stands before VALUES so that rows keep the numbers that the engine would give them; else nothing."""

    def delete_one(self, table: TableSchema, condition: str) -> str | None:
        """Removes one row of those that are equal; None where the table's columns hide what tells them apart."""

    def create(self, table: TableSchema, known: frozenset[str]) -> list[str]:
        """A table that is ready for rows."""

    def finish(self, table: TableSchema, known: frozenset[str]) -> list[str]:
        """What is declared on a created table once it has its rows."""

    def unround(self, table: TableSchema, names: Iterable[str]) -> list[str]:
        """Lets columns keep values as they come; nothing where no column of the engine is known not to."""

    def refer(self, table: TableSchema, known: frozenset[str]) -> list[str]:
        """The references that are declared once all tables have their rows and keys."""

    def place(self, reshape: Reshape) -> str:
        """The table in which rows are changed after `loosen`."""

    def loosen(self, reshape: Reshape) -> list[str]:
        """Lets a table, or one beside it, take the rows of the newer state."""

    def clear(self, reshape: Reshape) -> list[str]:
        """Removes what would be in the way of `tighten`."""

    def tighten(self, reshape: Reshape) -> list[str]:
        """Declares the table as in the newer state."""

    def begin(self, outline: Outline) -> list[str]:
        """Up to the first change."""

    def end(self, outline: Outline) -> list[str]:
        """After the last change."""


def dialect_of(name: str) -> Dialect | None:
    """The dialect of an engine by its name or the scheme of a URL; None for one without SQL."""
    known = _SYNONYMS.get(name, name)
    if known not in DIALECTS:
        return None
    found: Dialect = import_module(f"tdv.targets.{known}.dialect").DIALECT
    return found


def named_dialect(name: str) -> Dialect:
    """The same of a name that somebody typed; raises `UsageError`."""
    found = dialect_of(name.lower())
    if found is None:
        raise UsageError(f"there is no dialect {name!r}", hint=f"Use one of {', '.join(DIALECTS)}.")
    return found


def known_tables(schema: DatasetSchema) -> frozenset[str]:
    """The tables that references may point to: the dataset's, and those of others that it requires."""
    others = {r.table for table in schema.tables for r in table.references if r.dataset is not None}
    return frozenset({table.name for table in schema.tables} | others)


def definition(dialect: Dialect, table: TableSchema, known: frozenset[str]) -> list[str]:
    """All that is declared on a table, the same text for the same declaration, whatever the order of columns is."""
    table = replace(
        table,
        columns=tuple(sorted(table.columns, key=lambda column: column.name)),
        uniques=tuple(sorted(table.uniques)),
        references=tuple(sorted(table.references, key=str)),
    )
    return [
        *dialect.create(table, known),
        *sorted(dialect.finish(table, known)),
        *sorted(dialect.refer(table, known)),
    ]


def holds(dialect: Dialect, found: LogicalType, wanted: LogicalType) -> bool:
    """True for text, and for types that are declared in the same words."""
    declared = [dialect.create(TableSchema("t", (Column("c", kind),)), frozenset()) for kind in (found, wanted)]
    return found.name == "string" or declared[0] == declared[1]


def follow(wanted: DatasetSchema, known: Collection[Place]) -> list[tuple[Place, Place]]:
    """The columns of new tables that refer to `known` ones, directly or by others, each with the one that it follows,
    which is known by then."""
    seen, found = set(known), list[tuple[Place, Place]]()
    pairs = [
        ((table.name, own), (reference.table, to))
        for table in wanted.tables
        for reference in table.references
        for own, to in zip(reference.columns, reference.to, strict=True)
    ]
    while more := next(((own, to) for own, to in pairs if to in seen and own not in seen), None):
        seen.add(more[0])
        found.append(more)
    return found


def if_missing(create: str) -> str:
    """``CREATE INDEX`` for a database in which an index of that name may have been left."""
    return create.replace("CREATE INDEX ", "CREATE INDEX IF NOT EXISTS ", 1)


def text_literal(value: str, plain: Callable[[str], str], steering: Callable[[str], str]) -> list[str]:
    """The parts of a text as expressions: `plain` ones, and those of characters that steer a terminal."""
    parts = _STEERING.split(value)
    found = [steering(part) if index % 2 else plain(part) for index, part in enumerate(parts) if part]
    return found or [plain("")]


def is_steering(value: str) -> bool:
    """Whether a text holds characters that steer a terminal, line breaks included."""
    return _STEERING.search(value) is not None


def escape_steering(value: str, escape: Callable[[str], str]) -> str:
    """The text with other words for such characters."""
    return _STEERING.sub(lambda match: escape(match[0]), value)


def shown(value: str) -> str:
    """A text for a comment: in one line, without what steers a terminal."""
    return escape_steering(value, lambda letters: ascii(letters)[1:-1])


class Rebuilds:
    """Dialects of engines that alter little of a table: its rows wait in a loose one while it is made anew."""

    def beside(self, wanted: DatasetSchema) -> Self:
        return self

    def create(self, table: TableSchema, known: frozenset[str]) -> list[str]:
        raise NotImplementedError

    def finish(self, table: TableSchema, known: frozenset[str]) -> list[str]:
        return []

    def refer(self, table: TableSchema, known: frozenset[str]) -> list[str]:
        return []

    def unround(self, table: TableSchema, names: Iterable[str]) -> list[str]:
        return []

    def cast(self, name: str, old: LogicalType, new: LogicalType) -> str | None:
        raise NotImplementedError

    def comparable(self, found: LogicalType, wanted: LogicalType) -> bool:
        return True

    def overriding(self, table: TableSchema) -> str:
        return ""

    def place(self, reshape: Reshape) -> str:
        return reshape.loose.name

    def loosen(self, reshape: Reshape) -> list[str]:
        made = self.create(reshape.loose, frozenset())
        if reshape.anew or not reshape.stays:
            return made
        names = reshape.stays
        return [*made, _copy(reshape.loose, names, reshape.old.name, self._casts(reshape.old, reshape.loose, names))]

    def clear(self, reshape: Reshape) -> list[str]:
        return [f"DROP TABLE {quote(reshape.name)}"]

    def tighten(self, reshape: Reshape) -> list[str]:
        names = reshape.new.column_names
        return [
            *self.create(reshape.new, reshape.known.new),
            _copy(reshape.new, names, reshape.loose.name, self._casts(reshape.loose, reshape.new, names)),
            f"DROP TABLE {quote(reshape.loose.name)}",
            *self.finish(reshape.new, reshape.known.new),
        ]

    def _casts(self, source: TableSchema, to: TableSchema, names: Iterable[str]) -> list[str]:
        found = []
        for name in names:
            before, after = source.column(name).type, to.column(name).type
            expression = quote(name) if before == after else self.cast(name, before, after)
            assert expression is not None
            found.append(expression)
        return found


def _copy(to: TableSchema, names: Iterable[str], source: str, values: Iterable[str]) -> str:
    return f"INSERT INTO {quote(to.name)} ({listed(names)}) SELECT {', '.join(values)} FROM {quote(source)}"

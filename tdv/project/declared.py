"""A live target's tables as they are declared, for a script that is to change them.

In: the tables of a state, and those that the target tells. Out: schemas to read the target's rows with. Always holds:
of tables that tdv made, everything counts that the engine keeps; of tables that others made only what would refuse the
rows or the references of the state, so that no script takes away what an application declared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from tdv.content.snapshot import Snapshot
from tdv.diff.value import common_type
from tdv.model.schema import Column, DatasetSchema, Reference, TableSchema
from tdv.model.types import LogicalType
from tdv.project.live import Live, Reading
from tdv.project.narrower import is_short
from tdv.targets.dialect import Dialect
from tdv.targets.protocol import Held

_TABLE: Final = "table "
Place = tuple[str, str]
"""A table and its column."""


@dataclass(frozen=True, slots=True)
class Declared:
    """`ours` are the tables that tdv made, `tables` all that the target has; `wanted` are those of the state, and
    `keeps_references` says whether the engine declares what they reference."""

    dialect: Dialect
    ours: frozenset[str]
    tables: Mapping[str, TableSchema]
    wanted: DatasetSchema
    keeps_references: bool

    def describe(self, wanted: TableSchema, found: TableSchema) -> TableSchema:
        """`wanted`, a table in the words of a state, as it is declared in the target."""
        columns = tuple(self._column(column, found) for column in wanted.columns)
        if wanted.name in self.ours:
            references = tuple(_named(reference, wanted.references) for reference in found.references)
            return replace(wanted, columns=columns, key=found.key, uniques=found.uniques, references=references)
        return replace(
            wanted,
            columns=columns,
            key=found.key if self._lacks_key(wanted, found) else wanted.key,
            uniques=tuple(unique for unique in wanted.uniques if found.has(unique)),
            references=tuple(r for r in wanted.references if found.has(r.columns) and self._leads_somewhere(r)),
        )

    def _lacks_key(self, wanted: TableSchema, found: TableSchema) -> bool:
        """Whether a reference of the state needs the key of this table, which others did not declare."""
        return (
            self.keeps_references
            and not _is_key(wanted.key, found)
            and any(r.table == wanted.name and r.to == wanted.key for t in self.wanted.tables for r in t.references)
        )

    def _leads_somewhere(self, reference: Reference) -> bool:
        target = self.tables.get(reference.table)
        return reference.dataset is not None or (target is not None and target.has(reference.to))

    def _agrees(self, table: str, found: Column) -> bool:
        """Whether references of the state may link the column, as it is, with all that they do."""
        linked = self._linked((table, found.name))
        return all(self.dialect.comparable(self._type_of(*place), found.type) for place in linked)

    def _type_of(self, table: str, column: str) -> LogicalType:
        """The type of a column of the target, or the one that it is to get."""
        found = self.tables.get(table)
        return (found if found is not None and found.has([column]) else self.wanted.table(table)).column(column).type

    def _linked(self, place: Place) -> set[Place]:
        """The columns, each with its table, that a column refers to or that refer to it, directly or by others."""
        seen, waiting = {place}, [place]
        while waiting:
            at = waiting.pop()
            fresh = {other for pair in self._pairs() if at in pair for other in pair} - seen
            seen |= fresh
            waiting += fresh
        return seen

    def _pairs(self) -> Iterator[tuple[Place, Place]]:
        for table in self.wanted.tables:
            for reference in table.references:
                if reference.dataset is None:
                    for own, to in zip(reference.columns, reference.to, strict=True):
                        yield (table.name, own), (reference.table, to)

    def _column(self, column: Column, table: TableSchema) -> Column:
        found = table.column(column.name)
        # A narrower type refuses values of the state, or rounds them without a word.
        is_held = common_type(found.type, column.type) == found.type or self.dialect.holds(found.type, column.type)
        is_held = is_held and (not self.keeps_references or self._agrees(table.name, found))
        kind = column.type if is_held else found.type
        rules = replace(column.rules, max_length=found.rules.max_length)
        if table.name in self.ours:
            return replace(column, type=kind, nullable=found.nullable, rules=rules)
        nullable = column.nullable and found.nullable
        return replace(
            column, type=kind, nullable=nullable, rules=rules if is_short(self.dialect, found, column) else column.rules
        )


def describe_as_found(tables: Mapping[str, TableSchema], wanted: TableSchema, found: TableSchema) -> TableSchema:
    """`wanted`, a table in the words of a state, with all that a target of these `tables` declares: a script is to
    bring its rows elsewhere, and NULL, long texts, equal ones, and references to nothing have to fit there."""
    columns = (_as_found(column, found) for column in wanted.columns)
    # SQLite lets references lead to columns that are no key, until somebody writes.
    led = (reference for reference in found.references if _is_key(reference.to, tables.get(reference.table)))
    references = tuple(_named(reference, wanted.references) for reference in led)
    return replace(wanted, columns=tuple(columns), key=found.key, uniques=found.uniques, references=references)


def _is_key(columns: Iterable[str], table: TableSchema | None) -> bool:
    return table is not None and any(set(unique) == set(columns) for unique in (table.key, *table.uniques))


def _as_found(column: Column, table: TableSchema) -> Column:
    found = table.column(column.name)
    rules = replace(column.rules, max_length=found.rules.max_length)
    return replace(column, nullable=found.nullable and column.name not in table.key, rules=rules)


def reading_as_declared(live: Live, model: Snapshot, tables: Mapping[str, TableSchema], dialect: Dialect) -> Reading:
    """How to read a target that is to hold `model`; what tdv made for another version of it goes, as by a checkout."""
    held, schema = live.target.held(), model.manifest.schema
    wanted = {table.name for table in schema.tables}
    declared = Declared(dialect, _made(held), tables, schema, live.target.capabilities.references)
    return Reading(tables, declared.describe, _made(held, model.manifest.dataset) - wanted)


def _made(held: Iterable[Held], dataset: str | None = None) -> frozenset[str]:
    """The tables that tdv made in a target, or those of one dataset."""
    names = (name for item in held if dataset in (None, item.dataset) for name in item.objects)
    return frozenset(name.removeprefix(_TABLE) for name in names if name.startswith(_TABLE))


def _named(reference: Reference, known: Iterable[Reference]) -> Reference:
    """With the dataset that the state says it points to."""
    return next((other for other in known if replace(other, dataset=None) == reference), reference)

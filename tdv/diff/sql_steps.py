"""What a script has to do, and in which order: tables that are declared anew, and references that stand aside.

In: the difference of two states, and a dialect. Out: `Steps`. Always holds: a table is made anew only where its
declaration in that engine changes, or its rows cannot be changed one by one; references are left to the engine to watch
wherever the order of the statements satisfies them all the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tdv.content import compute as pc
from tdv.diff.value import CellChanges, DatasetDiff, TableDiff
from tdv.model.schema import DatasetSchema, TableSchema
from tdv.targets.dialect import Dialect, Known, Outline, Reshape, definition, known_tables
from tdv.targets.sql import keys_of


@dataclass(frozen=True, slots=True)
class Steps:
    """`changed` are the tables that a script may touch; `reshapes` those of them that are declared anew."""

    changed: Mapping[str, TableDiff]
    reshapes: Mapping[str, Reshape]
    outline: Outline
    known: Known

    @property
    def parents_first(self) -> list[TableDiff]:
        """The tables of the newer state."""
        return [self.changed[name] for name in parents_first(self.outline.new) if name in self.changed]

    @property
    def children_first(self) -> list[TableDiff]:
        """The tables of the older state."""
        names = reversed(parents_first(self.outline.old))
        return [self.changed[name] for name in names if name in self.changed]


def steps(found: DatasetDiff, dialect: Dialect) -> Steps:
    """Decides; raises `DataError` for tables that the engine does not take."""
    old, new = found.old.schema, found.new.schema
    dialect.refuse(table.new for table in found.tables.values() if table.new is not None)
    known = Known(known_tables(old), known_tables(new))
    reshapes = dict(_reshapes(found.tables.values(), known, dialect))
    filled = [name for name, table in found.tables.items() if table.change.added or name in reshapes]
    outline = Outline(
        old=old,
        new=new,
        aside=bool(reshapes) or _stands_aside(found.tables, [*old.tables, *new.tables]),
        reshaped=tuple(reshapes.values()),
        filled=tuple(name for name in filled if found.tables[name].new is not None),
    )
    return Steps(found.tables, reshapes, outline, known)


def parents_first(schema: DatasetSchema) -> list[str]:
    """Tables such that each comes after those that it references, as far as references go in no circle."""
    order: list[str] = []
    seen: set[str] = set()

    def visit(table: TableSchema) -> None:
        if table.name in seen:
            return
        seen.add(table.name)
        for parent in _parents(table):
            if parent in names:
                visit(schema.table(parent))
        order.append(table.name)

    names = {table.name for table in schema.tables}
    for table in schema.tables:
        visit(table)
    return order


def _parents(table: TableSchema) -> Iterator[str]:
    return (reference.table for reference in table.references if reference.dataset is None)


def _reshapes(tables: Iterable[TableDiff], known: Known, dialect: Dialect) -> Iterator[tuple[str, Reshape]]:
    number = 0
    for table in tables:
        if table.old is None or table.new is None:
            continue
        anew, clashing = _is_anew(table, dialect), tuple(_clashing(table))
        if not (anew or clashing):
            before, after = definition(dialect, table.old, known.old), definition(dialect, table.new, known.new)
            if before == after and table.lost is None and table.gained is None:
                continue
        number += 1
        yield table.name, Reshape(table.old, table.new, table.common, known, number, anew, clashing)


def _is_anew(table: TableDiff, dialect: Dialect) -> bool:
    """Whether all rows come from the newer state, since those of the older one cannot be told or be read there."""
    assert table.old is not None
    assert table.new is not None
    if not table.common.key and table.gained is not None:
        return True
    if not table.common.key and table.change.removed and dialect.delete_one(table.old, "TRUE") is None:
        return True
    for column in table.common.columns:
        kinds = table.old.column(column.name).type, column.type, table.new.column(column.name).type
        for before, after in pairwise(kinds):
            if before != after and dialect.cast(column.name, before, after) is None:
                return True
    return False


def _clashing(table: TableDiff) -> Iterator[tuple[str, ...]]:
    """The unique columns of which a changed row may take a value that another changed row gives up."""
    assert table.old is not None
    assert table.new is not None
    for unique in dict.fromkeys((*keys_of(table.old), *keys_of(table.new))):
        cells = [table.cells[name] for name in unique if name in table.cells]
        rows = {row for cell in cells for row in cell.rows.to_pylist()}
        if len(rows) > 1 and (len(unique) > 1 or _meet(cells[0])):
            yield unique


def _meet(cells: CellChanges) -> bool:
    after = cells.after.drop_null()
    return bool(pc.any(pc.is_in(after, value_set=cells.before.drop_null())).as_py())


def _stands_aside(tables: Mapping[str, TableDiff], schemas: Sequence[TableSchema]) -> bool:
    """Whether some reference would be broken between two statements."""
    reached = _reached(schemas)
    for schema in schemas:
        for reference in schema.references:
            child, parent = tables.get(schema.name), tables.get(reference.table)
            if child is None or parent is None or reference.dataset is not None:
                continue
            if schema.name in reached[parent.name] and (_comes_or_goes(child) or _comes_or_goes(parent)):
                return True
            if parent.change.removed and any(name in child.cells for name in reference.columns):
                return True
    return False


def _comes_or_goes(table: TableDiff) -> bool:
    return bool(table.change.added or table.change.removed) or table.old is None or table.new is None


def _reached(schemas: Sequence[TableSchema]) -> dict[str, set[str]]:
    """For each table those that it references, directly or by others, in either state."""
    direct: dict[str, set[str]] = {}
    for schema in schemas:
        direct.setdefault(schema.name, set()).update(_parents(schema))
    found: dict[str, set[str]] = {}
    for name in direct:
        waiting, seen = [*direct[name]], set[str]()
        while waiting:
            parent = waiting.pop()
            if parent not in seen:
                seen.add(parent)
                waiting += direct.get(parent, ())
        found[name] = {name, *seen}
    return found

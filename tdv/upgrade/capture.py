"""What migrations made of a dataset: its schema and its rows, and what they are called now.

In: the schema that the spec declares with the rows that were loaded, what the database says of itself before and
after, and a way to read its tables. Out: a `Capture`. Always holds: a rename is told from content alone, and only
where all values agree and nothing else could be meant; tables of others stay out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from tdv.content.arrow import one_chunk
from tdv.content.text import to_text
from tdv.errors import IntegrityError
from tdv.migrations.tables import is_of_a_tool
from tdv.model.schema import Column, DatasetSchema, TableSchema
from tdv.spec.fitting import fitting
from tdv.upgrade.columns import changed, constrained, with_values
from tdv.upgrade.names import Names

Read = Callable[[TableSchema], pa.Table]
"""The rows of a table of the database; raises `IntegrityError` for values that are none of their type."""


@dataclass(frozen=True, slots=True)
class Sides:
    """The database as it says of itself, before and after the migrations."""

    before: DatasetSchema
    after: DatasetSchema


@dataclass(frozen=True, slots=True)
class Table:
    """One table after the migrations. `old` is its name before, None for a new one; `columns` maps each column that
    was there before to its old name."""

    schema: TableSchema
    rows: pa.Table
    old: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The table's name now."""
        return self.schema.name


@dataclass(frozen=True, slots=True)
class Capture:
    """`tables` are those of the spec in their order, then new ones; `removed` are gone; `notes` tell what was left
    out."""

    tables: tuple[Table, ...]
    names: Names
    removed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def schema(self) -> DatasetSchema:
        """The tables as the spec will declare them, without checks and invariants."""
        return DatasetSchema(tuple(table.schema for table in self.tables))


def capture(declared: DatasetSchema, rows: Callable[[str], pa.Table], sides: Sides, read: Read) -> Capture:
    """Looks at a migrated database; `rows` are those of the tables before."""
    return _Looking(declared, rows, sides, read).capture()


@dataclass(frozen=True, slots=True)
class _Renamed:
    """A table of before with its place after, and its columns, old → new."""

    declared: TableSchema
    before: TableSchema
    after: TableSchema
    columns: Mapping[str, str]


class _Looking:
    """One look at a database."""

    def __init__(self, declared: DatasetSchema, rows: Callable[[str], pa.Table], sides: Sides, read: Read) -> None:
        self._declared = {table.name: table for table in declared.tables}
        self._before = {table.name: table for table in sides.before.tables}
        self._after = {table.name: table for table in sides.after.tables}
        self._rows = rows
        self._read = read

    def capture(self) -> Capture:
        places = self._places()
        matched = [self._matched(self._declared[old], self._after[new]) for old, new in places.items()]
        names = self._names(matched)
        tables = [self._table(item, names) for item in matched]
        come = [table for name, table in self._after.items() if self._is_new(name) and name not in places.values()]
        tables += [Table(*self._typed(self._new(table), table)) for table in come]
        left = [table for table in tables if table.old is None and not _belongs(table, tables)]
        kept = [table for table in tables if table not in left]
        schema, notes = fitting(_within(kept))
        tables = [replace(table, schema=schema.table(table.name)) for table in kept]
        notes = (*notes, *(f"the new table {table.name}: it has no rows and no tie to this dataset" for table in left))
        removed = tuple(name for name in self._declared if name not in places)
        return Capture(tuple(tables), names, removed, notes)

    # -- which table is which

    def _is_new(self, name: str) -> bool:
        return name not in self._before and name not in self._declared and not is_of_a_tool(name)

    def _places(self) -> dict[str, str]:
        """The name of each table after, by the name before, for those that are still there."""
        come = [name for name in self._after if self._is_new(name)]
        places: dict[str, str] = {}
        for name in self._declared:
            if name in self._after:
                places[name] = name
                continue
            found = [new for new in come if new not in places.values() and self._is_same_table(name, new)]
            if len(found) == 1:
                places[name] = found[0]
        return places

    def _is_same_table(self, old: str, new: str) -> bool:
        """Whether most columns are called the same, and the rows agree in all of them."""
        before, after = self._before.get(old), self._after[new]
        declared, rows = self._declared[old], self._rows(old)
        if before is None or not rows.num_rows:
            return False
        shared = [column for column in declared.columns if _has_alike(before, after, column.name)]
        if 2 * len(shared) < len(declared.columns):
            return False
        try:
            found = self._read(TableSchema(new, tuple(shared)))
        except IntegrityError:
            return False
        return _texts(rows, shared) == _texts(found, shared)

    def _matched(self, declared: TableSchema, after: TableSchema) -> _Renamed:
        before = self._before.get(declared.name, declared)
        gone = [column for column in declared.columns if column.name not in after.column_names]
        known = {*before.column_names, *declared.column_names}
        come = [column for column in after.columns if column.name not in known]
        found = dict(_likely(self._candidates(declared, before, after, (gone, come))))
        return _Renamed(declared, before, after, found)

    def _candidates(
        self,
        declared: TableSchema,
        before: TableSchema,
        after: TableSchema,
        moved: tuple[Sequence[Column], Sequence[Column]],
    ) -> Iterator[tuple[str, str]]:
        gone, come = moved
        for old in gone:
            own = before.column(old.name).type if old.name in before.column_names else old.type
            for new in come:
                if new.type == own and self._is_same_column(declared, old, after.name, new.name):
                    yield old.name, new.name

    def _is_same_column(self, declared: TableSchema, old: Column, table: str, new: str) -> bool:
        """Whether all values agree, row by row where a key that stayed tells rows apart."""
        rows = self._rows(declared.name)
        by = [declared.column(name) for name in declared.key if name in self._after[table].column_names]
        by = by if declared.key and len(by) == len(declared.key) else []
        wanted = TableSchema(table, (*by, replace(old, name=new)), tuple(column.name for column in by))
        try:
            found = self._read(wanted)
        except IntegrityError:
            return False
        one, other = _texts(rows, (*by, old)), _texts(found, (*by, replace(old, name=new)))
        distinct = {value for *_, value in one if value is not None}
        enough = len(distinct) > 1 or (len(one) == 1 and bool(distinct))
        return enough and one == other

    def _names(self, matched: Sequence[_Renamed]) -> Names:
        kept = {name for item in matched for name in item.after.column_names}
        return Names(
            {item.declared.name: item.after.name for item in matched if item.declared.name != item.after.name},
            {item.declared.name: dict(item.columns) for item in matched},
            frozenset(kept),
        )

    # -- what it holds

    def _table(self, item: _Renamed, names: Names) -> Table:
        declared, before, after = item.declared, item.before, item.after
        columns: list[Column] = []
        old_names: dict[str, str] = {}
        for column in declared.columns:
            name = item.columns.get(column.name, column.name)
            if name in after.column_names:
                was = before.column(column.name) if column.name in before.column_names else None
                found = after.column(name)
                if was is not None and found.type != was.type and self._is_emptied(declared, column, after, found):
                    # An engine may take the type of a column from its values, and there is none left.
                    found = replace(found, type=was.type)
                columns.append(changed(column, was, found))
                old_names[name] = column.name
        known = {*before.column_names, *old_names}
        gone = [column for column in declared.columns if column.name not in old_names.values()]
        come = [self._fresh(column, after) for column in after.columns if column.name not in known]
        columns += [_as_private(column, gone) for column in come]
        table = replace(declared, name=after.name, columns=tuple(columns), checks=())
        table = constrained(table, declared, (before, after), names)
        return Table(*self._typed(table, after), old=declared.name, columns=old_names)

    def _is_emptied(self, declared: TableSchema, column: Column, after: TableSchema, found: Column) -> bool:
        """Whether a column had values before, and has none."""
        before = self._rows(declared.name).column(column.name)
        left = self._read(TableSchema(after.name, (found,))).column(found.name)
        return bool(before.null_count < len(before) and left.null_count == len(left))

    def _new(self, table: TableSchema) -> TableSchema:
        return replace(table, columns=tuple(self._fresh(column, table) for column in table.columns))

    def _fresh(self, column: Column, table: TableSchema) -> Column:
        """A new column: of the type of what it references, and as private as the columns of its name."""
        found = column
        for reference in table.references:
            there = self._declared.get(reference.table)
            if reference.columns == (column.name,) and there is not None and reference.to[0] in there.column_names:
                found = replace(found, type=there.column(reference.to[0]).type)
        private = [own.privacy for known in self._declared.values() for own in known.columns if own.name == column.name]
        return replace(found, privacy=next(filter(None, private), None))

    def _typed(self, table: TableSchema, after: TableSchema) -> tuple[TableSchema, pa.Table]:
        """The schema that the values are of, and the rows; a type that they are not of gives way to the database's."""
        schema = table
        while True:
            try:
                rows = self._read(schema)
                break
            except IntegrityError as exc:
                name = str(exc.facts.get("column"))
                if name not in schema.column_names or schema.column(name).type == after.column(name).type:
                    raise
                columns = [
                    replace(column, type=after.column(name).type) if column.name == name else column
                    for column in schema.columns
                ]
                schema = replace(schema, columns=tuple(columns))
        columns = [_with_values(column, rows) for column in schema.columns]
        return replace(schema, columns=tuple(columns)), rows


def _as_private(column: Column, gone: Sequence[Column]) -> Column:
    """A new column of a table that lost a private one: text may be what became of it, so that it is as private."""
    lost = next((old.privacy for old in gone if old.privacy), None)
    if lost is None or column.privacy is not None or column.type.name != "string":
        return column
    return replace(column, privacy=lost)


def _with_values(column: Column, rows: pa.Table) -> Column:
    values = rows.column(column.name)
    texts = values.drop_null().unique().to_pylist() if column.rules.enum is not None else ()
    return with_values(column, [str(text) for text in texts], has_nulls=bool(values.null_count))


def _has_alike(before: TableSchema, after: TableSchema, name: str) -> bool:
    is_there = name in before.column_names and name in after.column_names
    return is_there and before.column(name).type == after.column(name).type


def _texts(rows: pa.Table, columns: Sequence[Column]) -> list[tuple[str | None, ...]]:
    """The rows as texts, in one order."""
    parts = [to_text(one_chunk(rows.column(item.name)), item.type).to_pylist() for item in columns]
    return sorted(zip(*parts, strict=True), key=lambda row: tuple((text is not None, text or "") for text in row))


def _likely(pairs: Iterator[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """The pairs of which neither side fits another one as well."""
    found = list(pairs)
    for old, new in found:
        if [pair for pair in found if old == pair[0] or new == pair[1]] == [(old, new)]:
            yield old, new


def _belongs(table: Table, tables: Sequence[Table]) -> bool:
    """Whether a new table has rows, or references one of the others or is referenced by it."""
    if table.rows.num_rows:
        return True
    mine = {reference.table for reference in table.schema.references}
    others = [other for other in tables if other.name != table.name]
    theirs = {reference.table for other in others for reference in other.schema.references}
    return table.name in theirs or bool(mine & {other.name for other in others})


def _within(tables: Sequence[Table]) -> DatasetSchema:
    """The schema of the tables, without references to tables that the dataset does not have."""
    names = {table.name for table in tables}
    schemas = []
    for table in tables:
        references = [item for item in table.schema.references if item.dataset is not None or item.table in names]
        schemas.append(replace(table.schema, references=tuple(references)))
    return DatasetSchema(tuple(schemas))

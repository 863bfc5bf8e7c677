"""A live target as a state that can be compared.

In: an open target and the snapshot that it is compared with. Out: a `Snapshot` in a scratch directory. Always holds:
the target is only read; values are read in the snapshot's types where the target can, else in the target's own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tdv.content.snapshot import Snapshot
from tdv.errors import BadKey, IntegrityError, NotFound
from tdv.model.schema import Column, TableSchema
from tdv.snapshot import SnapshotOptions, TableRows, write
from tdv.targets.inspecting import inspected, with_others
from tdv.targets.protocol import Columned, Findable, Schemaless, Shared

if TYPE_CHECKING:
    from tdv.targets.protocol import Target


@dataclass(frozen=True, slots=True)
class Live:
    """A target in the place of a state."""

    target: Target

    @property
    def reference(self) -> str:
        """The URL as it may be printed."""
        return self.target.shown

    @property
    def engine(self) -> str:
        """The scheme of the URL, without a driver."""
        return self.target.shown.partition(":")[0].partition("+")[0].lower()

    def require(self) -> None:
        """Raises where there is no such target, which `held` does not tell from one that holds nothing."""
        _tables(self.target, ())

    def tables(self, model: Snapshot) -> dict[str, TableSchema]:
        """The tables of `model` in the target, by name; the model itself where the target has no schema of its own."""
        return self._tables([table.schema for table in model.manifest.tables])

    def all_tables(self, model: Snapshot) -> dict[str, TableSchema]:
        """All tables of the target, those of others without columns of a type that has no match."""
        known = [table.schema for table in model.manifest.tables]
        return self._tables(with_others(self.target, known) if isinstance(self.target, Shared) else known)

    def _tables(self, model: Sequence[TableSchema]) -> dict[str, TableSchema]:
        return {table.name: table for table in _tables(self.target, model)}


@dataclass(frozen=True, slots=True)
class Reading:
    """How a target is read: `tables` are all that it has; `describe` says what is known of one, in the words of the
    model and in its own, beside its columns; `gone` are tables that the model lacks, which are taken without rows."""

    tables: Mapping[str, TableSchema]
    describe: Callable[[TableSchema, TableSchema], TableSchema]
    gone: frozenset[str] = frozenset()


def captured(live: Live, model: Snapshot, directory: Path, reading: Reading) -> Snapshot:
    """What the target holds of the tables of `model`; parts that are the same share the model's files.

    Scenarios are the model's. A table that holds NULL in the model's key, or a key twice, as one of a release with
    another key, has none.
    """
    manifest, inspected = model.manifest, reading.tables
    present = [(table.schema, inspected[table.name]) for table in manifest.tables if table.name in inspected]
    schemas = [_readable(live, _schemas(*pair, reading)) for pair in present]
    gone = [TableRows(table, ()) for name, table in inspected.items() if name in reading.gone]
    options = SnapshotOptions(
        manifest.dataset,
        manifest.seed,
        manifest.as_of,
        invariants=manifest.invariants,
        scenarios=lambda _: manifest.scenarios,
    )
    while True:
        attempt = directory / str(sum(not schema.key for schema in schemas))
        try:
            rows = [TableRows(schema, live.target.read(schema)) for schema in schemas]
            write([*rows, *gone], options, attempt, model)
            return Snapshot.open(attempt)
        except BadKey as exc:
            schemas = [replace(schema, key=()) if schema.name == exc.facts["table"] else schema for schema in schemas]


def _tables(target: Target, model: Sequence[TableSchema]) -> Sequence[TableSchema]:
    """The tables of the target; where they have no schema of their own, they are read as those of the model, with the
    columns that are there."""
    if isinstance(target, Schemaless):
        if isinstance(target, Findable) and not target.exists():
            raise NotFound(
                f"{target.shown} is not there", hint="Look at the path; `tdv checkout` would make a directory there."
            )
        found = [table for table in model if target.has(table.name)]
        return [target.as_found(table) for table in found] if isinstance(target, Columned) else found
    return inspected(target, model)


def _schemas(model: TableSchema, found: TableSchema, reading: Reading) -> list[TableSchema]:
    """The schemas to try in turn: in the model's types, then in the target's own."""
    names = found.column_names
    columns = [column for column in model.columns if column.name in names]
    more = [column for column in found.columns if column.name not in model.column_names]
    key = model.key if set(model.key) <= set(names) else ()
    wanted = reading.describe(replace(model, columns=(*columns, *more), key=key), found)
    own = replace(wanted, columns=tuple(_of_type(column, found.column(column.name)) for column in wanted.columns))
    return [wanted] if wanted == own else [wanted, own]


def _of_type(column: Column, found: Column) -> Column:
    return replace(column, type=found.type)


def _readable(live: Live, schemas: Sequence[TableSchema]) -> TableSchema:
    """The first schema that every value fits, else the last."""
    return next((schema for schema in schemas[:-1] if _is_readable(live, schema)), schemas[-1])


def _is_readable(live: Live, schema: TableSchema) -> bool:
    try:
        for _ in live.target.read(schema):
            pass
    except IntegrityError:
        return False
    except BadKey:
        return _is_readable(live, replace(schema, key=()))
    return True

"""A live target as a state that can be compared.

In: an open target and the snapshot that it is compared with. Out: a `Snapshot` in a scratch directory. Always holds:
the target is only read; values are read in the snapshot's types where the target can, else in the target's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tdv.content.snapshot import Snapshot
from tdv.errors import IntegrityError, NotFound
from tdv.model.schema import Column, TableSchema
from tdv.snapshot import SnapshotOptions, TableRows, write
from tdv.targets.protocol import Findable, Schemaless

if TYPE_CHECKING:
    import pyarrow as pa

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


Describe = Callable[[TableSchema, TableSchema], TableSchema]


def captured(live: Live, model: Snapshot, directory: Path, describe: Describe) -> Snapshot:
    """What the target holds of the tables of `model`; parts that are the same share the model's files.

    `describe` says what is known of a table beside its columns; scenarios are the model's.
    """
    manifest = model.manifest
    inspected = {table.name: table for table in _tables(live.target, [table.schema for table in manifest.tables])}
    present = [(table.schema, inspected[table.name]) for table in manifest.tables if table.name in inspected]
    schemas = [_schema(*pair, describe) for pair in present]
    tables = [TableRows(schema, batches) for schema, batches in (_read(live, *found) for found in schemas)]
    options = SnapshotOptions(
        manifest.dataset,
        manifest.seed,
        manifest.as_of,
        invariants=manifest.invariants,
        scenarios=lambda _: manifest.scenarios,
    )
    write(tables, options, directory, model)
    return Snapshot.open(directory)


def _tables(target: Target, model: Sequence[TableSchema]) -> Sequence[TableSchema]:
    """The tables of the target; where they have no schema of their own, they are read as those of the model."""
    if isinstance(target, Schemaless):
        if isinstance(target, Findable) and not target.exists():
            raise NotFound(
                f"{target.shown} is not there", hint="Look at the path; `tdv checkout` would make a directory there."
            )
        return [table for table in model if target.has(table.name)]
    return target.inspect().tables


def _schema(model: TableSchema, found: TableSchema, describe: Describe) -> tuple[TableSchema, TableSchema]:
    """The schema to try first, and the one with the target's own types."""
    names = found.column_names
    columns = [column for column in model.columns if column.name in names]
    more = [column for column in found.columns if column.name not in model.column_names]
    key = model.key if set(model.key) <= set(names) else ()
    wanted = describe(replace(model, columns=(*columns, *more), key=key), found)
    own = [_of_type(column, found.column(column.name)) for column in wanted.columns]
    return wanted, replace(wanted, columns=tuple(own))


def _of_type(column: Column, found: Column) -> Column:
    return replace(column, type=found.type)


def _read(live: Live, wanted: TableSchema, own: TableSchema) -> tuple[TableSchema, Iterator[pa.Table]]:
    """Reads in the wanted types; a value that is none of its type makes the target's own types count."""
    if wanted == own:
        return wanted, live.target.read(wanted)
    try:
        for _ in live.target.read(wanted):
            pass
    except IntegrityError:
        return own, live.target.read(own)
    return wanted, live.target.read(wanted)

"""Tables of a live target that are not the dataset's, and refer to it: what a script would take from under them.

In: a target, its tables, and the state that it is to hold. Out: nothing, or `Refused`. Always holds: a script that is
printed leaves no row of such a table pointing to nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from tdv.content.keys import matching
from tdv.content.snapshot import Snapshot
from tdv.errors import IntegrityError, Refused
from tdv.model.schema import Reference, TableSchema
from tdv.project.live import Live, Reading


@dataclass(frozen=True, slots=True)
class Strangers:
    """`model` is what the script leaves behind of the target that `reading` tells of, in `only` these tables where
    there are any."""

    live: Live
    reading: Reading
    model: Snapshot
    only: Collection[str] = ()

    def refuse(self) -> None:
        """Raises `Refused` for the first reference that would be left without what it points to."""
        for table, reference in self._references():
            if reference.table in self.reading.gone:
                raise _refused(table, reference, "refers", f"{reference.table!r}, which goes")
            lost = self._lost(table, reference)
            if lost:
                how = f"refers in {'1 row' if lost == 1 else f'{lost:,} rows'}"
                raise _refused(table, reference, how, f"rows of {reference.table!r} that are not to stay")

    def _references(self) -> Iterator[tuple[TableSchema, Reference]]:
        own = self.reading.gone.union(self.model.tables)
        changed = own.intersection(self.only) if self.only else own
        for table in self.reading.tables.values():
            if table.name not in own:
                yield from ((table, reference) for reference in table.references if reference.table in changed)

    def _lost(self, table: TableSchema, reference: Reference) -> int:
        """How many rows refer to rows that the state does not have."""
        schema = self.model.manifest.table(reference.table).schema
        if not schema.has(reference.to):
            return 0
        over = [schema.column(name) for name in reference.to]
        names = zip(reference.columns, over, strict=True)
        own = TableSchema(table.name, tuple(replace(column, name=name, nullable=True) for name, column in names))
        kept = pa.concat_tables([*self.model.batches(reference.table, reference.to)]).select(list(reference.to))
        try:
            rows = pa.concat_tables([*self.live.target.read(own)]).drop_null()
        except (IntegrityError, pa.ArrowInvalid):
            return 0
        return int(rows.num_rows - len(matching(rows, kept.rename_columns(list(reference.columns)))))


def _refused(table: TableSchema, reference: Reference, how: str, what: str) -> Refused:
    columns = ", ".join(reference.columns)
    return Refused(
        f"table {table.name!r}, which is not the dataset's, {how} to {what} ({columns})",
        hint="Delete such rows, point them elsewhere, or drop the reference; then run the command again.",
        table=table.name,
        references=reference.table,
    )

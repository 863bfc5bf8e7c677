"""A built snapshot as tables: the manifest, and where its files are.

In: a manifest and a function from a file's name in it to its place (a directory, or the DVC cache). Out:
canonical tables. Always holds: a table has its declared columns and exact types, whatever wrote its parts;
nothing is read before it is asked for, and Arrow is not imported before rows are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from tdv.documents.words import did_you_mean
from tdv.errors import IntegrityError, NotFound
from tdv.model.canonical import dumps
from tdv.model.manifest import FILE, Manifest, Part, TableManifest

if TYPE_CHECKING:
    import pyarrow as pa


class Snapshot:
    """Reads the tables of one snapshot; `locate` gives the place of a file that the manifest names."""

    def __init__(self, manifest: Manifest, locate: Callable[[str], Path]) -> None:
        self.manifest = manifest
        self._locate = locate

    @classmethod
    def open(cls, root: Path) -> Snapshot:
        """The snapshot in a directory; raises `NotFound` without a manifest, `IntegrityError` if it is damaged."""
        path = root / FILE
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError) as exc:
            raise NotFound(f"there is no snapshot in {root}", hint="Run `tdv build` to make it.") from exc
        return cls(parse_manifest(data, str(path)), lambda file: root / file)

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of the tables in declared order."""
        return tuple(table.name for table in self.manifest.tables)

    def locate(self, file: str) -> Path:
        """The place of a file that the manifest names."""
        return self._locate(file)

    def table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """A whole table, or only `columns` of it in that order; raises `NotFound`, `IntegrityError`."""
        import pyarrow as pa

        return pa.concat_tables(self.batches(name, columns))

    def batches(self, name: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The table part by part, at least one; raises `NotFound`, `IntegrityError`."""
        table = self._manifest_of(name)
        _check_columns(table, columns)
        return (self._part(table, part, columns) for part in table.parts)

    def part(self, name: str, part: Part, columns: Sequence[str] | None = None) -> pa.Table:
        """One part of a table; raises `NotFound`, `IntegrityError`."""
        table = self._manifest_of(name)
        _check_columns(table, columns)
        return self._part(table, part, columns)

    def lookup(self, name: str, wanted: pa.Table) -> pa.Table:
        """The rows of a table whose values in the columns of `wanted` equal those of one of its rows.

        Reads only parts whose keys may hold them, and of the others only these columns. A null equals
        nothing. Raises `NotFound`, `IntegrityError`.
        """
        import pyarrow as pa

        from tdv.content.arrow import arrow_schema, empty_table
        from tdv.content.keys import matching, may_hold

        table = self._manifest_of(name)
        names = wanted.column_names
        _check_columns(table, names)
        wanted = wanted.cast(pa.schema([arrow_schema(table.schema).field(column) for column in names]))
        found = [empty_table(table.schema)]
        for part in table.parts:
            near = may_hold(part, table.schema, wanted)
            if near.num_rows:
                keys = self._part(table, part, names)
                rows = matching(keys, near)
                if len(rows):
                    found.append(self._part(table, part, None).take(rows))
        return pa.concat_tables(found)

    def _manifest_of(self, name: str) -> TableManifest:
        try:
            return self.manifest.table(name)
        except KeyError:
            raise NotFound(
                f"the dataset {self.manifest.dataset} has no table {name!r}{did_you_mean(name, self.tables)}",
                hint=f"Its tables are {', '.join(self.tables) or 'none'}.",
            ) from None

    def _part(self, table: TableManifest, part: Part, columns: Sequence[str] | None) -> pa.Table:
        import pyarrow as pa

        from tdv.content import parquet
        from tdv.content.arrow import arrow_schema

        schema = arrow_schema(table.schema)
        names = list(table.schema.column_names if columns is None else columns)
        wanted = pa.schema([schema.field(name) for name in names])
        path = self._locate(part.file)
        found = parquet.read(path, names)
        try:
            if found.schema != wanted:
                found = found.cast(wanted)
        except (pa.ArrowException, ValueError) as exc:
            raise _damaged(str(path), f"its columns are not those of table {table.name!r}") from exc
        if found.num_rows != part.rows:
            raise _damaged(str(path), f"it holds {found.num_rows} rows, not {part.rows}")
        return found


def _check_columns(table: TableManifest, columns: Sequence[str] | None) -> None:
    known = table.schema.column_names
    for name in columns or ():
        if name not in known:
            raise NotFound(
                f"the table {table.name!r} has no column {name!r}{did_you_mean(name, known)}",
                hint=f"Its columns are {', '.join(known)}.",
            )


def dump_manifest(manifest: Manifest) -> bytes:
    """The canonical JSON of a manifest: equal manifests give equal bytes."""
    return dumps(manifest.to_plain())


def parse_manifest(data: bytes, place: str = FILE) -> Manifest:
    """Reads `dump_manifest`; `place` names the file in errors. Raises `IntegrityError` for a damaged one.

    No file that it names lies outside the snapshot.
    """
    try:
        plain: Any = json.loads(data)
        manifest = Manifest.from_plain(plain)
        for table in manifest.tables:
            for part in table.parts:
                _check_file(part.file)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise _damaged(place, f"it is no manifest that this version of tdv reads ({exc})") from exc
    return manifest


def _check_file(file: str) -> None:
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts or "\0" in file or "\\" in file:
        raise ValueError(f"{file!r} is no place inside a snapshot")


def _damaged(place: str, problem: str) -> IntegrityError:
    return IntegrityError(
        f"{place} is damaged: {problem}",
        hint="`tdv pull --verify` fetches what is damaged anew; `tdv verify` names it.",
        path=place,
    )

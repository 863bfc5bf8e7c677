"""SQLite databases as targets.

In: `Load`s. Out: databases that hold exactly their rows. Always holds: before a file is replaced its write-ahead
log is checkpointed and gone. Importing this module imports neither Arrow nor `sqlite3`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import quote as percent

from tdv.errors import TargetBusy, TargetError
from tdv.model.schema import DatasetSchema, TableSchema
from tdv.targets.images import Image
from tdv.targets.one_file import OneFile
from tdv.targets.protocol import Capabilities, Held, Load, Loss
from tdv.targets.sql import quote
from tdv.targets.sqlite.ddl import LOSSES
from tdv.targets.survey import Survey

if TYPE_CHECKING:
    import sqlite3

    import pyarrow as pa

    from tdv.targets.sqlite.dialect import SqliteDialect

BUSY_WAIT: Final = 5.0
"""Seconds to wait for somebody else's transaction."""
_BUSY: Final = frozenset({"SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_BUSY_SNAPSHOT", "SQLITE_BUSY_RECOVERY"})
_NO_DATABASE: Final = frozenset({"SQLITE_NOTADB", "SQLITE_CORRUPT"})
_HINTS: Final = {
    "SQLITE_NOTADB": "This is no SQLite database: name another --target, or add --replace to overwrite it.",
    "SQLITE_FULL": "The disk is full: free some space, then run the command again.",
    "SQLITE_READONLY": "The file or its directory is read-only: change its rights, or name another --target.",
}


class SqliteTarget(OneFile):
    """One SQLite database."""

    engine: ClassVar[str] = "sqlite"
    layout: ClassVar[str] = "4.sqlite"
    logs: ClassVar[tuple[str, ...]] = ("-wal", "-journal")
    of_applications: ClassVar[tuple[str, ...]] = (  # those that SQLAlchemy hands to sqlite3.connect
        "cached_statements",
        "check_same_thread",
        "detect_types",
        "isolation_level",
        "timeout",
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        transactional=True, image=True, proof=True, references=True, throwaway=True
    )
    losses: ClassVar[Mapping[str, Loss]] = LOSSES

    def inspect(self) -> DatasetSchema:
        from tdv.targets.sqlite.inspection import inspect

        self.require()
        with self.failures(), closing(self._connect("ro")) as connection:
            return inspect(connection)

    def omitted(self) -> tuple[str, ...]:
        from tdv.targets.sqlite.inspection import omitted

        self.require()
        with self.failures(), closing(self._connect("ro")) as connection:
            return omitted(connection)

    def indexes(self, tables: Sequence[str]) -> Mapping[str, Sequence[tuple[str, ...]]]:
        from tdv.targets.sqlite.inspection import indexes

        self.require()
        with self.failures(), closing(self._connect("ro")) as connection:
            return {table: indexes(connection, table) for table in tables}

    def answer(self, query: str) -> Sequence[tuple[Any, ...]]:
        from tdv.targets.sqlite.query import answer

        self.require()
        with self.failures(), closing(self._connect("ro")) as connection:
            return answer(connection, query)

    def dialect(self) -> SqliteDialect:
        from tdv.targets.sqlite.dialect import SqliteDialect
        from tdv.targets.sqlite.theirs import written

        ours = {name.removeprefix("table ") for held in self.held() for name in held.objects}
        with self.failures(), closing(self._connect("ro")) as connection:
            return SqliteDialect(written=written(connection, ours))

    def survey(self) -> Survey:
        from tdv.targets.sqlite import state

        with closing(self._connect("ro")) as connection:
            return state.survey(connection)

    def counts(self, tables: Iterable[str]) -> list[tuple[str, int]]:
        with closing(self._connect("ro")) as connection:
            query = "SELECT count(*) FROM {}"
            return [(table, connection.execute(query.format(quote(table))).fetchone()[0]) for table in tables]

    def accept(self, tables: Sequence[TableSchema]) -> None:
        from tdv.targets.sqlite.deciding import refuse_tables

        refuse_tables(tables)

    def decide(self, load: Load) -> None:
        from tdv.targets.sqlite.deciding import decided, refuse_encoding

        with closing(self._connect("ro")) as connection:
            refuse_encoding(connection)
            decided(connection, load)

    def build(self, path: Path, load: Load) -> tuple[Held, ...]:
        from tdv.targets.sqlite.build import build

        return build(path, load)

    def stamp(self, path: Path, image: Image, load: Load) -> None:
        from tdv.targets.sqlite import state

        with closing(state.private(path)) as connection:
            state.write(connection, load.stamped(image.held))

    def connect(self) -> sqlite3.Connection:
        import sqlite3

        return sqlite3.connect(self.path, check_same_thread=False)

    def quiet(self) -> None:
        import sqlite3

        with closing(self._connect("rw")) as connection:
            try:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                connection.execute("PRAGMA journal_mode=DELETE")
                connection.execute("BEGIN EXCLUSIVE")
                connection.execute("ROLLBACK")
            except sqlite3.DatabaseError as exc:
                if not self.is_none(exc):
                    raise

    def merge(self, image: Image, load: Load) -> None:
        from tdv.targets.sqlite.merge import Merge

        with closing(self._connect("rw")) as connection:
            Merge(connection, image, load, self.images.scratch()).run()

    def rows(self, table: TableSchema) -> Iterator[pa.Table]:
        from tdv.targets.sqlite.rows import of_file

        return of_file(self.path, table)

    def select(self, table: str) -> Sequence[Mapping[str, Any]] | None:
        import sqlite3

        query = "SELECT 1 FROM sqlite_master WHERE type IN ('table', 'view') AND lower(name) = lower(?)"
        with closing(self._connect("ro")) as connection:
            if connection.execute(query, [table]).fetchone() is None:
                return None
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(f"SELECT * FROM {quote(table)}")]

    @contextmanager
    def failures(self) -> Iterator[None]:
        import sqlite3

        try:
            yield
        except sqlite3.Error as exc:
            name = getattr(exc, "sqlite_errorname", "")
            if name in _BUSY:
                raise TargetBusy(
                    f"another process uses {self.path}",
                    hint="Close the programs that have it open, then run the command again.",
                ) from exc
            if str(exc).startswith("Could not decode to UTF-8"):
                raise TargetError(
                    f"{self.path} holds text that is not UTF-8: {exc}",
                    hint="Rewrite those values as UTF-8, or make them BLOBs: UPDATE t SET c = CAST(c AS BLOB).",
                ) from exc
            hint = _HINTS.get(name, "Look at the file's rights and free space, or name another --target.")
            raise TargetError(f"SQLite failed on {self.path}: {exc}", hint=hint) from exc
        except OSError as exc:
            raise TargetError(
                f"cannot write {exc.filename or self.path}: {exc.strerror or exc}",
                hint="Look at the directory's rights and free space, or name another --target.",
            ) from exc

    def is_none(self, exc: Exception) -> bool:
        return getattr(exc, "sqlite_errorname", "") in _NO_DATABASE

    def _connect(self, mode: str) -> sqlite3.Connection:
        """`mode` is "ro" for whoever only reads."""
        import sqlite3

        # Who may not write leaves the files of a write-ahead log behind that it had to make; who may removes them.
        # Where there is a log already, the last one who may write would end it, which is a write.
        removes = mode == "ro" and not any(self.beside(suffix).exists() for suffix in self.logs)
        uri = f"file:{percent(str(self.path))}?mode={'rw' if removes else mode}"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_WAIT)
        if removes:
            connection.execute("PRAGMA query_only = ON")
        return connection

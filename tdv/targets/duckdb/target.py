"""DuckDB databases as targets.

In: `Load`s. Out: databases that hold exactly their rows. Always holds: one process at a time has a DuckDB database
open for writing, so that another one means `TargetBusy`. Importing this module imports neither DuckDB nor Arrow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tdv.errors import TargetBusy, TargetError
from tdv.model.schema import DatasetSchema, TableSchema
from tdv.targets.duckdb.types import LOSSES
from tdv.targets.images import Image
from tdv.targets.one_file import OneFile
from tdv.targets.protocol import Capabilities, Held, Load, Loss
from tdv.targets.sql import quote
from tdv.targets.survey import Survey

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from tdv.targets.duckdb.dialect import DuckdbDialect

_NO_DATABASE: Final = "not a valid DuckDB database"
_HINTS: Final = (
    (_NO_DATABASE, "This is no DuckDB database: name another --target, or add --replace to overwrite it."),
    ("No space left", "The disk is full: free some space, then run the command again."),
    ("", "Look at the file's rights and free space, or name another --target."),
)


class DuckdbTarget(OneFile):
    """One DuckDB database; rows are loaded into its schema ``main``."""

    engine: ClassVar[str] = "duckdb"
    layout: ClassVar[str] = "1.duckdb"
    logs: ClassVar[tuple[str, ...]] = (".wal",)
    unwritable: ClassVar[str] = "?"  # it looks for its log at what stands before the first one
    capabilities: ClassVar[Capabilities] = Capabilities(transactional=True, image=True, proof=True, throwaway=True)
    losses: ClassVar[Mapping[str, Loss]] = LOSSES

    def inspect(self) -> DatasetSchema:
        from tdv.targets.duckdb.catalogue import inspect

        self.require()
        with self.failures(), closing(self._read()) as connection:
            return inspect(connection)

    def omitted(self) -> tuple[str, ...]:
        from tdv.targets.duckdb.catalogue import omitted

        self.require()
        with self.failures(), closing(self._read()) as connection:
            return omitted(connection)

    def answer(self, query: str) -> Sequence[tuple[Any, ...]]:
        from tdv.targets.duckdb.catalogue import answer

        self.require()
        with self.failures(), closing(self._read()) as connection:
            return answer(connection, query)

    def dialect(self) -> DuckdbDialect:
        from tdv.targets.duckdb.catalogue import declarations
        from tdv.targets.duckdb.dialect import DuckdbDialect

        self.require()
        with self.failures(), closing(self._read()) as connection:
            return DuckdbDialect(theirs=declarations(connection))

    def rounding(self) -> Mapping[tuple[str, str], str]:
        from tdv.targets.duckdb.catalogue import rounding

        self.require()
        with self.failures(), closing(self._read()) as connection:
            return rounding(connection)

    def survey(self) -> Survey:
        from tdv.targets.duckdb.catalogue import survey

        with closing(self._read()) as connection:
            return survey(connection)

    def counts(self, tables: Iterable[str]) -> list[tuple[str, int]]:
        with closing(self._read()) as connection:
            query = "SELECT count(*) FROM main.{}"
            return [(table, connection.sql(query.format(quote(table))).fetchall()[0][0]) for table in tables]

    def accept(self, tables: Sequence[TableSchema]) -> None:
        from tdv.targets.duckdb.catalogue import refuse_names

        refuse_names(tables)

    def decide(self, load: Load) -> None:
        from tdv.targets.duckdb.loading import decided

        with closing(self._read()) as connection:
            decided(connection, load)

    def build(self, path: Path, load: Load) -> tuple[Held, ...]:
        from tdv.targets.duckdb.loading import build

        return build(path, load)

    def stamp(self, path: Path, image: Image, load: Load) -> None:
        from tdv.targets.duckdb.catalogue import write_state
        from tdv.targets.duckdb.loading import opened

        with opened(path) as connection:
            write_state(connection, load.stamped(image.held))

    def connect(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        return duckdb.connect(self.path)

    def quiet(self) -> None:
        import duckdb

        from tdv.targets.duckdb.loading import opened

        try:
            with opened(self.path):
                pass
        except duckdb.Error as exc:
            if not self.is_none(exc):
                raise

    def merge(self, image: Image, load: Load) -> None:
        from tdv.targets.duckdb.loading import merge, opened

        with opened(self.path) as connection:
            merge(connection, image, load, self.images.scratch())

    def rows(self, table: TableSchema) -> Iterator[pa.Table]:
        from tdv.targets.duckdb.loading import rows

        with closing(self._read()) as connection:
            yield from rows(connection, table)

    def select(self, table: str) -> Sequence[Mapping[str, Any]] | None:
        from tdv.targets.duckdb.catalogue import select

        with closing(self._read()) as connection:
            return select(connection, table)

    @contextmanager
    def failures(self) -> Iterator[None]:
        import duckdb

        try:
            yield
        except duckdb.Error as exc:
            if "lock on file" in str(exc):
                raise TargetBusy(
                    f"another process uses {self.path}",
                    hint="Close the programs that have it open, then run the command again.",
                ) from exc
            hint = next(hint for words, hint in _HINTS if words in str(exc))
            raise TargetError(f"DuckDB failed on {self.path}: {_first_line(exc)}", hint=hint) from exc
        except OSError as exc:
            raise TargetError(
                f"cannot write {exc.filename or self.path}: {exc.strerror or exc}",
                hint="Look at the directory's rights and free space, or name another --target.",
            ) from exc

    def is_none(self, exc: Exception) -> bool:
        return _NO_DATABASE in str(exc)

    def _read(self) -> duckdb.DuckDBPyConnection:
        """A connection for reading, which a file without the right to write allows too.

        Where this process has it open for writing already, it is another connection to the same instance.
        """
        import duckdb

        from tdv.targets.duckdb.loading import prepared

        try:
            return prepared(duckdb.connect(self.path, read_only=True))
        except duckdb.ConnectionException:
            return prepared(duckdb.connect(self.path))


def _first_line(exc: Exception) -> str:
    return (str(exc).splitlines() or [type(exc).__name__])[0]

"""SQL of the user's over Arrow tables, in an engine that can reach nothing else.

In: tables by name, and single SELECT statements from specs and scenarios. Out: Arrow tables. Always holds:
no statement reads or writes a file, loads an extension, changes a setting, or runs for longer than its time;
memory is limited, larger intermediate results go to a temporary directory that is removed at the end; the
time zone is UTC.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Final, Self

import duckdb
import pyarrow as pa

from tdv.errors import DataError, StatementError

SECONDS: Final = 60.0
MEMORY: Final = "512MB"
_LONGEST: Final = 300
_BATCH: Final = 65_536
_LARGEST_RESULT: Final = 1 << 30
STATEMENT_HINT: Final = "Mend the statement in the spec; it is one SELECT or expression of DuckDB's SQL."
_ABOUT_THE_STATEMENT: Final = (
    duckdb.ParserException,
    duckdb.SyntaxException,
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.NotImplementedException,
    duckdb.PermissionException,
)
"""Errors whose text speaks of the statement; that of all others may hold values of private columns."""


class Sandbox:
    """An empty in-memory DuckDB; use it in a ``with`` block. `seconds` limits each statement."""

    def __init__(self, *, seconds: float = SECONDS, memory: str = MEMORY, threads: int = 2) -> None:
        self._seconds = seconds
        self._scratch = TemporaryDirectory(prefix="tdv-sql-")
        self._connection = duckdb.connect(
            ":memory:",
            config={
                "temp_directory": self._scratch.name,
                "memory_limit": memory,
                "threads": threads,
                "autoload_known_extensions": False,
                "autoinstall_known_extensions": False,
                "python_enable_replacements": False,
                "allow_persistent_secrets": False,
            },
        )
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the engine and removes its temporary files."""
        self._connection.close()
        self._scratch.cleanup()

    def add(self, name: str, rows: pa.Table | Iterable[pa.Table]) -> None:
        """Makes `rows` the table `name`, in the place of one of that name.

        A table or a list of tables is looked at where it lies; any other iterable of tables, such as the
        parts of a snapshot, is copied in, which keeps memory within the limit. It has at least one item.
        """
        if isinstance(rows, list | tuple):
            rows = pa.concat_tables(rows)
        if isinstance(rows, pa.Table):
            self._connection.register(name, rows)
            return
        parts = iter(rows)
        first = next(parts)
        batches = (batch for table in _chain(first, parts) for batch in table.to_batches())
        self._connection.register(_INCOMING, pa.RecordBatchReader.from_batches(first.schema, batches))
        with self._reported(f"the table {name!r} cannot be loaded", ""):
            self._connection.execute(f"CREATE OR REPLACE TABLE {quoted(name)} AS FROM {quoted(_INCOMING)}")
        self._connection.unregister(_INCOMING)

    def query(self, sql: str) -> pa.Table:
        """The result of one SELECT.

        Raises `StatementError` when it is none or cannot run over these tables, `DataError` with the statement when
        it fails over their rows or takes too long.
        """
        with self._reported("the SQL statement fails", sql):
            statements = self._connection.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise _wrong("the SQL is not a single SELECT", sql, "it is not a single SELECT")
            with self._timed():
                return self._fetched(self._connection.sql(statements[0]), sql)

    def _fetched(self, result: duckdb.DuckDBPyRelation, sql: str) -> pa.Table:
        size = 0
        batches = []
        with result.to_arrow_reader(_BATCH) as reader:
            for batch in reader:
                batches.append(batch)
                size += batch.nbytes
                if size > _LARGEST_RESULT:
                    raise _failed(f"the SQL statement returns more than {_LARGEST_RESULT >> 20} MB", sql, None)
            return pa.Table.from_batches(batches, reader.schema)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        timer = threading.Timer(self._seconds, self._connection.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    @contextmanager
    def _reported(self, problem: str, sql: str) -> Iterator[None]:
        try:
            yield
        except duckdb.InterruptException as exc:
            raise _failed(f"{problem}: it takes longer than {self._seconds:g} s", sql, exc) from exc
        except _ABOUT_THE_STATEMENT as exc:
            raise _wrong(f"{problem}: {_first_line(exc)}", sql, _first_line(exc)) from exc
        except duckdb.Error as exc:
            raise _failed(f"{problem}: {_first_line(exc).partition(':')[0]}", sql, exc) from exc


_INCOMING: Final = "tdv incoming rows"


def quoted(name: str) -> str:
    """`name` as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def _chain(first: pa.Table, rest: Iterator[pa.Table]) -> Iterator[pa.Table]:
    yield first
    yield from rest


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _failed(problem: str, sql: str, cause: Exception | None) -> DataError:
    error = type(cause).__name__ if cause else ""
    return DataError(_with(problem, sql), hint=STATEMENT_HINT, sql=sql, error=error)


def _wrong(problem: str, sql: str, reason: str) -> StatementError:
    return StatementError(_with(problem, sql), hint=STATEMENT_HINT, reason=reason, sql=sql)


def _with(problem: str, sql: str) -> str:
    return f"{problem}: {shortened(sql)}" if sql.strip() else problem


def shortened(sql: str) -> str:
    """A statement for an error message."""
    return sql.strip() if len(sql) <= _LONGEST else sql.strip()[:_LONGEST] + "…"

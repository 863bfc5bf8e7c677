"""Rows into and out of DuckDB.

In: contents, images and connections. Out: finished files, committed transactions, canonical rows. Always holds: rows
are read back and right before a file is finished or a transaction ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from tdv.content.arrow import arrow_schema, canonical
from tdv.content.order import ordered_stream
from tdv.errors import BadKey, DataError, IntegrityError, TargetError
from tdv.model.schema import TableSchema
from tdv.targets.duckdb.catalogue import (
    STATE_DDL,
    create_table,
    refuse_names,
    rows_of,
    survey,
    write_state,
)
from tdv.targets.fitting import all_fitting, differences, other_schema
from tdv.targets.images import Image
from tdv.targets.protocol import STATE_TABLE, Content, Held, Item, Load, TableContent
from tdv.targets.sql import listed, quote, text
from tdv.targets.survey import (
    Survey,
    definition,
    foreign_references,
    is_whole,
    referenced,
    refuse_missing,
    refuse_referenced,
    refuse_taken,
)
from tdv.targets.verification import check

_BATCH: Final = 65_536
_IMAGE: Final = "tdv_image"


def prepared(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """A connection that has no time zone of the machine and fetches nothing from the network."""
    connection.sql("SET TimeZone = 'UTC'")
    connection.sql("SET autoinstall_known_extensions = false")
    return connection


@contextmanager
def opened(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection for writing; at the end all is in the file and its log is gone."""
    with closing(prepared(duckdb.connect(path))) as connection:
        yield connection
        connection.sql("CHECKPOINT")


def rows(connection: duckdb.DuckDBPyConnection, table: TableSchema) -> Iterator[pa.Table]:
    """The rows of a table in canonical form, in the order of the file; raises `IntegrityError`, `TargetError`."""
    try:
        query = f"SELECT {listed(table.column_names)} FROM main.{quote(table.name)}"
        for batch in connection.sql(query).to_arrow_reader(_BATCH):
            yield canonical(pa.Table.from_batches([batch]), table)
    except BadKey:
        raise
    except DataError as exc:
        raise IntegrityError(exc.message, hint="Something else than tdv wrote it; `tdv checkout` mends it.") from exc
    except (duckdb.CatalogException, duckdb.BinderException) as exc:
        raise TargetError(
            f"table {table.name!r} cannot be read: {str(exc).splitlines()[0]}",
            hint="Look whether the table has the columns of the release; `tdv checkout` brings it back.",
            table=table.name,
        ) from exc


def build(path: Path, load: Load) -> tuple[Held, ...]:
    """Writes a finished file; raises `DataError` for rows that its keys refuse, `IntegrityError` for other rows."""
    contents = [item.content() for item in load.items]
    tables = [table for content in contents for table in content.tables]
    refuse_names(table.schema for table in tables)
    with opened(path) as connection:
        for table in tables:
            connection.sql(create_table(table.schema))
            _fill(connection, table)
        made = survey(connection).objects
        held = tuple(_held(item, content, load, made) for item, content in zip(load.items, contents, strict=True))
        connection.sql(STATE_DDL)
        write_state(connection, held)
    with closing(prepared(duckdb.connect(path, read_only=True))) as connection:
        # DuckDB gives rows back in the order in which they came, which was the canonical one.
        check(lambda schema: rows(connection, schema), tables, "DuckDB")
    return held


def merge(connection: duckdb.DuckDBPyConnection, image: Image, load: Load, scratch: Path) -> None:
    """Replaces the rows of the datasets in one transaction; after an error the database is as it was."""
    connection.sql(f"ATTACH {text(str(image.path))} AS {_IMAGE} (READ_ONLY)")
    connection.begin()
    try:
        found = _replace_rows(connection, load)
        _mark(connection, image, load, found)
        tables = [table for item in load.items for table in item.content().tables]
        check(lambda schema: ordered_stream(rows(connection, schema), schema, scratch), tables, "DuckDB")
        connection.commit()
    except (duckdb.ConstraintException, duckdb.ConversionException) as exc:
        _undo(connection)
        raise DataError(
            f"a rule of the target refuses the rows: {_reason(exc)}",
            hint="Migrate the target to a schema that takes this version, or name another version.",
        ) from None
    except BaseException:
        _undo(connection)
        raise
    connection.sql(f"DETACH {_IMAGE}")


def _reason(exc: duckdb.Error) -> str:
    """What the engine says, but for values of rows: that of a key that is there twice, and one of another type."""
    if isinstance(exc, duckdb.ConversionException):
        return "a value is not of the type of its column"
    reason = str(exc).splitlines()[0].removeprefix("Constraint Error: ")
    return "a key is there twice" if "uplicate key" in reason else reason


def _undo(connection: duckdb.DuckDBPyConnection) -> None:
    """Ends the transaction; one that could not be committed, as on a full disk, has ended already."""
    with suppress(duckdb.TransactionException):
        connection.rollback()


def _fill(connection: duckdb.DuckDBPyConnection, table: TableContent) -> None:
    schema = arrow_schema(table.schema)
    batches = (batch for part in table.batches() for batch in part.to_batches(max_chunksize=_BATCH))
    connection.register("tdv_rows", pa.RecordBatchReader.from_batches(schema, batches))
    try:
        connection.sql(f"INSERT INTO main.{quote(table.name)} SELECT * FROM tdv_rows")
    except duckdb.ConstraintException as exc:
        raise DataError(
            f"DuckDB refuses rows of table {table.name!r}: they break a key, a unique column or NOT NULL",
            hint="Run `tdv validate` to see which rows break which rule.",
            table=table.name,
        ) from exc
    finally:
        connection.unregister("tdv_rows")


def _held(item: Item, content: Content, load: Load, made: Mapping[str, str]) -> Held:
    names = [f"table {table.name}" for table in content.tables]
    objects = {name: definition(made[name]) for name in names}
    return replace(load.mark(item, content.tables), objects=objects, whole=True)


@dataclass(frozen=True, slots=True)
class Steps:
    """What becomes of the tables that are there: those of `columns`, which others made, altered or reference, are
    filled in these columns; all others may be dropped, but for those that are `referenced`."""

    found: Survey
    columns: Mapping[str, Sequence[str]]
    referenced: Mapping[str, str]


def decided(connection: duckdb.DuckDBPyConnection, load: Load) -> Steps:
    """What the load would do, which changes nothing; raises `Refused` as it does."""
    tables = {table.name: table.schema for item in load.items for table in item.content().tables}
    found = survey(connection)
    refuse_missing(found, load, tables)
    refuse_taken(found, tables, folded=True)
    recorded = found.recorded(load)
    others = referenced(found, load, tables)
    present = filter(found.has_table, tables)
    stay = [name for name in present if name in others or not found.is_own(f"table {name}", recorded)]
    columns = all_fitting({name: partial(_shared, connection, tables[name], may_drop=load.replace) for name in stay})
    refuse_referenced({name: others[name] for name, fitting in columns.items() if fitting is None and name in others})
    return Steps(found, {name: fitting for name, fitting in columns.items() if fitting is not None}, others)


def _replace_rows(connection: duckdb.DuckDBPyConnection, load: Load) -> Survey:
    steps = decided(connection, load)
    found, recorded = steps.found, steps.found.recorded(load)
    tables = {table.name: table.schema for item in load.items for table in item.content().tables}
    for table in foreign_references(found, load, tables):
        connection.sql(f"DELETE FROM main.{quote(table)}")
    for table in (table for held in found.of_load(load) for table in held.tables):
        if table not in tables and found.has_table(table):
            is_free = found.is_own(f"table {table}", recorded) and table not in steps.referenced
            connection.sql(f"{'DROP TABLE' if is_free else 'DELETE FROM'} main.{quote(table)}")
    query = f"SELECT table_name, sql FROM duckdb_tables() WHERE database_name = {text(_IMAGE)}"
    wanted = dict(rows_of(connection, query))
    for table, schema in tables.items():
        present = found.objects.get(f"table {table}")
        if table in steps.columns or present == wanted[table]:
            _refill(connection, table, listed(steps.columns.get(table, schema.column_names)))
            continue
        if present is not None:
            connection.sql(f"DROP TABLE main.{quote(table)}")
        connection.sql(wanted[table])
        connection.sql(f"INSERT INTO main.{quote(table)} SELECT * FROM {_IMAGE}.main.{quote(table)}")
    return found


def _refill(connection: duckdb.DuckDBPyConnection, table: str, columns: str) -> None:
    """Replaces the rows of a table that stays as it is."""
    name = quote(table)
    connection.sql(f"DELETE FROM main.{name}")
    connection.sql(f"INSERT INTO main.{name} ({columns}) SELECT {columns} FROM {_IMAGE}.main.{name}")


def _shared(connection: duckdb.DuckDBPyConnection, table: TableSchema, *, may_drop: bool) -> Sequence[str] | None:
    """The columns to fill in a table that stays, which may be somebody else's.

    Where these rows do not fit into it: None if it may be made anew, else raises `Refused`.
    """
    query = (
        "SELECT column_name, is_nullable, column_default FROM duckdb_columns() "
        f"WHERE database_name = current_database() AND schema_name = 'main' AND table_name = {text(table.name)}"
    )
    theirs = {row[0].lower(): row for row in rows_of(connection, query)}
    ours = table.column_names
    lowered = {name.lower() for name in ours}
    missing = [name for name in ours if name.lower() not in theirs]
    needed = [row[0] for name, row in theirs.items() if name not in lowered and not row[1] and row[2] is None]
    if (missing or needed) and may_drop:
        return None
    if missing or needed:
        raise other_schema(table.name, differences(missing, needed), [*missing, *needed])
    return ours


def _mark(connection: duckdb.DuckDBPyConnection, image: Image, load: Load, found: Survey) -> None:
    connection.sql(STATE_DDL)
    for dataset in load.datasets:
        connection.sql(f"DELETE FROM main.{STATE_TABLE} WHERE dataset = {text(dataset)}")
    now = survey(connection).objects
    whole = is_whole(found, load)
    write_state(
        connection,
        [
            replace(
                held,
                whole=whole,
                objects={n: d for n, d in held.objects.items() if n in now and definition(now[n]) == d},
            )
            for held in load.stamped(image.held)
        ],
    )

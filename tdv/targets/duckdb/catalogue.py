"""Statements for DuckDB, and what a DuckDB database holds.

In: schemas and connections. Out: SQL, a `Survey`, the rows of `_tdv_state`. Always holds: keys and uniques are
declared; references are not, since DuckDB would check them row by row on every load, and tdv has at the build.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from tdv.errors import DataError, TargetError
from tdv.model.schema import Column, DatasetSchema, Reference, TableSchema
from tdv.model.types import LogicalType
from tdv.targets.duckdb.types import ROUNDS, declared, has_twin_fields, logical
from tdv.targets.protocol import STATE_COLUMNS, STATE_TABLE, Held
from tdv.targets.sql import keys_of, listed, no_query, quote, text
from tdv.targets.survey import Survey

if TYPE_CHECKING:
    import duckdb

STATE_DDL: Final = (
    f"CREATE TABLE IF NOT EXISTS {STATE_TABLE} (dataset VARCHAR PRIMARY KEY, version VARCHAR NOT NULL, "
    "digest VARCHAR NOT NULL, loaded_at VARCHAR NOT NULL, execution_id VARCHAR NOT NULL, tables VARCHAR NOT NULL, "
    "scenarios VARCHAR NOT NULL, objects VARCHAR NOT NULL, whole BOOLEAN NOT NULL)"
)
_COPIES: Final = '"type":"COPY_QUERY_NODE"'
_HERE: Final = "database_name = current_database()"
_OBJECTS: Final = (
    f"SELECT 'table', schema_name, table_name, sql FROM duckdb_tables() WHERE {_HERE} AND NOT internal",
    f"SELECT 'view', schema_name, view_name, sql FROM duckdb_views() WHERE {_HERE} AND NOT internal",
    f"SELECT 'index', schema_name, index_name, sql FROM duckdb_indexes() WHERE {_HERE}",
    f"SELECT 'sequence', schema_name, sequence_name, sql FROM duckdb_sequences() WHERE {_HERE}",
    f"SELECT 'type', schema_name, type_name, '' FROM duckdb_types() WHERE {_HERE} AND NOT internal",
    f"SELECT 'macro', schema_name, function_name, '' FROM duckdb_functions() WHERE {_HERE} AND NOT internal",
)


def create_table(table: TableSchema) -> str:
    """``CREATE TABLE`` with keys and uniques."""
    parts = [
        f"{quote(column.name)} {declared(column.type)}" + ("" if column.nullable else " NOT NULL")
        for column in table.columns
    ]
    if table.key:
        parts.append(f"PRIMARY KEY ({listed(table.key)})")
    parts += [f"UNIQUE ({listed(unique)})" for unique in keys_of(table)]
    return f"CREATE TABLE {quote(table.name)} ({', '.join(parts)})"


def refuse_names(tables: Iterable[TableSchema]) -> None:
    """Raises `DataError` for names that DuckDB cannot tell apart, or that are tdv's own."""
    seen: set[str] = set()
    for table in tables:
        columns = [name.lower() for name in table.column_names]
        if table.name.lower() in seen | {STATE_TABLE} or len(set(columns)) != len(columns):
            raise DataError(
                f"DuckDB does not tell names apart by case: table {table.name!r} with {', '.join(table.column_names)}",
                hint="Rename one of them in the spec.",
                table=table.name,
            )
        seen.add(table.name.lower())
        alike = [name for name, kind in ((item.name, item.type) for item in table.columns) if has_twin_fields(kind)]
        if alike:
            raise DataError(
                "DuckDB does not tell fields apart by case: "
                + ", ".join(f"{table.name}.{name} ({table.column(name).type})" for name in alike),
                hint="Rename one of the fields in the spec.",
                table=table.name,
            )


def rows_of(connection: duckdb.DuckDBPyConnection, query: str) -> list[Any]:
    """All rows of a query."""
    return list(connection.sql(query).fetchall())


def select(connection: duckdb.DuckDBPyConnection, table: str) -> list[dict[str, Any]] | None:
    """All rows of a table, which may be called ``schema.table``; None where there is none."""
    schema, _, name = table.rpartition(".")
    place = f"schema_name = {text(schema or 'main')} AND lower(table_name) = lower({text(name)})"
    if not rows_of(connection, f"SELECT 1 FROM duckdb_tables() WHERE {_HERE} AND {place}"):
        return None
    found = connection.sql(f"SELECT * FROM {quote(schema or 'main')}.{quote(name)}")
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def answer(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    """The first two rows of one SELECT, which can neither count a sequence on nor write a file; raises `TargetError`
    for others."""
    import duckdb

    statements = connection.extract_statements(query)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise no_query()
    # WITH may hold a COPY; texts within this JSON have a backslash before each quote.
    if any(_COPIES in str(tree) for (tree,) in connection.execute("SELECT json_serialize_sql(?)", [query]).fetchall()):
        raise no_query()
    connection.execute("BEGIN TRANSACTION READ ONLY")
    return list(connection.execute(statements[0]).fetchmany(2))


def survey(connection: duckdb.DuckDBPyConnection) -> Survey:
    """Looks at the catalogue, `_tdv_state`, and which tables have rows."""
    found = [row for query in _OBJECTS for row in rows_of(connection, query)]
    objects = {f"{kind} {name}": sql for kind, schema, name, sql in found if schema == "main"}
    objects |= {f"{kind} in {schema} {name}": sql for kind, schema, name, sql in found if schema != "main"}
    has_state = objects.pop(f"table {STATE_TABLE}", None) is not None
    tables = [name for kind, schema, name, _ in found if (kind, schema) == ("table", "main") and name != STATE_TABLE]
    references = rows_of(
        connection,
        "SELECT table_name, referenced_table FROM duckdb_constraints() "
        f"WHERE {_HERE} AND schema_name = 'main' AND constraint_type = 'FOREIGN KEY'",
    )
    return Survey(
        objects=objects,
        held=_held_in(connection) if has_state else (),
        filled=frozenset(t for t in tables if rows_of(connection, f"SELECT 1 FROM main.{quote(t)} LIMIT 1")),
        references=tuple((str(table), str(referenced)) for table, referenced in references),
    )


def write_state(connection: duckdb.DuckDBPyConnection, held: Iterable[Held]) -> None:
    """Replaces the rows of these datasets in `_tdv_state`."""
    for item in held:
        plain = item.to_plain()
        values = ", ".join(_literal(plain[name]) for name in STATE_COLUMNS)
        connection.sql(f"DELETE FROM main.{STATE_TABLE} WHERE dataset = {text(item.dataset)}")
        connection.sql(f"INSERT INTO main.{STATE_TABLE} ({', '.join(STATE_COLUMNS)}) VALUES ({values})")


def inspect(connection: duckdb.DuckDBPyConnection) -> DatasetSchema:
    """The tables of the schema ``main`` that are not tdv's state."""
    names = rows_of(
        connection,
        f"SELECT table_name FROM duckdb_tables() WHERE {_HERE} AND schema_name = 'main' AND NOT internal "
        "ORDER BY table_oid",
    )
    return DatasetSchema(tuple(_table(connection, name) for (name,) in names if name.lower() != STATE_TABLE))


def omitted(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """What a schema does not say of these tables: checks."""
    found = rows_of(
        connection,
        f"SELECT DISTINCT table_name FROM duckdb_constraints() WHERE {_HERE} AND schema_name = 'main' "
        "AND constraint_type = 'CHECK' ORDER BY table_name",
    )
    return tuple(f"the CHECK constraints of {name}; write them under `checks:`" for (name,) in found)


def declarations(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], str]:
    """The type of each column, by its table and its name."""
    place = f"{_HERE} AND schema_name = 'main'"
    found = rows_of(connection, f"SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE {place}")
    return {(table, column): kind for table, column, kind in found}


def rounding(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], str]:
    """What is done to values by the columns that alter some, each with its table."""
    return {place: ROUNDS[kind] for place, kind in declarations(connection).items() if kind in ROUNDS}


def _table(connection: duckdb.DuckDBPyConnection, name: str) -> TableSchema:
    place = f"WHERE {_HERE} AND schema_name = 'main' AND table_name = {text(name)}"
    columns = rows_of(
        connection,
        f"SELECT column_name, data_type, is_nullable FROM duckdb_columns() {place} ORDER BY column_index",
    )
    constraints = rows_of(
        connection,
        "SELECT constraint_type, constraint_column_names, referenced_table, referenced_column_names "
        f"FROM duckdb_constraints() {place} ORDER BY constraint_index",
    )
    described = tuple(
        Column(column, logical(kind) or LogicalType("string"), bool(nullable)) for column, kind, nullable in columns
    )
    keys = [tuple(names) for kind, names, _, _ in constraints if kind == "PRIMARY KEY"]
    usable = keys and all(column.type.may_be_key for column in described if column.name in keys[0])
    return TableSchema(
        name=name,
        columns=described,
        key=keys[0] if usable else (),
        uniques=tuple(tuple(names) for kind, names, _, _ in constraints if kind == "UNIQUE"),
        references=tuple(
            Reference(tuple(names), table, tuple(to)) for kind, names, table, to in constraints if kind == "FOREIGN KEY"
        ),
    )


def _held_in(connection: duckdb.DuckDBPyConnection) -> tuple[Held, ...]:
    import duckdb

    try:
        rows = rows_of(connection, f"SELECT {', '.join(STATE_COLUMNS)} FROM main.{STATE_TABLE} ORDER BY dataset")
        return tuple(map(Held.from_row, rows))
    except (duckdb.BinderException, ValueError, TypeError) as exc:
        raise TargetError(
            f"the table {STATE_TABLE} cannot be read: {exc}",
            hint=f"Drop {STATE_TABLE} and run the checkout with --replace.",
        ) from exc


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    return text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))

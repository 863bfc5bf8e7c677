"""What the spec says in SQL: checks of a table, invariants of the dataset, expectations of its scenarios.

In: SQL text from the spec, run by the locked-down `Sandbox`. Out: one `Check` each. Always holds: a check
passes where it is true or NULL, as in the SQL standard; an invariant passes when it returns no row; an
expectation when it returns one row that is true. Without statements no engine is started.

`refuse_wrong` finds the mistakes in the statements themselves, over tables without rows and so before there are any.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tdv.content.arrow import empty_table
from tdv.content.examples import cell_rows
from tdv.content.statements import changing
from tdv.errors import DataError, DocumentError, Problem, StatementError
from tdv.model.report import Check
from tdv.model.scenario import Expectation
from tdv.model.schema import DatasetSchema, TableSchema
from tdv.validate.rows import Rows, ValidateOptions

if TYPE_CHECKING:
    from tdv.content.sandbox import Sandbox


def refuse_wrong(schema: DatasetSchema, expectations: Sequence[Expectation], file: str) -> None:
    """Raises `DocumentError` with all statements that cannot run over these tables, or answer otherwise tomorrow.

    `file` is the spec, where checks and invariants stand; their lines are not known here.
    """
    if not _any(schema, expectations):
        return
    from tdv.content.sandbox import Sandbox, shortened

    with Sandbox() as sandbox:
        for table in schema.tables:
            sandbox.add(table.name, empty_table(table))
        statements = _placed(schema, expectations, file)
        problems = [
            Problem(file, line, key, f"{reason}: {shortened(written)}")
            for file, line, key, written, sql in statements
            if (reason := _mistake(sandbox, sql))
        ]
    if problems:
        raise DocumentError(problems, hint="Mend the SQL; it is DuckDB's, over the columns of the tables.")


def _any(schema: DatasetSchema, expectations: Sequence[Expectation]) -> bool:
    return bool(schema.invariants or expectations or any(table.checks for table in schema.tables))


def _placed(
    schema: DatasetSchema, expectations: Sequence[Expectation], file: str
) -> Iterator[tuple[str, int, str, str, str]]:
    """File, line and key of every statement, as it is written and as it runs."""
    for table in schema.tables:
        for number, check in enumerate(table.checks):
            yield file, 1, f"tables.{table.name}.checks[{number}]", check, _counting(table, [check])
    for number, invariant in enumerate(schema.invariants):
        yield file, 1, f"invariants[{number}]", invariant, invariant
    for expectation in expectations:
        yield expectation.file, expectation.line, "expect", expectation.text or expectation.sql, expectation.sql


def _mistake(sandbox: Sandbox, sql: str) -> str:
    """What is wrong with a statement, whatever rows it runs over, or ""."""
    moving = changing(sql)
    if moving:
        return f"uses {', '.join(sorted(moving))}, which gives another answer another day"
    try:
        sandbox.query(sql)
    except StatementError as exc:
        return exc.reason
    except DataError:
        return ""
    return ""


def run_statements(schema: DatasetSchema, rows: Rows, options: ValidateOptions) -> Iterator[Check]:
    """Runs all statements over all tables; raises `DataError` for one that is no valid SQL, or fails."""
    if not _any(schema, options.expectations):
        return
    # Imported here: it loads DuckDB, which a dataset without statements does not need.
    from tdv.content.sandbox import Sandbox

    with Sandbox() as sandbox:
        for table in schema.tables:
            sandbox.add(table.name, rows.batches(table.name))
        for table in schema.tables:
            yield from _checks(sandbox, table, options)
        for invariant in schema.invariants:
            yield _invariant(sandbox, schema, invariant, options)
        for expectation in options.expectations:
            yield _expectation(sandbox, expectation)


def _expectation(sandbox: Sandbox, expectation: Expectation) -> Check:
    holds = _truth(sandbox.query(expectation.sql))
    statement = expectation.text or expectation.sql
    place = f" ({expectation.file}:{expectation.line})" if expectation.file else ""
    message = "" if holds else f"the scenario {expectation.scenario}{place} expects what is not so"
    return Check("", f"expect({expectation.scenario}: {statement})", holds, 0 if holds else 1, (), message)


def _checks(sandbox: Sandbox, table: TableSchema, options: ValidateOptions) -> Iterator[Check]:
    if not table.checks:
        return
    from tdv.content.sandbox import quoted

    found = _counted(sandbox, table)
    for check, column in zip(table.checks, found.columns, strict=True):
        count = column[0].as_py()
        examples: Sequence[dict[str, Any]] = ()
        if count:
            order = ", ".join(map(quoted, table.key)) or "ALL"
            names = ", ".join(map(quoted, table.column_names))
            where = f"FROM {quoted(table.name)} WHERE NOT ({check}\n)"
            broken = sandbox.query(f"SELECT {names} {where} ORDER BY {order} LIMIT {options.examples}")
            examples = _examples(broken, table, options)
        message = ("1 row breaks the check" if count == 1 else f"{count} rows break the check") if count else ""
        yield Check(table.name, f"check({check})", not count, count, tuple(examples), message)


def _counted(sandbox: Sandbox, table: TableSchema) -> pa.Table:
    """One row with a column per check: how many rows break it."""
    try:
        return sandbox.query(_counting(table, table.checks))
    except DataError:
        for check in table.checks:
            sandbox.query(_counting(table, [check]))  # so that the error shows the one that fails
        raise


def _counting(table: TableSchema, checks: Sequence[str]) -> str:
    from tdv.content.sandbox import quoted

    # The line break before each parenthesis keeps a comment at the end of a check from swallowing it.
    counts = ", ".join(f"count(*) FILTER (WHERE NOT ({check}\n))" for check in checks)
    return f"SELECT {counts} FROM {quoted(table.name)}"


def _examples(rows: pa.Table, table: TableSchema, options: ValidateOptions) -> list[dict[str, Any]]:
    from tdv.content.arrow import canonical

    return cell_rows(canonical(rows, table), table, reveal=options.reveal)


def _invariant(sandbox: Sandbox, schema: DatasetSchema, invariant: str, options: ValidateOptions) -> Check:
    found = sandbox.query(invariant)
    shown = _shown(found.slice(0, options.examples), schema, options.reveal)
    message = f"the invariant returned {found.num_rows} row{'s' if found.num_rows != 1 else ''}" if shown else ""
    return Check("", f"invariant({invariant})", not found.num_rows, found.num_rows, tuple(shown), message)


def _shown(rows: pa.Table, schema: DatasetSchema, reveal: bool) -> list[dict[str, Any]]:
    """The rows of an invariant. Where the dataset has private columns, only columns that have the name of a column that
    is private nowhere are shown: any other may hold what was computed from one."""
    from tdv.content.raw import raw_cells

    columns = [column for table in schema.tables for column in table.columns]
    private = {column.name for column in columns if column.privacy}
    public = {column.name for column in columns} - private
    found: dict[str, list[Any]] = {}
    for name, values in zip(rows.column_names, rows.columns, strict=True):
        is_shown = reveal or not private or name in public
        # Two columns of a join may have one name.
        title = name if name not in found else f"{name} ({len(found) + 1})"
        found[title] = raw_cells(values) if is_shown else ["<private>"] * rows.num_rows
    return [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]


def _truth(answer: pa.Table) -> bool:
    return bool(answer.num_rows == 1 and answer.num_columns == 1 and answer.column(0)[0].as_py() is True)

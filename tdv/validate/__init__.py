"""Data against its own schema: types, rules, keys, uniqueness, references, checks, invariants, expectations.

In: a schema, the rows behind the `Rows` port, options. Out: a `Report` with one `Check` per rule, in the
order of the schema. Always holds: every rule is looked at over all rows, column by column and part by part,
so that memory follows the part and not the table; a rule that could not be looked at has failed.
"""

from __future__ import annotations

from tdv.model.report import Check, Report
from tdv.model.schema import DatasetSchema
from tdv.validate.rows import Rows, Tables, ValidateOptions
from tdv.validate.statements import refuse_wrong, run_statements
from tdv.validate.tables import TableValidator, parent_index

__all__ = ["Rows", "Tables", "ValidateOptions", "refuse_wrong", "validate"]


def validate(dataset: str, schema: DatasetSchema, rows: Rows, options: ValidateOptions | None = None) -> Report:
    """Looks at every rule of `schema` over all of `rows`.

    Raises `DataError` when a statement of the spec is no valid SQL; all else is in the report.
    """
    options = options or ValidateOptions()
    checks: list[Check] = []
    index = parent_index(schema, rows, options)
    for table in schema.tables:
        checks.extend(TableValidator(table, index, options).run(rows))
    checks.extend(run_statements(schema, rows, options))
    return Report(dataset, tuple(checks))

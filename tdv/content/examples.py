"""Rows as cells (`tdv.model.cell`) for reports, with the values of private columns hidden."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tdv.content.redact import redacted
from tdv.content.text import to_cells
from tdv.model.schema import TableSchema


def cell_rows(rows: pa.Table, schema: TableSchema, *, reveal: bool) -> list[dict[str, Any]]:
    """Each row of `rows`, whose columns are of `schema`, as column → cell."""
    columns = {name: to_cells(rows.column(name), schema.column(name).type) for name in rows.column_names}
    found = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return found if reveal else [redacted(schema, row) for row in found]

"""What the values of a scenario's rows stand for: labels of other rows, the frozen clock, missing keys.

In: the rows of one scenario as written, by table and label. Out: plain values. Always holds: a value is a function
of the scenario's file and the spec alone; a missing key is a function of (dataset, scenario, table, label, column),
so that it stays when rows are added or put into another order.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta
from hashlib import blake2b
from typing import Any, Final

from tdv.documents import did_you_mean, quoted
from tdv.model.canonical import dumps
from tdv.model.moment import since_as_of
from tdv.model.schema import Column, Reference, TableSchema
from tdv.model.spec import DatasetSpec

LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MENTION: Final = re.compile(rf"\$({LABEL.pattern})(?:\.({LABEL.pattern}))?")
_BITS: Final = {"int16": 15, "int32": 31, "int64": 63}
_NAMESPACE: Final = uuid.UUID("6f1c6b52-0f0c-5b44-9d55-6d2e9c1f7a10")
_MOMENTS: Final = frozenset({"date", "time", "timestamp", "timestamptz"})

Row = Mapping[str, Any]
Cell = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Labels:
    """The rows of one scenario: table → label → column → value as written."""

    spec: DatasetSpec
    scenario: str
    rows: Mapping[str, Mapping[str, Row]]

    def value(self, table: str, label: str, column: str) -> Any:
        """What a cell holds, as a plain value; None for NULL. Raises `ValueError` with one sentence."""
        return self._value((table, label, column), ())

    def find(self, label: str, table: str | None = None) -> str:
        """The table of the row with that label; raises `ValueError` when there is none or more than one."""
        if table is not None and table not in self.rows:
            raise ValueError(f"the scenario has no rows of a table {table!r}{did_you_mean(table, self.rows)}")
        tables = [name for name in ([table] if table else self.rows) if label in self.rows[name]]
        if not tables:
            known = {known for name in ([table] if table else self.rows) for known in self.rows[name]}
            raise ValueError(f"no row has the label {label!r}{did_you_mean(label, known)}")
        if len(tables) > 1:
            spelt = " or ".join(f"${name}.{label}" for name in tables)
            raise ValueError(f"the label {label!r} stands in several tables; write {spelt}")
        return tables[0]

    def _value(self, cell: Cell, above: tuple[Cell, ...]) -> Any:
        if cell in above:
            raise ValueError("the labels lead back to this value in a circle")
        table, label, name = cell
        schema = self.spec.table(table).schema
        column = schema.column(name)
        row = self.rows[table][label]
        if name in row:
            return self._resolved(row[name], schema, column, (*above, cell))
        if name not in schema.key:
            return None
        return generated_key((self.spec.name, self.scenario, table, label), schema, column)

    def _resolved(self, value: Any, schema: TableSchema, column: Column, above: tuple[Cell, ...]) -> Any:
        if isinstance(value, list):
            return [self._resolved(item, schema, column, above) for item in value]
        if isinstance(value, dict):
            return {name: self._resolved(item, schema, column, above) for name, item in value.items()}
        if not isinstance(value, str):
            return value
        if value.startswith("$$"):
            return value[1:]
        since = since_as_of(value) if column.type.name in _MOMENTS else None
        if since is not None:
            return self._moment(since, column)
        mention = _MENTION.fullmatch(value)
        return self._mentioned(mention, schema, column, above) if mention else value

    def _moment(self, since: timedelta, column: Column) -> str:
        clock = self.spec.as_of.astimezone(UTC) if self.spec.as_of.tzinfo else self.spec.as_of.replace(tzinfo=UTC)
        try:
            moment = clock + since
        except OverflowError as exc:
            raise ValueError("the moment lies outside the years 1 to 9999") from exc
        if column.type.name == "date":
            return moment.date().isoformat()
        if column.type.name == "time":
            return moment.time().isoformat()
        return (moment if column.type.name == "timestamptz" else moment.replace(tzinfo=None)).isoformat()

    def _mentioned(self, mention: re.Match[str], schema: TableSchema, column: Column, above: tuple[Cell, ...]) -> Any:
        """The value of the column that `column` references, or the key of the row that is mentioned."""
        first, second = mention.groups()
        table, label = (first, second) if second else (None, first)
        reference = self._reference(schema, column, table, label)
        if reference is not None:
            self.find(label, reference.table)
            return self._value((reference.table, label, reference.to[reference.columns.index(column.name)]), above)
        found = self.find(label, table)
        key = self.spec.table(found).schema.key
        if len(key) != 1:
            what = "no key" if not key else f"a key of {len(key)} columns"
            raise ValueError(f"{mention.group()} stands for one value, but the table {found!r} has {what}")
        return self._value((found, label, key[0]), above)

    def _reference(self, schema: TableSchema, column: Column, table: str | None, label: str) -> Reference | None:
        """The reference of `column` within the dataset that `label` is meant for; the first that has such a row."""
        own = [item for item in schema.references if column.name in item.columns and item.dataset is None]
        if table is not None:
            own = [item for item in own if item.table == table]
        return next((item for item in own if label in self.rows.get(item.table, {})), None)


def generated_key(place: tuple[str, str, str, str], schema: TableSchema, column: Column) -> Any:
    """The key of the row at `place` (dataset, scenario, table, label), where the scenario gives none.

    A whole number lies in the upper half of the positive range of its type (of 2^53 for int64), or of `maximum`
    where the column has one; text is ``<scenario>-<label>``; a uuid is one of version 5. Raises `ValueError` for any
    other type.
    """
    _, scenario, table, label = place
    name = dumps([*place, column.name])
    if any(column.name in reference.columns for reference in schema.references):
        raise ValueError(f"the key is part of a reference: say which row it names, as in `{column.name}: $label`")
    if column.type.name == "string":
        return f"{scenario}-{label}"
    if column.type.name == "uuid":
        return str(uuid.uuid5(_NAMESPACE, name.decode("utf-8")))
    if column.type.name in _BITS:
        # JavaScript and many a JSON reader know no whole number beyond 2^53.
        top = 2 ** min(_BITS[column.type.name], 53) - 1
    elif column.type.name == "decimal" and column.type.scale == 0:
        top = 10**column.type.precision - 1
    else:
        raise ValueError(f"a key of the type {column.type} is not made up: give {quoted(label)} a value for it")
    top = min(top, _bound(column.rules.maximum, top))
    bottom = max(top // 2 + 1, _bound(column.rules.minimum, 0))
    if bottom > top:
        raise ValueError(
            f"the range of {table}.{column.name} leaves no room to make up a key: give {quoted(label)} one"
        )
    return bottom + int.from_bytes(blake2b(name, digest_size=16).digest(), "big") % (top - bottom + 1)


def _bound(limit: float | str | None, otherwise: int) -> int:
    return int(limit) if isinstance(limit, int | float) else otherwise

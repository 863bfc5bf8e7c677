"""SQL of a dataset that the migrations made impossible, since it speaks of what is gone, or untrue.

In: the schema after the migrations, and what a build found untrue. Out: why a statement cannot stay. Always holds: a
statement is tried over tables without rows, so that nothing but its names and types decide.
"""

from __future__ import annotations

from collections.abc import Collection
from types import TracebackType
from typing import Final, Self

from tdv.content.arrow import empty_table
from tdv.content.sandbox import Sandbox, quoted
from tdv.errors import DataError, StatementError
from tdv.model.schema import DatasetSchema

OF_GONE: Final = "which speaks of what is gone"


class Statements:
    """An engine with the tables; use it in a ``with`` block. `untrue` are failed rules of a report, by table."""

    def __init__(self, schema: DatasetSchema, untrue: Collection[tuple[str, str]] = ()) -> None:
        self._untrue = untrue
        self._sandbox = Sandbox()
        for table in schema.tables:
            self._sandbox.add(table.name, empty_table(table))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sandbox.close()

    def against_check(self, check: str, table: str) -> str | None:
        """Why a check of a table cannot stay, as the end of a sentence; None where it can."""
        query = f"SELECT count(*) FILTER (WHERE NOT ({check}\n)) FROM {quoted(table)}"
        return self._against(query, table, f"check({check})")

    def against_invariant(self, invariant: str) -> str | None:
        """Why an invariant cannot stay."""
        return self._against(invariant, "", f"invariant({invariant})")

    def against_expectation(self, sql: str, scenario: str, text: str) -> str | None:
        """Why an expectation cannot stay; `sql` has the keys of its labels in it."""
        return self._against(sql, "", f"expect({scenario}: {text})")

    def _against(self, sql: str, table: str, rule: str) -> str | None:
        if (table, rule) in self._untrue:
            return "which is not so any more"
        try:
            self._sandbox.query(sql)
        except StatementError:
            return OF_GONE
        except DataError:
            return None
        return None

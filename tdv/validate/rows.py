"""Where the rows to validate come from, and what is to be looked at besides the schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from tdv.model.scenario import Expectation


class Rows(Protocol):
    """Tables that can be read again and again, in parts that fit into memory; a `Snapshot` is one."""

    def batches(self, name: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The parts of the table `name`, with all columns or those named, in that order."""
        ...


class Tables:
    """`Rows` over tables in memory."""

    def __init__(self, tables: Mapping[str, pa.Table]) -> None:
        self._tables = tables

    def batches(self, name: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The whole table as one part."""
        table = self._tables[name]
        yield table if columns is None else table.select(list(columns))


@dataclass(frozen=True, slots=True)
class ValidateOptions:
    """`others` holds the rows of datasets that references point into; `strict` names the tables whose rows
    may hold no other columns than the schema's (None: all); `examples` is how many rows a finding shows;
    `reveal` leaves the values of private columns in them."""

    others: Mapping[str, Rows] = field(default_factory=dict)
    expectations: Sequence[Expectation] = ()
    strict: frozenset[str] | None = None
    examples: int = 5
    reveal: bool = False

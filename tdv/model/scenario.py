"""What a scenario expects to be true of the data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Expectation:
    """A statement of a scenario that must give one true value.

    `sql` has the keys of the labels put in; `text` is the statement as the file holds it, in `line` of `file`.
    """

    scenario: str
    sql: str
    text: str = ""
    file: str = ""
    line: int = 0

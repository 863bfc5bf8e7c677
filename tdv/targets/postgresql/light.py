"""The small client as the driver's connections are used: statements with values, rows with types.

In: an address. Out: a session in autocommit mode with tdv's settings. Always holds: a value is written as a literal
that the server reads as that value alone; what a type is not known for stays the server's text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from tdv.targets.postgresql import wire
from tdv.targets.postgresql.authentication import Unsupported
from tdv.targets.postgresql.settings import USUAL
from tdv.targets.sql import text

_TYPES: Final[Mapping[int, Callable[[str], Any]]] = {16: "t".__eq__, 20: int, 21: int, 23: int, 26: int}
"""How values of these types, by their numbers in the catalogue, are read."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a statement; `description` has the type of each column."""

    description: tuple[int, ...]
    rows: list[tuple[Any, ...]]

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows."""
        return self.rows


class Light:
    """One session."""

    def __init__(self, session: wire.Session) -> None:
        self._session = session
        self.server_version = int(session.query("SHOW server_version_num")[0][0] or 0)

    @property
    def info(self) -> Light:
        """What is known of the server."""
        return self

    def execute(self, query: str, params: Sequence[Any] | None = None, /) -> Rows:
        """Runs one statement, with a value for each ``%s`` in it; raises `wire.Refusal`."""
        types, rows = self._session.answer(query % tuple(map(_literal, params)) if params else query)
        return Rows(types, [_read(types, row) for row in rows])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Runs the statements of a block together, or none of them."""
        self.execute("BEGIN")
        try:
            yield
        except BaseException:
            with suppress(Unsupported, wire.Refusal, OSError):
                self.execute("ROLLBACK")
            raise
        self.execute("COMMIT")

    def close(self) -> None:
        """Ends the session."""
        self._session.close()


@contextmanager
def opened(address: wire.Address) -> Iterator[Light]:
    """A session; raises `Unsupported`, `wire.Refusal` or `OSError`."""
    with wire.session(address) as session:
        session.query(USUAL)
        session.wait_for_long()
        yield Light(session)


def _read(types: Sequence[int], row: wire.Row) -> tuple[Any, ...]:
    return tuple(
        value if value is None or kind not in _TYPES else _TYPES[kind](value)
        for kind, value in zip(types, row, strict=True)
    )


def _literal(value: Any) -> str:
    """A number is quoted, too: a sign before one without quotes is an operator, which a cast comes before."""
    if value is None:
        return "NULL"
    if isinstance(value, list):
        return f"ARRAY[{', '.join(map(_literal, value))}]::text[]"
    return text(str(value))

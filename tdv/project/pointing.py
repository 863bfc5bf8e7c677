"""Names the lines of specs that a target's schema does not take.

In: an error of a load, with the tables and columns that do not fit. Out: the same error, whose hint says where they are
written. Always holds: the error stays what it is where no spec says anything of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, cast

from tdv.errors import Refused, TdvError
from tdv.targets.fitting import MISFITS, Misfits

if TYPE_CHECKING:
    from tdv.documents import Document
    from tdv.project.ports import Ports

_MOST: Final = 3


@contextmanager
def pointing(ports: Ports, datasets: Iterable[str]) -> Iterator[None]:
    """Lets errors of the block name the lines of the specs of these datasets."""
    try:
        yield
    except Refused as problem:
        places = _places(ports, datasets, cast(Misfits, problem.facts.get(MISFITS, ())))
        if not places:
            raise
        more = f" and {len(places) - _MOST} more" if len(places) > _MOST else ""
        hint = f"{problem.hint} In the spec: {', '.join(places[:_MOST])}{more}."
        raise type(problem)(problem.message, hint=hint, **problem.facts) from problem


def _places(ports: Ports, datasets: Iterable[str], misfits: Misfits) -> list[str]:
    if not misfits:
        return []
    specs = [spec for name in datasets if (spec := _spec(ports, name)) is not None]
    found = (place for table, column in misfits for spec in specs for place in _said(spec, table, column))
    return list(dict.fromkeys(found))  # columns that the spec lacks have one place


def _spec(ports: Ports, dataset: str) -> Document | None:
    """None where it cannot be read, as where nothing but releases are left."""
    from tdv import documents, spec

    try:
        return documents.load(ports.directory(dataset) / spec.FILE, ports.root)
    except TdvError:
        return None


def _said(spec: Document, table: str, column: str | None) -> Iterator[str]:
    """Where the spec says something of a column, or else of the columns among which it is not."""
    from tdv.documents import dotted

    columns = ("tables", table, "columns")
    wanted = (*columns, column) if column is not None else columns[:2]
    path = wanted if spec.has(wanted) else columns
    if spec.has(path):
        yield f"{spec.file}:{spec.place(path)[0]} ({dotted(path)})"

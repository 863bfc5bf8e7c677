"""Work on one thing while the one before is on its way.

In: a step and items. Out: its results in order. Always holds: at most two results wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def ahead(step: Callable[[_In], _Out], items: Iterable[_In]) -> Iterator[_Out]:
    """`step` of each item, done on another thread while the caller works on the one before."""
    with ThreadPoolExecutor(1) as pool:
        coming = None
        for item in items:
            following = pool.submit(step, item)
            if coming is not None:
                yield coming.result()
            coming = following
        if coming is not None:
            yield coming.result()

"""Work on one thing while the one before is on its way.

In: a step and items, or items that are made one by one. Out: results in order. Always holds: at most two results wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

_WAITING: Final = 2
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


def prepared(items: Iterator[_Out]) -> Iterator[_Out]:
    """The items, none of which is None, made on another thread while the caller works on those before."""
    with ThreadPoolExecutor(1) as pool:
        coming = deque(pool.submit(next, items, None) for _ in range(_WAITING))
        while (item := coming.popleft().result()) is not None:
            coming.append(pool.submit(next, items, None))
            yield item

"""Databases made ahead of those who will ask for them, and removed behind those who are done.

In: a way to make one and a way to remove it. Out: databases, each once. Always holds: one thread does all the work; at
most `size` databases wait, from the second one on that is asked for; `close` leaves none that nobody took.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

T = TypeVar("T")


class Pool(Generic[T]):
    """The databases of one kind. `take` and `close` belong to one thread."""

    def __init__(self, make: Callable[[], T], remove: Callable[[T], None], size: int) -> None:
        self._make = make
        self._remove = remove
        self._size = size
        self._taken = 0
        self._coming: deque[Future[T]] = deque()
        self._going: list[Future[None]] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tdv")

    def take(self) -> T:
        """The next database; raises what making it raised."""
        self._taken += 1
        # Who asks once may never ask again.
        ahead = self._size if self._taken > 1 else 0
        while len(self._coming) <= ahead:
            self._coming.append(self._thread.submit(self._make))
        # Who is interrupted while waiting leaves it to the next one.
        wait([self._coming[0]])
        return self._coming.popleft().result()

    def remove(self, item: T) -> None:
        """Removes a database that was taken, sooner or later."""
        self._going = [future for future in self._going if not future.done() or future.exception()]
        self._going.append(self._thread.submit(self._remove, item))

    def close(self) -> None:
        """Removes what nobody took; raises the first error of all removals."""
        for future in self._coming:
            future.cancel()
        while self._coming:
            wait([self._coming[0]])
            future = self._coming.popleft()
            if not future.cancelled() and future.exception() is None:
                self.remove(future.result())
        self._thread.shutdown()
        for gone in self._going:
            gone.result()

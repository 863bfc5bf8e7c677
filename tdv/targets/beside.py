"""One step beside another.

In: a step. Out: its result. Always holds: an error of the step is raised where its result is asked for, and nowhere
else; importing this module costs nothing that a short command would notice, as executors do.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Generic, TypeVar

_Out = TypeVar("_Out")


class Beside(Generic[_Out]):
    """A step that runs on another thread from now on."""

    def __init__(self, step: Callable[[], _Out]) -> None:
        self._step = step
        self._results: list[_Out] = []
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run)
        self._thread.start()

    def wait(self) -> None:
        """Waits for the end of the step, whatever it came to."""
        self._thread.join()

    def result(self) -> _Out:
        """What the step returned; raises what it raised."""
        self.wait()
        if self._error is not None:
            raise self._error
        return self._results[0]

    def _run(self) -> None:
        try:
            self._results.append(self._step())
        except BaseException as exc:  # noqa: BLE001 - it is raised where the result is asked for
            self._error = exc

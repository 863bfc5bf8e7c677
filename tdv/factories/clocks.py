"""Clocks in compiled code, which looks at none of Python's.

In: the clock of a worker, by the frame that asks. Out: NumPy and pandas that ask it. Always holds: NumPy's own code,
and that of others, sees the class that it knows; pandas shows everybody a clock that stands still.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from types import FrameType, ModuleType
from typing import Any, Final

import numpy as np

Clock = Callable[[FrameType], datetime]
"""The time that the code in a frame is shown; raises `FactoryError` for that of a factory."""
_NOW: Final = frozenset({"now", "today"})


def guard_numpy(clock: Clock, is_ours: Callable[[str], bool]) -> None:
    """Code in files that are ours is given a `numpy.datetime64` that asks the clock."""
    real = np.datetime64

    class Kind(type):
        """Makes the class stand for the real one, whose instances it makes."""

        def __call__(cls, *words: Any) -> Any:
            if words and _is_now(words[0]):
                clock(sys._getframe(1))
            return real(*words)

        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, real)

        def __subclasscheck__(cls, subclass: type) -> bool:
            return issubclass(subclass, real)

        def __eq__(cls, other: object) -> bool:
            return other is cls or other is real

        def __hash__(cls) -> int:
            return hash(real)

    guarded = Kind("datetime64", (real,), {"__module__": real.__module__, "__doc__": real.__doc__})

    class Numpy(ModuleType):
        """NumPy as each caller may see it."""

        @property
        def datetime64(self) -> Any:
            return guarded if is_ours(sys._getframe(1).f_code.co_filename) else real

    np.__class__ = Numpy


def guard_pandas(clock: Clock, pandas: ModuleType) -> None:
    """All that pandas takes for now, also in columns, comes from these methods."""
    kind = pandas.Timestamp
    make = kind.__new__

    def shown(frame: FrameType, zone: Any) -> Any:
        return kind(clock(frame).astimezone(UTC)).tz_convert(zone)

    def now(tz: Any = None) -> Any:
        return shown(sys._getframe(1), tz)

    def utcnow() -> Any:
        return shown(sys._getframe(1), "UTC")

    def new(cls: Any, *words: Any, **named: Any) -> Any:
        if _is_now(words[0] if words else named.get("ts_input")):
            return shown(sys._getframe(1), named.get("tz"))
        return make(cls, *words, **named)

    for name, method in (("now", now), ("today", now), ("utcnow", utcnow), ("__new__", new)):
        setattr(kind, name, staticmethod(method))


def _is_now(value: object) -> bool:
    if isinstance(value, bytes):
        return value.lower() in {word.encode() for word in _NOW}
    return isinstance(value, str) and value.lower() in _NOW

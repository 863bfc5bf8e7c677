"""Clocks in compiled code, which looks at none of Python's.

In: the clock of a worker, by the frame that asks. Out: NumPy, pandas and DuckDB that ask it. Always holds: NumPy's own
code, and that of others, sees the classes that it knows; pandas shows everybody a clock that stands still.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from types import FrameType, ModuleType
from typing import Any, Final

import numpy as np

from tdv.content.statements import changing

Clock = Callable[[FrameType], datetime]
"""The time that the code in a frame is shown; raises `FactoryError` for that of a factory."""
_NOW: Final = frozenset({"now", "today"})
_TIME_OF_DAY: Final = re.compile(r"\s*\d{1,2}:\d{2}(:\d{2}(\.\d*)?)?\s*([ap]m)?\s*", re.IGNORECASE)
"""What pandas completes by the day on which it reads it."""


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

    def for_caller(ours: Any, others: Any) -> Any:
        return property(lambda _: ours if is_ours(sys._getframe(1).f_code.co_filename) else others)

    shown = {name: for_caller(_array(getattr(np, name), clock), getattr(np, name)) for name in ("array", "asarray")}
    np.__class__ = type("Numpy", (ModuleType,), {**shown, "datetime64": for_caller(guarded, real)})


def _array(real: Callable[..., Any], clock: Clock) -> Callable[..., Any]:
    """`numpy.array` that asks the clock about texts which become times."""

    def array(*words: Any, **named: Any) -> Any:
        kind = words[1] if len(words) > 1 else named.get("dtype")
        if words and kind is not None and np.dtype(kind).kind == "M":
            texts = real(words[0])
            if texts.dtype.kind in "OSU" and any(map(_is_now, texts.ravel().tolist())):
                clock(sys._getframe(1))
        return real(*words, **named)

    return array


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
        value = words[0] if words else named.get("ts_input")
        if _is_now(value):
            return shown(sys._getframe(1), named.get("tz"))
        if _is_time_of_day(value):
            value = f"{clock(sys._getframe(1)).date()} {value}"
            words, named = (value, *words[1:]), {key: named[key] for key in named if key != "ts_input"}
        return make(cls, *words, **named)

    for name, method in (("now", now), ("today", now), ("utcnow", utcnow), ("__new__", new)):
        setattr(kind, name, staticmethod(method))
    pandas.to_datetime = _to_datetime(pandas.to_datetime, clock)  # type: ignore[attr-defined]


def _to_datetime(real: Callable[..., Any], clock: Clock) -> Callable[..., Any]:
    def to_datetime(arg: Any, *words: Any, **named: Any) -> Any:
        first = next(iter(arg), None) if hasattr(arg, "__len__") and not isinstance(arg, str) else arg
        if named.get("format") is None and _is_time_of_day(first):
            clock(sys._getframe(1))
        return real(arg, *words, **named)

    return to_datetime


def guard_duckdb(refuse: Callable[[FrameType, str], None], duckdb: ModuleType) -> None:
    """Statements that give another answer tomorrow or by chance are refused to whom `refuse` does."""

    def asking(real: Callable[..., Any]) -> Callable[..., Any]:
        def asked(*words: Any, **named: Any) -> Any:
            for text in (*words, *named.values()):
                if isinstance(text, str) and (found := changing(text)):
                    refuse(sys._getframe(1), ", ".join(sorted(found)))
            return real(*words, **named)

        return asked

    for holder in (duckdb, duckdb.DuckDBPyConnection):
        for name in ("execute", "query", "sql"):
            setattr(holder, name, asking(getattr(holder, name)))


def _is_now(value: object) -> bool:
    if isinstance(value, bytes):
        return value.lower() in {word.encode() for word in _NOW}
    return isinstance(value, str) and value.lower() in _NOW


def _is_time_of_day(value: object) -> bool:
    return isinstance(value, str) and _TIME_OF_DAY.fullmatch(value) is not None

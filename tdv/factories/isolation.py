"""Keeps factories from what would make their rows differ from one build to the next.

In: the repository's root and the frozen clock. Out: `FactoryError` when code below the root reads the wall clock or
the environment, draws from a shared or unseeded random stream, opens a connection, starts a process, writes a file
or reads one from outside of the repository; third-party code sees a clock that stands still. Always holds: only this
process is changed, and only a worker process calls `Isolation.begin`. It is a guard against mistakes, not a wall
against malice.
"""

from __future__ import annotations

import datetime
import os
import random
import secrets
import sys
import sysconfig
import time
import uuid
import zoneinfo
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, timedelta, tzinfo
from functools import partial
from pathlib import Path
from types import FrameType, ModuleType, TracebackType
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa

import tdv
from tdv.errors import FactoryError
from tdv.factories.clocks import guard_duckdb, guard_numpy, guard_pandas
from tdv.factories.compiled import let_in

_CLOCK_HINT: Final = "Use at.as_of, the dataset's frozen clock."
_WALL_CLOCK: Final = ("the wall clock", _CLOCK_HINT)
_RANDOM_HINT: Final = "Use at.rng or at.faker, which belong to the row, or at.integers and its like in columns()."
_SQL_HINT: Final = "Use at.as_of, the dataset's frozen clock, and at.rng for chance."
_TICKING: Final = (
    *("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "process_time_ns"),
    *("thread_time", "thread_time_ns", "clock_gettime", "clock_gettime_ns"),
)
_NETWORK: Final = frozenset(
    {"socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}
)
_PROCESSES: Final = frozenset(
    {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "os.spawn"}
)
_OUTSIDE: Final = (".git", ".tdv", ".dvc", ".venv")
_ENVIRONMENT_HINT: Final = "Write the value into the factory, or into a file that `sources:` names."
_OUTSIDE_HINT: Final = "Put a copy of it into the repository, and name that in `sources:`."
_COMPILED: Final = frozenset({"PYARROW_IGNORE_TIMEZONE"})
"""What compiled code asks for, whose caller seems to ask; a worker's environment does not have it."""
_MACHINERY: Final = frozenset({"importlib._bootstrap", "importlib._bootstrap_external", "_frozen_importlib"})
_BETWEEN: Final = frozenset({"os", "_collections_abc", "collections.abc", __name__})
"""Modules that stand between `os.environ` and those who read it."""
_RealDate: Final = datetime.date
_RealDatetime: Final = datetime.datetime


class Isolation:
    """The guards of one worker process."""

    def __init__(self, root: Path, as_of: datetime.datetime, clock_days: int) -> None:
        self._root = str(root.resolve()) + os.sep
        self._as_of = as_of if as_of.tzinfo is not None else as_of.replace(tzinfo=UTC)
        self._shift = timedelta(days=clock_days)
        self._apart = (
            str(Path(tdv.__file__).resolve().parent) + os.sep,
            str(Path(sys.prefix).resolve()) + os.sep,
            *(str(Path(path).resolve()) + os.sep for path in sysconfig.get_paths().values()),
            *(os.path.realpath(path) + os.sep for path in zoneinfo.TZPATH),
        )
        self._opened: dict[str, str | None] = {}
        self._active = False

    def begin(self) -> None:
        """Puts the guards up; Faker and factories must be imported afterwards."""
        self._active = True
        _freeze_classes(self)
        let_in({"pandas": self._beside_arrow, "duckdb": self._beside_duckdb})
        if "duckdb" in sys.modules:
            self._beside_duckdb(sys.modules["duckdb"])
        self._guard_clock()
        self._guard_random()
        self._guard_environment()
        sys.addaudithook(self._audit)

    def end(self) -> None:
        """Lets this process's own last steps pass."""
        self._active = False

    def is_ours(self, file: str) -> bool:
        """True for a file below the root that belongs to the repository, not to an installed package or to tdv."""
        if not file.startswith(self._root) or file.startswith(self._apart):
            return False
        return not any(part in _OUTSIDE or part == "site-packages" for part in Path(file).parts)

    def relative(self, file: str) -> str:
        """The file's path from the root."""
        return Path(file).as_posix().removeprefix(self._root)

    def place(self, trace: TracebackType | None) -> str | None:
        """``file:line`` of the innermost frame that belongs to the repository."""
        found = None
        while trace is not None:
            if self.is_ours(trace.tb_frame.f_code.co_filename):
                found = f"{self.relative(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"
            trace = trace.tb_next
        return found

    def files(self, *known: Path) -> dict[str, str | None]:
        """The files of the repository that were imported or opened, but for those in `known`, sorted.

        Each comes with the ``file:line`` that opened it, None where that was not seen.
        """
        loaded = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
        found = {os.path.realpath(file) for file in loaded if file} | self._opened.keys()
        found -= {str(path.resolve()) for path in known}
        return {self.relative(file): self._opened.get(file) for file in sorted(found) if self.is_ours(file)}

    def now(self, frame: FrameType) -> datetime.datetime:
        """What the clock shows the code in `frame`: `as_of` to Faker, shifted to others, an error to factories."""
        if self._active and self.is_ours(frame.f_code.co_filename):
            raise FactoryError("a factory reads the wall clock", hint=_CLOCK_HINT)
        name = str(frame.f_globals.get("__name__", ""))
        return self._as_of if name.partition(".")[0] == "faker" else self._as_of + self._shift

    def _guard_clock(self) -> None:
        for name, shown in _CLOCKS.items():
            self._replace(time, name, self._frozen(getattr(time, name), shown))
        for name in filter(partial(hasattr, time), _TICKING):
            self._replace(time, name, self._refusing(getattr(time, name), *_WALL_CLOCK))
        for name in ("getatime", "getctime", "getmtime"):
            real = getattr(os.path, name)
            self._replace(os.path, name, self._refusing(real, "the time of a file, which a checkout sets", _CLOCK_HINT))
        guard_numpy(self.now, self.is_ours)

    def _frozen(self, real: Callable[..., Any], shown: Callable[..., Any]) -> Callable[..., Any]:
        def clock(*arguments: Any) -> Any:
            given = arguments if real.__name__ == "strftime" else tuple(word for word in arguments if word is not None)
            if (given and real.__name__ != "strftime") or len(given) > 1:
                return real(*arguments)
            return shown(self.now(sys._getframe(1)), *given)

        return clock

    def _beside_arrow(self, pandas: ModuleType) -> None:
        """Tells pyarrow of pandas, which it has looked for before; what it makes of a value depends on it."""
        with suppress(ImportError):  # too old for pyarrow
            pa.nulls(0).to_pandas()
        guard_pandas(self.now, pandas)
        self._replace(pandas.Period, "now", self._refusing(pandas.Period.now, *_WALL_CLOCK))

    def _beside_duckdb(self, duckdb: ModuleType) -> None:
        def refuse(frame: FrameType, what: str) -> None:
            if self._active and self.is_ours(frame.f_code.co_filename):
                raise FactoryError(f"a factory asks DuckDB for {what}, another one in each build", hint=_SQL_HINT)

        guard_duckdb(refuse, duckdb)

    def _guard_random(self) -> None:
        shared = "a random stream that all rows share"
        for name in random.__all__:
            value = getattr(random, name)
            if not isinstance(value, type):
                self._replace(random, name, self._refusing(value, shared, _RANDOM_HINT))
        random.Random = self._seeded(random.Random, "random.Random()")  # type: ignore[misc]
        for module, names in ((os, ("urandom", "getrandom")), (uuid, ("uuid1", "uuid4")), (secrets, secrets.__all__)):
            for name in filter(partial(hasattr, module), names):
                self._replace(module, name, self._refusing(getattr(module, name), "the system's chance", _RANDOM_HINT))
        for name in np.random.__all__:
            value = getattr(np.random, name)
            if callable(value) and not isinstance(value, type) and name != "default_rng":
                self._replace(np.random, name, self._refusing(value, shared, _RANDOM_HINT))
        self._replace(np.random, "default_rng", self._needing_seed(np.random.default_rng))

    def _refusing(self, real: Any, what: str, hint: str) -> Callable[..., Any]:
        def guarded(*arguments: Any, **named: Any) -> Any:
            if self._active and self.is_ours(sys._getframe(1).f_code.co_filename):
                raise FactoryError(f"a factory reads {what}", hint=hint)
            return real(*arguments, **named)

        return guarded

    def _guard_environment(self) -> None:
        isolation = self

        class Guarded(type(os.environ)):  # type: ignore[misc]
            """`os.environ`, of which code of the repository sees nothing."""

            def __getitem__(self, key: Any) -> Any:
                if key not in _COMPILED:
                    isolation._refuse_environment(f"the environment variable {key}")
                return super().__getitem__(key)

            def __iter__(self) -> Any:
                isolation._refuse_environment("the environment")
                return super().__iter__()

        os.environ.__class__ = Guarded
        os.environb.__class__ = Guarded

    def _refuse_environment(self, what: str) -> None:
        frame: FrameType | None = sys._getframe(2)
        while frame is not None and frame.f_globals.get("__name__") in _BETWEEN:
            frame = frame.f_back
        if self._active and frame is not None and self.is_ours(frame.f_code.co_filename):
            raise FactoryError(f"a factory reads {what}", hint=_ENVIRONMENT_HINT)

    def _needing_seed(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(seed: Any = None) -> Any:
            if seed is None and self._active and self.is_ours(sys._getframe(1).f_code.co_filename):
                raise FactoryError("a factory makes random numbers without a seed", hint=_RANDOM_HINT)
            return real(seed)

        return guarded

    def _seeded(self, real: type[random.Random], what: str) -> type[random.Random]:
        isolation = self

        class Seeded(real):  # type: ignore[valid-type,misc]
            """`random.Random`, which a factory must give a seed."""

            def __new__(cls, *arguments: Any) -> Self:
                seedless = not arguments or arguments[0] is None
                if seedless and isolation._active and isolation.is_ours(sys._getframe(1).f_code.co_filename):
                    raise FactoryError(f"a factory calls {what} without a seed", hint=_RANDOM_HINT)
                made: Self = super().__new__(cls, *arguments)
                return made

        return Seeded

    @staticmethod
    def _replace(module: Any, name: str, value: Any) -> None:
        setattr(module, name, value)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._active:
            return
        if event in _NETWORK:
            raise FactoryError("a factory reaches for the network", hint="Put the data into a file in `sources:`.")
        if event in _PROCESSES:
            raise FactoryError("a factory starts another process", hint="Do the work in Python.")
        if event == "open" and isinstance(arguments[0], str | os.PathLike):
            self._open(os.path.realpath(arguments[0]), str(arguments[1] or "r"), int(arguments[2] or 0))

    def _open(self, file: str, mode: str, flags: int) -> None:
        if set(mode) & set("wax+") or flags & (os.O_WRONLY | os.O_RDWR):
            if file != os.devnull:
                raise FactoryError(f"a factory writes the file {file}", hint="Return the values as rows.")
        elif file.endswith(".pyc") or os.path.isdir(file) or file == os.devnull:
            return
        elif self.is_ours(file):
            if self._opened.get(file) is None:
                self._opened[file] = self._caller()[0]
        elif not file.startswith(self._apart):
            place, importing = self._caller()
            if place is not None and not importing:
                raise FactoryError(f"a factory reads {file}, which other machines may not have", hint=_OUTSIDE_HINT)

    def _caller(self) -> tuple[str | None, bool]:
        """Where code of the repository stands in the call that is going on, and whether it is importing."""
        frame: FrameType | None = sys._getframe(2)
        importing = False
        while frame is not None:
            file = frame.f_code.co_filename
            if self.is_ours(file):
                return f"{self.relative(file)}:{frame.f_lineno}", importing
            importing = importing or frame.f_globals.get("__name__") in _MACHINERY
            frame = frame.f_back
        return None, importing


def _freeze_classes(isolation: Isolation) -> None:
    """Puts subclasses with a frozen clock into the module `datetime`."""

    class Kind(type):
        """Makes real dates and times instances of the frozen classes, too."""

        def __instancecheck__(cls, instance: object) -> bool:
            real = _RealDatetime if issubclass(cls, _RealDatetime) else _RealDate
            return isinstance(instance, real)

        def __subclasscheck__(cls, subclass: type) -> bool:
            return issubclass(subclass, _RealDatetime if _RealDatetime in cls.__mro__ else _RealDate)

    class FrozenDate(datetime.date, metaclass=Kind):
        """`datetime.date` whose clock stands still."""

        @classmethod
        def today(cls) -> Any:
            now = isolation.now(sys._getframe(1))
            return cls(now.year, now.month, now.day)

    class FrozenDatetime(datetime.datetime, metaclass=Kind):
        """`datetime.datetime` whose clock stands still, in UTC where no zone is asked for."""

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            now = isolation.now(sys._getframe(1))
            return _as(cls, now.astimezone(tz) if tz is not None else now.astimezone(UTC).replace(tzinfo=None))

        @classmethod
        def today(cls) -> Any:
            return _as(cls, isolation.now(sys._getframe(1)).astimezone(UTC).replace(tzinfo=None))

        @classmethod
        def utcnow(cls) -> Any:
            return _as(cls, isolation.now(sys._getframe(1)).astimezone(UTC).replace(tzinfo=None))

    datetime.date = FrozenDate  # type: ignore[misc]
    datetime.datetime = FrozenDatetime  # type: ignore[misc]


def _as(kind: type[datetime.datetime], moment: datetime.datetime) -> datetime.datetime:
    return kind.combine(moment.date(), moment.timetz())


_CLOCKS: Final[dict[str, Callable[..., Any]]] = {
    "time": lambda now: now.timestamp(),
    "time_ns": lambda now: int(now.timestamp()) * 1_000_000_000,
    "localtime": lambda now: now.timetuple(),
    "gmtime": lambda now: now.timetuple(),
    "ctime": lambda now: now.ctime(),
    "asctime": lambda now: now.ctime(),
    "strftime": lambda now, form: now.strftime(form),
}

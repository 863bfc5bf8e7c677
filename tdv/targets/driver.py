"""The errors of a server's driver, in tdv's words.

In: which driver an adapter needs. Out: a block whose errors are tdv's. Always holds: the driver is imported by the
block alone, and its absence is said with what to install.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from tdv.errors import PluginMissing, TargetError
from tdv.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Driver:
    """`module` imports the driver and has a context manager `failures`; `extra` is the extra of tdv that brings it."""

    engine: str
    extra: str
    module: str


@dataclass(frozen=True, slots=True)
class Place:
    """The target as it may be printed, and where files are written meanwhile."""

    shown: str
    scratch: Path


@contextmanager
def failures(driver: Driver, place: Place) -> Iterator[None]:
    """Turns errors of the driver and of the disk into tdv's; raises `PluginMissing` without the driver."""
    try:
        session = import_module(driver.module)
    except ImportError as exc:
        raise PluginMissing(
            f"the driver for {driver.engine} is not installed: {exc}",
            hint=f'Run `pip install "tdv[{driver.extra}]"`.',
        ) from exc
    with session.failures(place.shown):
        try:
            yield
        except OSError as exc:
            raise TargetError(
                f"cannot write {exc.filename or place.scratch}: {exc.strerror or exc}",
                hint="Look at the rights and the free space of .tdv in the repository.",
            ) from exc

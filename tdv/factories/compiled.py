"""Lets compiled modules be imported while the clock of a worker stands still.

In: what to do once a module is there. Out: nothing. Always holds: modules in Python see the classes with the frozen
clock, also those that a compiled one imports.

A compiled module compares the size of `datetime.datetime` with the one that it was built for, or derives classes from
it; pandas ends the process over a class of another size.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from importlib.machinery import ExtensionFileLoader, SourceFileLoader
from types import ModuleType
from typing import Any, Final

_REAL: Final = (datetime.date, datetime.datetime)
Classes = tuple[type[datetime.date], type[datetime.datetime]]


def let_in(then: Mapping[str, Callable[[ModuleType], None]]) -> None:
    """Does so from now on; `then` holds what follows the import of a module of that name."""
    frozen = (datetime.date, datetime.datetime)
    loaders: Any = ExtensionFileLoader
    loaders.create_module = _showing(_REAL, loaders.create_module)
    loaders.exec_module = _showing(_REAL, loaders.exec_module)
    in_python: Any = SourceFileLoader
    run = _showing(frozen, in_python.exec_module)

    def exec_module(loader: Any, module: ModuleType) -> None:
        run(loader, module)
        if module.__name__ in then:
            then[module.__name__](module)

    in_python.exec_module = exec_module


def _showing(classes: Classes, act: Callable[..., Any]) -> Callable[..., Any]:
    def acted(*arguments: Any) -> Any:
        before = (datetime.date, datetime.datetime)
        _show(classes)
        try:
            return act(*arguments)
        finally:
            _show(before)

    return acted


def _show(classes: Classes) -> None:
    datetime.date, datetime.datetime = classes  # type: ignore[misc]

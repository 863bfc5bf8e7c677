"""Frozen values that cost little to declare: the standard library writes and compiles six functions for each class.

In: a class, decorated as by the standard library's ``dataclass(frozen=True, slots=True)``. Out: one that is used in the
same way. Always holds: ``__init__`` alone is written, the other methods are common to all such classes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(*, frozen: Literal[True], slots: Literal[True]) -> Callable[[type], type]:
        """The decorator."""
        return _made


_GIVEN_BY_FACTORY = object()


def _made(cls: type) -> type:
    own = frozenset(vars(cls))
    made: type = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    fields = dataclasses.fields(made)
    compared = [field.name for field in fields if field.compare]
    for name, method in {"__init__": _init(made, fields), **_COMMON, **_comparing(compared)}.items():
        if name not in own:
            setattr(made, name, method)
    return made


def _init(cls: type, fields: tuple[dataclasses.Field[Any], ...]) -> Callable[..., None]:
    """``__init__``, which sets each field to what is given, to its default, or to what its factory makes."""
    known: dict[str, Any] = {"_set": object.__setattr__, "_made": _GIVEN_BY_FACTORY}
    parameters, lines = ["self"], []
    for field in fields:
        name, value, default = field.name, field.name, ""
        if field.default is not dataclasses.MISSING:
            known[f"_default_{name}"], default = field.default, f"=_default_{name}"
        elif field.default_factory is not dataclasses.MISSING:
            known[f"_factory_{name}"], default = field.default_factory, "=_made"
            value = f"_factory_{name}() if {name} is _made else {name}"
        parameters.append(name + default)
        lines.append(f" _set(self, {name!r}, {value})")
    lines += [" self.__post_init__()"] if hasattr(cls, "__post_init__") else []
    exec(f"def __init__({', '.join(parameters)}):\n" + ("\n".join(lines) or " pass"), known)
    init: Callable[..., None] = known["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    return init


def _comparing(names: list[str]) -> dict[str, Callable[..., Any]]:
    """What compares and hashes by the fields of these names."""
    values: Callable[[Any], Any] = attrgetter(*names) if names else _nothing

    def equal(self: Any, other: object) -> Any:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def hashed(self: Any) -> int:
        return hash(values(self))

    return {"__eq__": equal, "__hash__": hashed}


def _nothing(_: Any) -> tuple[()]:
    """The values of a class without fields."""
    return ()


def _refuse_change(self: Any, name: str, value: Any) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_deletion(self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _shown(self: Any) -> str:
    fields = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
    return f"{type(self).__qualname__}({', '.join(fields)})"


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


_COMMON = {
    "__setattr__": _refuse_change,
    "__delattr__": _refuse_deletion,
    "__repr__": _shown,
    "__getstate__": _state,
    "__setstate__": _restore,
}

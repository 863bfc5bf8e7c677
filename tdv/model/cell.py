"""Values of rows on their way to a reader, and their JSON form.

In: JSON values, with a `Document` where a column, a list or a struct holds JSON. Out: the JSON form of objects with
such values. Always holds: NULL is None, JSON's own ``null`` is a `Document`, so that nothing takes one for the other;
the JSON form, in which both are ``null``, names by JSON Pointers which of them are JSON's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from tdv.frozen import dataclass

JSON_NULL: Final = "json_null"
"""The key of the JSON form that names the nulls that are JSON's own."""
MARKED: Final = "<private: "
"""How the mark of a private value begins."""
_SIMPLE: Final = frozenset({str, int, float, bool, type(None)})


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON document as canonical text."""

    text: str

    @property
    def is_null(self) -> bool:
        """Whether it is JSON's own null."""
        return self.text == "null"

    def to_plain(self) -> Any:
        return json.loads(self.text)


class Mark(str):
    """What stands in the place of a private value; no value of the data is one, whatever its text."""

    __slots__ = ()


def is_same(one: Any, other: Any) -> bool:
    """Whether two values are the same one; in Python, true is 1."""
    return one == other and repr(one) == repr(other)


def json_form(holder: Mapping[str, Any]) -> dict[str, Any]:
    """The object without documents; where one of them is null, its key `json_null` holds pointers to all that are."""
    found: list[str] = []
    plain = {name: _plain(value, (name,), found) for name, value in holder.items()}
    return {**plain, JSON_NULL: found} if found else plain


def _plain(value: Any, path: tuple[str | int, ...], found: list[str]) -> Any:
    """The JSON value of what stands at `path`; adds the pointers of nulls."""
    if type(value) in _SIMPLE:
        return value
    if isinstance(value, Document):
        found.extend([_pointer(path)] if value.is_null else ())
        return value.to_plain()
    if isinstance(value, Mapping):
        return {name: _plain(item, (*path, name), found) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, (*path, index), found) for index, item in enumerate(value)]
    return value


def _pointer(path: tuple[str | int, ...]) -> str:
    """RFC 6901"""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)

"""The logical types of columns: Arrow's, by their plain names.

In: text such as ``decimal(10,2)`` or ``list<struct<a: int64>>``. Out: a frozen `LogicalType` whose
``str()`` is the canonical spelling. Always holds: ``LogicalType.parse(str(t)) == t``.
"""

from __future__ import annotations

import re
from typing import Final

from tdv.frozen import dataclass

SIMPLE: Final = (
    "bool", "int16", "int32", "int64", "float64", "string", "binary",
    "date", "time", "timestamp", "timestamptz", "uuid", "json",
)  # fmt: skip
NAMES: Final = (*SIMPLE, "decimal", "list", "struct")
NOT_KEYS: Final = frozenset({"float64", "json", "list", "struct"})
MAX_PRECISION: Final = 38

_WIDER: Final = {
    "int16": frozenset({"int32", "int64"}),
    "int32": frozenset({"int64"}),
    "date": frozenset({"timestamp"}),
}
_DIGITS: Final = {"int16": 5, "int32": 10, "int64": 19}
_TOKEN: Final = re.compile(r"\s*(?:([A-Za-z_][A-Za-z0-9_]*)|(\d+)|([(),<>:])|\"((?:[^\"\\]|\\.)*)\")")


@dataclass(frozen=True, slots=True)
class LogicalType:
    """A type by name, with what decimal, list and struct need besides."""

    name: str
    precision: int = 0
    scale: int = 0
    element: LogicalType | None = None
    fields: tuple[tuple[str, LogicalType], ...] = ()

    @classmethod
    def parse(cls, text: str) -> LogicalType:
        """Reads the canonical spelling or any with other white space; raises `ValueError` with a reason."""
        parser = _Parser(text)
        try:
            parsed = parser.type()
        except RecursionError as exc:
            raise ValueError(f"the type {text[:20]!r}… is nested too deeply") from exc
        parser.end()
        return parsed

    def __str__(self) -> str:
        if self.name == "decimal":
            return f"decimal({self.precision},{self.scale})"
        if self.name == "list":
            return f"list<{self.element}>"
        if self.name == "struct":
            return "struct<" + ", ".join(f"{_quote(name)}: {kind}" for name, kind in self.fields) + ">"
        return self.name

    @property
    def is_nested(self) -> bool:
        """True for list and struct."""
        return self.name in ("list", "struct")

    @property
    def may_be_key(self) -> bool:
        """True where equality and order are exact and cheap: not for float, JSON, list and struct."""
        return self.name not in NOT_KEYS

    def widens_to(self, other: LogicalType) -> bool:
        """True if every value of this type is a value of `other`, which is another type."""
        if self == other:
            return False
        if self.name == "decimal" and other.name == "decimal":
            whole = other.precision - other.scale >= self.precision - self.scale
            return whole and other.scale >= self.scale
        if self.name in _DIGITS and other.name == "decimal":
            return other.precision - other.scale >= _DIGITS[self.name]
        if self.name == "list" and other.name == "list" and self.element and other.element:
            return self.element.widens_to(other.element)
        return other.name in _WIDER.get(self.name, frozenset())


def _quote(name: str) -> str:
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


class _Parser:
    """Recursive descent over the tokens of one type expression."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def _next(self) -> str:
        match = _TOKEN.match(self._text, self._at)
        if match is None:
            raise ValueError(f"cannot read the type {self._text!r}")
        self._at = match.end()
        if match.group(4) is not None:
            return re.sub(r"\\(.)", r"\1", match.group(4))
        return match.group(1) or match.group(2) or match.group(3)

    def _expect(self, token: str) -> None:
        if self._next() != token:
            raise ValueError(f"expected {token!r} in the type {self._text!r}")

    def _number(self) -> int:
        token = self._next()
        if not token.isdigit():
            raise ValueError(f"expected a number in the type {self._text!r}")
        return int(token)

    def end(self) -> None:
        if self._text[self._at :].strip():
            raise ValueError(f"unexpected {self._text[self._at :].strip()!r} in the type {self._text!r}")

    def type(self) -> LogicalType:
        name = self._next()
        if name == "decimal":
            return self._decimal()
        if name == "list":
            self._expect("<")
            element = self.type()
            self._expect(">")
            return LogicalType("list", element=element)
        if name == "struct":
            return self._struct()
        if name not in SIMPLE:
            raise ValueError(f"unknown type {name!r}")
        return LogicalType(name)

    def _decimal(self) -> LogicalType:
        self._expect("(")
        precision = self._number()
        self._expect(",")
        scale = self._number()
        self._expect(")")
        if not (1 <= precision <= MAX_PRECISION and scale <= precision):
            raise ValueError(f"decimal({precision},{scale}) is out of range: 1 to 38 digits, scale at most as many")
        return LogicalType("decimal", precision=precision, scale=scale)

    def _struct(self) -> LogicalType:
        self._expect("<")
        fields: list[tuple[str, LogicalType]] = []
        while True:
            name = self._next()
            self._expect(":")
            fields.append((name, self.type()))
            token = self._next()
            if token == ">":
                break
            if token != ",":
                raise ValueError(f"expected ',' or '>' in the type {self._text!r}")
        if len({name for name, _ in fields}) != len(fields):
            raise ValueError(f"a field stands twice in the type {self._text!r}")
        return LogicalType("struct", fields=tuple(fields))

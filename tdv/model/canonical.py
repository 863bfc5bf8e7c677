"""Canonical JSON: one value, one spelling (RFC 8785), with integers exact at any size.

In: plain Python values or JSON text. Out: UTF-8 bytes or text without white space, object keys sorted by
UTF-16 code units, floats as ECMAScript prints them. Always holds: ``dumps(parse(t)) == dumps(parse(dumps(parse(t))))``.
RFC 8785 gives up integers above 2^53; here every integer keeps all its digits. Keys that stand twice, NaN,
infinities, lone surrogates and, when read from text, the character NUL are refused with `ValueError`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NoReturn

_EXACT_FLOAT: Final = 2**53
_INT_DIGITS: Final = 4000
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
_STRING: Final = json.JSONEncoder(ensure_ascii=False)


def dumps(value: Any) -> bytes:
    """The canonical JSON of `value`: None, bool, int, float, str, and mappings and sequences of them.

    A `Decimal` without exponent stands for an integer too long for Python's `int` to read.
    """
    pieces: list[str] = []
    _write(value, pieces)
    try:
        return "".join(pieces).encode("utf-8")
    except UnicodeEncodeError as exc:
        raise ValueError("a string holds half of a surrogate pair") from exc


def parse(text: str) -> Any:
    """Reads one JSON value strictly; `ValueError` says what is wrong with it."""
    return _read(text, _decoder(_Numbers()))


class Recoder:
    """Rewrites JSON texts canonically; fast where a text is ASCII and has only ordinary floats."""

    def __init__(self) -> None:
        self._numbers = _Numbers()
        self._decoder = _decoder(self._numbers)

    def __call__(self, text: str) -> str:
        """The canonical form of `text`; raises `ValueError` as `parse` does."""
        self._numbers.ordinary = True
        value = _read(text, self._decoder)
        if self._numbers.ordinary and text.isascii() and "\\u" not in text:
            return _ENCODER.encode(value)
        return dumps(value).decode("utf-8")


def _decoder(numbers: _Numbers) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_object,
        parse_int=numbers.integer,
        parse_float=numbers.floating,
        parse_constant=_constant,
    )


def _read(text: str, decoder: json.JSONDecoder) -> Any:
    try:
        value = decoder.decode(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if "\\u0000" in text and _has_nul(value):
        raise ValueError("it holds the character NUL")
    return value


class _Numbers:
    """Reads number literals, and remembers whether `json` itself prints all of them canonically."""

    def __init__(self) -> None:
        self.ordinary = True

    def integer(self, literal: str) -> int | Decimal:
        if len(literal) > _INT_DIGITS:
            self.ordinary = False
            return Decimal(literal)
        return int(literal)

    def floating(self, literal: str) -> int | float:
        number = float(literal)
        if math.isinf(number):
            raise ValueError(f"the number {literal[:40]} is too large")
        if number.is_integer() and abs(number) <= _EXACT_FLOAT:
            return int(number)
        if number.is_integer() or not 1e-4 <= abs(number) < 1e16:
            self.ordinary = False  # `json` would print 9007199254740994.0
        return number


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for index, name in enumerate(names) if name in names[:index])
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return found


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any("\0" in name or _has_nul(item) for name, item in value.items())
    return isinstance(value, list) and any(_has_nul(item) for item in value)


def _write(value: Any, pieces: list[str]) -> None:
    if isinstance(value, str):
        pieces.append(_STRING.encode(value))
    elif value is None or isinstance(value, bool):
        pieces.append({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, int):
        pieces.append(_integer(value))
    elif isinstance(value, float):
        pieces.append(_float(value))
    elif isinstance(value, Mapping):
        _write_object(value, pieces)
    elif isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        _write_array(value, pieces)
    elif isinstance(value, Decimal) and value.as_tuple().exponent == 0:
        pieces.append(format(value, "f"))
    else:
        raise ValueError(f"JSON has no {type(value).__name__}")


def _integer(value: int) -> str:
    if value.bit_length() < 3 * _INT_DIGITS:
        return str(int(value))
    raise ValueError("an integer is too long to print; pass it as a Decimal")


def _write_object(value: Mapping[Any, Any], pieces: list[str]) -> None:
    for name in value:
        if not isinstance(name, str):
            raise ValueError(f"the key {name!r} of an object is no string")
    pieces.append("{")
    for index, name in enumerate(sorted(value, key=_utf16)):
        pieces.append("," if index else "")
        pieces.append(_STRING.encode(name))
        pieces.append(":")
        _write(value[name], pieces)
    pieces.append("}")


def _write_array(value: Sequence[Any], pieces: list[str]) -> None:
    pieces.append("[")
    for index, item in enumerate(value):
        pieces.append("," if index else "")
        _write(item, pieces)
    pieces.append("]")


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")


def _float(value: float) -> str:
    """ECMAScript's Number::toString: shortest digits that read back, exponent from 1e21 and below 1e-6."""
    if not math.isfinite(value):
        raise ValueError(f"{value} is no JSON number")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = int(exponent or 0) - len(fraction) + len(digits)
    digits = digits.rstrip("0")
    return sign + _placed(digits, point)


def _placed(digits: str, point: int) -> str:
    """`digits` with the decimal point after the first `point` of them, as ECMAScript writes it."""
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    exponent = f"e{point - 1:+d}"
    return digits[0] + ("." + digits[1:] if count > 1 else "") + exponent

"""Plain values as YAML text: deterministic, one fact per line, and read alike by YAML 1.1 and 1.2.

In: text, integers, booleans, None, lists and mappings of them. Out: lines. Always holds: a text stands without
quotes only where no YAML reader takes it for a number, boolean or null; a time in UTC stands bare, too, which
old readers give back as a time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_./+-]*", re.ASCII)
# Digests, directory objects, versions of three numbers, times: none of them reads as a number.
_SHAPES: Final = re.compile(
    r"(?:tdv1|sha256):[0-9a-f]+|[0-9a-f]{32}\.dir|[0-9]+\.[0-9]+\.[0-9]+(?:-[A-Za-z0-9.-]+)?"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z",
    re.ASCII,
)
_TAKEN: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def flow_lines(mapping: Mapping[str, Any]) -> list[str]:
    """One line per key, nested values in flow style: ``artifact: {md5: …, size: 7}``."""
    return [f"{scalar(key)}: {_value(value, flow=False)}" for key, value in mapping.items()]


def block(mapping: Mapping[str, Any]) -> str:
    """A list item of one line per key, indented by two."""
    first, *rest = flow_lines(mapping)
    return f"  - {first}\n" + "".join(f"    {line}\n" for line in rest)


def scalar(value: Any, *, flow: bool = False) -> str:
    """One scalar; in `flow` a text of several words gets quotes, since commas and brackets end it there."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(value)
    text = str(value)
    bare = _SHAPES.fullmatch(text) or _WORD.fullmatch(text) or (not flow and _is_prose(text))
    return text if bare and text.lower() not in _TAKEN else f'"{"".join(map(_escaped, text))}"'


def _value(value: Any, *, flow: bool) -> str:
    if isinstance(value, Mapping):
        return (
            "{" + ", ".join(f"{scalar(key, flow=True)}: {_value(item, flow=True)}" for key, item in value.items()) + "}"
        )
    if isinstance(value, list | tuple):
        return f"[{', '.join(_value(item, flow=True) for item in value)}]"
    return scalar(value, flow=flow)


def _is_prose(text: str) -> bool:
    """True for a line of several words that no reader can misread."""
    if " " not in text or text != text.strip() or not text.isprintable():
        return False
    return text[0].isascii() and text[0].isalpha() and not re.search(r":(?:\s|$)|\s#", text)


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

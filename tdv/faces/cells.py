"""Values of rows as a reader sees them, the same in every face.

In: cells (`tdv.model.cell`). Out: text on one line. Always holds: values of one column that differ are spelled in
different ways: NULL is ``NULL``, JSON's own null ``null``; a text that reads as NULL, as nothing, as a quotation or as
the mark of a private value, or has blanks at an end, stands in JSON's quotes. Both sides of a changed cell look
different, too. Markup is the faces' own business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tdv.faces.text import Spelled, Whole, ascii_json, cut, escaped_letters, folded, named, spelled, visible, whole
from tdv.model.cell import MARKED, Document, Mark, is_same

NULL: Final = "NULL"
CONTEXT: Final = 10
"""Letters that are shown before the first one that differs."""


def cell_text(value: Any) -> Spelled:
    """A value: texts as they are, everything else as JSON, but for NULL."""
    if not isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Whole):
        return value
    text = Spelled(visible(spelled(value)))
    if isinstance(value, Mark):
        return text
    is_taken_wrong = value in ("", NULL) or value.startswith(('"', MARKED)) or text != text.strip()
    return _quoted(value) if is_taken_wrong and not isinstance(value, Spelled) else text


def letters_text(value: Any) -> Spelled:
    """The same with an escape for each letter that another one could look like."""
    text = cell_text(value)
    if text.isascii():
        return text
    is_json = not isinstance(value, str) or text.startswith('"')
    return ascii_json(text) if is_json else escaped_letters(value)


def sides(before: Any, after: Any, widest: int) -> tuple[Spelled, ...]:
    """What is shown of a changed cell: both values so that they differ in the first `widest` letters; only one where
    both are hidden by the same mark."""
    if is_same(before, after):
        return (cell_text(before),)
    one, other = cell_text(before), cell_text(after)
    if folded(one) == folded(other):
        one, other = letters_text(before), letters_text(after)
    if one == other:  # a number, a moment or JSON, and the text that reads as it
        one, other = _quoted(before), _quoted(after)
    return from_the_difference(one, other) if cut(one, widest) == cut(other, widest) else (one, other)


def value_texts(values: Sequence[Any], widest: int) -> tuple[Spelled, ...]:
    """One value as it is, two as `sides`."""
    return sides(values[0], values[1], widest) if len(values) > 1 else tuple(map(cell_text, values))


def fact_texts(facts: Sequence[Mapping[str, Any]], name: str, widest: int) -> tuple[str, ...]:
    """One fact of each state in `facts`: one text where it reads the same in all, none where none has it."""
    texts = tuple(cell_text(state[name]) if name in state else "-" for state in facts)
    if len(set(texts)) == 1:
        return texts[:1] if name in facts[0] else ()
    return value_texts([state[name] for state in facts], widest) if all(name in state for state in facts) else texts


def key_text(key: Mapping[str, Any], widest: int | None = None) -> Whole:
    """``id=7 lang=de``; texts with an equals sign are in quotes, and each is cut: the last may be what differs."""
    parts = {named(name): _part(value) for name, value in key.items()}
    return Whole(" ".join(f"{name}={part if widest is None else cut(part, widest)}" for name, part in parts.items()))


def _part(value: Any) -> Spelled:
    is_taken_wrong = isinstance(value, str) and not isinstance(value, Spelled) and "=" in value
    return _quoted(value) if is_taken_wrong else cell_text(value)


def line_text(row: Sequence[tuple[str, Any]]) -> str:
    """A whole row by its columns, which may have one name, as one line: ``{"id": 7, "email": NULL}``"""
    return visible("{" + ", ".join(f"{_json(name)}: {_json(value)}" for name, value in row) + "}")


def _quoted(value: Any) -> Spelled:
    return Spelled(visible(_json(value)))


def common_length(one: str, other: str) -> int:
    """How many letters two texts begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (here, there) in pairs if here != there), min(len(one), len(other)))


def from_the_difference(one: str, other: str, context: int = CONTEXT) -> tuple[Spelled, Spelled]:
    """Two texts from `context` letters before the first that differs."""
    length = max(0, common_length(one, other) - context)
    start = min(whole(text, length) for text in (one, other))
    return (Spelled(f"…{one[start:]}"), Spelled(f"…{other[start:]}")) if start else (Spelled(one), Spelled(other))


def _json(value: Any) -> str:
    """JSON on one line, with NULL where the data has it."""
    if value is None:
        return NULL
    if isinstance(value, Mark):
        return value
    if isinstance(value, Document):
        return value.text
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_json(name)}:{_json(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)

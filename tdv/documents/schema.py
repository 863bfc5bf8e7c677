"""The JSON Schemas that ship with tdv, and whether values conform to one.

In: plain values and the name of a schema. Out: yes, or a `DocumentError`. Always holds: `conforms` agrees with
jsonschema on every schema in ``tdv/schemas`` (a test compares them); it exists because importing jsonschema
costs more than most commands, and nearly every document is right.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from numbers import Number
from pathlib import Path
from typing import Any, Final

from tdv.documents.document import Document, Mistakes

_DIRECTORY: Final = Path(__file__).resolve().parent.parent / "schemas"

_TYPES: Final[Mapping[str, type]] = {
    "null": type(None),
    "boolean": bool,
    "integer": int,
    "number": Number,  # int, float and Decimal, without importing the latter
    "string": str,
    "array": list,
    "object": dict,
}


@cache
def schema(name: str) -> Mapping[str, Any]:
    """The JSON Schema of that name, such as ``dataset`` or ``receipt``; raises `KeyError`. Do not change it."""
    path = _DIRECTORY / f"{name}.schema.json"
    if not name.isalpha() or not path.is_file():
        raise KeyError(name)
    loaded: Mapping[str, Any] = json.loads(path.read_bytes())
    return loaded


def validate(document: Document, name: str) -> None:
    """Raises `DocumentError` with every mistake of `document` against the schema `name`."""
    rules = schema(name)
    if conforms(document.data, rules, rules):
        return
    from tdv.documents.explain import explain

    mistakes = Mistakes()
    explain(document, rules, mistakes)
    mistakes.raise_if_any()


def is_type(value: Any, name: str) -> bool:
    """JSON Schema's ``type``, but 1.0 is no integer: what is written as a float stays one."""
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, _TYPES[name])


def matches(pattern: str, text: str) -> bool:
    """JSON Schema's ``pattern``; ``$`` is the end of the text, not the place before a last line end."""
    return _compiled(pattern).search(text) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern)


def conforms(value: Any, rules: Mapping[str, Any] | bool, top: Mapping[str, Any]) -> bool:
    """True if `value` conforms to `rules`; `top` is the whole schema, for ``$ref`` to ``#/$defs/…``."""
    if isinstance(rules, bool):
        return rules
    for keyword, wanted in rules.items():
        check = _CHECKS.get(keyword)
        if check is not None and not check(value, wanted, rules, top):
            return False
    return True


def _properties(value: Any, _: Any, rules: Mapping[str, Any], top: Mapping[str, Any]) -> bool:
    """``properties``, ``patternProperties`` and ``additionalProperties`` in one walk over the keys."""
    if not isinstance(value, dict):
        return True
    named, patterns = rules.get("properties", {}), rules.get("patternProperties", {})
    others = rules.get("additionalProperties", True)
    for key, item in value.items():
        found = [named[key]] if key in named else []
        found += [inner for pattern, inner in patterns.items() if matches(pattern, key)]
        if not all(conforms(item, inner, top) for inner in found or [others]):
            return False
    return True


def _reference(value: Any, target: str, _: Any, top: Mapping[str, Any]) -> bool:
    return conforms(value, top["$defs"][target.removeprefix("#/$defs/")], top)


def _condition(value: Any, wanted: Any, rules: Mapping[str, Any], top: Mapping[str, Any]) -> bool:
    branch = "then" if conforms(value, wanted, top) else "else"
    return conforms(value, rules.get(branch, True), top)


def _bounded(kind: type, holds: Callable[[Any, Any], bool]) -> Callable[..., bool]:
    def check(value: Any, wanted: Any, *_: Any) -> bool:
        return not isinstance(value, kind) or isinstance(value, bool) or holds(value, wanted)

    return check


def _unique(items: Any, _: Any) -> bool:
    return len({json.dumps(item, sort_keys=True, default=str) for item in items}) == len(items)


_CHECKS: Final[Mapping[str, Callable[..., bool]]] = {
    "$ref": _reference,
    "type": lambda v, w, *_: any(is_type(v, name) for name in ([w] if isinstance(w, str) else w)),
    "enum": lambda v, w, *_: any(type(v) is type(item) and v == item for item in w),
    "const": lambda v, w, *_: type(v) is type(w) and v == w,
    "properties": _properties,
    "patternProperties": lambda v, w, rules, top: "properties" in rules or _properties(v, w, rules, top),
    "additionalProperties": lambda v, w, rules, top: (
        "properties" in rules or "patternProperties" in rules or _properties(v, w, rules, top)
    ),
    "propertyNames": lambda v, w, _, top: not isinstance(v, dict) or all(conforms(key, w, top) for key in v),
    "required": _bounded(dict, lambda v, w: all(key in v for key in w)),
    "minProperties": _bounded(dict, lambda v, w: len(v) >= w),
    "maxProperties": _bounded(dict, lambda v, w: len(v) <= w),
    "items": lambda v, w, _, top: not isinstance(v, list) or all(conforms(item, w, top) for item in v),
    "minItems": _bounded(list, lambda v, w: len(v) >= w),
    "maxItems": _bounded(list, lambda v, w: len(v) <= w),
    "uniqueItems": _bounded(list, _unique),
    "minLength": _bounded(str, lambda v, w: len(v) >= w),
    "maxLength": _bounded(str, lambda v, w: len(v) <= w),
    "pattern": _bounded(str, lambda v, w: matches(w, v)),
    "minimum": _bounded(Number, lambda v, w: v >= w),
    "maximum": _bounded(Number, lambda v, w: v <= w),
    "exclusiveMinimum": _bounded(Number, lambda v, w: v > w),
    "exclusiveMaximum": _bounded(Number, lambda v, w: v < w),
    "allOf": lambda v, w, _, top: all(conforms(v, inner, top) for inner in w),
    "anyOf": lambda v, w, _, top: any(conforms(v, inner, top) for inner in w),
    "oneOf": lambda v, w, _, top: sum(conforms(v, inner, top) for inner in w) == 1,
    "not": lambda v, w, _, top: not conforms(v, w, top),
    "if": _condition,
}

"""Why a document does not conform to its schema, as sentences that name place, expectation and nearest word.

In: a document and a schema it breaks. Out: the mistakes, each once. Always holds: a document that `conforms`
refuses gets at least one mistake. ``errorMessage`` in a schema is what was expected there, in words.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from tdv.documents.document import Document, Mistakes, Path
from tdv.documents.schema import is_type, matches
from tdv.documents.words import did_you_mean, nearest, quoted

_KINDS: Final = {
    "null": "nothing",
    "boolean": "true or false",
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "a mapping",
}
_LIMITS: Final = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "text of at least {} characters",
    "maxLength": "text of at most {} characters",
    "minItems": "at least {} item(s)",
    "maxItems": "at most {} item(s)",
    "minProperties": "at least {} key(s)",
    "maxProperties": "at most {} key(s)",
}
_MOST_WORDS: Final = 30


def _pattern(_: Any, wanted: str, value: Any, __: Any) -> Iterable[ValidationError]:
    if isinstance(value, str) and not matches(wanted, value):
        yield ValidationError(f"does not match {wanted}")


_strict_types: Final = Draft202012Validator.TYPE_CHECKER.redefine_many(
    {name: lambda _, value, name=name: is_type(value, name) for name in _KINDS}
)
_Validator: Final[Any] = extend(  # type: ignore[no-untyped-call]  # its stub lacks annotations
    Draft202012Validator, validators={"pattern": _pattern}, type_checker=_strict_types
)


@dataclass(frozen=True, slots=True)
class _Breach:
    """One keyword of the schema that `value` breaks; `rules` is the schema that holds the keyword."""

    path: Path
    keyword: str
    wanted: Any
    value: Any
    rules: Mapping[str, Any]
    of_name: bool
    is_outermost: bool
    branches: tuple[tuple[_Breach, ...], ...]

    @classmethod
    def of(cls, error: Any) -> _Breach:
        """Takes a `ValidationError` of jsonschema, whose fields may each be unset, into a typed value."""
        branches: dict[Any, list[_Breach]] = {}
        for inner in error.context or ():
            branches.setdefault(inner.schema_path[0], []).append(cls.of(inner))
        return cls(
            path=tuple(error.absolute_path),
            keyword=str(error.validator),
            wanted=error.validator_value,
            value=error.instance,
            rules=error.schema if isinstance(error.schema, dict) else {},
            of_name="propertyNames" in error.absolute_schema_path,
            is_outermost=not error.path,
            branches=tuple(tuple(found) for found in branches.values()),
        )

    @property
    def is_of_kind(self) -> bool:
        """True if the kind of the value itself is wrong, so that this branch cannot have been meant."""
        return self.keyword in ("type", "const", "enum") and self.is_outermost


def explain(
    document: Document, rules: Mapping[str, Any], mistakes: Mistakes, gone: Collection[Path] = ()
) -> tuple[Path, ...]:
    """Adds every mistake of `document` against the schema `rules`, and says where they are.

    That a key in `gone` is missing is nothing to add: it was taken out of `document` for a mistake of its own.
    """
    explanation = _Explanation(document, mistakes, gone)
    for error in _Validator(rules).iter_errors(document.data):
        explanation.add(_Breach.of(error))
    return tuple(explanation.paths)


class _Explanation:
    """Turns breaches into mistakes of one document."""

    def __init__(self, document: Document, mistakes: Mistakes, gone: Collection[Path]) -> None:
        self._document = document
        self._gone = gone
        self._mistakes = mistakes
        self.paths: list[Path] = []

    def add(self, breach: _Breach) -> None:
        """Adds what `breach` says, or what the branch of it says that the author most likely meant."""
        if breach.keyword == "minProperties" and any(path[: len(breach.path)] == breach.path for path in self._gone):
            self.paths.append(breach.path)
        elif breach.of_name:
            self._note((*breach.path, breach.value), *self._expected(breach))
        elif breach.keyword == "additionalProperties":
            self._unknown(breach)
        elif breach.keyword == "required":
            self._missing(breach)
        elif breach.branches:
            self._branches(breach)
        else:
            self._note(breach.path, *self._expected(breach))

    def _note(self, path: Path, message: str, hint: str | None = None) -> None:
        self.paths.append(path)
        self._mistakes.add(self._document.problem(path, message), hint)

    def _unknown(self, breach: _Breach) -> None:
        known = list(breach.rules.get("properties", {}))
        patterns = breach.rules.get("patternProperties", {})
        for key in breach.value:
            if key in known or any(matches(pattern, key) for pattern in patterns):
                continue
            near = nearest(key, [word for word in known if word not in breach.value])
            hint = f"Write '{near}:' instead of {quoted(key)}." if near else f"Remove {quoted(key)}."
            text = f"unknown key; did you mean {near!r}?" if near else f"unknown key; expected {_words(known)}"
            self._note((*breach.path, key), text, hint)

    def _missing(self, breach: _Breach) -> None:
        for key in breach.wanted:
            if (*breach.path, key) in self._gone:
                self.paths.append(breach.path)
            elif key not in breach.value:
                self._note(breach.path, f"the key {key!r} is missing", f"Add '{key}:' there.")

    def _branches(self, breach: _Breach) -> None:
        """Follows the only branch whose kind of value was meant; otherwise says what all of them expect."""
        meant = [branch for branch in breach.branches if not any(inner.is_of_kind for inner in branch)]
        if len(meant) == 1 and "errorMessage" not in breach.rules:
            for inner in meant[0]:
                self.add(inner)
        else:
            self._note(breach.path, *self._expected(breach))

    def _expected(self, breach: _Breach) -> tuple[str, str | None]:
        text = breach.rules.get("errorMessage")
        if breach.keyword == "type":
            return self._wrong_kind(breach, text)
        words = breach.wanted if breach.keyword == "enum" else []
        if breach.keyword in _LIMITS:
            text = text or _LIMITS[breach.keyword].format(breach.wanted)
        text = text or (_words(words) if words else " or ".join(_alternatives(breach))) or "another value"
        near = nearest(breach.value, words) if isinstance(breach.value, str) else None
        sentence = f"expected {text}, found {quoted(breach.value)}{did_you_mean(breach.value, words)}"
        return sentence, f"Write {near!r} instead." if near else None

    def _wrong_kind(self, breach: _Breach, text: str | None) -> tuple[str, str | None]:
        kinds = [breach.wanted] if isinstance(breach.wanted, str) else breach.wanted
        text = text or " or ".join(_KINDS[kind] for kind in kinds)
        sentence = f"expected {text}, found {quoted(breach.value)}"
        source = self._document.source(breach.path)
        if "string" in kinds and source and not isinstance(breach.value, str):
            return f'{sentence}; write it in quotes: "{source}"', f'Write "{source}" in quotes.'
        if kinds == ["boolean"] and str(breach.value).lower() in ("yes", "no", "on", "off"):
            word = "true" if str(breach.value).lower() in ("yes", "on") else "false"
            return f"{sentence}; write {word}", f"Write {word}."
        return sentence, None


def _alternatives(breach: _Breach) -> Iterator[str]:
    seen = set()
    for inner in (inner for branch in breach.branches for inner in branch):
        text = inner.rules.get("errorMessage") or (_KINDS.get(inner.wanted) if inner.keyword == "type" else None)
        if text and text not in seen:
            seen.add(text)
            yield text


def _words(words: Iterable[Any]) -> str:
    listed = [str(word) if word is not None else "nothing" for word in words]
    if not listed:
        return "no keys here"
    shown = ", ".join(listed[:_MOST_WORDS]) + (", …" if len(listed) > _MOST_WORDS else "")
    return shown if len(listed) == 1 else f"one of {shown}"

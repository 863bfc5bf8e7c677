"""YAML text as PyYAML's nodes, and nodes as plain values.

In: UTF-8 YAML. Out: `Document`. Always holds: only null, true/false, integers, floats and text come out (the
core schema of YAML 1.2: dates and ``yes`` are text); every mapping key is text as written and stands once;
aliases work, tags and merge keys do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import yaml

from tdv.documents.document import Document, Mistakes, Path, dotted
from tdv.documents.words import quoted
from tdv.errors import DocumentError, Problem

_TAG: Final = "tag:yaml.org,2002:"
_DEEPEST: Final = 100
_MOST_ALIASED: Final = 100_000
_MOST_DIGITS: Final = 1000

_WORDS: Final = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), "null"),
    **dict.fromkeys(("true", "True", "TRUE", "false", "False", "FALSE"), "bool"),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), "float"),
    **dict.fromkeys((f"{sign}{word}" for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")), "float"),
}
# As text, so that they are compiled when the first number is met.
_INTEGER: Final = r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"
_FLOAT: Final = r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"


class _Loader(yaml.CSafeLoader):
    """Composes nodes; plain scalars are resolved by the core schema of YAML 1.2."""

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        """The tag of a node that names none; `implicit` says first whether the scalar stands without quotes."""
        if kind is not yaml.ScalarNode:
            return f"{_TAG}seq" if kind is yaml.SequenceNode else f"{_TAG}map"
        return f"{_TAG}{_kind_of(value) if implicit[0] else 'str'}"


def _kind_of(text: str) -> str:
    kind = _WORDS.get(text)
    if kind is not None:
        return kind
    if text[0] in "+-.0123456789":
        if re.fullmatch(_INTEGER, text):
            return "int"
        if re.fullmatch(_FLOAT, text):
            return "float"
    return "str"


def build(content: str | bytes, file: str, exact: bool) -> Document:
    """The document of a YAML text; `exact` gives decimals instead of floats. Raises `DocumentError`."""
    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
    except UnicodeDecodeError as exc:
        line = exc.object[: exc.start].count(b"\n") + 1
        raise _unreadable(file, line, 1, f"byte 0x{exc.object[exc.start]:02x} is not UTF-8") from exc
    mistakes = Mistakes()
    node = _compose(text, file)
    document = Document(file, None, node)
    data = _Builder(document, mistakes, _number(exact)).build(node, ()) if node is not None else None
    mistakes.raise_if_any()
    return Document(file, data, node)


def _number(exact: bool) -> Callable[[str], Any]:
    if not exact:
        return float
    from decimal import Decimal  # takes longer to import than tdv.yaml to read

    return Decimal


def _compose(text: str, file: str) -> yaml.Node | None:
    loader = None
    try:
        loader = _Loader(text)
        node: yaml.Node | None = loader.get_single_node()
        return node
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        if "nesting depth" in str(exc.problem):
            # The parser's own limit, since PyYAML 6.0.4.
            raise _too_deep(file, line) from exc
        context = f" {exc.context}" if exc.context else ""
        raise _unreadable(file, line, column, f"{exc.problem}{context}") from exc
    except yaml.reader.ReaderError as exc:
        line = text[: exc.position].count("\n") + 1
        raise _unreadable(file, line, 1, f"the character {exc.character!r} is not allowed in YAML") from exc
    except (yaml.YAMLError, UnicodeEncodeError) as exc:
        raise _unreadable(file, 1, 1, "this is no YAML text") from exc
    except RecursionError as exc:
        raise _too_deep(file, 1) from exc
    finally:
        if loader is not None:
            loader.dispose()


def _too_deep(file: str, line: int) -> DocumentError:
    return _unreadable(file, line, 1, f"this is nested deeper than {_DEEPEST} levels")


def _unreadable(file: str, line: int, column: int, reason: str) -> DocumentError:
    hint = "Correct the YAML there; quote text that holds ': ', ' #', or, within { }, commas and brackets."
    return DocumentError([Problem(file, line, "", reason, column)], hint=hint)


class _Builder:
    """Turns nodes into plain values, and notes what YAML allows but a file of tdv may not hold."""

    def __init__(self, document: Document, mistakes: Mistakes, number: Callable[[str], Any]) -> None:
        self._document = document
        self._mistakes = mistakes
        self._number = number
        self._seen: set[int] = set()
        self._aliased = 0

    def build(self, node: yaml.Node, path: Path) -> Any:
        if len(path) > _DEEPEST:
            raise _too_deep(self._document.file, node.start_mark.line + 1)
        self._count(node)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, path)
        return self._wrong(node, path, f"the tag {quoted(node.tag)} is not used here; remove it")

    def _count(self, node: yaml.Node) -> None:
        """Bounds what aliases may unfold to: a few lines of YAML can otherwise stand for billions of values."""
        self._aliased += id(node) in self._seen
        self._seen.add(id(node))
        if self._aliased > _MOST_ALIASED:
            line = node.start_mark.line + 1
            raise _unreadable(self._document.file, line, 1, f"aliases unfold to more than {_MOST_ALIASED:,} values")

    def _wrong(self, node: yaml.Node, path: Path, message: str) -> None:
        mark = node.start_mark
        file = self._document.file
        self._mistakes.add(Problem(file, mark.line + 1, dotted(path), message, mark.column + 1))

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        built: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._wrong(key, path, "a key must be a word, not a list or mapping")
                continue
            inner = (*path, key.value)
            if key.value == "<<":
                self._wrong(key, inner, "merge keys are not used here; write the keys out")
            if key.value in lines:
                self._wrong(key, inner, f"this key stands twice, first in line {lines[key.value]}; remove one")
            lines.setdefault(key.value, key.start_mark.line + 1)
            built[key.value] = self.build(value, inner)
        return built

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        kind, text = node.tag.removeprefix(_TAG), node.value
        if kind == "str":
            return text
        if kind != _kind_of(text):
            return self._wrong(node, path, f"the tag {quoted(node.tag)} is not used here; remove it")
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        if len(text) > _MOST_DIGITS:
            return self._wrong(node, path, f"a number of more than {_MOST_DIGITS} digits")
        try:
            return _integer(text) if kind == "int" else self._float(text)
        except ArithmeticError:  # of Decimal, which has a largest exponent
            return self._wrong(node, path, "the exponent of this number is too large")

    def _float(self, text: str) -> Any:
        word = text.lower()
        return self._number(word.replace(".inf", "inf").replace(".nan", "nan") if word[-1] in "fn" else word)


def _integer(text: str) -> int:
    if text[:2] in ("0x", "0o"):
        return int(text, 0)
    return int(text)

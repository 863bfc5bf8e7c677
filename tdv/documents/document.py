"""One YAML file as plain values that know their lines.

In: UTF-8 YAML. Out: `Document`. Always holds: only null, true/false, integers, floats and text come out (the
core schema of YAML 1.2: dates and ``yes`` are text); every mapping key is text as written and stands once;
aliases work, tags and merge keys do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any, Final

import yaml

from tdv.documents.words import quoted
from tdv.errors import ConfigError, DocumentError, Problem

Path = tuple[str | int, ...]

_TAG: Final = "tag:yaml.org,2002:"
_DEEPEST: Final = 100
_MOST_ALIASED: Final = 100_000
_MOST_DIGITS: Final = 1000
_MEND: Final = "Mend the lines named above, then run the command again."


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


@dataclass(frozen=True, slots=True)
class Document:
    """`file` as errors name it, `data` as plain values; `node` is PyYAML's tree, None for data without a file."""

    file: str
    data: Any
    node: yaml.Node | None = field(default=None, repr=False, compare=False)

    def has(self, path: Path) -> bool:
        """True if the document says something at `path`."""
        return self._descend(path)[1] == len(path)

    def depth(self, path: Path) -> int:
        """How many leading steps of `path` the document has."""
        return self._descend(path)[1]

    def place(self, path: Path) -> tuple[int, int]:
        """Line and column, from 1, of the key or item at `path`, or of the last step that exists."""
        mark = self._descend(path)[0]
        return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)

    def path_of(self, key: str) -> Path:
        """The path that `dotted` shows as `key`, or its longest beginning that the document has."""
        path: Path = ()
        while (step := self._next_step(path, key)) is not None:
            path = (*path, step)
        return path

    def _next_step(self, path: Path, key: str) -> str | int | None:
        node = self._descend(path)[2]
        steps: list[str | int] = []
        if isinstance(node, yaml.MappingNode):
            steps = [word.value for word, _ in node.value]
        elif isinstance(node, yaml.SequenceNode):
            steps = list(range(len(node.value)))
        starts = ((dotted((*path, step)), step) for step in steps)
        fitting = [(start, step) for start, step in starts if f"{key}.".startswith((f"{start}.", f"{start}["))]
        return max(fitting, key=lambda item: len(item[0]))[1] if fitting else None

    def source(self, path: Path) -> str | None:
        """The scalar at `path` as it is written in the file; None for anything else."""
        node = self._descend(path)[2] if self.has(path) else None
        return node.value if isinstance(node, yaml.ScalarNode) else None

    def problem(self, path: Path, message: str) -> Problem:
        """A mistake at `path`."""
        line, column = self.place(path)
        return Problem(self.file, line, dotted(path), message, column)

    def _descend(self, path: Path) -> tuple[Any, int, yaml.Node | None]:
        node, mark = self.node, self.node.start_mark if self.node is not None else None
        for depth, step in enumerate(path):
            found = _step(node, step)
            if found is None:
                return mark, depth, node
            mark, node = found
        return mark, len(path), node


def _step(node: yaml.Node | None, step: str | int) -> tuple[Any, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key.start_mark, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark, node.value[step]
    return None


class Mistakes:
    """Collects the mistakes of one reading, so that they are raised together and in the order of the lines."""

    def __init__(self) -> None:
        self._found: list[tuple[Problem, str | None]] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, problem: Problem, hint: str | None = None) -> None:
        """Notes a mistake; `hint` is shown when it stays the only one."""
        if all(problem != known for known, _ in self._found):
            self._found.append((problem, hint))

    def has(self, path: Path) -> bool:
        """True if there is a mistake at `path` or below it, in any file."""
        start = dotted(path)
        keys = (problem.key for problem, _ in self._found)
        return any(key == start or key.startswith((f"{start}.", f"{start}[")) for key in keys)

    def raise_if_any(self) -> None:
        """Raises `DocumentError` with all that was noted, or does nothing."""
        if not self._found:
            return
        found = sorted(self._found, key=lambda item: (item[0].file, item[0].line, item[0].column))
        hint = found[0][1] if len(found) == 1 else None
        raise DocumentError([problem for problem, _ in found], hint=hint or _MEND)


def dotted(path: Path) -> str:
    """``tables.users.checks[0]``; steps that are no plain words are quoted."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            word = step if re.fullmatch(r"[\w$@/ -]+", step) else quoted(step)
            text += f".{word}" if text else word
    return text


def load(path: FilePath, root: FilePath | None = None, *, exact: bool = False) -> Document:
    """Reads one YAML file; errors name it relative to `root`. `exact` gives decimals instead of floats.

    Raises `ConfigError` when it cannot be read, `DocumentError` when it is no YAML.
    """
    file = str(path)
    if root is not None and path.is_relative_to(root):
        file = path.relative_to(root).as_posix()
    try:
        data = path.read_bytes()
    except FileNotFoundError as exc:
        raise ConfigError(f"{file} does not exist", hint=f"Create {file}, or check the path.", path=file) from exc
    except OSError as exc:
        raise ConfigError(
            f"{file} cannot be read: {exc.strerror}", hint="Check that it is a file you may read.", path=file
        ) from exc
    return parse(data, file, exact=exact)


def parse(content: str | bytes, file: str, *, exact: bool = False) -> Document:
    """Reads YAML from memory; `file` is the name in errors. Raises `DocumentError` when it is no YAML."""
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


def plain(data: Any, file: str) -> Document:
    """A document of values that did not come from YAML; `file` names them in errors."""
    return Document(file, data)


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
        if len(text) <= _MOST_DIGITS:
            return _integer(text) if kind == "int" else self._float(text)
        return self._wrong(node, path, f"a number of more than {_MOST_DIGITS} digits")

    def _float(self, text: str) -> Any:
        word = text.lower()
        return self._number(word.replace(".inf", "inf").replace(".nan", "nan") if word[-1] in "fn" else word)


def _integer(text: str) -> int:
    if text[:2] in ("0x", "0o"):
        return int(text, 0)
    return int(text)

"""One YAML file as plain values that know their lines.

In: values, and PyYAML's tree of the text that they were read from. Out: `Document`. Always holds: looking for a
place imports no PyYAML, since most commands find every document right, or known from before.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final

from tdv.documents.words import quoted
from tdv.errors import DocumentError, Problem
from tdv.frozen import dataclass

if TYPE_CHECKING:
    import yaml

Path = tuple[str | int, ...]

_MEND: Final = "Mend the lines named above, then run the command again."


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
        if _is(node, "mapping"):
            steps = [word.value for word, _ in node.value]
        elif _is(node, "sequence"):
            steps = list(range(len(node.value)))
        starts = ((dotted((*path, step)), step) for step in steps)
        fitting = [(start, step) for start, step in starts if f"{key}.".startswith((f"{start}.", f"{start}["))]
        return max(fitting, key=lambda item: len(item[0]))[1] if fitting else None

    def source(self, path: Path) -> str | None:
        """The scalar at `path` as it is written in the file; None for anything else."""
        node: Any = self._descend(path)[2] if self.has(path) else None
        return node.value if _is(node, "scalar") else None

    def problem(self, path: Path, message: str) -> Problem:
        """A mistake at `path`."""
        line, column = self.place(path)
        return Problem(self.file, line, dotted(path), message, column)

    def _descend(self, path: Path) -> tuple[Any, int, Any]:
        node: Any = self.node
        mark = self.node.start_mark if self.node is not None else None
        for depth, step in enumerate(path):
            found = _step(node, step)
            if found is None:
                return mark, depth, node
            mark, node = found
        return mark, len(path), node


def _is(node: Any, kind: str) -> bool:
    return getattr(node, "id", None) == kind


def _step(node: Any, step: str | int) -> tuple[Any, Any] | None:
    if _is(node, "mapping"):
        for key, value in node.value:
            if key.value == step:
                return key.start_mark, value
    if _is(node, "sequence") and isinstance(step, int) and step < len(node.value):
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


def plain(data: Any, file: str) -> Document:
    """A document of values that did not come from YAML; `file` names them in errors."""
    return Document(file, data)

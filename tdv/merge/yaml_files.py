"""Scenarios and seeds in YAML, merged by key and cell.

In: three versions. Out: `Merged`. Always holds: where the lines merge and say what the merge of the values says, the
lines stand as people wrote them; a scalar keeps its text, comments stay; a clash is marked around the smallest part
that stands on lines of its own.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.error import YAMLError
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarstring import PlainScalarString, ScalarString

from tdv.merge.texts import Merged, MergeOptions, Unmergeable, Versions, marked
from tdv.merge.tree import ABSENT, Path, TreeMerge, signature

_PLAIN: Final = ("bool", "int", "float", "null", "timestamp")
_MARK: Final = "TDV-CLASH-{}-HERE"
_LONG: Final = 1 << 16
_HEAD: Final = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*---[ \t]*(?:#[^\n]*)?\r?\n")
"""What stands before a document, and the line that begins it, which ruamel.yaml drops."""
_OF_FILES: Final = re.compile(r"^(?:---|\.\.\.)(?:\s|$)|\A(?:[ \t]*(?:#[^\n]*)?\r?\n)*%", re.MULTILINE)
"""Ends of documents, others after the first, and directives."""
_INDENTED: Final = re.compile(r"^[^\s#-][^\n]*:[ ]*\n[ ]+- ", re.MULTILINE)


class Verbatim(ScalarString):
    """A scalar without quotation marks that is no text to YAML; `kind` says what it is."""

    kind: str

    def __new__(cls, text: str, kind: str) -> Verbatim:
        made: Verbatim = super().__new__(cls, text)
        made.kind = kind
        return made

    def __deepcopy__(self, memo: object) -> Verbatim:
        return self


class _Constructor(RoundTripConstructor):
    pass


class _Representer(RoundTripRepresenter):
    pass


def _text(made: _Constructor, node: Any) -> Any:
    """A text in the class of its style: ruamel.yaml gives a plain `str` the style of the value that it replaces, so
    that a text would become a number, and NULL the text "null"."""
    text = made.construct_scalar(node)
    return PlainScalarString(text) if type(text) is str else text


def _construct(kind: str) -> Callable[[Any, Any], Verbatim]:
    return lambda _, node: Verbatim(node.value, kind)


for _kind in _PLAIN:
    _Constructor.add_constructor(f"tag:yaml.org,2002:{_kind}", _construct(_kind))
_Constructor.add_constructor("tag:yaml.org,2002:str", _text)
_Representer.add_representer(
    Verbatim, lambda made, node: made.represent_scalar(f"tag:yaml.org,2002:{node.kind}", str(node))
)


def merge_yaml(versions: Versions, options: MergeOptions, name: str, key: tuple[str, ...]) -> Merged:
    """Merges a scenario, or, where `name` is a table, a seed of it with the key `key`; `name` begins names of clashes.

    Raises `Unmergeable` for text that is no such YAML.
    """
    yaml = _yaml(versions.ours)
    parts = [_parts(data) for data in (versions.base, versions.ours, versions.theirs)]
    head = _head_of(*(head for head, _ in parts))
    base, ours, theirs = (_load(yaml, document) for _, document in parts)

    def identify(path: Path, item: Any) -> Hashable:
        if path == () and key and isinstance(item, Mapping):
            return tuple(str(item.get(column)) for column in key)
        return signature(item)

    def is_value(path: Path) -> bool:
        return len(path) >= 2 if name else path[:1] == ("rows",) and len(path) >= 4

    mine = TreeMerge("ours", identify, is_value)
    result = mine.merged((base, ours, theirs))
    if not mine.clashes:
        lines = options.texts(versions)
        if lines is not None and signature(_load(yaml, _parts(lines)[1])) == signature(result):
            return Merged(lines)
        written = _dump(yaml, result)
        if signature(_load(yaml, written)) != signature(result):
            raise Unmergeable("values that cannot be written beside each other")
        return Merged(f"{head}{written}".encode())
    other = TreeMerge("theirs", identify, is_value).merged((base, ours, theirs))
    found = _with_markers(yaml, (result, other), _Clashes(mine.clashes, identify, name, key), options.size)
    return Merged(head.encode("utf-8") + found.data, found.conflicts)


def _parts(data: bytes) -> tuple[str, str]:
    """A file as what stands up to its document, and the document; raises `Unmergeable` for a file of more than that."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise Unmergeable("no YAML") from exc
    found = _HEAD.match(text)
    head = found[0] if found else ""
    if _OF_FILES.search(text, len(head)):
        raise Unmergeable("directives or several documents")
    return head, text[len(head) :]


def _head_of(base: str, ours: str, theirs: str) -> str:
    if theirs in (base, ours):
        return ours
    if ours == base:
        return theirs
    raise Unmergeable("what stands before the document")


class _Clashes:
    """The places that clash, how items of lists are found, and how places are called."""

    def __init__(
        self, paths: list[Path], identify: Callable[[Path, Any], Hashable], name: str, key: tuple[str, ...]
    ) -> None:
        self.paths = paths
        self.identify = identify
        self._name = name
        self._key = key

    def shown(self, path: Path) -> str:
        """``users id=7: age`` or ``rows.orders.first.total``"""
        words = [self._word(part) for part in path]
        return " ".join(filter(None, (self._name, ".".join(words)))).replace("\n", " ")

    def _word(self, part: Hashable) -> str:
        if isinstance(part, tuple) and self._key and len(part) == len(self._key):
            return " ".join(f"{name}={value}" for name, value in zip(self._key, part, strict=True))
        return str(part) if isinstance(part, str) else "item"

    def child(self, node: Any, path: Path, part: Hashable) -> Any:
        """What is below `node`, the node at `path`, or `ABSENT`."""
        if isinstance(node, Mapping):
            return node.get(part, ABSENT)
        if isinstance(node, list):
            return next((item for item in node if self.identify(path, item) == part), ABSENT)
        return ABSENT


def _with_markers(yaml: YAML, results: tuple[Any, Any], clashes: _Clashes, size: int) -> Merged:
    ours, theirs = results
    anchors = dict.fromkeys(_anchor(ours, theirs, path, clashes) for path in clashes.paths)
    outer = [anchor for anchor in anchors if not any(anchor[: len(o)] == o and anchor != o for o in anchors)]
    if () in outer:
        raise Unmergeable("the files as a whole")
    sides = [tuple(_at(tree, anchor, clashes) for tree in results) for anchor in outer]
    for number, anchor in enumerate(outer):
        _replace(ours, anchor, PlainScalarString(_MARK.format(number)), clashes)
    text = _dump(yaml, ours)
    for number, (anchor, pair) in enumerate(zip(outer, sides, strict=True)):
        inside = [path for path in clashes.paths if path[: len(anchor)] == anchor]
        name = ", ".join(dict.fromkeys(clashes.shown(path) for path in inside))
        text = _marked(yaml, text, (_MARK.format(number), name, pair), size)
    return Merged(text.encode("utf-8"), tuple(clashes.shown(path) for path in clashes.paths))


def _anchor(ours: Any, theirs: Any, path: Path, clashes: _Clashes) -> Path:
    """The part around `path` that stands on lines of its own on both sides."""
    best: Path = ()
    nodes = (ours, theirs)
    for depth, part in enumerate(path):
        if any(_is_flow(node) for node in nodes):
            break
        best = path[: depth + 1]
        nodes = tuple(clashes.child(node, path[:depth], part) for node in nodes)
        if any(node is ABSENT for node in nodes):
            break
    return best


def _is_flow(node: Any) -> bool:
    style = getattr(node, "fa", None)
    return style is not None and bool(style.flow_style())


def _at(tree: Any, path: Path, clashes: _Clashes) -> Any:
    node = tree
    for depth, part in enumerate(path):
        node = clashes.child(node, path[:depth], part)
    return node


def _replace(tree: Any, path: Path, value: str, clashes: _Clashes) -> None:
    parent = _at(tree, path[:-1], clashes)
    if isinstance(parent, list):
        names = [clashes.identify(path[:-1], item) for item in parent]
        if path[-1] in names:
            parent[names.index(path[-1])] = value
        else:
            parent.append(value)
    else:
        parent[path[-1]] = value


def _marked(yaml: YAML, text: str, clash: tuple[str, str, tuple[Any, ...]], size: int) -> str:
    mark, name, pair = clash
    line = re.search(rf"^(?P<indent>[ ]*)(?P<head>.*?)[\"']?{mark}[^\n]*\n", text, re.MULTILINE)
    if line is None:
        raise Unmergeable(mark)
    head = line["head"]
    item = head.startswith("- ")
    sides = []
    for node in pair:
        if node is ABSENT:
            sides.append("")
            continue
        whole = _dump(yaml, [node]) if item else _dump(yaml, {_key_of(head): node})
        sides.append("".join(f"{line['indent']}{part}\n" for part in _undented(whole).splitlines()))
    return text[: line.start()] + marked(name, sides, size) + text[line.end() :]


def _undented(text: str) -> str:
    depth = len(text) - len(text.lstrip(" "))
    return "".join(line[depth:] for line in text.splitlines(keepends=True))


def _key_of(head: str) -> Any:
    loaded = YAML(typ="safe", pure=True).load(f"{head} x")
    return next(iter(loaded))


def _yaml(sample: bytes) -> YAML:
    yaml = YAML()
    yaml.Constructor = _Constructor
    yaml.Representer = _Representer
    yaml.preserve_quotes = True
    yaml.width = _LONG
    if _INDENTED.search(sample.decode("utf-8", "replace")):
        yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _load(yaml: YAML, document: str) -> Any:
    try:
        loaded = yaml.load(document)
    except YAMLError as exc:
        raise Unmergeable("no YAML") from exc
    return ABSENT if loaded is None else loaded


def _dump(yaml: YAML, node: Any) -> str:
    text = io.StringIO()
    yaml.dump(node, text)
    return text.getvalue()

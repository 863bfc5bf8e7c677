"""Django: a graph of migrations per app, with dependencies between apps, merges and squashes.

In: a directory with apps, an app, or its ``migrations``. Out: a `History` whose revisions are ``app.0003_name``.
Always holds: no file is imported; only apps below the path are in the history, and what depends on others (``auth``,
``contenttypes``) stands without them; a squashed migration comes after those it replaces while their files are there,
and goes by their names when they are gone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tdv.errors import ConfigError
from tdv.migrations.protocol import Rows, files, text_of
from tdv.model.history import History, Migration, Position

TABLE: Final = "django_migrations"
_DIRECTORY: Final = "migrations"
_LISTS: Final = re.compile(r"^    (dependencies|replaces|run_before)\b[^=\n]*=\s*", re.MULTILINE)
_LABEL: Final = re.compile(r"^    label\s*=\s*['\"](\w+)['\"]", re.MULTILINE)
_SKIPPED: Final = frozenset({"node_modules", "site-packages", ".venv", "venv", ".git", ".tox"})

Node = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _File:
    """What one file says: what it depends on, replaces, and must run before."""

    node: Node
    file: str
    dependencies: tuple[Node, ...] = ()
    replaces: tuple[Node, ...] = ()
    run_before: tuple[Node, ...] = ()


class _Django:
    """Reads migration files."""

    def read(self, path: Path, source: str) -> History:
        found: dict[Node, _File] = {}
        for directory in _directories(path, source):
            app = _app(directory)
            for file in files(directory, source):
                if file.suffix == ".py" and file.name[0] not in "_~":
                    found[app, file.stem] = _read(file, (app, file.stem))
        return History.of(source, _migrations(found))

    def place(self, history: History, rows: Rows) -> Position | None:
        noted = rows(TABLE)
        if noted is None:
            return None
        return history.exactly(f"{row['app']}.{row['name']}" for row in noted)


def _directories(path: Path, source: str) -> Iterator[Path]:
    if not path.is_dir():
        raise ConfigError(
            f"There is no directory {source} for migrations", hint="Correct migrations.path in tdv.yaml.", path=source
        )
    if (path / "__init__.py").is_file() and path.name == _DIRECTORY:
        yield path
        return
    for directory in sorted(path.rglob(_DIRECTORY)):
        if (directory / "__init__.py").is_file() and not _SKIPPED.intersection(directory.relative_to(path).parts):
            yield directory


def _app(directory: Path) -> str:
    """The label of the app: its ``AppConfig.label`` where it has one, else its directory's name."""
    apps = directory.parent / "apps.py"
    match = _LABEL.search(text_of(apps)) if apps.is_file() else None
    return match[1] if match else directory.parent.name


def _read(file: Path, node: Node) -> _File:
    text = text_of(file)
    lists: dict[str, tuple[Node, ...]] = {}
    for match in _LISTS.finditer(text):
        lists[match[1]] = tuple(_nodes(text, match.end(), file))
    return _File(node, f"{node[0]}/{file.name}", **lists)


def _nodes(text: str, start: int, file: Path) -> Iterator[Node]:
    """The pairs of a list that begins at `start`; ``swappable_dependency(…)`` names no app that is known here."""
    end = start
    while (end := text.find("]", end) + 1) > 0:
        try:
            parsed = ast.parse(text[start:end], mode="eval").body
        except SyntaxError:
            continue
        for element in getattr(parsed, "elts", ()):
            if isinstance(element, ast.Tuple):
                app, name = ast.literal_eval(element)
                yield str(app), str(name)
        return
    raise ConfigError(
        f"{file.parent.parent.name}/{file.name} does not say plainly what it depends on",
        hint="Write dependencies, replaces and run_before as lists of pairs.",
    )


def _migrations(found: Mapping[Node, _File]) -> Iterator[Migration]:
    parents: dict[Node, list[Node]] = {node: [] for node in found}
    for node, item in found.items():
        parents[node] += [*_known(item.dependencies, found), *(other for other in item.replaces if other in found)]
        for later in _known(item.run_before, found):
            parents[later].append(node)
    for squash in found.values():
        _after(squash, found, parents)
    gone = {old: squash.node for squash in found.values() for old in squash.replaces if old not in found}
    for node, item in found.items():
        above = [other for other in dict.fromkeys(parents[node]) if other != node]
        aliases = tuple(".".join(old) for old, squash in gone.items() if squash == node)
        yield Migration(".".join(node), tuple(map(".".join, above)), aliases, item.file)


def _after(squash: _File, found: Mapping[Node, _File], parents: Mapping[Node, list[Node]]) -> None:
    """Whatever came after a migration that `squash` replaces comes after `squash`, too, as Django's loader has it."""
    replaced = frozenset(squash.replaces)
    for node, above in parents.items():
        if node != squash.node and node not in replaced and replaced.intersection(above) and node in found:
            above.append(squash.node)


def _known(wanted: Iterable[Node], found: Mapping[Node, _File]) -> Iterator[Node]:
    """The nodes that are in the history; ``__first__`` and ``__latest__`` of an app are looked up."""
    squashed = {old: item.node for item in found.values() for old in item.replaces}
    for app, name in wanted:
        node = (app, name)
        if node not in found and node in squashed:
            node = squashed[node]
        if name in ("__first__", "__latest__"):
            mine = sorted(other for other in found if other[0] == app)
            if mine:
                yield mine[0 if name == "__first__" else -1]
        elif node in found:
            yield node
        elif any(other[0] == app for other in found):
            # An app that is here, but not this migration of it: `History.of` says so.
            yield node


DJANGO: Final = _Django()

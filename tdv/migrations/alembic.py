"""Alembic: a graph of revision files with branches, merges, labels and dependencies.

In: the directory with ``versions/``, a directory of revision files, or an ``alembic.ini``. Out: a `History`. Always
holds: no file is imported; what a revision is and what it comes after is read from the assignments at its top, as
they are written by ``alembic revision``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from configparser import ConfigParser
from configparser import Error as IniError
from pathlib import Path
from typing import Any, Final

from tdv.errors import ConfigError
from tdv.migrations.protocol import Rows, files, text_of
from tdv.model.history import History, Migration, Position

TABLE: Final = "alembic_version"
_FIELDS: Final = ("revision", "down_revision", "branch_labels", "depends_on")
_ASSIGNMENT: Final = re.compile(rf"^({'|'.join(_FIELDS)})[ \t]*(?::[^=\n]+)?=[ \t]*(.*)$", re.MULTILINE)


class _Alembic:
    """Reads revision files."""

    def read(self, path: Path, source: str) -> History:
        found: dict[str, Mapping[str, Any]] = {}
        origin: dict[str, str] = {}
        for directory in _locations(path, source):
            for file in files(directory, source):
                fields = _fields(file) if file.suffix == ".py" and not file.name.startswith((".#", "__")) else {}
                revision = fields.get("revision")
                if not isinstance(revision, str):
                    continue
                if revision in found:
                    raise ConfigError(
                        f"Two migrations in {source} are called {revision}: {origin[revision]} and {file.name}",
                        hint="Give one of them another revision and correct what comes after it.",
                    )
                found[revision], origin[revision] = fields, file.name
        return _history(source, found, origin)

    def place(self, history: History, rows: Rows) -> Position | None:
        noted = rows(TABLE)
        if noted is None:
            return None
        return history.at(", ".join(str(row["version_num"]) for row in noted) or "base")


def _history(source: str, found: Mapping[str, Mapping[str, Any]], origin: Mapping[str, str]) -> History:
    labels = {label: revision for revision, fields in found.items() for label in _several(fields, "branch_labels")}
    parents = {
        revision: (
            *(_full(name, found, labels) for name in _several(fields, "down_revision")),
            *(_full(name, found, labels) for name in _several(fields, "depends_on")),
        )
        for revision, fields in found.items()
    }
    plain = History.of(
        source,
        [Migration(name, tuple(dict.fromkeys(parents[name])), file=origin[name]) for name in _in_order(parents)],
    )
    aliases: dict[str, list[str]] = {}
    for label, revision in labels.items():
        aliases.setdefault(revision, []).append(label)
        for head in plain.heads:
            if revision in plain.ancestors((head,)):
                aliases.setdefault(head, []).append(f"{label}@head")
    return History.of(
        source,
        [
            Migration(item.revision, item.parents, tuple(aliases.get(item.revision, ())), item.file)
            for item in plain.migrations.values()
        ],
    )


def _in_order(parents: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Parents before children, otherwise by name; what hangs in the air or goes in circles comes last."""
    children: dict[str, list[str]] = {}
    waiting = {name: {parent for parent in above if parent in parents} for name, above in parents.items()}
    for name, above in waiting.items():
        for parent in above:
            children.setdefault(parent, []).append(name)
    ready = sorted((name for name, above in waiting.items() if not above), reverse=True)
    done: set[str] = set()
    while ready:
        name = ready.pop()
        done.add(name)
        yield name
        for child in sorted(children.get(name, ()), reverse=True):
            waiting[child].discard(name)
            if not waiting[child]:
                ready.append(child)
    yield from sorted(name for name in parents if name not in done)


def _full(name: str, found: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """The whole revision for a label or the beginning of a name, as Alembic resolves them."""
    if name in found:
        return name
    label, _, _ = name.partition("@")
    if label in labels:
        return labels[label]
    begun = [revision for revision in found if len(name) >= 4 and revision.startswith(name)]
    return begun[0] if len(begun) == 1 else name


def _several(fields: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = fields.get(name)
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(map(str, value))


def _fields(file: Path) -> dict[str, Any]:
    """The four assignments of a revision file; {} for a file without."""
    text = text_of(file)
    fields: dict[str, Any] = {}
    for match in _ASSIGNMENT.finditer(text):
        try:
            fields[match[1]] = ast.literal_eval(match[2].strip())
        except (ValueError, SyntaxError):
            return _parsed(text, file)
    return fields


def _parsed(text: str, file: Path) -> dict[str, Any]:
    """The same for values that go over several lines."""
    fields: dict[str, Any] = {}
    try:
        for node in ast.parse(text).body:
            target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
            value = getattr(node, "value", None)
            if isinstance(target, ast.Name) and target.id in _FIELDS and value is not None:
                fields[target.id] = ast.literal_eval(value)
    except (ValueError, SyntaxError) as exc:
        raise ConfigError(
            f"{file.name} does not say plainly which migration it is: {exc}",
            hint="Write revision, down_revision, branch_labels and depends_on as text, tuples or None.",
        ) from exc
    return fields


def _locations(path: Path, source: str) -> tuple[Path, ...]:
    if path.suffix == ".ini":
        return _of_ini(path, source)
    return (path / "versions",) if (path / "versions").is_dir() else (path,)


def _of_ini(path: Path, source: str) -> tuple[Path, ...]:
    """``version_locations`` of an ini file, else ``versions`` in its ``script_location``."""
    parser = ConfigParser(defaults={"here": path.parent.as_posix()})
    try:
        parser.read_string(text_of(path))
        section = parser["alembic"]
        several, script = section.get("version_locations", ""), section.get("script_location", "")
    except (IniError, KeyError) as exc:
        raise ConfigError(f"{source} cannot be read: {exc}", hint="It needs the section [alembic].") from exc
    words = [word for word in re.split(r"[\s,;]+|:(?![\\/])", several) if word] or [f"{script}/versions"]
    return tuple(path.parent / word for word in words)


ALEMBIC: Final = _Alembic()

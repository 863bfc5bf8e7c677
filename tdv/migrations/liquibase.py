"""Liquibase: change sets of a changelog and of the changelogs that it includes, in the order they run.

In: a changelog (XML, YAML, JSON or formatted SQL) or a directory with a ``db.changelog-master`` or ``changelog``.
Out: a `History` whose revisions are the ids, or ``id::author`` where an id is used twice. Always holds: paths of
includes stay inside the directory given or the changelog's own; entities of XML are not read.

https://docs.liquibase.com/concepts/changelogs/home.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from tdv import documents
from tdv.errors import ConfigError
from tdv.migrations.protocol import Rows, files, text_of
from tdv.model.history import History, Migration, Position

TABLE: Final = "databasechangelog"
_MASTERS: Final = ("db.changelog-master", "changelog-master", "changelog", "db.changelog")
_ENDINGS: Final = (".xml", ".yaml", ".yml", ".json", ".sql")
_SQL: Final = re.compile(r"^--\s*changeset\s+([^\s:]+):(\"[^\"]+\"|\S+)", re.MULTILINE | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _ChangeSet:
    """One change set; `tag` is the name that a ``tagDatabase`` in it gives to the state after it."""

    id: str
    author: str
    file: str
    tag: str = ""


class _Liquibase:
    """Reads changelogs."""

    def read(self, path: Path, source: str) -> History:
        start = _master(path, source) if path.is_dir() else path
        if not start.is_file():
            raise ConfigError(f"There is no changelog {source}", hint="Correct migrations.path in tdv.yaml.")
        base = path if path.is_dir() else path.parent
        return History.chain(source, _migrations(tuple(_Reader(base).read(start, ()))))

    def place(self, history: History, rows: Rows) -> Position | None:
        noted = rows(TABLE)
        if noted is None:
            return None
        return history.exactly(f"{row['id']}::{row['author']}" for row in noted)


def _master(path: Path, source: str) -> Path:
    for stem in _MASTERS:
        for ending in _ENDINGS:
            if (path / (stem + ending)).is_file():
                return path / (stem + ending)
    raise ConfigError(
        f"There is no {_MASTERS[0]} in {source}", hint="Name the changelog itself under migrations.path in tdv.yaml."
    )


def _migrations(found: Sequence[_ChangeSet]) -> Iterator[Migration]:
    ids = [item.id for item in found]
    names = [item.id if ids.count(item.id) == 1 else f"{item.id}::{item.author}" for item in found]
    for item, name in zip(found, names, strict=True):
        revision = name if names.count(name) == 1 else f"{name}::{item.file}"
        aliases = (f"{item.id}::{item.author}", f"{item.author}:{item.id}", *filter(None, (item.tag,)))
        yield Migration(revision, aliases=aliases, file=item.file)


class _Reader:
    """Follows includes below `base`, as if it were the only place on the class path."""

    def __init__(self, base: Path) -> None:
        self._base = base.resolve()

    def read(self, path: Path, open_: tuple[Path, ...]) -> Iterator[_ChangeSet]:
        """The change sets of a changelog in the order they run."""
        path = path.resolve()
        if path in open_:
            raise ConfigError(f"The changelog {self._shown(path)} includes itself", hint="Remove one of its includes.")
        for kind, fields in _entries(path, self._shown(path)):
            if kind == "changeSet":
                yield _ChangeSet(fields["id"], fields["author"], self._shown(path), fields.get("tag", ""))
            elif kind == "include":
                yield from self.read(self._place(fields, "file", path), (*open_, path))
            else:
                directory = self._place(fields, "path", path)
                for file in files(directory, self._shown(directory), deep=True):
                    if file.suffix in _ENDINGS:
                        yield from self.read(file, (*open_, path))

    def _place(self, fields: Mapping[str, str], key: str, path: Path) -> Path:
        """Where an include points to; Liquibase looks below the class path, or beside the changelog."""
        name = fields.get(key, "").removeprefix("classpath:").lstrip("/")
        beside = str(fields.get("relativeToChangelogFile", "false")).lower() == "true"
        places = [path.parent / name] if beside else [base / name for base in (self._base, *self._base.parents)]
        for place in places:
            if name and place.exists():
                return place.resolve()
        raise ConfigError(
            f"{self._shown(path)} includes {name or 'nothing'}, which is not there",
            hint="Write its path from the directory of migrations.path, or from the changelog that includes it.",
        )

    def _shown(self, path: Path) -> str:
        return path.relative_to(self._base).as_posix() if path.is_relative_to(self._base) else path.name


Entry = tuple[str, Mapping[str, str]]


def _entries(path: Path, shown: str) -> Iterator[Entry]:
    if path.suffix == ".sql":
        for author, identifier in _SQL.findall(text_of(path)):
            yield "changeSet", {"id": identifier.strip('"'), "author": author}
    elif path.suffix == ".xml":
        yield from _xml(path, shown)
    else:
        yield from _listed(documents.load(path).data, shown)


def _xml(path: Path, shown: str) -> Iterator[Entry]:
    text = text_of(path)
    try:
        if "<!ENTITY" in text:
            raise ElementTree.ParseError("it declares entities")
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as exc:
        raise ConfigError(
            f"The changelog {shown} cannot be read: {exc}", hint="Liquibase would refuse it, too."
        ) from exc
    for element in root:
        kind = element.tag.rpartition("}")[2]
        if kind in ("changeSet", "include", "includeAll"):
            tags = [child.get("tag", "") for child in element.iter() if child.tag.endswith("tagDatabase")]
            yield kind, {**element.attrib, **({"tag": tags[0]} if tags else {})}


def _listed(data: Any, shown: str) -> Iterator[Entry]:
    """The entries of a YAML or JSON changelog: a list of mappings with one key each."""
    entries = data.get("databaseChangeLog") if isinstance(data, dict) else None
    if not isinstance(entries, list):
        raise ConfigError(f"{shown} is no changelog: it has no databaseChangeLog", hint="Correct migrations.path.")
    for entry in entries:
        for kind, fields in entry.items() if isinstance(entry, dict) else ():
            if kind in ("changeSet", "include", "includeAll") and isinstance(fields, dict):
                changes = [change for change in fields.get("changes") or () if isinstance(change, dict)]
                tags = [change["tagDatabase"].get("tag", "") for change in changes if "tagDatabase" in change]
                plain = {key: str(value) for key, value in fields.items() if not isinstance(value, dict | list)}
                yield kind, {**plain, **({"tag": tags[0]} if tags else {})}


LIQUIBASE: Final = _Liquibase()

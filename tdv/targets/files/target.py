"""Directories of files as targets.

In: `Load`s. Out: one file per table (`users.csv`; Parquet tables of several parts are directories of that name) and
``_tdv_state.json``, which says what tdv wrote. Always holds: a file that tdv did not write is never changed or
deleted without ``--replace``; the state is written last; a built snapshot is taken for no target. Importing this module
imports no Arrow.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import unquote, urlsplit

from tdv.config import TargetSettings
from tdv.content.names import directory_of
from tdv.durable import locked_directory, refusal, write_bytes
from tdv.errors import Refused, TargetError, UsageError
from tdv.frozen import dataclass
from tdv.model.release import MANIFEST
from tdv.model.schema import DatasetSchema, TableSchema
from tdv.targets import disk
from tdv.targets.files import mark, swap
from tdv.targets.files.losses import LOSSES
from tdv.targets.files.mark import Mark
from tdv.targets.options import format_of
from tdv.targets.protocol import Capabilities, Content, Held, Load, Loss, Outcome, Plan, TableContent

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS: Final = ("parquet", "csv", "jsonl", "sql")
_OF_OTHERS: Final = FORMATS[:-1]
"""The formats in which files of others are looked for: to read SQL is to run it, and has to be asked for."""


@dataclass(frozen=True, slots=True)
class _Steps:
    """The rows by dataset; what the directory says `before` and `after`; whether files of others are there, among which
    files are replaced `one_by_one`; the directory `beside` in which they are built."""

    contents: Mapping[str, Content]
    before: Mark
    after: Mark
    one_by_one: bool
    beside: Path


class FilesTarget:
    """One directory."""

    capabilities: ClassVar[Capabilities] = Capabilities(image=True, proof=True)
    losses: ClassVar[Mapping[str, Loss]] = LOSSES

    def __init__(self, settings: TargetSettings, work: Path) -> None:
        self.path = Path(unquote(urlsplit(settings.url).path))
        self.shown = settings.shown
        self._asked = format_of(settings)
        if self._asked not in ("", *FORMATS):
            raise UsageError(f"there is no format {self._asked!r} of files", hint=f"Use one of {', '.join(FORMATS)}.")
        self._work = work
        _require_no_snapshot(self.path, self.shown)

    @cached_property
    def _known(self) -> str:
        """The format that the URL asks for, else in which tdv wrote there before, else ""."""
        written = {name.partition("/")[0].rpartition(".")[2] for name in mark.read(self.path).names - {mark.NAME}}
        return self._asked or next((known for known in FORMATS if known in written), "")

    @property
    def _format(self) -> str:
        """The format to write."""
        return self._known or FORMATS[0]

    def _file(self, directory: Path, table: str) -> tuple[str, Path]:
        """The format and the file of a table: of a directory that others made, the only one that is there."""
        formats = (self._known,) if self._known else _OF_OTHERS
        found = [(known, directory / _file_of(table, known)) for known in formats]
        there = [item for item in found if item[1].exists()]
        return there[0] if len(there) == 1 else found[0]

    @property
    def identity(self) -> str:
        return f"file {os.path.realpath(self.path)}"

    def proof(self) -> Any | None:
        found = mark.read(self.path)
        if not found.held:
            return None
        return [self._format, *disk.proof(self.path / name for name in sorted(found.names))]

    def settle(self) -> None:
        for name in mark.read(self.path).names:
            disk.settle(self.path / name)

    def held(self) -> tuple[Held, ...]:
        return mark.read(self.path).held

    def plan(self, load: Load) -> Plan:
        with self._failures():
            steps = self._decided(load)
            count = sum(len(names) for names in self._names(steps.contents).values())
            action = "replace the files of the dataset in" if self.path.exists() else "create"
            return Plan((f"{action} {self.path}: {count} {self._format} files", *_restores(load)))

    def load(self, load: Load) -> Outcome:
        with self._failures(), self._alone():
            self._sweep()
            steps = self._decided(load)
            self._replace(steps)
        tables = [table for content in steps.contents.values() for table in content.tables]
        copied = self._format == "parquet" and all(table.files for table in tables)
        return Outcome("cloned" if copied else "loaded", steps.after.held)

    def read(self, table: TableSchema) -> Iterator[pa.Table]:
        with self._failures():
            yield from self._read(self.path, table)

    def exists(self) -> bool:
        return self.path.is_dir()

    def has(self, table: str) -> bool:
        return self._file(self.path, table)[1].exists()

    def as_found(self, table: TableSchema) -> TableSchema:
        from tdv.targets.files.columns import as_found

        known, path = self._file(self.path, table.name)
        return as_found(known, path, table)

    def inspect(self) -> DatasetSchema:
        raise UsageError(
            f"{self.shown} is a directory: files do not tell keys and references",
            hint="Use `tdv new --from` with the URL of a database.",
        )

    def _decided(self, load: Load) -> _Steps:
        """What a load would do; raises what it refuses with before it writes."""
        contents = _contents(load)
        before = mark.read(self.path)
        names = self._names(contents)
        self._admit(load, before, names)
        after = self._marked(load, contents, before, names)
        strangers = swap.foreign(self.path, before.names | after.names) if self.path.is_dir() else []
        if strangers:
            swap.refuse_blocked(self.path, before.names, after.names)
        beside = self._build_place(within=bool(strangers))
        if (refused := refusal(beside)) is not None:
            raise refused
        return _Steps(contents, before, after, bool(strangers), beside)

    def _replace(self, steps: _Steps) -> None:
        """Builds the new files in a directory of their own and puts them in place."""
        contents, before, after, beside = steps.contents, steps.before, steps.after, steps.beside
        beside.mkdir()
        try:
            self._build(beside, contents)
            kept = after.names - {name for c in contents for name in after.files[c]} - {mark.NAME}
            if steps.one_by_one:
                self._put_one_by_one(beside, before, after, kept)
                return
            for name in sorted(kept):
                (beside / name).parent.mkdir(parents=True, exist_ok=True)
                disk.copy(self.path / name, beside / name)
            write_bytes(beside / mark.NAME, mark.dump(after))
            self._put_whole(beside, before.names | after.names)
        finally:
            self._discard(beside)

    def _put_whole(self, beside: Path, own: frozenset[str]) -> None:
        """Puts the directory in place in one step; `own` are the files of the old one that may go."""
        if not self.path.exists():
            os.rename(beside, self.path)
            return
        old = beside
        if not swap.exchange(beside, self.path):
            old = beside.with_name(f"{beside.name}.old.tmp")
            os.rename(self.path, old)
            os.rename(beside, self.path)
        swap.remove(old, own)
        if old.exists():
            swap.rescue(old, self.path)

    def _put_one_by_one(self, beside: Path, before: Mark, after: Mark, kept: frozenset[str]) -> None:
        """Foreign files stay where they are: the mark says that nothing is complete until all files are."""
        files = {
            name: tuple(sorted({*before.files.get(name, ()), *after.files.get(name, ())}))
            for name in {*before.files, *after.files}
        }
        write_bytes(self.path / mark.NAME, mark.dump(Mark((), files)))
        write_bytes(beside / mark.NAME, mark.dump(after))
        gone = before.names - after.names
        swap.remove(self.path, gone)
        swap.move_into(beside, self.path, sorted(after.names - kept), mark.NAME)

    def _build_place(self, *, within: bool) -> Path:
        unique = os.urandom(6).hex()
        if within or self._is_mounted():
            return self.path / f".tdv-{unique}.tmp"
        return self.path.with_name(f".{self.path.name}.{unique}.tmp")

    def _build(self, beside: Path, contents: Mapping[str, Content]) -> None:
        for content in contents.values():
            for table in content.tables:
                self._write(beside, table)

    def _write(self, directory: Path, table: TableContent) -> None:
        names = _files_of(table, self._format)
        if self._format == "parquet" and table.files:
            for source, name in zip(table.files, names, strict=True):
                (directory / name).parent.mkdir(exist_ok=True)
                disk.copy(Path(source), directory / name)
            return
        from tdv.targets.files.formats import FORMATS as WRITERS
        from tdv.targets.verification import check

        WRITERS[self._format].write(table.batches(), table.schema, directory / names[0])
        check(lambda schema: self._read(directory, schema), [table], f"{self._format} files")

    def _read(self, directory: Path, table: TableSchema) -> Iterator[pa.Table]:
        from tdv.content.order import ordered_stream
        from tdv.targets.files.formats import FORMATS as READERS

        known, path = self._file(directory, table.name)
        if not path.exists():
            raise TargetError(
                f"there is no file {path}", hint="Run `tdv checkout` to write it.", path=str(path), table=table.name
            )
        scratch = self._work / f".scratch-{os.urandom(6).hex()}"
        yield from ordered_stream(READERS[known].read(path, table), table, scratch)

    def _names(self, contents: Mapping[str, Content]) -> dict[str, tuple[str, ...]]:
        return {
            dataset: tuple(name for table in content.tables for name in _files_of(table, self._format))
            for dataset, content in contents.items()
        }

    def _admit(self, load: Load, before: Mark, names: Mapping[str, tuple[str, ...]]) -> None:
        """Raises `Refused` for files of others, and for a file of two datasets."""
        owners = {name: dataset for dataset, files in before.files.items() for name in files}
        if os.path.lexists(self.path) and not self.path.is_dir():
            raise TargetError(f"{self.path} is no directory", hint="Name a directory as --target.")
        parents = {parent.as_posix() for name in before.names for parent in Path(name).parents}
        strange = []
        for dataset, files in names.items():
            for name in files:
                owner = owners.setdefault(name, dataset) if name in owners else None
                if owner is None and name not in parents:
                    strange += [name] if os.path.lexists(self.path / name) else []
                elif owner not in (None, dataset) and owner not in load.datasets:
                    raise Refused(
                        f"the file {name} of {dataset} belongs to {owner} in this directory",
                        hint=f"Use another directory for {dataset}.",
                        file=name,
                    )
        if strange and not load.replace:
            raise Refused(
                f"files that tdv did not write are in the way: {', '.join(sorted(strange))}",
                hint="Add --replace to overwrite them, or name another --target.",
                files=sorted(strange),
            )

    def _marked(
        self, load: Load, contents: Mapping[str, Content], before: Mark, names: Mapping[str, tuple[str, ...]]
    ) -> Mark:
        others = tuple(replace(held, whole=False) for held in before.held if held.dataset not in contents)
        held = [load.mark(item, contents[item.dataset].tables) for item in load.items]
        kept = {dataset: files for dataset, files in before.files.items() if dataset not in contents}
        everything = sorted([*others, *held], key=lambda item: item.dataset)
        return Mark(tuple(everything), {**kept, **names})

    def _sweep(self) -> None:
        """Removes what killed runs left; the lock of the target is held."""
        # Not those of another target, whose name begins as this one's.
        for directory, prefix in ((self.path.parent, f".{self.path.name}."), (self.path, ".tdv-")):
            left = re.compile(rf"{re.escape(prefix)}[0-9a-f]{{12}}\.tmp(\.old\.tmp)?")
            if directory.is_dir():
                for entry in directory.iterdir():
                    if left.fullmatch(entry.name) and entry.is_dir():
                        self._discard(entry)

    def _discard(self, directory: Path) -> None:
        """Removes a directory that was replaced or never finished, but for what tdv did not write."""
        if not directory.exists():
            return
        own = mark.read(directory).names
        if len(own) == 1:
            shutil.rmtree(directory, ignore_errors=True)
            return
        swap.remove(directory, own)
        if directory.exists():
            swap.rescue(directory, self.path)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keeps checkouts of other repositories away, which know nothing of the lock in this one."""
        place = self.path if self._is_mounted() else self.path.parent
        if not place.is_dir() and (refused := refusal(self.path)) is not None:
            raise refused
        with locked_directory(place, f"the target {self.shown}"):
            yield

    def _is_mounted(self) -> bool:
        return self.path.exists() and os.path.ismount(self.path)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except OSError as exc:
            raise TargetError(
                f"cannot write {exc.filename or self.path}: {exc.strerror or exc}",
                hint="Look at the directory's rights and free space, or name another --target.",
                path=str(self.path),
            ) from exc


def _require_no_snapshot(directory: Path, shown: str) -> None:
    """A snapshot has files of other names: it would be read as a target without tables, and spoilt by a checkout."""
    try:
        plain = json.loads((directory / MANIFEST).read_bytes())
        is_manifest, dataset = plain["format"].startswith("tdv.manifest/"), plain["dataset"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return
    if is_manifest:
        raise UsageError(
            f"{shown} is a built snapshot of {dataset} and no target",
            hint=f"Name its state, as in `tdv diff {dataset}@latest {dataset}@workspace`, or another directory.",
        )


def _contents(load: Load) -> dict[str, Content]:
    contents = {item.dataset: item.content() for item in load.items}
    owner: dict[str, str] = {}
    for dataset, content in contents.items():
        for table in content.tables:
            other = owner.setdefault(table.name, dataset)
            if other != dataset:
                raise Refused(
                    f"table {table.name!r} is in two datasets, {other} and {dataset}",
                    hint="Restore them into two directories, or rename the table in one of them.",
                    table=table.name,
                )
    return contents


def _file_of(table: str, suffix: str) -> str:
    return f"{directory_of(table)}.{suffix}"


def _files_of(table: TableContent, suffix: str) -> tuple[str, ...]:
    name = _file_of(table.name, suffix)
    if suffix != "parquet" or len(table.files) < 2:
        return (name,)
    return tuple(f"{name}/part-{number:05}.parquet" for number in range(len(table.files)))


def _restores(load: Load) -> list[str]:
    return [f"write {item.dataset}@{item.version} ({item.digest})" for item in load.items]

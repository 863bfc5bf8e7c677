"""Databases that are one file: when a finished image takes the file's place, and when rows are replaced in it.

In: `Load`s; an engine as a subclass. Out: what `Target` promises. Always holds: the file is replaced only when it is
new or provably all tdv's, and nobody has it open; otherwise the rows are replaced in one transaction.
"""

from __future__ import annotations

import os
import re
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import unquote, urlsplit

from tdv.config import TargetSettings
from tdv.config.address import file_url
from tdv.durable import locked_directory, refusal
from tdv.errors import DataError, IntegrityError, Refused, TargetError, UsageError
from tdv.model.schema import TableSchema
from tdv.targets import disk
from tdv.targets.images import Image, Images
from tdv.targets.options import refuse_options
from tdv.targets.protocol import AppSchema, Held, Load, Outcome, Plan
from tdv.targets.survey import (
    Survey,
    deletions,
    foreign_references,
    in_app_schema,
    is_all_ours,
    migrates,
    refuse_references,
    refuse_strangers,
    refuse_twice,
    restores,
    unfit,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from tdv.targets.throwaway import Throwaways


_NEW: Final = 0o644
"""The rights on a new file, but for those that the umask takes."""


class OneFile(ABC):
    """A database file; the subclass knows the engine.

    `engine` is the scheme of its URLs, `layout` names the engine and the layout of its images (another number
    makes them all anew), `logs` are the endings of files in which the engine keeps rows beside the database.
    """

    engine: ClassVar[str]
    layout: ClassVar[str]
    logs: ClassVar[tuple[str, ...]]
    unwritable: ClassVar[str] = ""
    """The character that no path may have."""
    of_applications: ClassVar[tuple[str, ...]] = ()
    """Options of a URL that say nothing here, but to the driver of an application that shares it."""

    def __init__(self, settings: TargetSettings, work: Path) -> None:
        refuse_options(settings, self.of_applications)
        # SQLite names the files beside a database after its real name.
        self.path = Path(os.path.realpath(path_of(settings.url, settings.shown)))
        self.shown = settings.shown
        self.settings = settings
        self.work = work
        self.images = Images(work / "images", self.layout)

    @property
    def identity(self) -> str:
        return f"{self.engine} {self.path}"

    def proof(self) -> Any | None:
        if not self.path.exists():
            return None
        return disk.proof([self.path, *(self.beside(suffix) for suffix in self.logs)])

    def settle(self) -> None:
        disk.settle(self.path)

    def held(self) -> tuple[Held, ...]:
        if not self.exists():
            return ()
        with self.failures():
            return self.survey().held

    def require_writable(self) -> None:
        """Raises `TargetError` where the engine cannot write for a character of the path, whoever may, and for a file
        or a directory that this user cannot write to."""
        for path in (str(self.path), os.path.realpath(self.work)):
            if self.unwritable and self.unwritable in path:
                raise TargetError(
                    f"the library of {self.engine} cannot write to {path}: a name has {self.unwritable} in it",
                    hint="Rename that directory or file, or use SQLite.",
                )
        with self.failures():
            for place in (self.path, self.path.parent):
                if (refused := refusal(place)) is not None:
                    raise refused

    def plan(self, load: Load) -> Plan:
        self.require_writable()
        with self.failures():
            tables = self._tables(load)
            steps: tuple[str, ...] = (f"create {self.path}",)
            whole = True
            if self.exists():
                found = self._surveyed(load)
                whole = self._may_replace(found, load, tables)
                rows = "replace the rows of the datasets' tables in one transaction"
                way = "replace the whole file" if whole else rows
                present = [table for table in tables if found.has_table(table)]
                steps = (f"{way}: {self.path}", *deletions(self.counts(present)))
            if not whole or self.images.find(load.image_key) is None:
                self.accept([table.schema for item in load.items for table in item.content().tables])
            if not whole:
                self.decide(load)
            return Plan((*steps, *(migrates(load) if whole else ()), *restores(load)))

    def load(self, load: Load) -> Outcome:
        self.require_writable()
        with self.failures(), self._alone():
            tables = self._tables(load)
            whole = not self.exists() or self._may_replace(self._surveyed(load), load, tables)
            found = self.images.find(load.image_key if whole else load.key)
            copied = whole and self._put(self._image(load), load)
            if not copied:
                self.merge(self._rows_alone(load), load)
            return Outcome("cloned" if copied and found is not None else "loaded", self.held())

    def read(self, table: TableSchema) -> Iterator[pa.Table]:
        from tdv.content.order import ordered_stream

        self.require()
        with self.failures():
            yield from ordered_stream(self.rows(table), table, self.images.scratch())

    def look_up(self, table: str) -> Sequence[Mapping[str, Any]] | None:
        if not self.exists():
            return None
        with self.failures():
            try:
                found = self.select(table)
            except Exception as exc:
                if self.is_none(exc):
                    return None
                raise
        return None if found is None else [{name.lower(): row[name] for name in row} for row in found]

    def throwaways(self) -> Throwaways:
        """The throwaway databases of this engine in the repository; the target itself is not touched."""
        from tdv.targets.throwaway_files import FileThrowaways

        return FileThrowaways(self, self.work)

    def exists(self) -> bool:
        """True for a database; an empty file without a log is none."""
        try:
            return os.stat(self.path).st_size > 0 or any(self.beside(suffix).exists() for suffix in self.logs)
        except FileNotFoundError:
            return False

    def require(self) -> None:
        """Raises `TargetError` where there is no database."""
        if not self.exists():
            hint = "Look at the path; `tdv checkout` would make one there."
            raise TargetError(f"there is no database at {self.path}", hint=hint)

    def beside(self, suffix: str) -> Path:
        """The engine's file beside the database."""
        return self.path.with_name(self.path.name + suffix)

    @abstractmethod
    def survey(self) -> Survey:
        """What is in the database; raises `TargetError` for a file that is none."""

    @abstractmethod
    def counts(self, tables: Iterable[str]) -> list[tuple[str, int]]:
        """Each table with its number of rows."""

    @abstractmethod
    def accept(self, tables: Sequence[TableSchema]) -> None:
        """Raises `DataError` for tables that the engine cannot hold, as `build` does."""

    @abstractmethod
    def decide(self, load: Load) -> None:
        """Raises what `merge` would refuse with before it writes."""

    @abstractmethod
    def build(self, path: Path, load: Load) -> tuple[Held, ...]:
        """Writes and verifies an image at `path`."""

    @abstractmethod
    def stamp(self, path: Path, image: Image, load: Load) -> None:
        """Marks a copy of an image, which nobody sees yet, as this load's."""

    @abstractmethod
    def connect(self) -> Any:
        """A connection of the engine's Python driver, for those who use the database."""

    @abstractmethod
    def quiet(self) -> None:
        """Proves exclusive access and empties the logs; raises `TargetBusy`."""

    @abstractmethod
    def merge(self, image: Image, load: Load) -> None:
        """Replaces rows in one transaction, verified before its end."""

    @abstractmethod
    def rows(self, table: TableSchema) -> Iterator[pa.Table]:
        """The rows of a table in canonical form, in any order."""

    @abstractmethod
    def select(self, table: str) -> Sequence[Mapping[str, Any]] | None:
        """All rows of a table as it is, None where there is none."""

    @abstractmethod
    def failures(self) -> AbstractContextManager[None]:
        """Turns the engine's errors, and those of the disk, into tdv's."""

    @abstractmethod
    def is_none(self, exc: Exception) -> bool:
        """True for an error that says that the file is no database of this engine."""

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keeps checkouts of other repositories away, which know nothing of the lock in this one."""
        with locked_directory(self.path.parent, f"the target {self.shown}"):
            yield

    def _image(self, load: Load) -> Image:
        """The file that a new target is a copy of."""
        schema = load.schema
        if schema is None:
            return self._rows_alone(load)
        return self.images.make(load.image_key, lambda path: self._build_in(schema, path, load))

    def _rows_alone(self, load: Load) -> Image:
        """A file with the rows in tables that tdv makes, which rows are taken from, too."""
        return self.images.make(load.key, lambda path: self.build(path, load))

    def _build_in(self, schema: AppSchema, path: Path, load: Load) -> tuple[Held, ...]:
        """Writes an image at `path` with the rows in the application's schema."""
        settings = replace(
            self.settings, name=None, url=file_url(self.engine, str(path)), owns="tables", protected=False
        )
        beside = type(self)(settings, self.work)
        schema.make(settings)
        with beside.failures():
            if load.items:
                beside._merge_in(self._rows_alone(load), load.in_made_schema())
            beside.quiet()
            held = in_app_schema(beside.held(), schema, beside.survey())
            beside.stamp(path, Image(path, held), load)
        return held

    def _merge_in(self, image: Image, load: Load) -> None:
        try:
            found, tables = self.survey(), {table: held.dataset for held in image.held for table in held.tables}
            refuse_references(foreign_references(found, load, tables), self.settings.also_empty)
            self.merge(image, load)
        except (Refused, DataError, IntegrityError) as problem:
            raise unfit(load, problem) from problem

    def _surveyed(self, load: Load) -> Survey:
        """What is there; a file that is no database counts as empty when it may be replaced."""
        try:
            return self.survey()
        except Exception as exc:
            if load.replace and self.is_none(exc):
                return Survey({})
            raise

    def _tables(self, load: Load) -> Mapping[str, str]:
        """The tables to load, each with its dataset; from the image where there is one."""
        image = self.images.find(load.image_key) or self.images.find(load.key)
        if image is not None:
            return {table: held.dataset for held in image.held for table in held.tables}
        named = [(item.dataset, table.name) for item in load.items for table in item.content().tables]
        refuse_twice(named)
        return {table: dataset for dataset, table in named}

    def _may_replace(self, found: Survey, load: Load, tables: Mapping[str, str]) -> bool:
        """Whether the whole file may go; raises `Refused` for what must not go at all."""
        refuse_strangers(found, load, tables)
        if is_all_ours(found, load, owned=self.settings.owns == "database"):
            return True
        refuse_references(foreign_references(found, load, tables), self.settings.also_empty)
        return False

    def _put(self, image: Image, load: Load) -> bool:
        """Puts a copy of the image in the place of the file; False when somebody else has that open."""
        if not self.exists():
            self._rename(image, load)
            return True
        self.quiet()
        with disk.alone(self.path) as alone:
            if alone:
                # Of a file that is no database any more, they stay, and would be taken for those of the new one.
                for suffix in (*self.logs, "-shm"):
                    self.beside(suffix).unlink(missing_ok=True)
                self._rename(image, load)
            return alone

    def _rename(self, image: Image, load: Load) -> None:
        self._sweep()
        copy = self.path.with_name(f".{self.path.name}.{os.urandom(6).hex()}.tmp")
        mode = self._mode()
        try:
            disk.copy(image.path, copy, _NEW if mode is None else mode | stat.S_IWUSR)
            self.stamp(copy, image, load)
            if mode is not None:
                # Whoever could use the file goes on to, whatever the umask is.
                copy.chmod(mode)
            os.replace(copy, self.path)
        finally:
            copy.unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Removes copies that killed runs left, with the logs beside them; the lock of the target is held."""
        # Not those of another target, whose name begins as this one's.
        left = re.compile(rf"\.{re.escape(self.path.name)}\.[0-9a-f]{{12}}\.tmp.*")
        for entry in self.path.parent.iterdir():
            if left.fullmatch(entry.name):
                entry.unlink(missing_ok=True)

    def _mode(self) -> int | None:
        """The rights on the file, None where there is none."""
        try:
            return stat.S_IMODE(os.stat(self.path).st_mode)
        except FileNotFoundError:
            return None


def path_of(url: str, shown: str) -> Path:
    """The file of an absolute ``sqlite:////…`` URL; raises `UsageError` where it names none."""
    path = unquote(urlsplit(url).path)
    if not path.startswith("//"):
        raise UsageError(
            f"{shown} names no file; a database in memory would be gone at once",
            hint="Write the path of a file, as in sqlite:///app.db.",
        )
    return Path(path[1:])

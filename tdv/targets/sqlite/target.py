"""SQLite databases as targets.

In: `Load`s. Out: databases that hold exactly their rows. Always holds: a finished image file takes the place of
the database only when that is new or provably all tdv's and nobody has it open; otherwise the rows are replaced
in one transaction. Importing this module imports neither Arrow nor `sqlite3`'s heavier friends.
"""

from __future__ import annotations

import os
import sqlite3
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import quote as percent
from urllib.parse import unquote, urlsplit

from tdv.config import TargetSettings
from tdv.errors import Refused, TargetBusy, TargetError
from tdv.model.schema import DatasetSchema, TableSchema
from tdv.targets import disk
from tdv.targets.images import Image, Images
from tdv.targets.protocol import Capabilities, Held, Load, Loss, Outcome, Plan
from tdv.targets.sqlite.ddl import LOSSES
from tdv.targets.sqlite.survey import (
    Survey,
    foreign_references,
    refuse_references,
    refuse_strangers,
    survey,
)

if TYPE_CHECKING:
    import pyarrow as pa

LAYOUT: Final = "1.sqlite"
"""Names the layout of images; another number makes them all anew."""
BUSY_WAIT: Final = 5.0
_BUSY: Final = frozenset({"SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_BUSY_SNAPSHOT", "SQLITE_BUSY_RECOVERY"})


class SqliteTarget:
    """One database file."""

    capabilities: ClassVar[Capabilities] = Capabilities(transactional=True, image=True, proof=True, references=True)
    losses: ClassVar[Mapping[str, Loss]] = LOSSES

    def __init__(self, settings: TargetSettings, work: Path) -> None:
        self.path = path_of(settings.url)
        self.shown = settings.shown
        self._settings = settings
        self._images = Images(work / "images", LAYOUT)

    @property
    def identity(self) -> str:
        return f"sqlite {os.path.realpath(self.path)}"

    def proof(self) -> Any | None:
        name = self.path.name
        beside = [self.path.with_name(name + suffix) for suffix in ("-wal", "-journal")]
        return disk.proof([self.path, *beside]) if self.path.exists() else None

    def settle(self) -> None:
        disk.settle(self.path)

    def held(self) -> tuple[Held, ...]:
        if not self._exists():
            return ()
        with self._failures(), closing(self._connect("ro")) as connection:
            return survey(connection).held

    def plan(self, load: Load) -> Plan:
        tables = self._tables(load)
        if not self._exists():
            return Plan((f"create {self.path}", *_restores(load)))
        with self._failures(), closing(self._connect("ro")) as connection:
            found = survey(connection)
            whole = self._looked_at(connection, found, load, tables)
            gone = "replace the whole file" if whole else "replace the rows of the dataset's tables in one transaction"
            return Plan((f"{gone}: {self.path}", *_counted(connection, found, tables), *_restores(load)))

    def load(self, load: Load) -> Outcome:
        with self._failures():
            return self._load(load)

    def read(self, table: TableSchema) -> Iterator[pa.Table]:
        from tdv.content.order import ordered_stream
        from tdv.targets.sqlite.rows import of_file

        if not self._exists():
            raise TargetError(f"there is no database {self.path}", hint="Run `tdv checkout` to make it.")
        with self._failures():
            yield from ordered_stream(of_file(self.path, table), table, self._images.scratch())

    def inspect(self) -> DatasetSchema:
        from tdv.targets.sqlite.inspection import inspect

        if not self._exists():
            raise TargetError(f"there is no database {self.path}", hint="Look at the path of the URL.")
        with self._failures(), closing(self._connect("ro")) as connection:
            return inspect(connection)

    def _load(self, load: Load) -> Outcome:
        tables = self._tables(load)
        replace = self._admit(load, tables)
        found = self._images.find(load.key)
        image = found if found is not None else self._images.make(load.key, lambda path: _build(path, load))
        if not (replace and self._put(image, load)):
            self._merge(image, load)
        return Outcome("cloned" if found is not None else "loaded", self.held())

    def _tables(self, load: Load) -> dict[str, str]:
        """The tables to load, each with its dataset; from the image where there is one."""
        image = self._images.find(load.key)
        if image is not None:
            return {table: held.dataset for held in image.held for table in held.tables}
        named = [(item.dataset, table.name) for item in load.items for table in item.content().tables]
        _refuse_twice(named)
        return {table: dataset for dataset, table in named}

    def _exists(self) -> bool:
        """True for a database; an empty file is none, as for SQLite itself."""
        try:
            status = os.stat(self.path)
        except FileNotFoundError:
            return False
        wal = self.path.with_name(self.path.name + "-wal")
        return status.st_size > 0 or wal.exists()

    def _admit(self, load: Load, tables: Mapping[str, str]) -> bool:
        """Whether the whole file may be replaced; raises `Refused` for what must not go."""
        if not self._exists():
            return True
        with closing(self._connect("rw")) as connection:
            try:
                found = survey(connection)
                return self._looked_at(connection, found, load, tables)
            except sqlite3.DatabaseError as exc:
                if exc.sqlite_errorname not in ("SQLITE_NOTADB", "SQLITE_CORRUPT") or not load.replace:
                    raise
                return True

    def _looked_at(self, connection: sqlite3.Connection, found: Survey, load: Load, tables: Mapping[str, str]) -> bool:
        refuse_strangers(connection, found, load, tables)
        if self._is_all_ours(found, load):
            return True
        taken = {*tables, *(table for held in found.held if held.dataset in load.datasets for table in held.tables)}
        refuse_references(foreign_references(connection, found, taken), self._settings.also_empty)
        return False

    def _is_all_ours(self, found: Survey, load: Load) -> bool:
        """Everything in the file came from tdv and is of datasets that are restored now.

        A target that tdv owns may also hold what others made in it after tdv made the file.
        """
        if not found.held or not all(held.whole and held.dataset in load.datasets for held in found.held):
            return not found.held and not found.objects
        if self._settings.owns == "database":
            return True
        from tdv.targets.sqlite.state import definition

        recorded = {name: digest for held in found.held for name, digest in held.objects.items()}
        return recorded == {name: definition(sql) for name, sql in found.objects.items()}

    def _put(self, image: Image, load: Load) -> bool:
        """Puts a copy of the image in the place of the file; False when somebody else has that open."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self._exists():
            self._rename(image, load)
            return True
        self._quiet()
        with disk.alone(self.path) as alone:
            if alone:
                self._rename(image, load)
            return alone

    def _quiet(self) -> None:
        """Proves exclusive access and leaves no write-ahead log, which would bring old rows back."""
        with closing(self._connect("rw")) as connection:
            try:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                connection.execute("PRAGMA journal_mode=DELETE")
                connection.execute("BEGIN EXCLUSIVE")
                connection.execute("ROLLBACK")
            except sqlite3.DatabaseError as exc:
                if exc.sqlite_errorname not in ("SQLITE_NOTADB", "SQLITE_CORRUPT"):
                    raise
        for suffix in ("-wal", "-shm", "-journal"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    def _rename(self, image: Image, load: Load) -> None:
        from tdv.targets.sqlite.state import stamp

        self._sweep()
        beside = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex[:12]}.tmp")
        try:
            disk.copy(image.path, beside, self._mode())
            stamp(beside, image.held, load)
            os.replace(beside, self.path)
        finally:
            beside.unlink(missing_ok=True)

    def _sweep(self) -> None:
        """Removes copies that killed runs left; the lock of the target is held."""
        for left in self.path.parent.glob(f".{_escaped(self.path.name)}.????????????.tmp*"):
            left.unlink(missing_ok=True)

    def _mode(self) -> int:
        try:
            return os.stat(self.path).st_mode & 0o777
        except FileNotFoundError:
            return 0o644

    def _merge(self, image: Image, load: Load) -> None:
        from tdv.targets.sqlite.merge import Merge

        with closing(self._connect("rw")) as connection:
            Merge(connection, image, load, self._images).run()

    def _connect(self, mode: str) -> sqlite3.Connection:
        uri = f"file:{percent(str(self.path))}?mode={mode}"
        return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=BUSY_WAIT)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """Foreign errors as tdv's."""
        try:
            yield
        except sqlite3.Error as exc:
            name = getattr(exc, "sqlite_errorname", "")
            if name in _BUSY:
                raise TargetBusy(
                    f"another process uses {self.path}",
                    hint="Close the programs that have it open, then run the command again.",
                ) from exc
            raise TargetError(f"SQLite failed on {self.path}: {exc}", hint=_hint(name)) from exc
        except OSError as exc:
            raise TargetError(
                f"cannot write {self.path}: {exc.strerror or exc}",
                hint="Look at its directory's rights and free space.",
            ) from exc


def path_of(url: str) -> Path:
    """The file of an absolute ``sqlite:////…`` or ``duckdb:////…`` URL; raises `TargetError` for none."""
    path = unquote(urlsplit(url).path)
    if not path.startswith("//"):
        raise TargetError(
            f"{url!r} names no file: a database in memory would be gone at once", hint="Write sqlite:///app.db."
        )
    return Path(path[1:])


def _build(path: Path, load: Load) -> tuple[Held, ...]:
    from tdv.targets.sqlite.build import build

    return build(path, load)


def _refuse_twice(named: list[tuple[str, str]]) -> None:
    seen: dict[str, str] = {}
    for dataset, table in named:
        other = seen.setdefault(table.lower(), dataset)
        if other != dataset:
            raise Refused(
                f"table {table!r} is in two datasets, {other} and {dataset}",
                hint="Restore them into two targets, or rename the table in one of them.",
                table=table,
            )


def _restores(load: Load) -> list[str]:
    return [f"load {item.dataset}@{item.version} ({item.digest})" for item in load.items]


def _counted(connection: sqlite3.Connection, found: Survey, tables: Mapping[str, str]) -> list[str]:
    from tdv.targets.sql import quote

    counts = [
        (table, connection.execute(f"SELECT count(*) FROM {quote(table)}").fetchone()[0])
        for table in tables
        if found.has_table(table)
    ]
    return [f"delete {count} rows of {table!r}" for table, count in counts]


def _escaped(name: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)


def _hint(name: str) -> str:
    if name == "SQLITE_NOTADB":
        return "This is no SQLite database; name another --target, or add --replace to overwrite it."
    if name == "SQLITE_FULL":
        return "The disk is full: free some space, then run the command again."
    if name == "SQLITE_READONLY":
        return "The file or its directory is read-only: change its rights, or name another --target."
    return "Look at the file's rights and free space, or name another --target."

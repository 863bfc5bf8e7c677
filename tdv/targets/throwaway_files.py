"""Throwaway databases that are files under ``.tdv/throwaway``.

In: a target of an engine with one file per database, and `Load`s. Out: copies of images, and what is left of earlier
ones. Always holds: a throwaway is a copy that nothing else refers to, so it is neither swept, locked nor read back;
its image was verified when it was made, and is made anew when it changed since.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tdv.config.address import file_url
from tdv.durable import locked
from tdv.errors import Refused, TargetError
from tdv.targets import disk
from tdv.targets.protocol import Load
from tdv.targets.throwaway import Leaving, Name, Throwaway

if TYPE_CHECKING:
    from tdv.config import TargetSettings
    from tdv.targets.one_file import OneFile

_IMAGE: Final = re.compile(r"([0-9a-f]{40})\.[0-9]+\.[a-z]+")


class FileThrowaways:
    """The throwaways of one engine in one repository; `like` is any target of that engine, `work` its ``.tdv``."""

    keeps_connection: ClassVar[bool] = False
    takes_long: ClassVar[bool] = False

    def __init__(self, like: OneFile, work: Path) -> None:
        self._like = like
        self._work = work
        self._directory = work / "throwaway"
        self._ending = f".{like.engine}"

    def create(self, name: Name, load: Load) -> Throwaway:
        throwaway = Throwaway(str(name), self._settings(str(name)))
        target = type(self._like)(throwaway.settings, self._work)
        target.require_writable()
        if target.path.exists():
            raise Refused(f"there is a database {target.path} already", hint="Name another one.")
        image = target.images.find(load.image_key)
        if image is None:
            target.load(load)
            target.settle()
            return throwaway
        try:
            with target.failures():
                self._directory.mkdir(parents=True, exist_ok=True)
                disk.copy(image.path, target.path)
                target.stamp(target.path, image, load)
                target.settle()
        except BaseException:
            self._remove(target.path)
            raise
        return throwaway

    def drop(self, leaving: str) -> None:
        try:
            if Name.parse(leaving) is not None:
                self._remove(self._path(leaving))
            elif (image := _IMAGE.fullmatch(leaving)) is not None:
                self._remove_image(image[1], leaving)
        except OSError as exc:
            raise TargetError(
                f"cannot remove {exc.filename}: {exc.strerror or exc}", hint="Look at the rights of .tdv."
            ) from exc

    def found(self) -> tuple[Leaving, ...]:
        return (*self._databases(), *self._images())

    def connect(self, throwaway: Throwaway) -> Any:
        target = type(self._like)(throwaway.settings, self._work)
        with target.failures():
            return target.connect()

    def begin(self, throwaway: Throwaway, connection: Callable[[], Any]) -> Any:
        return type(self._like)(throwaway.settings, self._work).proof()

    def undone(self, throwaway: Throwaway, connection: Any | None, begun: Any) -> bool:
        if connection is not None:
            connection.close()
        return begun is not None and self.begin(throwaway, lambda: connection) == begun

    def _databases(self) -> Iterator[Leaving]:
        for entry in _entries(self._directory):
            name = Name.parse(entry.name.removesuffix(self._ending)) if entry.name.endswith(self._ending) else None
            if name is not None:
                with suppress(FileNotFoundError):
                    yield Leaving("database", str(name), name.made_at, name.execution_id, entry.stat().st_size)

    def _images(self) -> Iterator[Leaving]:
        directory = self._work / "images"
        for entry in _entries(directory):
            if _IMAGE.fullmatch(entry.name) and entry.name.endswith(self._ending):
                with suppress(FileNotFoundError):
                    used = os.stat(self._like.images.label(Path(entry.path))).st_mtime
                    yield Leaving("image", entry.name, datetime.fromtimestamp(used, UTC), "", entry.stat().st_size)

    def _settings(self, name: str) -> TargetSettings:
        url = file_url(self._like.engine, str(self._path(name)))
        return replace(self._like.settings, name=None, url=url, owns="database", protected=False)

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}{self._ending}"

    def _remove(self, path: Path) -> None:
        for suffix in ("", *self._like.logs, "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        # DuckDB keeps there what does not fit into memory.
        shutil.rmtree(path.with_name(f"{path.name}.tmp"), ignore_errors=True)
        for copy in self._directory.glob(f".{path.name}.*"):
            copy.unlink(missing_ok=True)

    def _remove_image(self, key: str, name: str) -> None:
        path = self._work / "images" / name
        with locked(path.with_name(f"{key}.lock"), f"the image {key}"):
            self._like.images.label(path).unlink(missing_ok=True)
            path.unlink(missing_ok=True)


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as found:
            return sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []

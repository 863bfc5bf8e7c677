"""Finished target files, kept under ``.tdv/images`` by the digest of what is in them.

In: a key, and a function that builds the file. Out: an `Image` with what it holds. Always holds: an image is
complete, verified and read-only, or not there; one that changed since it was made, or that another boot of the
machine may have cut short, is made anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tdv.durable import locked
from tdv.targets import disk
from tdv.targets.protocol import Held

FORMAT: Final = "tdv.image/v1"


@dataclass(frozen=True, slots=True)
class Image:
    """A file to copy and never to open for writing; `held` is what it says that it holds."""

    path: Path
    held: tuple[Held, ...]


class Images:
    """The images of one engine; `suffix` names the engine and the version of the layout that its adapter writes."""

    def __init__(self, directory: Path, suffix: str) -> None:
        self._directory = directory
        self._suffix = suffix

    def find(self, key: str) -> Image | None:
        """The image of `key`, if it is there and as it was made; its label's time then says that it is in use."""
        path = self._path(key)
        try:
            plain = json.loads(self.label(path).read_bytes())
            if plain["format"] != FORMAT or plain["proof"] != disk.proof([path]):
                return None
            image = Image(path, tuple(Held.from_plain(held) for held in plain["held"]))
            os.utime(self.label(path))
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return image

    def make(self, key: str, build: Callable[[Path], tuple[Held, ...]]) -> Image:
        """The image of `key`; `build` writes and verifies it at the path that it is given, if it is not there."""
        self._directory.mkdir(parents=True, exist_ok=True)
        with locked(self._directory / f"{key}.lock", f"the image {key}"):
            found = self.find(key)
            if found is not None:
                return found
            return self._made(key, build)

    def scratch(self) -> Path:
        """A directory of its own for files that live as long as one read."""
        return self._directory / f".scratch-{os.urandom(6).hex()}"

    @staticmethod
    def label(path: Path) -> Path:
        """What says of an image how it looked when it was complete, and what is in it."""
        return path.with_name(path.name + ".json")

    def _made(self, key: str, build: Callable[[Path], tuple[Held, ...]]) -> Image:
        path = self._path(key)
        beside = path.with_name(f".{path.name}.tmp")
        _remove(beside)
        try:
            held = build(beside)
            beside.chmod(0o444)
            self.label(path).unlink(missing_ok=True)
            beside.replace(path)
        finally:
            _remove(beside)
        disk.settle(path)
        plain: dict[str, Any] = {
            "format": FORMAT,
            "proof": disk.proof([path]),
            "held": [item.to_plain() for item in held],
        }
        disk.write(self.label(path), json.dumps(plain, ensure_ascii=False, sort_keys=True) + "\n")
        return Image(path, held)

    def _path(self, key: str) -> Path:
        return self._directory / f"{key}.{self._suffix}"


def _remove(path: Path) -> None:
    """Removes a file that a killed build left, with what a database library wrote beside it."""
    for name in (path.name, f"{path.name}-journal", f"{path.name}-wal", f"{path.name}-shm", f"{path.name}.wal"):
        path.with_name(name).unlink(missing_ok=True)

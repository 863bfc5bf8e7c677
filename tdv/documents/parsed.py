"""Documents that were read once and found right, as plain values by what their bytes are.

In: the bytes of a document. Out: its plain values, or None where they are not known. Always holds: a value is found by
a hash of the document, of its kind and of this version of tdv, so that no change of any of them leaves a stale one;
whatever is missing, damaged or cannot be written is as if nothing were known.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from tdv import __version__

_FORMAT: Final = 1
"""Raised whenever other values are made of the same bytes."""


class Parsed:
    """The values below `directory`, one file each. Reading YAML takes a hundred times as long as reading these."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @classmethod
    def below(cls, root: Path) -> Parsed:
        """What is known in the repository at `root`."""
        return cls(root / ".tdv" / "parsed")

    def get(self, kind: str, data: bytes) -> Mapping[str, Any] | None:
        """The values of a document that was kept."""
        with suppress(OSError, ValueError):
            found = json.loads(self._path(kind, data).read_bytes())
            return found if isinstance(found, dict) else None
        return None

    def keep(self, kind: str, data: bytes, values: Mapping[str, Any]) -> None:
        """Keeps the values of a document that is right."""
        path = self._path(kind, data)
        beside = path.with_name(f".{os.urandom(6).hex()}.tmp")
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(json.dumps(values), encoding="utf-8")
            os.replace(beside, path)

    def _path(self, kind: str, data: bytes) -> Path:
        name = hashlib.sha256(f"{_FORMAT} {__version__} {kind}\n".encode() + data).hexdigest()
        return self._directory / name[:2] / name[2:]

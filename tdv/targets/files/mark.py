"""``_tdv_state.json``: what a directory says that tdv wrote into it.

In: a directory. Out: a `Mark`. Always holds: ``parse(dump(mark)) == mark``; a directory without a mark, or with one
that cannot be read, holds nothing of tdv's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tdv.targets.protocol import STATE_TABLE, Held

FORMAT: Final = "tdv.files-state/v1"
NAME: Final = f"{STATE_TABLE}.json"


@dataclass(frozen=True, slots=True)
class Mark:
    """The datasets that are complete, and all files that are tdv's, relative, by dataset."""

    held: tuple[Held, ...] = ()
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def names(self) -> frozenset[str]:
        """All files that are tdv's, the mark itself included."""
        return frozenset({NAME, *(name for names in self.files.values() for name in names)})


def read(directory: Path) -> Mark:
    """The mark of a directory; an empty one where there is none."""
    try:
        plain = json.loads((directory / NAME).read_bytes())
        if plain["format"] != FORMAT:
            return Mark()
        files = {dataset: tuple(names) for dataset, names in plain["files"].items()}
        if any(not _is_inside(name) for names in files.values() for name in names):
            return Mark()
        return Mark(tuple(Held.from_plain(held) for held in plain["held"]), files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Mark()


def dump(mark: Mark) -> bytes:
    """The mark as bytes."""
    plain = {
        "format": FORMAT,
        "held": [held.to_plain() for held in mark.held],
        "files": {dataset: list(names) for dataset, names in mark.files.items()},
    }
    return json.dumps(plain, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"


def _is_inside(name: str) -> bool:
    """A mark may come from anywhere: what it names is deleted, and must lie in its directory."""
    return not Path(name).is_absolute() and ".." not in Path(name).parts and "\0" not in name

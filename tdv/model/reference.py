"""References to a state of a dataset, as users write them.

``v1.1.0``, ``movies@v1.1.0``, ``movies@^1.1``, ``movies@latest``, ``movies``, ``movies#staging``,
``movies@git:<rev>``, ``movies@workspace``, ``catalog:movies@^1.1``.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from tdv.frozen import dataclass
from tdv.model.ranges import Range

DATASET: Final = re.compile(r"[a-z0-9][a-z0-9-]*[a-z0-9]")
"""The name of a dataset, wherever one is read; the JSON Schemas repeat it."""
NAME: Final = "lower-case letters, digits and '-', at least two characters, the first and the last no '-'"
"""The same in words."""
Kind = Literal["range", "stage", "git", "workspace"]


def no_name(text: str) -> str:
    """Why `text` names no dataset."""
    return f"{text!r} is no dataset name: {NAME}"


def qualified(repository: str | None, dataset: str) -> str:
    """``movies``, or ``catalog:movies`` where another repository has it."""
    return f"{repository}:{dataset}" if repository else dataset


def repository_of(name: str) -> str | None:
    """``catalog`` of ``catalog:movies``, None for a dataset of this repository."""
    return name.rpartition(":")[0] or None


@dataclass(frozen=True, slots=True)
class Ref:
    """`dataset` is None where only a version was given; `value` is the range, stage or Git revision."""

    dataset: str | None
    kind: Kind
    value: str = ""
    repository: str | None = None

    @classmethod
    def parse(cls, text: str) -> Ref:
        """Raises `ValueError` with one sentence when `text` is no reference."""
        text = text.strip()
        if "://" in text:
            raise ValueError("a URL is no reference")  # without the URL, which may hold a password
        name, at, rest = text.partition("@")
        if at:
            return cls._at(name, rest)
        if "#" in text:
            name, _, stage = text.partition("#")
            if not stage:
                raise ValueError(f"{text!r} names no stage after '#'")
            repository, dataset = _dataset(name)
            return cls(dataset, "stage", stage, repository)
        if text == "latest" or (re.match(r"v?\d|[\^~<>=*]", text) and not _looks_like_name(text)):
            return cls(None, "range", text)
        if text == "workspace":
            return cls(None, "workspace")
        repository, dataset = _dataset(text)
        return cls(dataset, "range", "latest", repository)

    @classmethod
    def _at(cls, name: str, rest: str) -> Ref:
        repository, dataset = _dataset(name) if name else (None, None)
        if not rest:
            raise ValueError(f"'{name}@' names no version after '@'")
        if rest == "workspace":
            return cls(dataset, "workspace", "", repository)
        if rest.startswith("git:"):
            return cls(dataset, "git", rest[4:], repository)
        return cls(dataset, "range", rest, repository)

    def __str__(self) -> str:
        name = qualified(self.repository, self.dataset or "")
        if self.kind == "stage":
            return f"{name}#{self.value}"
        if self.kind == "git":
            return f"{name}@git:{self.value}"
        return f"{name}@{self.value or self.kind}" if name else (self.value or self.kind)


def _looks_like_name(text: str) -> bool:
    """True for ``v2-users`` and ``3d-models``, which begin like a version and are none."""
    if not DATASET.fullmatch(text):
        return False
    try:
        Range.parse(text)
    except ValueError:
        return True
    return False


def _dataset(text: str) -> tuple[str | None, str]:
    repository, colon, name = text.rpartition(":")
    if not DATASET.fullmatch(name):
        raise ValueError(no_name(name))
    return (repository if colon else None), name

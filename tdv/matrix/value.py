"""The matrix as frozen values: app versions by stretches of migrations, and which release serves each crossing.

In: what `tdv.matrix` found. Out: ``tdv.matrix/v1``. Always holds: every row has one cell per stretch; a stretch is a
run of migrations that the same releases serve.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, Literal

FORMAT: Final = "tdv.matrix/v1"
WORK_TREE: Final = "work tree"
HoleKind = Literal["code", "app", "migrations"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Migrations in the order of the history that are served alike; none where there is no history."""

    revisions: tuple[str, ...]

    def __str__(self) -> str:
        """``0003 … 0006``"""
        if not self.revisions:
            return "any migration"
        ends = dict.fromkeys((self.revisions[0], self.revisions[-1]))
        return " … ".join(ends)

    def to_plain(self) -> dict[str, Any]:
        return {"name": str(self), "revisions": list(self.revisions)}


@dataclass(frozen=True, slots=True)
class Row:
    """One state of the code. `code` is a tag or `WORK_TREE`, `app` its version, "" where nothing tells it;
    `migration` is where its schema stands, None where that is not known, and `at` the stretch that this lies in;
    `pinned` is the version that its lock holds. `cells` are versions, "" for a hole; `here` is the one for the
    code's own migration, or None where that is not known."""

    code: str
    app: str
    cells: tuple[str, ...]
    migration: str | None = None
    at: int | None = None
    here: str | None = None
    pinned: str | None = None

    @property
    def name(self) -> str:
        """``v2.3.0``, ``work tree (2.4.0)``"""
        return f"{self.code} ({self.app})" if self.app and self.code == WORK_TREE else self.code

    @property
    def is_hole(self) -> bool:
        """Whether no release serves this code."""
        return self.here == "" or (self.here is None and not any(self.cells))

    def to_plain(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "app": self.app,
            "migration": self.migration,
            "pinned": self.pinned,
            "serves": self.here,
            "at": self.at,
            "cells": list(self.cells),
        }


@dataclass(frozen=True, slots=True)
class Served:
    """What one release serves: of the app versions and of the migrations that there are, how many."""

    version: str
    yanked: bool
    compat: str
    apps: int
    migrations: int

    def to_plain(self) -> dict[str, Any]:
        return {
            "version": self.version,
            "yanked": self.yanked,
            "compat": self.compat,
            "apps": self.apps,
            "migrations": self.migrations,
        }


@dataclass(frozen=True, slots=True)
class Hole:
    """What no release serves; `hint` is the command that says more."""

    kind: HoleKind
    message: str
    hint: str

    def to_plain(self) -> dict[str, Any]:
        return {"kind": self.kind, "message": self.message, "hint": self.hint}


@dataclass(frozen=True, slots=True)
class Band:
    """Neighbouring rows that read alike."""

    rows: tuple[Row, ...]

    @property
    def first(self) -> Row:
        """The row that all are like."""
        return self.rows[0]

    @property
    def name(self) -> str:
        """``v2.3.0``, ``v2.0.0 … v2.3.0``"""
        return " … ".join(dict.fromkeys((self.rows[-1].name, self.first.name)))


@dataclass(frozen=True, slots=True)
class DatasetMatrix:
    """One dataset: rows with the newest code first, releases with the newest version first."""

    dataset: str
    stretches: tuple[Stretch, ...]
    rows: tuple[Row, ...]
    releases: tuple[Served, ...]
    holes: tuple[Hole, ...] = ()

    def bands(self) -> Iterator[Band]:
        """The rows, neighbours that read alike as one."""
        for _, rows in groupby(self.rows, lambda row: (row.cells, row.at, row.here, row.pinned)):
            yield Band(tuple(rows))

    @property
    def migrations(self) -> int:
        """How many migrations there are."""
        return sum(len(stretch.revisions) for stretch in self.stretches)

    def to_plain(self) -> dict[str, Any]:
        return {
            "migrations": [stretch.to_plain() for stretch in self.stretches],
            "apps": [row.to_plain() for row in self.rows],
            "releases": [served.to_plain() for served in self.releases],
            "holes": [hole.to_plain() for hole in self.holes],
        }


@dataclass(frozen=True, slots=True)
class Matrix:
    """All datasets that were asked for, by name; `notes` say what was left out."""

    datasets: Mapping[str, DatasetMatrix]
    notes: tuple[str, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "datasets": {name: found.to_plain() for name, found in self.datasets.items()},
            "notes": list(self.notes),
        }

"""Who serves whom: app versions by migrations by releases, and the holes.

In: releases, states of the code, the history of the migrations. Out: a `Matrix`. Pure: nothing is read. Always holds:
a cell has the newest release whose range holds the app version and whose span holds the migrations, as `tdv.resolve`
judges each release by itself; yanked releases and pre-releases serve nobody; what datasets require of each other is
left to a resolution.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from tdv.matrix.value import WORK_TREE, DatasetMatrix, Hole, Matrix, Row, Served, Stretch
from tdv.model.app import AppVersion
from tdv.model.compat import Compat
from tdv.model.fit import range_of, version_of
from tdv.model.history import History, Place
from tdv.model.release import Release

__all__ = ["WORK_TREE", "Code", "Landscape", "matrix"]


@dataclass(frozen=True, slots=True)
class Code:
    """One state of the code: a tag, or `WORK_TREE`; `place` is where its schema stands and `app` its version, each
    None where nothing tells it; `pins` maps datasets to the versions that its lock holds."""

    name: str
    app: AppVersion | None = None
    place: Place | None = None
    pins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Landscape:
    """All that releases may have to serve: states of the code, newest first, and the migrations."""

    codes: Sequence[Code]
    history: History | None = None


def matrix(releases: Mapping[str, Sequence[Release]], landscape: Landscape) -> Matrix:
    """The matrix of each dataset that has a release."""
    places = _places(landscape.history)
    return Matrix(
        {name: _Crossing(name, found, landscape, places).dataset() for name, found in releases.items() if found}
    )


def _places(history: History | None) -> tuple[Place, ...]:
    """Where a schema may stand: at each migration, and, where the history has several ends, at all of them."""
    if history is None:
        return ()
    found = [history.at(revision) for revision in history.migrations]
    return (*found, history.head) if len(history.heads) > 1 else tuple(found)


class _Crossing:
    """One dataset against the landscape. Usable releases that serve the same are one kind, of which the newest counts;
    the kinds that fit somewhere are the bits of a number, the newest the lowest, so that a crossing is one operation.
    """

    def __init__(
        self, dataset: str, releases: Sequence[Release], landscape: Landscape, places: tuple[Place, ...]
    ) -> None:
        self._dataset = dataset
        self._releases = sorted(releases, key=lambda item: version_of(item.version).order(), reverse=True)
        self._codes = landscape.codes
        self._places = places
        self._number = {place.text: number for number, place in enumerate(places)}
        spans = dict.fromkeys(release.compat.migration for release in self._releases)
        ranges = dict.fromkeys(release.compat.app for release in self._releases)
        self._there = {span: [span is None or place.fits(span) for place in places] for span in spans}
        self._with = {text: [_runs_with(code.app, text) for code in self._codes] for text in ranges}
        self._newest: dict[Compat, str] = {}
        for release in self._releases:
            if not release.yanked and not version_of(release.version).prerelease:
                self._newest.setdefault(release.compat, release.version)
        self._versions = tuple(self._newest.values())
        self._at_place = [_bits(self._there[kind.migration][at] for kind in self._newest) for at in range(len(places))]
        self._with_code = [_bits(self._with[kind.app][at] for kind in self._newest) for at in range(len(self._codes))]
        runs = groupby(range(len(places)), self._at_place.__getitem__)
        self._runs = tuple(tuple(run) for _, run in runs) or ((),)

    def dataset(self) -> DatasetMatrix:
        """Everything about the dataset."""
        rows = tuple(self._row(number, code) for number, code in enumerate(self._codes))
        stretches = tuple(Stretch(tuple(self._places[index].text for index in run)) for run in self._runs)
        releases = tuple(self._served(release) for release in self._releases)
        holes = (*self._holes_of(rows), *self._holes_in(stretches))
        return DatasetMatrix(self._dataset, stretches, rows, releases, holes)

    def _row(self, number: int, code: Code) -> Row:
        fitting = self._with_code[number]
        text = code.place.text if code.place is not None else None
        place = self._number.get(text) if text is not None else None
        return Row(
            code=code.name,
            app=str(code.app or ""),
            cells=tuple(self._first(fitting & self._at_place[run[0]] if run else fitting) for run in self._runs),
            migration=text,
            at=next((index for index, run in enumerate(self._runs) if place in run), None),
            here=self._here(code) if text is not None else None,
            pinned=code.pins.get(self._dataset),
        )

    def _first(self, bits: int) -> str:
        """The newest version among kinds, "" for none."""
        return self._versions[(bits & -bits).bit_length() - 1] if bits else ""

    def _here(self, code: Code) -> str:
        """The newest release for exactly this code, whose place may be none of the history's own."""
        for kind, version in self._newest.items():
            span = kind.migration
            if _runs_with(code.app, kind.app) and (span is None or code.place is None or code.place.fits(span)):
                return version
        return ""

    def _served(self, release: Release) -> Served:
        compat = release.compat
        apps, migrations = sum(self._with[compat.app]), sum(self._there[compat.migration])
        return Served(release.version, release.yanked, str(compat), apps, migrations)

    def _holes_of(self, rows: Sequence[Row]) -> Iterator[Hole]:
        name = self._dataset
        for row in rows:
            if row.is_hole and row.migration is not None:
                words = f"app {row.app} at migration {row.migration}" if row.app else f"migration {row.migration}"
                options = (f" --app {row.app}" if row.app else "") + f" --migration '{row.migration}'"
                who = f"the {row.code}" if row.code == WORK_TREE else row.code
                message = f"No release of {name} serves {who}: {words}"
                yield Hole("code", message, f"tdv resolve {name}{options} --explain")
            elif row.is_hole and row.app:
                message = f"No release of {name} serves app {row.app}"
                yield Hole("app", message, f"tdv resolve {name} --app {row.app} --explain")

    def _holes_in(self, stretches: Sequence[Stretch]) -> Iterator[Hole]:
        name = self._dataset
        for stretch, run in zip(stretches, self._runs, strict=True):
            if run and not self._at_place[run[0]]:
                words = "migration" if len(run) == 1 else "the migrations"
                command = f"tdv resolve {name} --migration '{stretch.revisions[-1]}' --explain"
                yield Hole("migrations", f"No release of {name} serves {words} {stretch}", command)


def _runs_with(app: AppVersion | None, text: str | None) -> bool:
    return app is None or text is None or app.within(range_of(text))


def _bits(fitting: Iterable[bool]) -> int:
    return sum(1 << kind for kind, fits in enumerate(fitting) if fits)

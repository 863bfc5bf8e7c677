"""Resolution: every file in tests/cases/resolve, and properties that hold for all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdv import documents
from tdv.errors import Incompatible, NotFound, TdvError
from tdv.model.compat import Compat, Span
from tdv.model.fit import Need, app_of
from tdv.model.history import History, Migration, Place, Unplaced
from tdv.model.ranges import Range
from tdv.model.release import Artifact, Change, Record, Release
from tdv.model.resolution import Asked, Resolution
from tdv.model.version import parse_version
from tdv.resolve import Wish, resolve

CASES = Path(__file__).parent / "cases/resolve"


@dataclass(frozen=True)
class Book:
    """Releases in memory, in the words of the case files."""

    datasets: Mapping[str, Mapping[str, Mapping[str, Any]]]

    def versions(self, dataset: str) -> Sequence[str]:
        return sorted(self.datasets.get(dataset, {}), key=parse_version)

    def release(self, dataset: str, version: str) -> Release:
        fields = self.datasets[dataset][version]
        span = fields.get("migration")
        compat = Compat(fields.get("app"), Span.from_plain(span) if span else None)
        record = Record(
            dataset, version, "2026-01-01T00:00:00Z", "a", f"tdv1:{version}", "c", "s", "x", Artifact("m.dir", 1, 1),
            "sha", {}, Change("none", None), {}, compat, fields.get("requires", {}),
        )  # fmt: skip
        return Release(record, compat, fields.get("yanked", False))


def questions() -> list[Any]:
    found = []
    for path in sorted(CASES.glob("*.yaml")):
        case = documents.load(path, CASES).data
        found += [
            pytest.param(case, question, id=f"{path.stem}-{number}")
            for number, question in enumerate(case["questions"], 1)
        ]
    return found


def place(case: Mapping[str, Any], migration: str | None) -> Place | None:
    if migration is None or "history" not in case:
        return Unplaced(migration) if migration is not None else None
    steps = (Migration(revision, tuple(parents)) for revision, parents in case["history"].items())
    return History.of("the migrations", steps).at(migration)


def answer(case: Mapping[str, Any], question: Mapping[str, Any]) -> Resolution:
    app = question.get("app")
    wish = Wish(
        {name: (Asked(text, "tdv.yaml"),) for name, text in question["ask"].items()},
        Need(app_of(str(app)) if app is not None else None, place(case, question.get("migration"))),
        question.get("keep", {}),
        "all" if question.get("explain") else "short",
    )
    return resolve(wish, Book(case["releases"]))


@pytest.mark.parametrize(("case", "question"), questions())
def test_case(case: Mapping[str, Any], question: Mapping[str, Any]) -> None:
    if "error" in question:
        with pytest.raises(TdvError) as caught:
            answer(case, question)
        assert caught.value.code == question["error"]
        assert question.get("message", "") in caught.value.message
        assert question.get("hint", "") in (caught.value.hint or "")
        return
    found = answer(case, question)
    assert versions(found) == question["chosen"]
    for name, reasons in question.get("rejected", {}).items():
        rejected = {item.version: item.reason for item in found.datasets[name].rejected}
        assert {version: rejected.get(version) for version in reasons} == reasons
    for name, choice in found.datasets.items():
        assert len(choice.rejected) == len(case["releases"][name]) - 1
    documents.validate(documents.plain(found.to_plain(), "resolution"), "resolution")


def test_only_what_decides_is_read() -> None:
    read = []

    class Counting(Book):
        def release(self, dataset: str, version: str) -> Release:
            read.append(version)
            return super().release(dataset, version)

    book = Counting({"movies": {f"{major}.{minor}.0": {} for major in (1, 2) for minor in range(50)}})
    found = resolve(Wish({"movies": (Asked("^1", "tdv.yaml"),)}), book)
    assert found.datasets["movies"].release.version == "1.49.0"
    assert read == ["1.49.0"]


NAMES = ("aa", "bb", "cc")
VERSIONS = ("1.0.0", "1.1.0", "2.0.0")
RANGES = st.sampled_from(("*", "^1", "^2", "1.0.0", "<2", ">1.0.0"))
BOOKS = st.fixed_dictionaries(
    {
        name: st.dictionaries(
            st.sampled_from(VERSIONS),
            st.fixed_dictionaries({"requires": st.dictionaries(st.sampled_from(NAMES), RANGES, max_size=2)}),
            min_size=1,
        )
        for name in NAMES
    }
)
ASKED = st.dictionaries(st.sampled_from(NAMES), RANGES, min_size=1)


def consistent(book: Mapping[str, Any], asked: Mapping[str, str], chosen: Mapping[str, str]) -> bool:
    needs = [*asked.items()]
    for name, version in chosen.items():
        needs += book[name][version]["requires"].items()
    return all(name in chosen and Range.parse(text).allows(chosen[name]) for name, text in needs)


def possible(book: Mapping[str, Any], asked: Mapping[str, str]) -> bool:
    """Whether any choice at all is consistent, by trying every one."""
    choices = [[*book[name], None] for name in NAMES]
    return any(
        consistent(book, asked, {name: version for name, version in zip(NAMES, picked, strict=True) if version})
        for picked in product(*choices)
    )


@given(BOOKS, ASKED)
def test_an_answer_is_consistent_and_found_if_there_is_one(book: Mapping[str, Any], asked: Mapping[str, str]) -> None:
    wish = Wish({name: (Asked(text, "tdv.yaml"),) for name, text in asked.items()})
    if not possible(book, asked):
        with pytest.raises((Incompatible, NotFound)) as caught:
            resolve(wish, Book(book))
        assert caught.value.hint
        return
    chosen = versions(resolve(wish, Book(book)))
    assert consistent(book, asked, chosen)
    backwards = Wish(dict(reversed(wish.asked.items())))
    assert versions(resolve(backwards, Book(book))) == chosen
    kept = Wish(wish.asked, keep=chosen)
    assert versions(resolve(kept, Book(book))) == chosen


def versions(found: Resolution) -> dict[str, str]:
    return {name: choice.release.version for name, choice in found.datasets.items()}

from typing import Any

import pytest

from tdv import documents
from tdv.errors import Incompatible, NotFound, UsageError
from tdv.model.compat import Compat, Span
from tdv.model.release import Artifact, Change, Record, Release
from tdv.resolve import Wish, by_number, resolve


def release(version: str, *, dataset: str = "movies", yanked: bool = False, **options: Any) -> Release:
    compat = Compat(options.get("app"), Span(*options["span"]) if "span" in options else None)
    record = Record(
        dataset, version, "2026-01-01T00:00:00Z", "a", f"tdv1:{version}", "c", "s", "x", Artifact("m.dir", 1, 1), "sha",
        {}, Change("none", None), {}, compat, options.get("requires", {}),
    )  # fmt: skip
    return Release(record, compat, yanked)


MOVIES = (
    release("1.0.0", app="<2", span=(None, "0003")),
    release("1.1.0", app=">=1.2,<3", span=("0003", "0007")),
    release("1.2.0", yanked=True),
    release("2.0.0", app=">=2", span=("0007", None)),
    release("3.0.0-rc.1"),
)


@pytest.mark.parametrize(
    ("wanted", "app", "migration", "version"),
    [
        ("*", None, None, "2.0.0"),
        ("latest", None, None, "2.0.0"),
        ("^1", None, None, "1.1.0"),
        ("*", "1.9.0", None, "1.1.0"),
        ("*", "1.0.0", None, "1.0.0"),
        ("*", "2.5.0-dev", None, "2.0.0"),
        ("*", None, "0002_add", "1.0.0"),
        ("*", None, "0006", "1.1.0"),
        ("*", None, "0007", "2.0.0"),
        ("1.2.0", None, None, "1.2.0"),
        ("v3.0.0-rc.1", None, None, "3.0.0-rc.1"),
    ],
)
def test_highest_release_that_fits(wanted: str, app: str | None, migration: str | None, version: str) -> None:
    answer = resolve(Wish({"movies": wanted}, app, migration), {"movies": MOVIES})
    assert answer.datasets["movies"].release.version == version


def test_every_other_release_has_a_reason() -> None:
    answer = resolve(Wish({"movies": "^1"}, "1.5.0", "0004"), {"movies": MOVIES})
    assert {item.version: item.reason for item in answer.datasets["movies"].rejected} == {
        "3.0.0-rc.1": "is a pre-release",
        "2.0.0": "is not in ^1",
        "1.2.0": "is yanked",
        "1.0.0": "serves migrations until before 0003, not 0004",
    }
    documents.validate(documents.plain(answer.to_plain(), "resolution"), "resolution")


def test_nothing_fits() -> None:
    with pytest.raises(
        Incompatible, match=r"No release of movies fits \^1: .*v1\.1\.0 serves app >=1.2,<3, not 7\.0\.0"
    ):
        resolve(Wish({"movies": "^1"}, "7.0.0"), {"movies": MOVIES})


def test_required_datasets_are_chosen_together() -> None:
    releases = {
        "movies": (release("1.0.0", requires={"reference": "^1"}), release("2.0.0", requires={"reference": "^2"})),
        "reference": (release("1.4.0", dataset="reference"), release("2.0.0", dataset="reference", app=">=9")),
    }
    answer = resolve(Wish({"movies": "*"}, "3.0.0"), releases)
    assert {name: choice.release.version for name, choice in answer.datasets.items()} == {
        "movies": "1.0.0",
        "reference": "1.4.0",
    }
    assert answer.datasets["movies"].rejected[0].reason == "requires datasets that do not fit"
    assert answer.datasets["reference"].range == "^1"
    with pytest.raises(Incompatible, match="fit together"):
        resolve(Wish({"movies": "2.0.0", "reference": "1.x"}), releases)


def test_cycles_of_requirements_end() -> None:
    releases = {
        "one": (release("1.0.0", dataset="one", requires={"other": "*"}),),
        "other": (release("1.0.0", dataset="other", requires={"one": "*"}),),
    }
    assert list(resolve(Wish({"one": "*"}), releases).datasets) == ["one", "other"]


def test_bad_wishes() -> None:
    with pytest.raises(NotFound, match="The dataset nothing has no release"):
        resolve(Wish({"nothing": "*"}), {})
    with pytest.raises(UsageError, match="range"):
        resolve(Wish({"movies": "what"}), {"movies": MOVIES})
    with pytest.raises(UsageError, match="app version 'dev'"):
        resolve(Wish({"movies": "*"}, app="dev"), {"movies": MOVIES})


@pytest.mark.parametrize(
    ("span", "revision", "inside"),
    [
        (Span(), "anything", True),
        (Span("abc"), "abc", True),
        (Span("abc"), "def", False),
        (Span("0003", "0007"), "0003", True),
        (Span("0003", "0007"), "0007_x", False),
        (Span(None, "abc"), "0001", False),
    ],
)
def test_revisions_by_number(span: Span, revision: str, inside: bool) -> None:
    assert by_number(span, revision) is inside

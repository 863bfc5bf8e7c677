"""Durations, and moments relative to the frozen clock."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tdv.model.moment import duration, since_as_of


@pytest.mark.parametrize(
    ("text", "distance"),
    [
        ("30s", timedelta(seconds=30)),
        ("1h30m", timedelta(minutes=90)),
        (" 2 w ", timedelta(days=14)),
        ("1d 12h", timedelta(hours=36)),
        ("500ms", timedelta(milliseconds=500)),
        ("7us", timedelta(microseconds=7)),
    ],
)
def test_durations(text: str, distance: timedelta) -> None:
    assert duration(text) == distance


@pytest.mark.parametrize("text", ["", "30", "s", "1.5h", "-1d", "1y", "1mo", "1 day", "999999999999w"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        duration(text)


@pytest.mark.parametrize(
    ("text", "distance"),
    [("as_of", timedelta()), ("as_of+30s", timedelta(seconds=30)), ("as_of - 7d", timedelta(days=-7))],
)
def test_moments_relative_to_the_clock(text: str, distance: timedelta) -> None:
    assert since_as_of(text) == distance


@pytest.mark.parametrize("text", ["2026-01-31", "", "as_off", "now", "tomorrow as_of"])
def test_text_that_does_not_speak_of_the_clock(text: str) -> None:
    assert since_as_of(text) is None


@pytest.mark.parametrize("text", ["as_of plus 1d", "as_of - ", "as_of + 1y", "as_of 30s"])
def test_moment_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        since_as_of(text)

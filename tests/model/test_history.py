import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdv.errors import ConfigError, NotFound, UsageError
from tdv.model.compat import Span
from tdv.model.history import History, Migration, Unplaced


def history(**steps: str) -> History:
    return History.of("migrations", [Migration(name, tuple(parents.split())) for name, parents in steps.items()])


BRANCHED = history(base="", left="base", left2="left", right="base", merge="left2 right", tip="merge")


def test_heads_and_ancestors() -> None:
    assert BRANCHED.heads == ("tip",)
    assert BRANCHED.ancestors(["right"]) == {"right", "base"}
    assert BRANCHED.ancestors(["left2", "right"]) == {"base", "left", "left2", "right"}
    assert history(a="", b="a", c="a").heads == ("b", "c")
    assert history(a="", b="a", c="a").head.text == "b, c"


@pytest.mark.parametrize(
    ("start", "until", "here", "fits"),
    [
        (None, None, "base", True),
        ("base", None, "base", True),
        ("base", None, "tip", True),
        ("left", None, "base", False),
        ("left", None, "right", False),
        ("left", None, "left2", True),
        ("left", "merge", "left2", True),
        ("left", "merge", "left2, right", True),
        ("left", "merge", "merge", False),
        ("left", "merge", "tip", False),
        ("left, right", None, "left2", False),
        ("left, right", None, "left2 right", True),
        (None, "left", "right", True),
        (None, "left", "left2, right", False),
        (None, "later", "tip", True),
        ("later", None, "tip", False),
    ],
)
def test_a_span_is_decided_by_what_is_applied(start: str | None, until: str | None, here: str, fits: bool) -> None:
    assert (BRANCHED.at(here).misfit(Span(start, until)) == "") is fits


def test_between_gives_the_migrations_of_a_span() -> None:
    assert list(BRANCHED.between(Span("left", "merge"))) == ["left", "left2"]
    assert list(BRANCHED.between(Span("right"))) == ["right", "merge", "tip"]


NAMED = History.of(
    "db/migrate",
    [
        Migration("0001_users", (), ("users",)),
        Migration("0002_movies", ("0001_users",), ("movies", "both")),
        Migration("0010_ratings", ("0002_movies",), ("both",)),
    ],
)


@pytest.mark.parametrize(
    ("text", "revision"),
    [
        ("0001_users", "0001_users"),
        ("movies", "0002_movies"),
        ("2", "0002_movies"),
        ("0002", "0002_movies"),
        ("10", "0010_ratings"),
        ("0010_r", "0010_ratings"),
    ],
)
def test_names_of_a_migration(text: str, revision: str) -> None:
    assert NAMED.named(text) == revision


def test_a_name_that_is_none_or_several() -> None:
    with pytest.raises(NotFound, match=r"There is no migration '0003' in db/migrate") as caught:
        NAMED.named("0003")
    assert caught.value.hint == "It ends at 0010_ratings."
    with pytest.raises(UsageError, match="'both' is the beginning of several migrations: 0002_movies, 0010_ratings"):
        NAMED.named("both")
    with pytest.raises(NotFound):
        NAMED.at("0001_users, nothing")


def test_what_no_tool_would_take_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"b comes after the migration 'x', which is not in migrations"):
        history(a="", b="x")
    with pytest.raises(ConfigError, match=r"go round in a circle: a → b → a|go round in a circle: b → a → b"):
        history(start="", a="start b", b="a")
    with pytest.raises(ConfigError, match=r"Two migrations in m are called a: one.sql and two.sql"):
        History.of("m", [Migration("a", file="one.sql"), Migration("a", file="two.sql")])


@pytest.mark.parametrize(
    ("start", "until", "here", "fits"),
    [
        (None, None, "anything", True),
        ("abc", None, "abc", True),
        ("abc", None, "def", False),
        ("0003", "0007", "0003", True),
        ("0003", "0007", "0007_x", False),
        ("0003", "0007", "12", False),
        (None, "abc", "0001", False),
        ("3f2a", None, "9abc", False),
        ("20260101", None, "20260102000000", False),
        ("1.1", None, "1.2", False),
    ],
)
def test_without_a_history_only_plain_numbers_are_compared(
    start: str | None, until: str | None, here: str, fits: bool
) -> None:
    assert (Unplaced(here).misfit(Span(start, until)) == "") is fits


@given(st.lists(st.sets(st.integers(0, 9), max_size=3), min_size=1, max_size=10))
def test_ancestors_are_closed(parents: list[set[int]]) -> None:
    steps = [
        Migration(str(number), tuple(str(parent) for parent in before if parent < number))
        for number, before in enumerate(parents)
    ]
    found = History.of("migrations", steps)
    for step in steps:
        applied = found.ancestors([step.revision])
        assert step.revision in applied
        assert all(parent in applied for name in applied for parent in found.migrations[name].parents)
    assert found.ancestors(found.heads) == set(found.migrations)


@pytest.mark.parametrize("start", [None, "a1", "b1", "c1", "b2, c1", "zz"])
@pytest.mark.parametrize("until", [None, "b1", "m1", "b2, c1", "zz"])
def test_fits_says_what_misfit_explains(start: str | None, until: str | None) -> None:
    steps = {"a1": (), "b1": ("a1",), "b2": ("b1",), "c1": ("a1",), "m1": ("b2", "c1")}
    history = History.of("here", [Migration(name, parents) for name, parents in steps.items()])
    span = Span(start, until)
    for text in (*steps, "b2, c1", "base"):
        place = history.at(text)
        assert place.fits(span) is (not place.misfit(span))

"""Scripts between the releases of this repository's own movies, one after another on one database of each engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.diff.engines import FIXTURES, Engine, described, engine_of
from tests.repository import Repository, run
from tests.targets.builders import target

ROOT = Path(__file__).resolve().parent.parent.parent
WALK = ("1.0.1", "1.1.0", "2.0.0", "1.1.0", "1.0.1", "1.0.0", "2.0.0", "1.0.0")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A clone of this repository, with its data."""
    base = tmp_path_factory.mktemp("releases")
    assert run("git", "clone", "--quiet", "--no-local", str(ROOT), "repo", cwd=base).exit_code == 0
    made = Repository(base / "repo")
    made.tdv("pull", "movies@v1.0.0", *(f"movies@v{version}" for version in WALK[:3]), expect=0)
    return made


@pytest.fixture(params=FIXTURES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    yield from engine_of(request, request.param, tmp_path)


@pytest.mark.slow
def test_movies_go_from_release_to_release(engine: Engine, repository: Repository) -> None:
    url = engine.place()
    repository.tdv("checkout", "movies@v1.0.0", "--target", url, expect=0)
    for version in WALK:
        state = f"movies@v{version}"
        text = repository.tdv("diff", url, state, "--sql", "--show-private", expect=0).stdout
        engine.run(url, text)
        outcome = repository.tdv("diff", url, state, "--exit-code")
        assert outcome.exit_code == 0, outcome
        assert "no difference" in outcome.stdout
    other = engine.place()
    repository.tdv("checkout", state, "--target", other, expect=0)
    made, fresh = (described(target(engine.directory, place).inspect()) for place in (url, other))
    assert made == fresh


def test_script_between_releases_is_for_the_dialect_that_is_asked_for(engine: Engine, repository: Repository) -> None:
    states = "movies@v1.1.0", "movies@v2.0.0"
    text = repository.tdv("diff", *states, "--sql", "--show-private", "--dialect", engine.name, expect=0).stdout
    url = engine.place()
    repository.tdv("checkout", states[0], "--target", url, expect=0)
    engine.run(url, text)
    assert "no difference" in repository.tdv("diff", states[1], url, "--exit-code", expect=0).stdout

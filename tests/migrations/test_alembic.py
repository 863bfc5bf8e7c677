"""The reader of Alembic's files beside Alembic itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from alembic.script import ScriptDirectory
from hypothesis import given, settings
from hypothesis import strategies as st

from tdv.errors import ConfigError, NotFound
from tdv.migrations import read
from tests.repository import Repository

FILE = '''"""{revision}"""
from collections.abc import Sequence

revision: str = {revision!r}
down_revision: str | Sequence[str] | None = {down!r}
branch_labels = {labels!r}
depends_on: str | None = {depends!r}


def upgrade() -> None:
    raise SystemExit("nothing of the project is run")
'''


def write(
    root: Path,
    steps: Mapping[str, Sequence[str]],
    labels: Mapping[str, str] | None = None,
    depends: Mapping[str, Sequence[str]] | None = None,
) -> Path:
    """A directory of Alembic's with these revisions; one parent is text, several are a tuple, none is None."""
    files = {}
    for revision, down in steps.items():
        text = FILE.format(
            revision=revision,
            down=None if not down else down[0] if len(down) == 1 else tuple(down),
            labels=(labels or {}).get(revision),
            depends=tuple((depends or {}).get(revision, ())) or None,
        )
        files[f"migrations/versions/{revision}_step.py"] = text
    (root / "migrations/versions").mkdir(parents=True)
    Repository(root).write(files)
    return root / "migrations"


def ancestors(script: ScriptDirectory, revision: str) -> set[str]:
    """What Alembic applies on the way to a revision; what others depend on included."""
    return {item.revision for item in script.iterate_revisions(revision, "base", implicit_base=True)}


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    steps: dict[str, list[str]] = {}
    for number in range(draw(st.integers(1, 12))):
        known = list(steps)
        steps[f"r{number:03}abc"] = draw(st.lists(st.sampled_from(known), unique=True, max_size=3)) if known else []
    return steps


def without_overlap(steps: Mapping[str, Sequence[str]], found: Mapping[str, frozenset[str]]) -> bool:
    """Alembic warns about a merge of a revision with its own ancestor; such a graph is no test."""
    return all(
        one == other or one not in found[other] for parents in steps.values() for one in parents for other in parents
    )


@given(graphs())
@settings(max_examples=40)
def test_heads_and_ancestors_are_alembics(steps: dict[str, list[str]]) -> None:
    with TemporaryDirectory() as directory:
        path = write(Path(directory), steps)
        history = read("alembic", path, "migrations")
        above = {revision: history.ancestors((revision,)) for revision in steps}
        if not without_overlap(steps, above):
            return
        script = ScriptDirectory(str(path))
        assert set(history.heads) == set(script.get_heads())
        assert {revision: set(found) for revision, found in above.items()} == {
            revision: ancestors(script, revision) for revision in steps
        }


def test_labels_dependencies_and_beginnings_of_names(tmp_path: Path) -> None:
    steps = {"aaaa11": [], "bbbb22": ["aaaa11"], "cccc33": [], "dddd44": ["cccc33"]}
    path = write(tmp_path, steps, {"cccc33": "billing"}, {"dddd44": ["bbbb22"]})
    history, script = read("alembic", path, "migrations"), ScriptDirectory(str(path))
    assert set(history.ancestors(["dddd44"])) == ancestors(script, "dddd44") == set(steps)
    assert history.named("billing@head") == script.get_revision("billing@head").revision == "dddd44"
    assert history.named("billing") == "cccc33"
    assert history.named("bbbb") == script.get_revision("bbbb").revision == "bbbb22"


def test_ini_names_several_places(tmp_path: Path) -> None:
    one = write(tmp_path / "one", {"aaaa11": []})
    write(tmp_path / "two", {"bbbb22": ["aaaa11"]})
    ini = "[alembic]\nscript_location = one/migrations\n"
    places = "version_locations = %(here)s/one/migrations/versions %(here)s/two/migrations/versions\n"
    Repository(tmp_path).write({"alembic.ini": ini + places, "plain.ini": ini})
    assert read("alembic", tmp_path / "alembic.ini", "alembic.ini").heads == ("bbbb22",)
    assert read("alembic", tmp_path / "plain.ini", "plain.ini") == read("alembic", one, "plain.ini")


def test_values_over_several_lines(tmp_path: Path) -> None:
    path = write(tmp_path, {"aaaa11": [], "bbbb22": []})
    merge = 'revision = "cccc33"\ndown_revision = (\n    "aaaa11",\n    "bbbb22",\n)\n'
    (path / "versions/merge.py").write_text(merge)
    assert read("alembic", path, "migrations").migrations["cccc33"].parents == ("aaaa11", "bbbb22")


def test_what_alembic_would_refuse(tmp_path: Path) -> None:
    path = write(tmp_path, {"aaaa11": [], "bbbb22": ["gone99"]})
    with pytest.raises(ConfigError, match=r"bbbb22_step\.py comes after the migration 'gone99', which is not in m"):
        read("alembic", path, "m")
    (path / "versions/bbbb22_step.py").write_text('revision = "bbbb22"\ndown_revision = make_it_up()\n')
    with pytest.raises(ConfigError, match="does not say plainly which migration it is"):
        read("alembic", path, "m")


def test_a_thousand_migrations(tmp_path: Path) -> None:
    names = [f"{number:06x}ab" for number in range(1000)]
    path = write(tmp_path, {name: names[at - 1 : at] if at else [] for at, name in enumerate(names)})
    history = read("alembic", path, "migrations")
    assert history.heads == (names[-1],)
    assert len(history.ancestors(history.heads)) == 1000
    with pytest.raises(NotFound):
        history.named("ffffffab")

"""`tdv bisect`: the first version with which a command fails."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdv.bisect import Bisection, bisect
from tdv.errors import Refused
from tests.repository import Repository


def search(codes: list[int]) -> Bisection:
    versions = [f"1.{number}.0" for number in range(len(codes))]
    return bisect("shop", versions, lambda version: codes[int(version.split(".")[1])])


@given(st.integers(1, 200), st.data())
def test_finds_the_first_bad_one_in_few_runs(count: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, count - 1))
    found = search([0] * first + [1] * (count - first))
    assert found.first_bad == f"1.{first}.0"
    assert found.last_good == (f"1.{first - 1}.0" if first else None)
    assert len(found.trials) <= 2 + count.bit_length()


@given(st.lists(st.sampled_from([0, 1, 125]), min_size=1, max_size=30))
def test_skipped_versions_are_told_of_and_nothing_is_tried_twice(codes: list[int]) -> None:
    if set(codes) == {125}:
        with pytest.raises(Refused, match="skipped every version"):
            search(codes)
        return
    found = search(codes)
    tried = [trial.version for trial in found.trials]
    assert len(set(tried)) == len(tried)
    if found.first_bad is not None:
        assert codes[int(found.first_bad.split(".")[1])] == 1
        assert all(codes[int(version.split(".")[1])] == 125 for version in found.doubtful)


def test_good_newest_version_ends_the_search_at_once() -> None:
    found = search([1, 1, 0])
    assert (found.first_bad, found.last_good, len(found.trials)) == (None, "1.2.0", 1)


@pytest.mark.parametrize("code", [128, -9, 255])
def test_command_that_is_killed_ends_the_search(code: int) -> None:
    with pytest.raises(Refused, match="nothing can be said"):
        search([0, code])


SPEC = """
dataset: shop
tables: {users: {key: [id], columns: {id: {type: int64}, age: {type: int64}}}}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Four releases; the third brought an age above 90."""
    made = Repository.create(tmp_path_factory.mktemp("shop") / "repo")
    made.git("config", "user.name", "Ada")
    made.git("config", "user.email", "ada@example.test")
    made.prepared().write({"datasets/shop/dataset.yaml": SPEC})
    for number, age in enumerate((10, 20, 99, 98), 1):
        rows = "".join(f"{key},{age}\n" for key in range(number))
        made.write({"datasets/shop/seeds/users.csv": f"id,age\n{rows}"}).tdv("build", expect=0)
        made.commit(f"Age {age}")
        made.tdv("release", "shop", f"{number}.0.0", "-m", "x", expect=0)
    return made


def no_one_above_90() -> list[str]:
    code = """
import os, sqlite3, sys
rows = sqlite3.connect(os.environ["DATABASE_URL"].removeprefix("sqlite:///")).execute("SELECT max(age) FROM users")
print("looking at", os.environ["TDV_VERSION"])
sys.exit(1 if rows.fetchone()[0] > 90 else 0)
"""
    return [sys.executable, "-c", code]


def test_finds_the_release_that_broke_a_command(shop: Repository) -> None:
    outcome = shop.tdv_process("bisect", "--json", "--", *no_one_above_90())
    assert outcome.exit_code == 1, outcome
    answer = outcome.json()
    assert (answer["first_bad"], answer["last_good"]) == ("3.0.0", "2.0.0")
    assert "looking at 4.0.0" in outcome.stderr


def test_range_and_bounds_narrow_the_search(shop: Repository) -> None:
    outcome = shop.tdv_process("bisect", "shop@<3", "--", *no_one_above_90())
    said = "shop@v2.0.0 is good, the newest that was tried: no bad version was found"
    assert (outcome.exit_code, outcome.stdout.splitlines()[-1]) == (0, said)
    outcome = shop.tdv_process("bisect", "--good", "v2.0.0", "--bad", "3.0.0", "--json", "--", *no_one_above_90())
    assert [trial["version"] for trial in outcome.json()["trials"]] == ["3.0.0"]


@pytest.mark.parametrize(("code", "said"), [(1, "may fail for another reason than the data"), (127, "is not found")])
def test_command_that_fails_with_every_version_is_doubted(shop: Repository, code: int, said: str) -> None:
    outcome = shop.tdv_process("bisect", "--", "sh", "-c", f"exit {code}")
    assert outcome.exit_code == 1
    assert said in outcome.stderr
    assert said not in shop.tdv_process("bisect", "--good", "v1.0.0", "--", "sh", "-c", f"exit {code}").stderr


def test_target_is_the_one_named(shop: Repository) -> None:
    outcome = shop.tdv_process("bisect", "--target", "mine.db", "--", *no_one_above_90())
    assert outcome.exit_code == 1, outcome
    assert (shop.root / "mine.db").exists()
    assert "shop@v3.0.0 is the first bad version, v2.0.0 is good" in outcome.stdout


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--"], 2),
        ([], 2),
        (["zoo", "--", "true"], 10),
        (["shop@git:main", "--", "true"], 2),
        (["shop@>9", "--", "true"], 10),
        (["--good", "v4.0.0", "--bad", "v1.0.0", "--", "true"], 2),
        (["--good", "v2.0.0", "--bad", "v2.0.0", "--", "true"], 2),
        (["--", "no-such-program"], 2),
        (["--", *shlex.split("sh -c 'kill -9 $$'")], 11),
    ],
)
def test_bad_calls(shop: Repository, words: list[str], code: int) -> None:
    assert shop.tdv_process("bisect", *words).exit_code == code


def test_version_that_the_target_cannot_hold_is_named(tmp_path: Path) -> None:
    made = Repository.create(tmp_path / "repo").prepared()
    made.write({"datasets/shop/dataset.yaml": SPEC.replace("age: {type: int64}", "age: {type: float64}")})
    for version, age in (("1.0.0", "NaN"), ("1.0.1", "99")):
        made.write({"datasets/shop/seeds/users.csv": f"id,age\n1,{age}\n"}).tdv("build", expect=0)
        made.commit(age).tdv("release", "shop", version, expect=0)
    outcome = made.tdv_process("bisect", "--", "false", expect=16)
    assert "shop@v1.0.0 cannot be restored: " in outcome.stderr
    assert 'tdv bisect "shop@>1.0.0,<=1.0.1"' in outcome.stderr
    found = made.tdv_process("bisect", "shop@>1.0.0,<=1.0.1", "--", "false", expect=1)
    assert found.stdout.splitlines()[0] == "v1.0.1  bad"


def test_newest_version_that_the_target_cannot_hold_leaves_the_older_ones(tmp_path: Path) -> None:
    made = Repository.create(tmp_path / "repo").prepared()
    made.write({"datasets/shop/dataset.yaml": SPEC.replace("age: {type: int64}", "age: {type: float64}")})
    for version, age in (("1.0.0", "99"), ("1.0.1", "NaN")):
        made.write({"datasets/shop/seeds/users.csv": f"id,age\n1,{age}\n"}).tdv("build", expect=0)
        made.commit(age).tdv("release", "shop", version, expect=0)
    outcome = made.tdv_process("bisect", "--", "false", expect=16)
    assert 'tdv bisect "shop@>=1.0.0,<1.0.1"' in outcome.stderr
    found = made.tdv_process("bisect", "shop@>=1.0.0,<1.0.1", "--", "false", expect=1)
    assert found.stdout.splitlines()[0] == "v1.0.0  bad"
    alone = made.tdv_process("bisect", "shop@1.0.1", "--", "false", expect=16)
    assert "hint: Use another target." in alone.stderr

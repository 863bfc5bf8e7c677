"""Names of datasets: one rule for all places, and a word about a directory that breaks it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest

from tdv.model.reference import DATASET
from tdv.store.records import named_by
from tests.conftest import RepositoryBuilder
from tests.repository import Repository

SPEC = """
    dataset: t
    seed: 1
    as_of: 2026-01-01T00:00:00Z
    tables:
      users:
        key: [id]
        columns:
          id: {type: int64}
    """
WHY = "'t' is no dataset name: lower-case letters, digits and '-', at least two characters"


@pytest.fixture
def made(repo: RepositoryBuilder) -> Repository:
    """A repository with a directory whose name is too short for a dataset, on a branch."""
    made = repo().prepared()
    made.git("checkout", "--quiet", "-b", "work")
    return made.write({"datasets/t/dataset.yaml": SPEC, "datasets/notes/README.md": "nothing"}).commit()


def patterns(schema: Any) -> Iterator[str]:
    """The patterns of a JSON Schema for names of datasets."""
    if isinstance(schema, dict):
        if "a dataset name" in schema.get("errorMessage", ""):
            yield schema["pattern"]
        for value in schema.values():
            yield from patterns(value)


def test_schemas_repeat_the_one_rule() -> None:
    schemas = resources.files("tdv").joinpath("schemas").iterdir()
    found = {pattern for file in schemas for pattern in patterns(json.loads(file.read_text("utf-8")))}
    assert found == {f"^{DATASET.pattern}$", f"^([A-Za-z0-9_-]+:)?{DATASET.pattern}$"}


@pytest.mark.parametrize("name", ["t", "-t", "t-", "T1", "a_b", ""])
def test_nothing_reads_another_name(name: str) -> None:
    assert not DATASET.fullmatch(name)
    assert named_by(f"datasets/{name}/releases/1.0.0.yaml") is None
    assert re.fullmatch(DATASET, "t1")


@pytest.mark.parametrize("command", [("build",), ("validate",)])
def test_a_directory_that_is_passed_over_is_named(made: Repository, command: tuple[str, ...]) -> None:
    outcome = made.tdv(*command, expect=0)
    assert outcome.stderr.count(f"datasets/t is passed over: {WHY}") == 1
    assert "notes" not in outcome.stderr


def test_status_names_it_and_is_not_clean(made: Repository) -> None:
    assert WHY in made.tdv("status", expect=0).stdout
    plain = made.tdv("status", "--json", expect=0).json()
    assert (plain["clean"], plain["misnamed"]) == (False, ["datasets/t"])


def test_the_gate_stops_a_branch_that_brings_it(made: Repository) -> None:
    outcome = made.tdv("check", "--base", "main", expect=1)
    assert WHY in outcome.stdout
    assert "git mv datasets/t datasets/NAME" in outcome.stdout


@pytest.mark.parametrize("command", [("build", "t"), ("sample", "t.users"), ("new", "t"), ("release", "t", "1.0.0")])
def test_who_names_it_is_told_the_rule(made: Repository, command: tuple[str, ...]) -> None:
    outcome = made.tdv(*command)
    assert outcome.exit_code in (2, 10)
    assert "'t' is no dataset name" in outcome.stderr
    assert "at least two characters" in outcome.stderr

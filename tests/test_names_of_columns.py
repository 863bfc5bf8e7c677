"""Names of columns that are something else to a library: the way from seeds to a target takes them as names."""

from __future__ import annotations

import json

import pytest

from tests.conftest import RepositoryBuilder

SPEC = """
    dataset: odd
    tables:
      "#":
        key: ["{name}"]
        unique: [["#"]]
        columns:
          "{name}": {{type: string}}
          "#": {{type: int64, nullable: true}}
          "to {name}": {{type: string, nullable: true, references: {{table: "#", column: "{name}"}}}}
    """
SEEDS = '"{name}",#,"to {name}"\na,1,b\nb,2,\nc,{last},b\n'
SCENARIO = """
    scenario: one
    title: One
    rows: {{"#": {{x: {{"{name}": x, "to {name}": a}}}}}}
    """


@pytest.mark.parametrize("name", [".a", "../x", "[0]", "a.b", "#_list", "0"])
def test_any_name_is_built_validated_and_restored(repo: RepositoryBuilder, name: str) -> None:
    files = {"dataset.yaml": SPEC, "seeds/%23.csv": SEEDS, "scenarios/one.yaml": SCENARIO}
    made = repo().prepared()
    made.write({f"datasets/odd/{path}": text.format(name=name, last=3) for path, text in files.items()}).commit()
    made.tdv("build", "odd", expect=0)
    made.tdv("validate", "odd", expect=0)
    made.tdv("checkout", "odd@workspace", "--target", "whole.db", expect=0)
    made.tdv("diff", "whole.db", "odd@workspace", "--exit-code", expect=0)
    receipt = made.tdv("checkout", "odd@workspace", "--scenario", "one", "--target", "one.db", "--json", expect=0)
    assert json.loads(receipt.stdout)["releases"][0]["tables"] == {"#": {"rows": 3}}
    made.write({"datasets/odd/seeds/%23.csv": SEEDS.format(name=name, last=1)})
    assert "#: unique(#): 1 row whose # repeats that of another row" in made.tdv("build", "odd", expect=16).stderr

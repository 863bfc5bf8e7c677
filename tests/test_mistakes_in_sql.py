"""SQL that cannot run, or that answers otherwise tomorrow, is a mistake in the file where it stands."""

from __future__ import annotations

import pytest

from tests.conftest import RepositoryBuilder
from tests.repository import Repository

SPEC = """\
dataset: shop
tables:
  orders:
    rows: 3
    key: [id]
    columns:
      id: {type: int64, generate: {sequence: {start: 1}}}
      total: {type: int64, generate: {derive: "id * 10"}}
      email: {type: string, privacy: email, generate: {template: "user{id}"}}
    checks:
      - total > 0
      - id < 100
invariants:
  - SELECT id FROM orders WHERE total < id
"""
FILE = "datasets/shop/dataset.yaml"


def shop(repo: RepositoryBuilder, old: str = "", new: str = "", **scenarios: str) -> Repository:
    made = repo().prepared()
    files = {f"datasets/shop/scenarios/{name}.yaml": text for name, text in scenarios.items()}
    return made.write({FILE: SPEC.replace(old, new) if old else SPEC, **files}).commit()


@pytest.mark.parametrize(
    ("old", "new", "place", "reason"),
    [
        ("total > 0", "totl > 0", ":11: tables.orders.checks[0]", 'Binder Error: Referenced column "totl" not found'),
        ("id < 100", "id <", ":12: tables.orders.checks[1]", "Parser Error"),
        ("id < 100", "random() < 2", ":12: tables.orders.checks[1]", "random, which gives another answer"),
        ("id < 100", "current_date > DATE '2020-01-01'", ":12: tables.orders.checks[1]", "current_date"),
        ("FROM orders", "FROM order_s", ":14: invariants[0]", "Catalog Error"),
        ("WHERE total < id", "WHERE now() IS NULL", ":14: invariants[0]", "now, which gives another answer"),
        ("id * 10", "idd * 10", ":8: tables.orders.columns.total.generate.derive", '"idd" not found'),
    ],
)
@pytest.mark.parametrize("command", ["build", "validate"])
def test_mistake_names_file_line_and_key(
    repo: RepositoryBuilder, old: str, new: str, place: str, reason: str, command: str
) -> None:
    outcome = shop(repo, old, new).tdv(command, expect=3)
    assert f"{FILE}{place}: " in outcome.stderr
    assert reason in outcome.stderr


def test_all_mistakes_are_found_at_once(repo: RepositoryBuilder) -> None:
    scenario = """\
        scenario: first
        title: Has orders
        rows: {}
        expect:
          - SELECT count(*) = 3 FROM orders
          - SELECT nothing FROM orders
        """
    made = shop(repo, "total > 0", "totl > 0", first=scenario)
    problems = made.tdv("build", "--json", expect=3).json()["error"]["problems"]
    assert [(problem["file"], problem["line"]) for problem in problems] == [
        (FILE, 11),
        ("datasets/shop/scenarios/first.yaml", 6),
    ]


def test_derive_of_hand_written_rows_is_placed_too(repo: RepositoryBuilder) -> None:
    made = shop(repo, "id * 10", "idd * 10").write({"datasets/shop/seeds/orders.csv": "id,email\n7,seven\n"})
    assert f"{FILE}:8: tables.orders.columns.total.generate.derive: " in made.tdv("build", expect=3).stderr


def test_sample_names_the_line_as_build_does(repo: RepositoryBuilder) -> None:
    made = shop(repo, "id * 10", "idd * 10")
    said = [made.tdv(*words, expect=3).stderr for words in (("build",), ("sample", "shop.orders"))]
    assert said[0] == said[1]


def test_broken_check_names_the_check(repo: RepositoryBuilder) -> None:
    outcome = shop(repo, "total > 0", "total > 10").tdv("build", expect=16)
    assert "orders: check(total > 10): 1 row breaks the check" in outcome.stderr


def test_statement_that_fails_over_the_rows_is_named(repo: RepositoryBuilder) -> None:
    outcome = shop(repo, "total > 0", "CAST(email AS INTEGER) > 0").tdv("build", expect=16)
    assert "CAST(email AS INTEGER) > 0" in outcome.stderr
    assert "id < 100" not in outcome.stderr
    assert "user1" not in outcome.stderr

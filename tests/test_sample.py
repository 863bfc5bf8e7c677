"""`tdv sample`, and how rows read in the terminal."""

from __future__ import annotations

import pytest

from tests.conftest import RepositoryBuilder
from tests.repository import Repository

SPEC = """\
dataset: shop
tables:
  users:
    rows: 4
    key: [id]
    columns:
      id: {type: int64, generate: {sequence: {start: 1}}}
      email: {type: string, privacy: email, generate: {template: "user{id}@example.test"}}
      kind: {type: string, privacy: none, nullable: true, generate: {choice: [VALUES]}}
  countries:
    key: [code]
    columns:
      code: {type: string}
"""


@pytest.fixture
def shop(repo: RepositoryBuilder) -> Repository:
    spec = SPEC.replace("VALUES", r'"a\nb", "\tc"')
    return (
        repo().prepared().write({"datasets/shop/dataset.yaml": spec, "datasets/shop/seeds/countries.csv": "code\nat\n"})
    )


def test_private_values_are_shown_only_when_asked_for(shop: Repository) -> None:
    rows = shop.tdv("sample", "shop.users", "2", "--json", expect=0).json()["rows"]
    assert [(row["id"], row["email"]) for row in rows] == [(1, "<private: email>"), (2, "<private: email>")]
    assert rows[0]["kind"] in ("a\nb", "\tc")
    rows = shop.tdv("sample", "shop.users", "2", "--json", "--show-private", expect=0).json()["rows"]
    assert [row["email"] for row in rows] == ["user1@example.test", "user2@example.test"]


def test_each_row_stands_on_one_line(shop: Repository) -> None:
    lines = shop.tdv("sample", "shop.users", "4", expect=0).stdout.splitlines()
    assert len(lines) == 5
    assert all(line.endswith(("a⏎b", "⇥c")) for line in lines[1:])


def test_table_without_generated_rows_says_so(shop: Repository) -> None:
    outcome = shop.tdv("sample", "shop.countries", expect=0)
    assert outcome.stdout == ""
    assert "shop.countries has no generated rows" in outcome.stderr


@pytest.mark.parametrize(
    ("seed", "cell"), [("", "NULL"), ('"NULL"', '"NULL"'), ('""', '""'), ('"""x"""', r'"\"x\""'), ("null", "null")]
)
def test_null_looks_like_no_text(repo: RepositoryBuilder, seed: str, cell: str) -> None:
    spec = "dataset: shop\ntables: {t: {key: [id], columns: {id: {type: int64}, s: {type: string, nullable: true}}}}\n"
    files = {"datasets/shop/dataset.yaml": spec, "datasets/shop/seeds/t.csv": f"id,s\n1,{seed}\n"}
    made = repo().prepared().write(files)
    made.tdv("build", expect=0)
    assert made.tdv("show", "shop@workspace", "t", expect=0).stdout.splitlines()[-1] == f"1   {cell}"


def test_integers_of_json_may_have_any_number_of_digits(repo: RepositoryBuilder) -> None:
    spec = "dataset: shop\ntables: {t: {key: [id], columns: {id: {type: int64}, doc: {type: json}}}}\n"
    digits = "9" * 5000  # Python alone converts up to 4,300
    files = {"datasets/shop/dataset.yaml": spec, "datasets/shop/seeds/t.csv": f"id,doc\n1,{digits}\n"}
    shop = repo().prepared().write(files)
    shop.tdv("build", "shop", expect=0)
    shown = shop.tdv_process("show", "shop@workspace", "t", "--json", expect=0).stdout
    assert f'"doc": {digits}' in shown

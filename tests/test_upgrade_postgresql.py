"""`tdv upgrade` where the scratch database is on a PostgreSQL server, whose types say more than SQLite's."""

from __future__ import annotations

from pathlib import Path

from tests.migrating import DATASET, migrating, migrations

SPEC = """\
dataset: shop
compat: {migration: {from: "0001"}}
tables:
  accounts:
    key: [id]
    columns:
      id:      {type: uuid}
      number:  {type: int32}
      mood:    {type: string, enum: [glad, sad]}   # an enumeration there
      balance: {type: "decimal(12,3)"}             # numeric without a size there
      facts:   {type: json}
      seen_at: {type: timestamptz}
      parent:  {type: uuid, nullable: true, references: accounts.id}
"""
ROWS = """\
- id: 11111111-1111-1111-1111-111111111111   # the first
  number: 1
  mood: glad
  balance: "10.5"
  facts: {a: [1, 2]}
  seen_at: 2024-01-31T12:30:00+02:00
- {id: 22222222-2222-2222-2222-222222222222, number: 2, mood: sad, balance: 0, facts: null,
   seen_at: 2024-02-29T00:00:00Z, parent: 11111111-1111-1111-1111-111111111111}
"""
FIRST = """
    op.execute("CREATE TYPE mood AS ENUM ('glad', 'sad')")
    op.execute('''CREATE TABLE accounts (
        id uuid PRIMARY KEY, number integer NOT NULL, mood mood NOT NULL, balance numeric NOT NULL, facts jsonb,
        seen_at timestamptz NOT NULL, parent uuid REFERENCES accounts (id))''')
    """
SECOND = """
    op.execute("ALTER TABLE accounts ALTER COLUMN number TYPE bigint")
    op.execute("ALTER TABLE accounts RENAME COLUMN seen_at TO last_seen")
    op.execute("ALTER TABLE accounts ADD COLUMN tier text NOT NULL DEFAULT 'basic'")
    op.execute("UPDATE accounts SET balance = balance * 2")
    op.execute("CREATE TABLE logins (id bigserial PRIMARY KEY, account uuid NOT NULL REFERENCES accounts (id))")
    op.execute("INSERT INTO logins (account) SELECT id FROM accounts ORDER BY number")
    """
PLAIN = """\
dataset: shop
compat: {migration: {from: "0001"}}
tables:
  accounts:
    key: [id]
    columns:
      id:   {type: int32}
      name: {type: string}
"""
SEARCHED = """
    op.execute("CREATE TABLE accounts (id int PRIMARY KEY, name text NOT NULL, words tsvector)")
    op.execute("CREATE TABLE pages (id int PRIMARY KEY, words tsvector, host inet)")
    op.execute("INSERT INTO pages VALUES (1, 'some words', '::1')")
    """
SEARCHED_AGAIN = """
    op.execute("ALTER TABLE accounts RENAME COLUMN name TO called")
    op.execute("ALTER TABLE accounts ADD COLUMN area box")
    op.execute("CREATE TABLE found (id int PRIMARY KEY, words tsvector)")
    """


def test_sources_follow_migrations_on_a_server(tmp_path: Path, empty_postgresql: str) -> None:
    spec = SPEC.replace("facts:   {type: json}", "facts:   {type: json, nullable: true}")
    files = {f"{DATASET}/dataset.yaml": spec, f"{DATASET}/seeds/accounts.yaml": ROWS}
    shop = migrating(tmp_path / "repo", files=files, url=empty_postgresql)
    shop.write(migrations(FIRST, SECOND)).commit("Use PostgreSQL")
    answer = shop.tdv("upgrade", "shop", "--json", expect=0).json()
    assert {(item["rule"], item["table"], item["column"]) for item in answer["diff"]["rules"]} == {
        ("type-widened", "accounts", "number"),
        ("column-removed", "accounts", "seen_at"),
        ("column-added", "accounts", "last_seen"),
        ("column-added", "accounts", "tier"),
        ("cell-changed", "accounts", "balance"),
        ("table-added", "logins", ""),
    }
    assert shop.read(f"{DATASET}/dataset.yaml") == (
        spec.replace('"0001"', '"0002"')
        .replace("number:  {type: int32}", "number:  {type: int64}")
        .replace("seen_at: {", "last_seen: {")
        + "      tier:    {type: string}\n"
        "  logins:\n"
        "    key: [id]\n"
        "    columns:\n"
        "      id:      {type: int64}\n"
        "      account: {type: uuid, references: accounts.id}\n"
    )
    assert shop.read(f"{DATASET}/seeds/accounts.yaml") == (
        ROWS.replace('"10.5"', '"21.000"')
        .replace("seen_at", "last_seen")
        .replace("12:30:00+02:00\n", "12:30:00+02:00\n  tier: basic\n")
        .replace(
            "parent: 11111111-1111-1111-1111-111111111111}",
            "parent: 11111111-1111-1111-1111-111111111111, tier: basic}",
        )
    )
    assert shop.read(f"{DATASET}/seeds/logins.csv").splitlines()[1:] == [
        "1,11111111-1111-1111-1111-111111111111",
        "2,22222222-2222-2222-2222-222222222222",
    ]


def test_columns_of_others_may_have_any_type(tmp_path: Path, empty_postgresql: str) -> None:
    files = {f"{DATASET}/dataset.yaml": PLAIN, f"{DATASET}/seeds/accounts.csv": "id,name\n1,Ada\n2,Ben\n"}
    shop = migrating(tmp_path / "repo", files=files, url=empty_postgresql)
    shop.write(migrations(SEARCHED, SEARCHED_AGAIN)).commit("Use PostgreSQL")
    answer = shop.tdv("upgrade", "shop", "--json", expect=0).json()
    assert sorted(answer["notes"]) == [
        "the column accounts.area (box): there is no type for it",
        "the column found.words (tsvector): there is no type for it",
        "the new table found: it has no rows and no tie to this dataset",
    ]
    assert {(item["rule"], item["table"], item["column"]) for item in answer["diff"]["rules"]} == {
        ("column-removed", "accounts", "name"),
        ("column-added", "accounts", "called"),
    }
    assert shop.read(f"{DATASET}/seeds/accounts.csv") == "id,called\n1,Ada\n2,Ben\n"


def test_column_of_the_dataset_that_gets_a_type_without_a_match_is_refused(
    tmp_path: Path, empty_postgresql: str
) -> None:
    files = {f"{DATASET}/dataset.yaml": PLAIN, f"{DATASET}/seeds/accounts.csv": "id,name\n1,Ada\n2,Ben\n"}
    shop = migrating(tmp_path / "repo", files=files, url=empty_postgresql)
    become = "    op.execute('ALTER TABLE accounts ALTER COLUMN name TYPE tsvector USING to_tsvector(name)')\n"
    shop.write(migrations(SEARCHED, become)).commit("Use PostgreSQL")
    assert "there is no type for accounts.name (tsvector)" in shop.tdv("upgrade", "shop").stderr

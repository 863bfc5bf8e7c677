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

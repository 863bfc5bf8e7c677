"""`tdv upgrade` with a real application: its Alembic migrations run, and the sources follow them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tdv import documents
from tests.migrating import DATASET, ORDERS, SCENARIO, SHOP, SPEC, USERS, migrating, migrations
from tests.repository import Repository

SPEC_FILE, USERS_FILE = f"{DATASET}/dataset.yaml", f"{DATASET}/seeds/users.csv"
SCENARIO_FILE = f"{DATASET}/scenarios/first-order.yaml"
PLAN = 'op.add_column("users", sa.Column("plan", sa.String(10), nullable=False, server_default="free"))'


def upgraded(repository: Repository, *options: str) -> Any:
    """The answer of the upgrade; the work tree holds what it proved."""
    answer = repository.tdv("upgrade", "shop", "--json", *options, expect=0).json()
    documents.validate(documents.plain(answer, "upgrade"), "upgrade")
    assert json.loads(repository.read(f"{DATASET}/data/manifest.json"))["digest"] == answer["digest"]
    return answer


def rules(answer: Any) -> list[tuple[str, str, str]]:
    return [(item["rule"], item["table"], item["column"]) for item in answer["diff"]["rules"]]


def test_added_column_with_a_default_reaches_every_source(tmp_path: Path) -> None:
    shop = migrating(tmp_path / "repo", PLAN)
    answer = upgraded(shop)
    assert (answer["from"], answer["to"], answer["bump"]) == ("0001", "0002", "minor")
    assert answer["files"] == [SPEC_FILE, SCENARIO_FILE, USERS_FILE]
    assert shop.read(SPEC_FILE) == SPEC.replace('"0001"', '"0002"').replace(
        "    checks:", "      plan:       {type: string, maxLength: 10}\n    checks:"
    )
    assert (
        shop.read(USERS_FILE).splitlines()[1] == "1,ada@example.test,Ada,true,10.5,2024-01-31T12:30:00,7,London,,free"
    )
    assert shop.read(SCENARIO_FILE) == SCENARIO.replace("city: Rome}", "city: Rome, plan: free}")


def test_engine_types_that_come_back_otherwise_are_no_change(tmp_path: Path) -> None:
    shop = migrating(tmp_path / "repo", "pass")
    answer = upgraded(shop)
    assert (answer["files"], answer["bump"], answer["diff"]["rules"]) == ([SPEC_FILE], "none", [])


def test_dropped_column_goes_with_what_mentions_it(tmp_path: Path) -> None:
    body = 'with op.batch_alter_table("users") as users:\n    users.drop_column("visits")'
    shop = migrating(tmp_path / "repo", body)
    answer = upgraded(shop)
    assert answer["bump"] == "major"
    assert ("column-removed", "users", "visits") in rules(answer)
    broken = "SELECT visits = 1 FROM users WHERE id = $eve, which speaks of what is gone"
    assert answer["notes"] == [
        "the check of users: visits >= 0, which speaks of what is gone",
        f"an expectation of {SCENARIO_FILE}: {broken}",
    ]
    assert "visits" not in shop.read(SPEC_FILE) + shop.read(USERS_FILE) + shop.read(SCENARIO_FILE)
    assert "- balance < 1000   # nobody is rich" in shop.read(SPEC_FILE)


def test_renamed_column_keeps_its_rules_and_its_place(tmp_path: Path) -> None:
    body = 'with op.batch_alter_table("users") as users:\n    users.alter_column("visits", new_column_name="calls")'
    shop = migrating(tmp_path / "repo", body)
    upgraded(shop)
    assert shop.read(SPEC_FILE) == SPEC.replace('"0001"', '"0002"').replace("visits: ", "calls:  ").replace(
        "visits >= 0", "calls >= 0"
    )
    assert shop.read(USERS_FILE) == USERS.replace("visits", "calls")
    assert shop.read(SCENARIO_FILE) == SCENARIO.replace("visits: 1", "calls: 1").replace(
        "- SELECT visits = 1", "- SELECT calls = 1"
    )


def test_renamed_table_and_key_keep_labels(tmp_path: Path) -> None:
    body = """
        op.rename_table("users", "people")
        with op.batch_alter_table("people") as people:
            people.alter_column("id", new_column_name="person_id")
        """
    shop = migrating(tmp_path / "repo", body, 'op.rename_table("orders", "sales")')
    upgraded(shop)
    assert not (shop.root / USERS_FILE).exists()
    assert shop.read(f"{DATASET}/seeds/sales.csv") == ORDERS
    assert "sales:\n    first: {user_id: $eve" in shop.read(SCENARIO_FILE)


def test_widened_types_are_taken_over(tmp_path: Path) -> None:
    body = """
        with op.batch_alter_table("users") as users:
            users.alter_column("visits", type_=sa.BigInteger)
            users.alter_column("city", type_=sa.String(200))
            users.alter_column("balance", type_=sa.Numeric(14, 4))
        """
    shop = migrating(tmp_path / "repo", body)
    answer = upgraded(shop)
    assert {item for item in rules(answer) if item[0] == "type-widened"} == {
        ("type-widened", "users", "visits"),
        ("type-widened", "users", "balance"),
    }
    spec = shop.read(SPEC_FILE)
    assert "visits:     {type: int64, minimum: 0}" in spec
    assert "city:       {type: string, nullable: true, maxLength: 200}" in spec
    assert 'balance:    {type: "decimal(14,4)"}' in spec
    assert (shop.read(USERS_FILE), shop.read(SCENARIO_FILE)) == (USERS, SCENARIO)


def test_split_table_takes_rows_of_scenarios_along(tmp_path: Path) -> None:
    body = """
        op.create_table(
            "addresses",
            sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), primary_key=True),
            sa.Column("city", sa.String(40), nullable=False),
        )
        op.execute("INSERT INTO addresses SELECT id, city FROM users WHERE city IS NOT NULL")
        with op.batch_alter_table("users") as users:
            users.drop_column("city")
        """
    shop = migrating(tmp_path / "repo", body)
    answer = upgraded(shop)
    assert ("table-added", "addresses", "") in rules(answer)
    assert shop.read(f"{DATASET}/seeds/addresses.csv") == "user_id,city\n1,London\n3,Paris\n"
    spec = shop.read(SPEC_FILE)
    assert "  addresses:\n    key: [user_id]\n    columns:\n      user_id: {type: int32, references: users.id}" in spec
    assert "  addresses:\n    eve_addresses: {user_id: $eve, city: Rome}\n" in shop.read(SCENARIO_FILE)
    keys = shop.tdv("show", "shop@workspace", "--scenario", "first-order", "--json", expect=0).json()
    assert "addresses" in str(keys)


def test_split_of_a_private_column_stays_private(tmp_path: Path) -> None:
    body = """
        with op.batch_alter_table("users") as users:
            users.add_column(sa.Column("first", sa.String(40)))
            users.add_column(sa.Column("points", sa.Integer))
        op.execute("UPDATE users SET first = lower(name) || '.'")
        with op.batch_alter_table("users") as users:
            users.drop_column("name")
        """
    shop = migrating(tmp_path / "repo", body)
    upgraded(shop)
    spec = shop.read(SPEC_FILE)
    assert "first:      {type: string, nullable: true, maxLength: 40, privacy: name}" in spec
    assert "points:     {type: int64, nullable: true}" in spec


def test_sources_that_stand_elsewhere_are_told_with_the_way_to_say_so(tmp_path: Path) -> None:
    shop = migrating(tmp_path / "repo", PLAN)
    upgraded(shop)
    shop.write({SPEC_FILE: shop.read(SPEC_FILE).replace('"0002"', '"0001"')}).commit("Stand at the wrong place")
    answer = shop.tdv("upgrade", "shop", expect=11)
    assert "shop@workspace does not fit the schema at migration 0001: table 'users'" in answer.stderr
    assert "or say where its sources stand: `tdv upgrade shop --from REVISION`." in answer.stderr
    assert shop.tdv("upgrade", "shop", "--from", "0002", expect=0).stdout == "shop  is at 0002 already\n"


def test_changed_values_follow_into_seeds_and_scenarios(tmp_path: Path) -> None:
    body = """
        op.execute("UPDATE orders SET status = 'settled' WHERE status = 'paid'")
        op.execute("UPDATE users SET name = 'Anonymous' WHERE name IS NULL")
        with op.batch_alter_table("users") as users:
            users.alter_column("name", nullable=False, existing_type=sa.String(40))
        """
    shop = migrating(tmp_path / "repo", body)
    answer = upgraded(shop)
    assert answer["diff"]["tables"]["orders"]["changed"] == 2
    assert "2,bob@example.test,Anonymous,false,0.00" in shop.read(USERS_FILE)
    assert "11,3,settled,7.10" in shop.read(f"{DATASET}/seeds/orders.csv")
    assert 'second: {user_id: $eve, status: settled, total: "1.00"}' in shop.read(SCENARIO_FILE)
    assert "name:       {type: string, maxLength: 40, privacy: name}" in shop.read(SPEC_FILE)
    assert "enum: [new, paid, settled]" in shop.read(SPEC_FILE)


def test_deleted_rows_need_a_major_version(tmp_path: Path) -> None:
    shop = migrating(tmp_path / "repo", 'op.execute("DELETE FROM orders WHERE total < 10")')
    answer = upgraded(shop)
    assert answer["bump"] == "major"
    assert ("row-removed", "orders", "") in rules(answer)
    assert shop.read(f"{DATASET}/seeds/orders.csv") == "id,user_id,status,total\n10,1,new,42.00\n"
    broken = "SELECT count(*) = 2 FROM orders WHERE user_id = $eve, which is not so any more"
    assert answer["notes"] == [
        f"the row second of orders in {SCENARIO_FILE}, which the migrations deleted",
        f"an expectation of {SCENARIO_FILE}: {broken}",
    ]


def test_second_upgrade_has_nothing_to_do(tmp_path: Path) -> None:
    shop = migrating(tmp_path / "repo", PLAN)
    upgraded(shop)
    shop.commit("Upgrade")
    assert shop.tdv("upgrade", "shop", expect=0).stdout == "shop  is at 0002 already\n"
    answer = shop.tdv("upgrade", "shop", "--json", expect=0).json()
    documents.validate(documents.plain(answer, "upgrade"), "upgrade")
    assert (answer["action"], answer["digest"], answer["diff"]) == ("unchanged", None, None)


def test_dry_run_shows_the_change_and_writes_nothing(tmp_path: Path) -> None:
    shop = migrating(tmp_path / "repo", PLAN)
    outcome = shop.tdv("upgrade", "shop", "--dry-run", expect=0)
    assert "shop  0001 → 0002  minor" in outcome.stdout
    assert "Nothing was written" in outcome.stderr
    assert shop.git("status", "--short") == ""


def test_migration_that_fails_names_its_statement_and_changes_nothing(tmp_path: Path) -> None:
    shop = migrating(tmp_path / "repo", PLAN, 'op.execute("UPDATE nobody SET id = 1")')
    outcome = shop.tdv("upgrade", "shop")
    assert outcome.exit_code == 15
    assert "UPDATE nobody SET id = 1" in outcome.stderr
    assert shop.git("status", "--short") == ""


def test_sources_that_are_not_committed_are_refused(tmp_path: Path) -> None:
    shop = migrating(tmp_path / "repo", PLAN).write({USERS_FILE: USERS + "4,d@example.test,,true,1,2024-01-01,1,,\n"})
    outcome = shop.tdv("upgrade", "shop")
    assert outcome.exit_code == 11
    assert USERS_FILE in outcome.stderr


def test_place_that_nothing_tells_has_to_be_given(tmp_path: Path) -> None:
    spec = SPEC.replace('compat:\n  migration: {from: "0001"}   # where the schema stands\n', "")
    shop = migrating(tmp_path / "repo", PLAN, files={**SHOP, SPEC_FILE: spec})
    outcome = shop.tdv("upgrade", "shop", "--to", "0002")
    assert outcome.exit_code == 2
    assert "tdv upgrade shop --from REVISION --to 0002" in outcome.stderr
    upgraded(shop, "--from", "0001", "--to", "0002")
    assert "compat" not in shop.read(SPEC_FILE)


def test_upgrade_goes_forward_only(tmp_path: Path) -> None:
    shop = migrating(tmp_path / "repo", PLAN)
    outcome = shop.tdv("upgrade", "shop", "--from", "0002", "--to", "0001")
    assert outcome.exit_code == 2
    assert "does not come after" in outcome.stderr


def test_release_that_is_named_must_be_what_the_sources_are(tmp_path: Path) -> None:
    shop = migrating(tmp_path / "repo", PLAN)
    shop.tdv("release", "shop", "1.0.0", expect=0)
    assert shop.tdv("upgrade", "shop@v1.0.0", "--dry-run").exit_code == 0
    shop.write({USERS_FILE: USERS.replace("London", "Leeds").encode()}).commit("Move Ada")
    outcome = shop.tdv("upgrade", "shop@v1.0.0", "--dry-run")
    assert outcome.exit_code == 11
    assert "not those of shop@v1.0.0" in outcome.stderr


def test_dataset_that_extends_another_is_upgraded_with_it(tmp_path: Path) -> None:
    many = {
        "datasets/shop-large/dataset.yaml": "dataset: shop-large\nextends: shop\ntables: {users: {checks: [id > 0]}}\n"
    }
    shop = migrating(tmp_path / "repo", PLAN, 'op.drop_table("orders")', files={**SHOP, **many})
    outcome = shop.tdv("upgrade", "shop-large")
    assert outcome.exit_code == 11
    assert "tdv upgrade shop" in outcome.stderr
    upgraded(shop, "--to", "0002")
    assert shop.tdv("build", "shop-large").exit_code == 0
    large = "dataset: shop-large\nextends: shop\ntables: {orders: {rows: 0, columns: {total: {minimum: 0}}}}\n"
    shop.write({"datasets/shop-large/dataset.yaml": large.encode()}).commit("Look at totals")
    outcome = shop.tdv("upgrade", "shop", "--to", "0003")
    assert outcome.exit_code == 16
    assert "The spec of shop-large does not fit what shop becomes" in outcome.stderr
    assert shop.git("status", "--short", "datasets/shop") == ""


def test_references_into_another_dataset_are_loaded_with_it(tmp_path: Path) -> None:
    colours = "dataset: colours\ntables:\n  colours:\n    key: [id]\n    columns:\n      id: {type: string}\n"
    paints = (
        'dataset: shop\ncompat: {migration: {from: "0001"}}\nrequires: {colours: "^1.0"}\ntables:\n  paints:\n'
        "    key: [id]\n    columns:\n      id: {type: int64}\n"
        '      colour: {type: string, references: "colours:colours.id"}\n'
    )
    files = {
        "datasets/colours/dataset.yaml": colours,
        "datasets/colours/seeds/colours.csv": "id\nred\n",
        SPEC_FILE: paints,
        f"{DATASET}/seeds/paints.csv": "id,colour\n1,red\n",
    }
    first = """
        op.execute("CREATE TABLE colours (id TEXT PRIMARY KEY)")
        op.execute("CREATE TABLE paints (id BIGINT PRIMARY KEY, colour TEXT NOT NULL REFERENCES colours (id))")
        """
    second = """
        op.execute("ALTER TABLE paints ADD COLUMN name TEXT")
        op.execute("UPDATE paints SET name = (SELECT 'light ' || id FROM colours WHERE id = colour)")
        """
    shop = migrating(tmp_path / "repo", files=files)
    shop.write(migrations(first, second)).commit("Paint")
    shop.tdv("release", "colours", "1.0.0", expect=0)
    answer = upgraded(shop)
    assert rules(answer) == [("column-added", "paints", "name")]
    assert shop.read(f"{DATASET}/seeds/paints.csv") == "id,colour,name\n1,red,light red\n"
    assert 'colour: {type: string, references: "colours:colours.id"}' in shop.read(SPEC_FILE)


ALONE = """\
scenario: bankrupt
title: The same user without money
standalone: true
rows:
  users:
    ada: {id: 1, email: ada@example.test, active: false, balance: 0, joined_at: as_of, visits: 3}
expect: ["SELECT visits = 3 AND balance = 0 FROM users WHERE id = $ada", "SELECT sum(visits) = 3 FROM users"]
"""


def test_standalone_scenario_goes_through_the_migrations_by_itself(tmp_path: Path) -> None:
    body = """
        op.execute("UPDATE users SET balance = balance + 1")
        with op.batch_alter_table("users") as users:
            users.alter_column("visits", new_column_name="calls")
        """
    path = f"{DATASET}/scenarios/bankrupt.yaml"
    shop = migrating(tmp_path / "repo", body, files={**SHOP, path: ALONE})
    notes = upgraded(shop)["notes"]
    text = shop.read(path)
    assert 'balance: "1.00", joined_at: as_of, calls: 3}' in text
    assert 'expect: ["SELECT sum(calls) = 3 FROM users"]' in text
    broken = "SELECT visits = 3 AND balance = 0 FROM users WHERE id = $ada, which is not so any more"
    assert notes == [f"an expectation of {path}: {broken}"]


GENERATED = """\
dataset: shop
seed: 7
tables:
  users:
    rows: 40
    key: [id]
    columns:
      id:    {type: int64, generate: {sequence: {start: 1}}}
      email: {type: string, generate: {template: "{name}.{id}@example.test"}}   # as IT makes them
      name:  {type: string, generate: {faker: first_name}}
      level: {type: int16, generate: {choice: [1, 2, 3]}}
  visits:
    rows: 100
    key: [id]
    columns:
      id:      {type: int64, generate: {sequence: {start: 1}}}
      user_id: {type: int64, references: users.id, generate: {pick: {skew: 1.1}}}
"""
TABLES = """
    op.create_table(
        "users",
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("level", sa.SmallInteger, nullable=False),
    )
    op.create_table(
        "visits",
        sa.Column("id", sa.BigInteger, primary_key=True),
        sa.Column("user_id", sa.BigInteger, sa.ForeignKey("users.id"), nullable=False),
    )
    """


def generated(root: Path, body: str) -> Repository:
    """A dataset without a hand-written row, at 0001."""
    repository = migrating(root, body, files={SPEC_FILE: GENERATED})
    return repository.write(migrations(TABLES, body)).commit("Generate everything")


def test_generators_stay_where_they_make_what_the_migrations_left(tmp_path: Path) -> None:
    body = """
        op.add_column("users", sa.Column("plan", sa.Text, nullable=False, server_default="free"))
        op.add_column("users", sa.Column("left_on", sa.Date))
        with op.batch_alter_table("users") as users:
            users.alter_column("email", new_column_name="mail")
            users.alter_column("level", type_=sa.BigInteger)
        """
    shop = generated(tmp_path / "repo", body)
    answer = upgraded(shop, "--from", "0001")
    assert answer["frozen"] == []
    assert answer["files"] == [SPEC_FILE]
    spec = shop.read(SPEC_FILE)
    assert 'mail:  {type: string, generate: {template: "{name}.{id}@example.test"}}   # as IT makes them' in spec
    assert "plan:  {type: string, generate: {constant: free}}" in spec
    assert "left_on: {type: date, nullable: true}" in spec


def test_what_no_generator_makes_is_named_and_frozen_on_request(tmp_path: Path) -> None:
    body = """
        op.execute("UPDATE users SET level = id % 7 WHERE id > 30")
        op.execute("DELETE FROM visits WHERE id = 100")
        """
    shop = generated(tmp_path / "repo", body)
    outcome = shop.tdv("upgrade", "shop", "--from", "0001")
    assert outcome.exit_code == 11
    assert "users.level: its generated values changed; visits: 1 of its generated rows are gone" in outcome.stderr
    assert "--freeze turns the generated rows of users, visits into seeds" in outcome.stderr
    assert shop.git("status", "--short") == ""
    answer = upgraded(shop, "--from", "0001", "--freeze")
    assert answer["frozen"] == ["users", "visits"]
    assert "generate" not in shop.read(SPEC_FILE)
    assert "rows:" not in shop.read(SPEC_FILE)
    assert "# as IT makes them" in shop.read(SPEC_FILE)
    assert len(shop.read(USERS_FILE).splitlines()) == 41


def test_rename_that_changes_generated_values_freezes_what_depends_on_it(tmp_path: Path) -> None:
    shop = generated(tmp_path / "repo", 'op.rename_table("visits", "calls")')
    outcome = shop.tdv("upgrade", "shop", "--from", "0001")
    assert outcome.exit_code == 11
    assert "calls.user_id: a build makes other values than the migrations left" in outcome.stderr
    assert upgraded(shop, "--from", "0001", "--freeze")["frozen"] == ["calls"]

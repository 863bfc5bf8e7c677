"""Scenarios: labels, the clock, made-up keys, expectations, and what they bring with them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path

import pyarrow as pa
import pytest

from tdv.errors import DocumentError
from tdv.model.schema import Reference, Rules, TableSchema
from tdv.model.spec import DatasetSpec, GeneratorSpec, TableSpec
from tdv.seeds import Scenario, load_scenarios
from tests.seeds.builders import columns, dataset

CUSTOMERS = TableSchema("customers", columns(id="int64", email="string"), key=("id",))
ORDERS = TableSchema(
    "orders",
    columns(id="int64", customer_id="int64", total="decimal(10,2)", currency="string"),
    key=("id",),
    references=(Reference(("customer_id",), "customers", ("id",)),),
)
PAYMENTS = TableSchema(
    "payments",
    columns(id="uuid", order_id="int64", status="string", at="timestamptz"),
    key=("id",),
    references=(Reference(("order_id",), "orders", ("id",)),),
)
SHOP = dataset(CUSTOMERS, ORDERS, PAYMENTS)
RETRY = """
scenario: payment-retry
owner: qa-payments
tests: [tests/test_payments.py::test_retry]
rows:
  customers: {ada: {email: ada@example.test}}
  orders: {first: {customer_id: $ada, total: "42.00", currency: EUR}}
  payments:
    failed: {order_id: $first, status: failed, at: as_of}
    paid: {order_id: $first, status: paid, at: as_of + 30s}
expect:
  - SELECT count(*) = 2 FROM payments WHERE order_id = $first
"""


def load(directory: Path, spec: DatasetSpec, **files: str) -> tuple[Scenario, ...]:
    place = directory / "datasets" / "shop"
    (place / "scenarios").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (place / "scenarios" / f"{name.replace('_', '-')}.yaml").write_text(text.rstrip() + "\ntitle: Test\n")
    return load_scenarios(spec, place)


def one(directory: Path, spec: DatasetSpec, rows: str, rest: str = "") -> Scenario:
    (scenario,) = load(directory, spec, one=f"scenario: one\nrows:\n{rows}\n{rest}")
    return scenario


def problems(directory: Path, spec: DatasetSpec, **files: str) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        load(directory, spec, **files)
    return [str(problem).removeprefix("datasets/shop/scenarios/") for problem in caught.value.problems]


def test_labels_stand_for_keys_and_as_of_for_the_clock(tmp_path: Path) -> None:
    (scenario,) = load(tmp_path, SHOP, payment_retry=RETRY)
    (ada,) = scenario.labels["customers"]["ada"]
    (first,) = scenario.labels["orders"]["first"]
    assert (scenario.name, scenario.owner, scenario.standalone) == ("payment-retry", "qa-payments", False)
    assert scenario.rows["customers"].to_pylist() == [{"id": ada, "email": "ada@example.test"}]
    assert scenario.rows["orders"].column("customer_id").to_pylist() == [ada]
    assert scenario.rows["payments"].column("order_id").to_pylist() == [first, first]
    assert scenario.rows["payments"].column("at").to_pylist() == [
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC),
    ]
    (expectation,) = scenario.expect
    assert expectation.sql == f"SELECT count(*) = 2 FROM payments WHERE order_id = {first}"
    assert (expectation.scenario, expectation.line) == ("payment-retry", 12)


def test_made_up_keys_are_frozen(tmp_path: Path) -> None:
    (scenario,) = load(tmp_path, SHOP, payment_retry=RETRY)
    assert scenario.labels == {
        "customers": {"ada": (5579693998191698,)},
        "orders": {"first": (7950141597996753,)},
        "payments": {
            "failed": ("22427c59-fe21-5c9b-a3f3-5033dcf1791c",),
            "paid": ("e8f88a77-8209-509c-85df-99034cc4a0f3",),
        },
    }


@pytest.mark.parametrize(("kind", "bits"), [("int16", 15), ("int32", 31), ("int64", 53)])
def test_made_up_numbers_lie_in_the_upper_half_of_the_type(tmp_path: Path, kind: str, bits: int) -> None:
    spec = dataset(TableSchema("t", columns(id=kind), key=("id",)))
    scenario = one(tmp_path, spec, "  t: {" + ", ".join(f"l{index}: {{}}" for index in range(50)) + "}")
    assert all(2 ** (bits - 1) <= key < 2**bits for (key,) in scenario.labels["t"].values())


def test_made_up_numbers_respect_the_maximum(tmp_path: Path) -> None:
    (column,) = columns(id="int64")
    bounded = type(column)(column.name, column.type, rules=Rules(maximum=1000))
    scenario = one(tmp_path, dataset(TableSchema("t", (bounded,), key=("id",))), "  t: {a: {}, b: {}}")
    assert all(500 < key <= 1000 for (key,) in scenario.labels["t"].values())


def test_made_up_text_names_scenario_and_label(tmp_path: Path) -> None:
    scenario = one(tmp_path, dataset(TableSchema("t", columns(code="string"), key=("code",))), "  t: {gold: {}}")
    assert scenario.labels["t"]["gold"] == ("one-gold",)


def test_keys_do_not_depend_on_other_rows_or_their_order(tmp_path: Path) -> None:
    first = one(tmp_path, SHOP, "  customers: {a: {email: x}, b: {email: y}}")
    second = one(tmp_path, SHOP, "  customers: {c: {email: z}, b: {email: y}, a: {email: x}}")
    assert first.labels["customers"].items() <= second.labels["customers"].items()


def test_given_keys_are_kept_and_labels_point_at_them(tmp_path: Path) -> None:
    rows = "  customers: {ada: {id: 7, email: x}}\n  orders: {o: {id: 9, customer_id: $ada, total: 1, currency: EUR}}"
    scenario = one(tmp_path, SHOP, rows)
    assert scenario.rows["orders"].to_pylist()[0]["customer_id"] == 7
    assert scenario.labels["orders"] == {"o": (9,)}


def test_composite_keys_self_references_and_other_referenced_columns(tmp_path: Path) -> None:
    people = TableSchema(
        "people",
        columns(id="int32", email="string", boss="int32?"),
        key=("id",),
        uniques=(("email",),),
        references=(Reference(("boss",), "people", ("id",)),),
    )
    lines = TableSchema("lines", columns(owner="string", line="int16"), key=("owner", "line"))
    notes = TableSchema(
        "notes",
        columns(id="int32", owner="string", line="int16", by="string"),
        key=("id",),
        references=(
            Reference(("owner", "line"), "lines", ("owner", "line")),
            Reference(("by",), "people", ("email",)),
        ),
    )
    text = """
  people: {chief: {email: c@x}, worker: {email: w@x, boss: $chief}}
  lines: {first: {owner: ann, line: 3}}
  notes: {n: {owner: $first, line: $first, by: $worker}}
"""
    scenario = one(
        tmp_path, dataset(people, lines, notes), text, "expect: ['SELECT (owner, line) = $first FROM notes']"
    )
    (chief,) = scenario.labels["people"]["chief"]
    assert scenario.rows["people"].column("boss").to_pylist() == [None, chief]
    assert scenario.rows["notes"].to_pylist()[0] | {"id": 0} == {"id": 0, "owner": "ann", "line": 3, "by": "w@x"}
    assert scenario.expect[0].sql == "SELECT (owner, line) = ('ann', 3) FROM notes"


def test_key_that_is_a_reference_follows_its_label(tmp_path: Path) -> None:
    details = TableSchema(
        "details", columns(id="int64", x="string"), key=("id",), references=(Reference(("id",), "customers", ("id",)),)
    )
    spec = dataset(CUSTOMERS, details)
    scenario = one(tmp_path, spec, "  customers: {ada: {email: x}}\n  details: {more: {id: $ada, x: y}}")
    assert scenario.labels["details"]["more"] == scenario.labels["customers"]["ada"]
    text = "scenario: two\nrows:\n  details: {more: {x: y}}\n"
    assert "say which row it names" in problems(tmp_path, spec, two=text)[0]


def test_moments_fit_the_type_of_their_column(tmp_path: Path) -> None:
    spec = dataset(TableSchema("t", columns(id="int32", d="date", t="time", ts="timestamp", s="string"), key=("id",)))
    row = "{d: as_of - 1d, t: as_of + 1h30m, ts: as_of - 2w, s: as_of}"
    found = one(tmp_path, spec, f"  t: {{a: {row}}}").rows["t"].to_pylist()[0]
    del found["id"]
    assert found == {"d": date(2025, 12, 31), "t": time(1, 30), "ts": datetime(2025, 12, 18), "s": "as_of"}


def test_dollar_is_escaped_by_a_second_one_and_harmless_in_other_text(tmp_path: Path) -> None:
    spec = dataset(TableSchema("t", columns(id="int32", s="string"), key=("id",)))
    scenario = one(tmp_path, spec, "  t: {a: {s: $$ada}, b: {s: $5.00}, c: {s: '$'}, d: {s: 'US$ada'}}")
    assert scenario.rows["t"].column("s").to_pylist() == ["$ada", "$5.00", "$", "US$ada"]


def test_expectations_bind_labels_safely(tmp_path: Path) -> None:
    spec = dataset(TableSchema("t", columns(code="string"), key=("code",)))
    sql = """SELECT $a, '$a', "$a", $$ $a $$, $x$ $a $x$, E'\\'$a' -- $a
, $t.a /* $a */"""
    indented = sql.replace("\n", "\n    ")
    scenario = one(tmp_path, spec, '  t: {a: {code: "it\'s; DROP"}}', f"expect:\n  - |-\n    {indented}\n")
    bound = """SELECT 'it''s; DROP', '$a', "$a", $$ $a $$, $x$ $a $x$, E'\\'$a' -- $a
, 'it''s; DROP' /* $a */"""
    assert scenario.expect[0].sql == bound


@pytest.mark.parametrize(
    ("kind", "value", "literal"),
    [
        ("int32", "-5", "(-5)"),
        ("decimal(5,2)", "1.5", "CAST('1.50' AS DECIMAL(5,2))"),
        ("date", "2026-01-31", "DATE '2026-01-31'"),
        ("timestamp", "2026-01-31", "TIMESTAMP '2026-01-31T00:00:00'"),
        ("timestamptz", "'2026-01-31T00:00:00+01:00'", "TIMESTAMPTZ '2026-01-30T23:00:00Z'"),
        ("time", "'12:00:00'", "TIME '12:00:00'"),
        ("binary", "00ff", "from_hex('00ff')"),
        ("bool", "true", "TRUE"),
        ("uuid", "123E4567-e89b-12d3-a456-426614174000", "'123e4567-e89b-12d3-a456-426614174000'"),
    ],
)
def test_literals_mean_the_same_to_the_sandbox(tmp_path: Path, kind: str, value: str, literal: str) -> None:
    from tdv.content.sandbox import Sandbox

    spec = dataset(TableSchema("t", columns(k=kind), key=("k",)))
    scenario = one(tmp_path, spec, f"  t: {{a: {{k: {value}}}}}", "expect: [SELECT bool_and(k = $a) FROM t]")
    assert literal in scenario.expect[0].sql
    with Sandbox() as sandbox:
        sandbox.add("t", scenario.rows["t"])
        assert sandbox.query(scenario.expect[0].sql).column(0).to_pylist() == [True]


def test_rows_of_a_table_without_key_have_labels_without_key(tmp_path: Path) -> None:
    spec = dataset(TableSchema("log", columns(line="string")))
    scenario = one(tmp_path, spec, "  log: {a: {line: x}, b: {line: x}}")
    assert scenario.labels["log"] == {"a": (), "b": ()}
    assert scenario.rows["log"].num_rows == 2


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (
            "  custmers: {a: {}}",
            "one.yaml:3: rows.custmers: the dataset shop has no such table; did you mean 'customers'?",
        ),
        (
            "  customers: {a: {emial: x}}",
            "one.yaml:3: emial: the table 'customers' has no such column; did you mean 'email'?",
        ),
        ("  customers: {a: {email: 5}}", "one.yaml:3: email: expected text, got 5"),
        ("  customers:\n    a: {email: x}\n    b: {}", "one.yaml:5: email: NULL in a column that is not nullable"),
        ("  customers: {a-b: {email: x}}", None),
        ("  customers: {a: {email: $nobody}}", "one.yaml:3: rows.customers.a.email: no row has the label 'nobody'"),
        (
            "  customers: {a: {id: $b, email: x}, b: {id: $a, email: x}}",
            "one.yaml:3: rows.customers.a.id: the labels lead back to this value in a circle",
        ),
        ("  payments: {p: {order_id: 1, status: x, at: as_of plus 1d}}", None),
        (
            "  customers: {a: {id: 1, email: x}, b: {id: 1, email: x}}",
            "one.yaml:3: 'b': the key id=1 stands already in datasets/shop/scenarios/one.yaml:3 (a)",
        ),
    ],
)
def test_mistakes_in_rows_are_named(tmp_path: Path, rows: str, problem: str | None) -> None:
    found = problems(tmp_path, SHOP, one=f"scenario: one\nrows:\n{rows}\n")
    assert problem is None or problem in found
    assert all(item.startswith("one.yaml:") for item in found)


def test_mistakes_of_all_files_come_together(tmp_path: Path) -> None:
    bad = "scenario: {}\nrows:\n  customers: {{a: {{email: $b}}}}\n"
    found = problems(
        tmp_path, SHOP, one=bad.format("one"), two=bad.format("zwei"), three="scenario: three\n", four="a: ["
    )
    assert [item.split(":")[0] for item in found] == ["four.yaml", "one.yaml", "three.yaml", "two.yaml"]


def test_ambiguous_label_asks_for_the_table(tmp_path: Path) -> None:
    rows = "  customers: {x: {id: 1, email: a}}\n  orders: {x: {id: 2, customer_id: $x, total: 1, currency: E}}"
    scenario = one(tmp_path, SHOP, rows, "expect: ['SELECT $orders.x']")
    assert scenario.rows["orders"].column("customer_id").to_pylist() == [1]
    assert scenario.expect[0].sql == "SELECT 2"
    text = f"scenario: two\nrows:\n{rows}\nexpect: ['SELECT $x']\n"
    assert "write $customers.x or $orders.x" in problems(tmp_path, SHOP, two=text)[0]


def test_one_key_in_two_scenarios_is_refused_unless_standalone(tmp_path: Path) -> None:
    text = "scenario: {}\nrows:\n  customers: {{a: {{id: 1, email: x}}}}\n{}"
    found = problems(tmp_path, SHOP, one=text.format("one", ""), two=text.format("two", ""))
    assert found == ["two.yaml:3: 'a': the key id=1 stands already in datasets/shop/scenarios/one.yaml:3 (a)"]
    assert len(load(tmp_path, SHOP, two=text.format("two", "standalone: true\n"))) == 2


def test_derived_column_may_be_absent_except_in_a_standalone_scenario(tmp_path: Path) -> None:
    schema = TableSchema("t", columns(id="int32", twice="int32"), key=("id",))
    spec = dataset(TableSpec(schema, generators={"twice": GeneratorSpec("derive", "id * 2")}))
    assert one(tmp_path, spec, "  t: {a: {id: 1}}").rows["t"].column("twice").null_count == 1
    text = "scenario: one\nstandalone: true\nrows:\n  t: {a: {id: 1}}\n"
    assert "the column is missing" in problems(tmp_path, spec, one=text)[0]


def test_rows_are_canonical(tmp_path: Path) -> None:
    spec = dataset(TableSchema("t", columns(id="int32", j="json", l="list<int32>"), key=("id",)))
    scenario = one(tmp_path, spec, "  t: {a: {id: 1, j: {b: 1.0, a: [$a]}, l: [1, 2]}}")
    assert scenario.rows["t"].to_pylist() == [{"id": 1, "j": '{"a":[1],"b":1}', "l": [1, 2]}]
    assert isinstance(scenario.rows["t"], pa.Table)

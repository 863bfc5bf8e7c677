from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from tdv.content.arrow import arrow_schema
from tdv.model.report import Check, Report
from tdv.model.scenario import Expectation
from tdv.model.schema import Column, DatasetSchema, Reference, Rules, TableSchema
from tdv.model.types import LogicalType
from tdv.validate import Tables, ValidateOptions, validate

MIDNIGHT = datetime(2020, 1, 1, tzinfo=UTC)


def column(name: str, kind: str, *, nullable: bool = False, privacy: str | None = None, **rules: Any) -> Column:
    return Column(name, LogicalType.parse(kind), nullable, Rules(**rules), privacy)


def rows(table: TableSchema, **columns: list[Any]) -> pa.Table:
    return pa.table(columns, schema=arrow_schema(table))


class Parts:
    """Tables cut into parts of two rows, to meet the seams."""

    def __init__(self, tables: dict[str, pa.Table]) -> None:
        self.tables = tables

    def batches(self, name: str, columns: Any = None) -> Any:
        table = self.tables[name]
        for start in range(0, max(table.num_rows, 1), 2):
            part = table.slice(start, 2)
            yield part if columns is None else part.select(list(columns))


def failures(report: Report) -> list[Check]:
    return [check for check in report.checks if not check.ok]


def one(table: TableSchema, options: ValidateOptions | None = None, **columns: list[Any]) -> Report:
    return validate("shop", DatasetSchema((table,)), Parts({table.name: rows(table, **columns)}), options)


ID = column("id", "int64")


@pytest.mark.parametrize(
    ("kind", "rules", "good", "bad"),
    [
        ("int16", {"minimum": 0}, [0, 5], [-1]),
        ("int64", {"minimum": 0.5}, [1], [0]),
        ("int64", {"maximum": 2**70}, [2**62], []),
        ("int64", {"minimum": 2**70}, [], [2**62]),
        ("float64", {"minimum": 0}, [0.0, 1.0], [-0.1, float("nan")]),
        ("decimal(6,2)", {"minimum": 0.005}, [Decimal("0.01")], [Decimal("0.00")]),
        ("decimal(6,2)", {"maximum": "10.00"}, [Decimal("10.00")], [Decimal("10.01")]),
        ("decimal(4,2)", {"minimum": 1000}, [], [Decimal("99.99")]),
        ("date", {"minimum": "2020-01-01"}, [date(2020, 1, 1)], [date(2019, 12, 31)]),
        ("time", {"maximum": "12:00:00"}, [time(12)], [time(12, 0, 1)]),
        ("timestamp", {"minimum": "2020-01-01"}, [datetime(2020, 1, 1)], [datetime(2019, 12, 31, 23, 59, 59)]),
        ("timestamptz", {"minimum": "2020-01-01T01:00:00+01:00"}, [MIDNIGHT], [MIDNIGHT - timedelta(seconds=1)]),
        ("timestamptz", {"maximum": "2020-01-01T00:00:00"}, [MIDNIGHT], [MIDNIGHT + timedelta(seconds=1)]),
        ("binary", {"min_length": 2}, [b"ab"], [b"a"]),
        ("string", {"min_length": 2}, ["éé"], ["é", ""]),
        ("string", {"max_length": 1}, ["é", ""], ["éé"]),
        ("string", {"pattern": "^a+$"}, ["aa"], ["ab"]),
        ("string", {"pattern": "^(?!x)a"}, ["ab"], ["xa", "b"]),
        ("string", {"enum": ("a", "b")}, ["a", "b"], ["c"]),
        ("int32", {"enum": (1, 2)}, [1, 2], [3]),
        ("list<int64>", {"max_length": 1}, [[1], []], [[1, 2]]),
        ("string", {"format": "email"}, ["a@b", "a@b.test"], ["a", "@b", "a@", "a@b@c", "a b@c"]),
        ("string", {"format": "date"}, ["2020-02-01"], ["2020-13-01", "2020-2-1"]),
        ("string", {"format": "date-time"}, ["2020-02-01T10:00:00Z"], ["2020-02-01 10:00"]),
        ("string", {"format": "ipv4"}, ["127.0.0.1"], ["256.0.0.1", "1.2.3"]),
        ("string", {"format": "uri"}, ["https://a.test/x?y"], ["a b", "//x"]),
        ("string", {"format": "hostname"}, ["a-b.test"], ["-a", "a..b"]),
        ("string", {"format": "of-our-own"}, ["anything"], []),
    ],
)
def test_column_rules(kind: str, rules: dict[str, Any], good: list[Any], bad: list[Any]) -> None:
    table = TableSchema("t", (column("v", kind, nullable=True, **rules),))
    assert one(table, v=[*good, None]).ok
    found = failures(one(table, v=[None, *good, *bad]))
    assert sum(check.count for check in found) == len(bad)


def test_null_where_none_may_be() -> None:
    table = TableSchema("users", (ID, column("age", "int16")), key=("id",))
    (check,) = failures(one(table, id=[1, 2, 3], age=[5, None, None]))
    assert (check.rule, check.count, check.message) == ("not-null(age)", 2, "2 rows whose age is null")
    assert check.examples == ({"id": 2, "age": None}, {"id": 3, "age": None})


def test_private_values_are_hidden_unless_asked_for() -> None:
    table = TableSchema("users", (ID, column("email", "string", privacy="email", format="email")), key=("id",))
    (check,) = failures(one(table, id=[1], email=["secret"]))
    assert "secret" not in str(check)
    assert check.examples == ({"id": 1, "email": "<private: email>"},)
    (check,) = failures(one(table, ValidateOptions(reveal=True), id=[1], email=["secret"]))
    assert check.examples == ({"id": 1, "email": "secret"},)


def test_examples_are_the_first_and_few() -> None:
    table = TableSchema("t", (ID, column("v", "int16", minimum=0)), key=("id",))
    (check,) = failures(one(table, ValidateOptions(examples=3), id=list(range(9)), v=[-1] * 9))
    assert check.count == 9
    assert [row["id"] for row in check.examples] == [0, 1, 2]


@pytest.mark.parametrize(
    ("kind", "values", "extra"),
    [
        ("int64", [3, 1, 2], 0),
        ("int64", [1, 2, 3, 2, 2], 2),
        ("string", ["a", "b", "c"], 0),
        ("string", ["b", "a", "b"], 1),
        ("string", [None, "a", None], 0),
        ("date", [date(2020, 1, 1), date(2020, 1, 1)], 1),
        ("decimal(9,2)", [Decimal("1.00"), Decimal("1.00")], 1),
    ],
)
def test_unique_column(kind: str, values: list[Any], extra: int) -> None:
    table = TableSchema("t", (ID, column("v", kind, nullable=True)), key=("id",), uniques=(("v",),))
    found = failures(one(table, id=list(range(len(values))), v=values))
    assert sum(check.count for check in found) == extra
    assert all(check.rule == "unique(v)" and check.examples for check in found)


def test_composite_key_and_unique() -> None:
    table = TableSchema("t", (column("a", "int64"), column("b", "string")), key=("a", "b"))
    assert one(table, a=[1, 1, 2], b=["x", "y", "x"]).ok
    (check,) = failures(one(table, a=[1, 2, 1], b=["x", "y", "x"]))
    assert (check.rule, check.count) == ("key(a, b)", 1)
    assert check.examples == ({"a": 1, "b": "x"}, {"a": 1, "b": "x"})


USERS = TableSchema("users", (ID,), key=("id",))


def orders(kind: str = "int64") -> TableSchema:
    reference = Reference(("user_id",), "users", ("id",))
    return TableSchema("orders", (ID, column("user_id", kind, nullable=True)), key=("id",), references=(reference,))


@pytest.mark.parametrize("base", [0, 10**12])
@pytest.mark.parametrize("spread", [1, 10**9])
def test_orphans_are_named(base: int, spread: int) -> None:
    keys = [base + spread * index for index in range(4)]
    schema = DatasetSchema((orders(), USERS))
    tables = {
        "users": rows(USERS, id=keys),
        "orders": rows(orders(), id=[1, 2, 3, 4, 5], user_id=[keys[0], None, keys[3], keys[3] + 1, -7]),
    }
    (check,) = failures(validate("shop", schema, Parts(tables)))
    assert (check.table, check.rule, check.count) == ("orders", "reference((user_id) → users(id))", 2)
    assert [row["user_id"] for row in check.examples] == [keys[3] + 1, -7]


def test_reference_by_text_and_between_widths() -> None:
    countries = TableSchema("countries", (column("code", "string"),), key=("code",))
    reference = Reference(("country",), "countries", ("code",))
    cities = TableSchema("cities", (column("country", "string"),), references=(reference,))
    tables = {"countries": rows(countries, code=["at", "de"]), "cities": rows(cities, country=["de", "fr", "at"])}
    (check,) = failures(validate("geo", DatasetSchema((countries, cities)), Parts(tables)))
    assert check.examples == ({"country": "fr"},)
    narrow = orders("int16")
    tables = {"users": rows(USERS, id=[1]), "orders": rows(narrow, id=[1, 2], user_id=[1, 2])}
    (check,) = failures(validate("shop", DatasetSchema((USERS, narrow)), Parts(tables)))
    assert check.count == 1


def test_reference_to_itself_and_to_an_empty_table() -> None:
    reference = Reference(("boss",), "staff", ("id",))
    staff = TableSchema("staff", (ID, column("boss", "int64", nullable=True)), key=("id",), references=(reference,))
    assert one(staff, id=[1, 2], boss=[None, 1]).ok
    assert failures(one(staff, id=[1, 2], boss=[9, 1]))[0].examples == ({"id": 1, "boss": 9},)
    tables = {"users": rows(USERS, id=[]), "orders": rows(orders(), id=[1], user_id=[1])}
    assert failures(validate("shop", DatasetSchema((USERS, orders())), Parts(tables)))[0].count == 1


def test_composite_reference() -> None:
    parent = TableSchema("p", (column("a", "int64"), column("b", "string")), key=("a", "b"))
    reference = Reference(("x", "y"), "p", ("a", "b"))
    child_columns = (column("x", "int32", nullable=True), column("y", "string"))
    child = TableSchema("c", child_columns, references=(reference,))
    tables = {
        "p": rows(parent, a=[1, 2], b=["x", "y"]),
        "c": rows(child, x=[1, 2, 1, None], y=["x", "y", "y", "nowhere"]),
    }
    (check,) = failures(validate("d", DatasetSchema((parent, child)), Parts(tables)))
    assert check.examples == ({"x": 1, "y": "y"},)


def test_reference_into_another_dataset() -> None:
    reference = Reference(("user_id",), "users", ("id",), dataset="people")
    table = TableSchema("orders", (column("user_id", "int64"),), references=(reference,))
    people = Tables({"users": rows(USERS, id=[1])})
    options = ValidateOptions(others={"people": people})
    assert failures(one(table, options, user_id=[1, 2]))[0].count == 1
    (check,) = failures(one(table, user_id=[1]))
    assert "people is not there" in check.message


def test_reference_between_types_that_cannot_be_compared() -> None:
    tables = {"users": rows(USERS, id=[1]), "orders": rows(orders("string"), id=[1], user_id=["1"])}
    (check,) = failures(validate("shop", DatasetSchema((USERS, orders("string"))), Parts(tables)))
    assert "differ in type" in check.message


def test_checks_pass_on_null_and_show_rows() -> None:
    table = TableSchema(
        "t", (ID, column("v", "int64", nullable=True)), key=("id",), checks=("v > 0 -- positive", "id > 0")
    )
    (check,) = failures(one(table, id=[1, 2, 3], v=[1, None, -1]))
    assert (check.rule, check.count, check.examples) == ("check(v > 0 -- positive)", 1, ({"id": 3, "v": -1},))


def test_invariants_and_expectations() -> None:
    schema = DatasetSchema((USERS,), invariants=("SELECT id FROM users WHERE id > 2", "SELECT 1 WHERE false"))
    expectations = (Expectation("first", "SELECT count(*) = 3 FROM users"), Expectation("second", "SELECT NULL"))
    report = validate(
        "s", schema, Tables({"users": rows(USERS, id=[1, 2, 3])}), ValidateOptions(expectations=expectations)
    )
    assert [(check.rule, check.count) for check in failures(report)] == [
        ("invariant(SELECT id FROM users WHERE id > 2)", 1),
        ("expect(second: SELECT NULL)", 1),
    ]
    assert failures(report)[0].examples == ({"id": 3},)


def test_rows_of_an_invariant_may_hold_values_of_any_type() -> None:
    sql = (
        "SELECT a.id, b.id, NULL AS nothing, 'NULL' AS word, 0.5::double AS part, 'nan'::double AS none, '\\xff'::blob"
        " AS bytes, timestamp_ns '2026-01-01 00:00:00.000000001' AS at, sum(a.id) OVER () AS sum FROM users a, users b"
    )
    report = validate("s", DatasetSchema((USERS,), invariants=(sql,)), Tables({"users": rows(USERS, id=[1])}))
    assert [list(row.values()) for row in failures(report)[0].examples] == [
        [1, 1, None, "NULL", 0.5, "NaN", "ff", "2026-01-01T00:00:00.000000001", "1"]
    ]


def test_invariant_does_not_give_private_values_away() -> None:
    table = TableSchema("users", (ID, column("email", "string", privacy="email")), key=("id",))
    schema = DatasetSchema((table,), invariants=("SELECT id, email, upper(email) AS big FROM users",))
    report = validate("s", schema, Tables({"users": rows(table, id=[1], email=["secret@x"])}))
    assert "secret" not in str(report).lower()
    assert failures(report)[0].examples == ({"id": 1, "email": "<private>", "big": "<private>"},)


def test_wrong_types_and_unknown_columns() -> None:
    table = TableSchema("t", (ID, column("v", "int64")), key=("id",))
    given = pa.table({"id": pa.array([1], pa.int64()), "v": ["x"], "more": [1]})
    report = validate("s", DatasetSchema((table,)), Tables({"t": given}))
    assert [check.rule for check in failures(report)] == ["type(v)", "unknown-column(more)"]
    (check,) = failures(validate("s", DatasetSchema((table,)), Tables({"t": given.select(["id"])})))
    assert check.message == "v is missing"
    lenient = ValidateOptions(strict=frozenset())
    given = given.set_column(1, "v", pa.array([1], pa.int64()))
    assert validate("s", DatasetSchema((table,)), Tables({"t": given}), lenient).ok


def test_report_names_every_rule_once() -> None:
    table = TableSchema("t", (column("id", "int64", minimum=0),), key=("id",), checks=("id > 0",))
    report = one(table, id=[1])
    assert report.ok
    assert [check.rule for check in report.checks] == [
        "type(id)",
        "not-null(id)",
        "minimum(id)",
        "key(id)",
        "check(id > 0)",
    ]
    assert report.to_plain()["ok"] is True

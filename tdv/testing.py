"""For authors of target adapters: the contract that every adapter passes, and what it takes to test one.

In: a subclass of `TargetContract` that says how to reach a fresh target. Out: pytest tests. Always holds: the suite
uses the public verbs alone, so that an adapter that passes works with every command.

    class TestMine(TargetContract):
        @pytest.fixture
        def place(self, tmp_path: Path) -> Target:
            return open_target(TargetSettings(None, "mine://…"), tmp_path / ".tdv")
"""

from __future__ import annotations

import hashlib
import math
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pytest

from tdv.checkout import CheckoutOptions, Wanted, restore
from tdv.content.arrow import arrow_schema
from tdv.content.snapshot import Snapshot
from tdv.errors import DataError, IntegrityError, NotFound, Refused, RemoteError, TargetError, TdvError
from tdv.model.receipt import Receipt
from tdv.model.schema import Column, Reference, TableSchema
from tdv.model.types import LogicalType
from tdv.project.narrower import Narrower
from tdv.snapshot import SnapshotOptions, TableRows, write
from tdv.targets.dialect import dialect_of
from tdv.targets.losses import loss_of
from tdv.targets.protocol import STATE_TABLE, Answering, Findable, Indexed, Queryable, Schemaless, Target
from tdv.targets.verification import target_digest

FIRST: Final = datetime.min.replace(tzinfo=UTC)
LAST: Final = datetime.max.replace(tzinfo=UTC)
NOW: Final = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def table(name: str, columns: Mapping[str, str], key: tuple[str, ...] = ("id",), **more: Any) -> TableSchema:
    """A table from ``{"id": "int64", "age": "int16?"}``, where ``?`` means nullable."""
    described = tuple(
        Column(column, LogicalType.parse(kind.removesuffix("?")), nullable=kind.endswith("?"))
        for column, kind in columns.items()
    )
    return TableSchema(name, described, key, **more)


def snapshot(directory: Path, tables: Mapping[TableSchema, pa.Table], dataset: str = "shop") -> Snapshot:
    """A snapshot in a directory of its own below `directory`; the same one for the same rows."""
    text = repr([(schema, rows.to_pydict()) for schema, rows in tables.items()])
    out = directory / f"snapshot-{dataset}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    if not out.exists():
        rows_of = [TableRows(schema, [rows]) for schema, rows in tables.items()]
        write(rows_of, SnapshotOptions(dataset, seed=1, as_of="2026-01-01T00:00:00Z"), out)
    return Snapshot.open(out)


def wanted(found: Snapshot, version: str = "1.0.0") -> Wanted:
    """A release of a snapshot."""
    return Wanted(found.manifest.dataset, version, found.manifest.digest, lambda: found)


def checkout(directory: Path, place: Target, *found: Snapshot | Wanted, **options: Any) -> Receipt:
    """Restores snapshots, as version 1.0.0, into a target; `directory`/.tdv keeps what tdv remembers."""
    items = [item if isinstance(item, Wanted) else wanted(item) for item in found]
    return restore(items, place, CheckoutOptions(directory / ".tdv", NOW, "execution-1", **options))


def foreseen(directory: Path, place: Target, *found: Snapshot | Wanted, **options: Any) -> TdvError:
    """The error that a checkout ends in, which its dry run has to end in, too: the same in every word."""
    errors = []
    for dry_run in (True, False):
        with pytest.raises(TdvError) as caught:
            checkout(directory, place, *found, dry_run=dry_run, **options)
        errors.append(caught.value)
    planned, real = ((type(error), error.message, error.hint, error.facts) for error in errors)
    assert planned == real
    return errors[0]


USERS: Final = table(
    "users", {"id": "int64", "email": "string", "age": "int16?", "at": "timestamp"}, uniques=(("email",),)
)
HOSTILE: Final = table('../"; DROP TABLE users; --', {"id": "int64", 'a"b': "string", "x'); --": "int64?"})
HOSTILE_ROWS: Final = pa.table(
    {"id": [1, 2], 'a"b': ["'); DROP TABLE users; --", "\\"], "x'); --": pa.array([None, 3], pa.int64())}
)


def users(count: int) -> pa.Table:
    """So many rows for `USERS`; every third has no age."""
    ids = range(1, count + 1)
    return pa.table(
        {
            "id": list(ids),
            "email": [f"user{i}@example.test" for i in ids],
            "age": [None if i % 3 == 0 else i % 90 for i in ids],
            "at": [datetime(2020, 1, 1, i % 24, 0, 0, i % 2, UTC).replace(tzinfo=None) for i in ids],
        },
        schema=arrow_schema(USERS),
    )


EDGES: Final[Mapping[str, tuple[Any, Any]]] = {
    "bool": (False, True),
    "int16": (-(2**15), 2**15 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "float64": (-sys.float_info.max, 5e-324),
    "decimal(10,2)": (Decimal("-99999999.99"), Decimal("99999999.99")),
    "decimal(15,15)": (Decimal("-0.999999999999999"), Decimal("0.000000000000001")),
    "decimal(38,10)": (Decimal("-9999999999999999999999999999.9999999999"), Decimal("0.0000000001")),
    "string": ("", "\t\"NULL\", 'é😀'\r\n\\ -- ;"),
    "binary": (b"", bytes(range(256))),
    "date": (date(1, 1, 1), date(9999, 12, 31)),
    "time": (time(0), time(23, 59, 59, 999999)),
    "timestamp": (FIRST.replace(tzinfo=None), LAST.replace(tzinfo=None)),
    "timestamptz": (FIRST, LAST),
    "uuid": ("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
    "json": ('""', '{"a":[1,"x",null]}'),
    "list<string>": ([], ["a,b", None, ""]),
    "struct<x: int64, y: decimal(5,2)>": ({"x": None, "y": None}, {"x": -1, "y": Decimal("999.99")}),
}
"""The lowest and the highest value of each type that every engine can hold."""


def edges(place: Target) -> tuple[TableSchema, pa.Table]:
    """A table with a column of each type that `place` does not refuse, and rows at the edges and of NULL."""
    kinds = [kind for kind in EDGES if loss_of(LogicalType.parse(kind), place.losses).fate != "refused"]
    schema = table("every thing", {"id": "int64", **{f"a {kind}": f"{kind}?" for kind in kinds}})
    columns = {"id": [-(2**63), 0, 2**63 - 1]}
    values = {f"a {kind}": [EDGES[kind][0], None, EDGES[kind][1]] for kind in kinds}
    return schema, pa.table({**columns, **values}, schema=arrow_schema(schema))


class TargetContract:
    """What an adapter promises. A subclass gives the fixture `place`: a target that nobody has used."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Target:
        """The target under test."""
        raise NotImplementedError

    def test_every_type_comes_back(self, tmp_path: Path, place: Target) -> None:
        schema, rows = edges(place)
        found = snapshot(tmp_path, {schema: rows})
        assert checkout(tmp_path, place, found).action in ("loaded", "cloned")
        assert target_digest(place, found.manifest.schema) == found.manifest.content

    def test_what_a_checkout_declares_takes_all_that_the_release_allows(self, tmp_path: Path, place: Target) -> None:
        if isinstance(place, Schemaless):
            pytest.skip("tables of this target declare nothing")
        schema, rows = edges(place)
        coded = table("codes", {"code": "string"}, key=("code",))
        checkout(tmp_path, place, snapshot(tmp_path, {schema: rows, coded: pa.table({"code": ["g"]})}))
        narrower = Narrower(dialect_of(place.shown.partition(":")[0].partition("+")[0]))
        made = {found.name: found for found in place.inspect().tables}
        for wanted in (schema, coded):
            narrower.describe(wanted, made[wanted.name])
        assert narrower.found == []

    @pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
    def test_what_is_no_number_comes_back_or_is_refused(self, tmp_path: Path, place: Target, value: float) -> None:
        schema = table("measures", {"id": "int64", "value": "float64"})
        found = snapshot(tmp_path, {schema: pa.table({"id": [1, 2], "value": [0.5, value]})})
        try:
            checkout(tmp_path, place, found)
        except DataError as exc:
            assert "'value'" in exc.message  # noqa: PT017 - either is right
            assert not place.held()
        else:
            assert target_digest(place, found.manifest.schema) == found.manifest.content

    def test_second_checkout_has_nothing_to_do(self, tmp_path: Path, place: Target) -> None:
        found = snapshot(tmp_path, {USERS: users(7)})
        checkout(tmp_path, place, found)
        again = checkout(tmp_path, place, found)
        assert again.action == "unchanged" or not place.capabilities.proof
        assert [(held.dataset, held.version, held.digest) for held in place.held()] == [
            ("shop", "1.0.0", found.manifest.digest)
        ]

    def test_other_version_replaces_the_first(self, tmp_path: Path, place: Target) -> None:
        first, second = (snapshot(tmp_path, {USERS: users(count)}) for count in (7, 3))
        checkout(tmp_path, place, first)
        receipt = checkout(tmp_path, place, wanted(second, "2.0.0"))
        assert (receipt.releases[0].version, receipt.releases[0].tables) == ("2.0.0", {"users": 3})
        assert target_digest(place, second.manifest.schema) == second.manifest.content

    def test_two_datasets_live_in_one_target(self, tmp_path: Path, place: Target) -> None:
        movies = table("movies", {"id": "string", "title": "string"})
        first = snapshot(tmp_path, {USERS: users(7)})
        second = snapshot(tmp_path, {movies: pa.table({"id": ["a", "b"], "title": ["A", "B"]})}, "film")
        checkout(tmp_path, place, first)
        checkout(tmp_path, place, second)
        assert {held.dataset for held in place.held()} == {"shop", "film"}
        for found in (first, second):
            assert target_digest(place, found.manifest.schema) == found.manifest.content

    def test_table_of_two_datasets_is_refused_and_foreseen(self, tmp_path: Path, place: Target) -> None:
        first, second = snapshot(tmp_path, {USERS: users(7)}), snapshot(tmp_path, {USERS: users(2)}, "film")
        problem = foreseen(tmp_path, place, first, second)
        assert isinstance(problem, Refused)
        assert "'users' is in two datasets, film and shop" in problem.message
        checkout(tmp_path, place, first)
        problem = foreseen(tmp_path, place, second, replace=True)
        assert isinstance(problem, Refused)
        assert "belongs to shop" in problem.message

    def test_release_that_cannot_be_had_is_foreseen(self, tmp_path: Path, place: Target) -> None:
        def gone() -> Snapshot:
            raise RemoteError("it is not in the cache", hint="Pull it.")

        found, other = (snapshot(tmp_path, {USERS: users(count)}) for count in (11, 2))
        absent = Wanted("shop", "1.0.0", found.manifest.digest, gone, {"users": 11})
        assert isinstance(foreseen(tmp_path, place, absent), RemoteError)
        unknown = foreseen(tmp_path, place, found, scenarios=("nowhere",))
        assert isinstance(unknown, NotFound)
        part = found.locate(found.manifest.tables[0].parts[0].file)
        part.chmod(0o644)
        part.write_bytes(b"others")
        assert isinstance(foreseen(tmp_path, place, found), IntegrityError)
        assert not place.held()
        checkout(tmp_path, place, other)
        assert isinstance(foreseen(tmp_path, place, absent), RemoteError)

    def test_dry_run_needs_no_more_data_than_the_checkout(self, tmp_path: Path, place: Target) -> None:
        def gone() -> Snapshot:
            raise RemoteError("it is not in the cache", hint="Pull it.")

        found, other = (snapshot(tmp_path, {USERS: users(count)}) for count in (7, 3))
        checkout(tmp_path, place, found)
        checkout(tmp_path, place, wanted(other, "2.0.0"))
        absent = Wanted("shop", "1.0.0", found.manifest.digest, gone, {"users": 7})
        try:
            checkout(tmp_path, place, absent, dry_run=True)
        except RemoteError:
            foreseen(tmp_path, place, absent)
        else:
            assert checkout(tmp_path, place, absent).action == "cloned"

    @pytest.mark.parametrize("name", [f"{STATE_TABLE}", "a" * 70])
    def test_name_that_is_not_taken_is_foreseen(self, tmp_path: Path, place: Target, name: str) -> None:
        other, odd = table("movies", {"id": "int64"}), table(name, {"id": "int64"})
        found = snapshot(tmp_path, {odd: pa.table({"id": [1]})})
        for _ in range(2):
            try:
                checkout(tmp_path, place, found, dry_run=True)
            except DataError:
                foreseen(tmp_path, place, found)
                checkout(tmp_path, place, snapshot(tmp_path, {other: pa.table({"id": [1]})}, "film"))
            else:
                checkout(tmp_path, place, found)

    def test_dry_run_changes_nothing(self, tmp_path: Path, place: Target) -> None:
        first, second = (snapshot(tmp_path, {USERS: users(count)}) for count in (7, 3))
        for _ in range(2):
            receipt = checkout(tmp_path, place, first, dry_run=True)
            assert receipt.action == "planned"
            assert receipt.plan
            assert not place.held()
            assert not isinstance(place, Findable) or not isinstance(place, Schemaless) or not place.exists()
        checkout(tmp_path, place, first)
        held = place.held()
        assert checkout(tmp_path, place, wanted(second, "2.0.0"), dry_run=True).action == "planned"
        assert place.held() == held
        assert target_digest(place, first.manifest.schema) == first.manifest.content

    def test_names_that_break_out_are_only_names(self, tmp_path: Path, place: Target) -> None:
        found = snapshot(tmp_path, {USERS: users(2), HOSTILE: HOSTILE_ROWS})
        checkout(tmp_path, place, found)
        assert target_digest(place, found.manifest.schema) == found.manifest.content

    def test_empty_table_is_restored(self, tmp_path: Path, place: Target) -> None:
        found = snapshot(tmp_path, {USERS: users(0)})
        checkout(tmp_path, place, found)
        assert target_digest(place, found.manifest.schema) == found.manifest.content

    def test_table_is_looked_up_as_it_is(self, tmp_path: Path, place: Target) -> None:
        if not isinstance(place, Queryable):
            pytest.skip("this target looks into no table but those of a release")
        assert place.look_up("users") is None
        checkout(tmp_path, place, snapshot(tmp_path, {USERS: users(2)}))
        assert place.look_up("flyway_schema_history") is None
        assert place.look_up(HOSTILE.name) is None
        assert sorted(row["id"] for row in place.look_up("users") or ()) == [1, 2]

    def test_reference_has_an_index(self, tmp_path: Path, place: Target) -> None:
        if not isinstance(place, Indexed):
            pytest.skip("this target gives references no index, or does not tell which")
        reference = Reference(("user_id",), "users", ("id",))
        orders = table("orders", {"id": "int64", "user_id": "int64"}, references=(reference,))
        rows = pa.table({"id": [1], "user_id": [1]})
        checkout(tmp_path, place, snapshot(tmp_path, {USERS: users(2), orders: rows}))
        assert ("user_id",) in place.indexes(["orders"])["orders"]
        assert set(place.indexes(["users"])) == {"users"}

    def test_query_is_answered_and_changes_nothing(self, tmp_path: Path, place: Target) -> None:
        if not isinstance(place, Answering):
            pytest.skip("this target has no SQL")
        found = snapshot(tmp_path, {USERS: users(5)})
        checkout(tmp_path, place, found)
        assert [len(place.answer(f"SELECT id FROM users WHERE id <= {count}")) for count in (0, 1, 2, 5)] == [
            0,
            1,
            2,
            2,
        ]
        assert [value == 1 for (value,) in place.answer("SELECT count(*) = 5 FROM users")] == [True]
        for query in ("DELETE FROM users", "SELECT nothing FROM users"):
            with pytest.raises(TargetError):
                place.answer(query)
        assert target_digest(place, found.manifest.schema) == found.manifest.content

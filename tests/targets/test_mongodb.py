"""MongoDB: what tdv promises on an engine of documents. The server is SecantusDB where no other one is named."""

from __future__ import annotations

import socketserver
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tdv.checkout import CheckoutOptions, Wanted, load_of
from tdv.content.arrow import arrow_schema
from tdv.errors import DataError, IntegrityError, Refused, TargetBusy, TargetError, UsageError
from tdv.model.schema import Reference
from tdv.targets.verification import target_digest
from tdv.testing import NOW, USERS, checkout, snapshot, table, users, wanted
from tests.targets.builders import target
from tests.targets.places import Restored
from tests.targets.servers import MONGODB, start_secantus
from tests.targets.test_redis import LOG, LOG_ROWS, PAIR_ROWS, PAIRS

pytest.importorskip("pymongo")

from bson import Decimal128, Int64
from pymongo import MongoClient, ReadPreference, monitoring

from tdv.targets.mongodb import lock
from tdv.targets.mongodb.images import Images
from tdv.targets.mongodb.loading import Replacing, Work, looked
from tdv.targets.mongodb.names import collection_of
from tdv.targets.mongodb.session import Session

ORDERS = table(
    "orders",
    {"id": "int64", "user_id": "int64", "total": "decimal(8,2)", "lines": "list<struct<n: int32, at: timestamp>>?"},
    references=(Reference(("user_id",), "users", ("id",)),),
)
ORDER_ROWS = pa.table(
    {
        "id": [1, 2],
        "user_id": [1, 1],
        "total": pa.array([1, 250], pa.int64()).cast(pa.decimal128(21, 2)).cast(pa.decimal128(8, 2)),
        "lines": [[{"n": 1, "at": datetime(2026, 1, 2, 3, 4, 5, 6)}, {"n": None, "at": None}], None],
    },
    schema=arrow_schema(ORDERS),
)
VALIDATOR = {"age": {"$not": {"$gt": 4}}}
NOTES = table("notes", {"id": "int64", "body": "json?"})


class Sent(monitoring.CommandListener):
    """What the driver sends to servers, for what MongoDB refuses and SecantusDB takes."""

    def __init__(self) -> None:
        self.commands: list[Any] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.commands.append(event.command)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...


SENT = Sent()
# The driver knows no way to take a listener back.
monitoring.register(SENT)


class Place(Restored):
    """A database with a target on it, and a client of its own."""

    def __init__(self, directory: Path, url: str) -> None:
        super().__init__(directory, url)
        self.client: MongoClient[dict[str, Any]] = MongoClient(url)
        self.database = self.client.get_default_database()

    def collections(self) -> set[str]:
        return {name for name in self.database.list_collection_names() if not name.startswith("_tdv_")}


@pytest.fixture
def place(tmp_path: Path, empty_mongodb: str) -> Iterator[Place]:
    made = Place(tmp_path, empty_mongodb)
    with closing(made.client):
        yield made


def test_row_is_a_document_that_applications_can_read(tmp_path: Path, place: Place) -> None:
    checkout(tmp_path, place.target, snapshot(tmp_path, {USERS: users(3), ORDERS: ORDER_ROWS}))
    assert place.database["users"].find_one({"_id": 1}) == {
        "_id": 1,
        "id": 1,
        "email": "user1@example.test",
        "age": 1,
        "at": datetime(2020, 1, 1, 1),
        "_tdv": {"at": 1},
    }
    assert "age" not in (place.database["users"].find_one({"id": 3}) or {})
    order = place.database["orders"].find_one({"lines.n": 1}) or {}
    assert order["total"] == Decimal128("1.00")
    assert isinstance(order["id"], Int64)
    assert order["lines"] == [{"n": 1, "at": "2026-01-02T03:04:05.000006"}, {"n": None, "at": None}]


def test_unique_columns_and_references_have_indexes(tmp_path: Path, place: Place) -> None:
    checkout(tmp_path, place.target, snapshot(tmp_path, {USERS: users(3), ORDERS: ORDER_ROWS}))
    found = {tuple(index["key"]): index.get("unique", False) for index in place.database["users"].list_indexes()}
    assert found == {("_id",): False, ("email",): True}
    assert ("user_id",) in {tuple(index["key"]) for index in place.database["orders"].list_indexes()}


def test_key_that_is_called_as_the_key_of_documents_has_its_index_already(tmp_path: Path, place: Place) -> None:
    """A real server refuses a unique index on ``_id``, which is one by itself."""
    people = table("people", {"_id": "int64", "name": "string"}, key=("_id",), uniques=(("_id",), ("name",)))
    pets = table("pets", {"_id": "int64"}, key=("_id",), references=(Reference(("_id",), "people", ("_id",)),))
    one = pa.table({"_id": [1], "name": ["a"]})
    checkout(tmp_path, place.target, snapshot(tmp_path, {people: one, pets: one.select(["_id"])}))
    assert {index["name"] for index in place.database["people"].list_indexes()} == {"_id_", "name_1"}
    assert {index["name"] for index in place.database["pets"].list_indexes()} == {"_id_"}


def test_key_of_several_columns_is_a_document(tmp_path: Path, place: Place) -> None:
    found = snapshot(tmp_path, {PAIRS: PAIR_ROWS, LOG: LOG_ROWS})
    checkout(tmp_path, place.target, found)
    assert target_digest(place.target, found.manifest.schema) == found.manifest.content
    assert place.database["pairs"].find_one({"_id": {"a": "x", "b": "y:z"}}) is not None
    assert place.database["log"].distinct("_id") == [1, 2, 3, 4]


def test_json_keeps_its_own_null_and_large_integers(tmp_path: Path, place: Place) -> None:
    texts = ["null", None, '{"a":[1,2.5,null,{"b":true}]}', "123456789012345678901234567890", '"x"', "1e+21"]
    rows = pa.table({"id": range(6), "body": texts}, schema=arrow_schema(NOTES))
    found = snapshot(tmp_path, {NOTES: rows})
    checkout(tmp_path, place.target, found)
    assert target_digest(place.target, found.manifest.schema) == found.manifest.content
    assert place.database["notes"].find_one({"body.a.b": True}) is not None
    digits = pa.table({"id": [1], "body": ["1" * 35]}, schema=arrow_schema(NOTES))
    with pytest.raises(DataError, match="column 'body': MongoDB cannot hold JSON with an integer of more than 34"):
        checkout(tmp_path, place.target, wanted(snapshot(tmp_path, {NOTES: digits}), "2.0.0"))


def test_json_may_look_like_a_reference_to_a_document(tmp_path: Path, place: Place) -> None:
    texts = ['{"$id":"https://example.test/a","$ref":"#/b","type":"object"}', '{"a":[{"$id":1,"$ref":"users"}]}']
    found = snapshot(tmp_path, {NOTES: pa.table({"id": [1, 2], "body": texts}, schema=arrow_schema(NOTES))})
    checkout(tmp_path, place.target, found)
    assert target_digest(place.target, found.manifest.schema) == found.manifest.content


@pytest.mark.parametrize("kind", ["list<json>", "struct<a: list<json>>"])
def test_large_integers_within_lists_and_structs_come_back(tmp_path: Path, place: Place, kind: str) -> None:
    def rows(text: str) -> pa.Table:
        value = [text] if kind.startswith("list") else {"a": [text]}
        return pa.table({"id": [1], "body": [value]}, schema=arrow_schema(nested))

    nested = table("nested", {"id": "int64", "body": kind})
    found = snapshot(tmp_path, {nested: rows('{"n":[18446744073709551616]}')})
    checkout(tmp_path, place.target, found)
    assert target_digest(place.target, found.manifest.schema) == found.manifest.content
    with pytest.raises(DataError, match="column 'body': MongoDB cannot hold JSON with an integer of more than 34"):
        checkout(tmp_path, place.target, wanted(snapshot(tmp_path, {nested: rows("1" * 35)}), "2.0.0"))


def test_keys_that_differ_in_microseconds_are_two(tmp_path: Path, place: Place) -> None:
    moments = table("moments", {"at": "timestamptz"}, key=("at",))
    rows = [datetime(2026, 1, 1, 0, 0, 0, number, UTC) for number in range(3)]
    found = snapshot(tmp_path, {moments: pa.table({"at": rows}, schema=arrow_schema(moments))})
    checkout(tmp_path, place.target, found)
    assert target_digest(place.target, found.manifest.schema) == found.manifest.content


@pytest.mark.parametrize("owned", [False, True])
def test_table_without_rows_and_indexes_is_there(tmp_path: Path, place: Place, owned: bool) -> None:
    if owned:
        place.owned()
    found = snapshot(tmp_path, {NOTES: arrow_schema(NOTES).empty_table(), USERS: users(3)})
    for _ in range(2):
        checkout(tmp_path, place.target, found)
        assert target_digest(place.target, found.manifest.schema) == found.manifest.content
    assert "notes" in place.database.list_collection_names()


@pytest.mark.parametrize("owned", [False, True])
def test_collections_of_others_stay(place: Place, owned: bool) -> None:
    if owned:
        place.owned()
    place.database["sessions"].insert_one({"_id": 1})
    for rows, version in ((5, "1.0.0"), (3, "2.0.0")):
        place.checkout(rows, version)
        assert place.holds(rows)
        assert place.database["sessions"].find_one() == {"_id": 1}


def test_documents_that_tdv_did_not_load_are_refused(place: Place) -> None:
    place.database["users"].insert_one({"_id": "mine"})
    with pytest.raises(Refused, match="rows that tdv did not load are in 'users'"):
        place.checkout()
    assert place.database["users"].count_documents({}) == 1
    place.checkout(replace=True)
    assert place.holds(5)


@pytest.mark.parametrize("owned", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        lambda database: database["users"].update_one({"_id": 1}, {"$set": {"age": 77}}),
        lambda database: database["users"].delete_one({"_id": 2}),
        lambda database: database["users"].insert_one({"_id": "no row"}),
        lambda database: database["users"].drop(),
    ],
)
def test_what_tests_changed_comes_back(place: Place, owned: bool, change: Callable[[Any], Any]) -> None:
    if owned:
        place.owned()
    place.checkout()
    change(place.database)
    assert place.checkout().action == ("cloned" if owned else "loaded")
    assert place.holds(5)


def test_owned_database_loses_everything_else(place: Place) -> None:
    place.owned().checkout()
    place.database["cache"].insert_one({"_id": 1})
    place.database["users"].create_index("age")
    assert place.checkout().action == "cloned"
    assert place.collections() == {"users"}
    assert {index["name"] for index in place.database["users"].list_indexes()} == {"_id_", "email_1"}


def test_damaged_image_is_made_anew(place: Place) -> None:
    place.owned().checkout()
    images = place.client["tdv_images"]
    (name,) = (name for name in images.list_collection_names() if name.endswith(".users"))
    images[name].delete_one({"_id": 1})
    assert place.checkout().action == "loaded"
    assert place.holds(5)


def test_image_that_goes_while_it_is_copied_leaves_the_old_rows(tmp_path: Path, place: Place) -> None:
    """The server copies a collection that is not there as an empty one."""
    place.owned().checkout()
    found = snapshot(tmp_path, {USERS: users(3)})
    load = load_of([wanted(found, "2.0.0")], CheckoutOptions(tmp_path / ".tdv", NOW, "execution-1"))
    with closing(Session(place.url)) as session, lock.locked(session.database, "target", "it") as held:
        work, images = Work(session.database, held, tmp_path / "scratch"), Images(session)
        image = images.make(load, work)
        wanted_now = image.wanted(load)
        replacing = Replacing(work, load, wanted_now, looked(session.database, load, wanted_now))
        images.drop(image.name)
        with pytest.raises(TargetBusy, match="was removed while it was copied"):
            replacing.stage(images.filler(image, session.database.name), {})
    assert place.holds(5)


def test_rules_of_the_application_are_kept(place: Place) -> None:
    place.database.create_collection("users", validator=VALIDATOR)
    place.database["users"].create_index([("age", -1)], name="by_age")
    with pytest.raises(DataError, match="a validator of the collection does not hold"):
        place.checkout(7)
    assert place.database["users"].count_documents({}) == 0
    place.checkout(3)
    assert place.holds(3)
    assert {index["name"] for index in place.database["users"].list_indexes()} == {"_id_", "by_age", "email_1"}
    assert not [name for name in place.database.list_collection_names() if name.startswith("_tdv_staged")]


def test_validator_stays(place: Place) -> None:
    if not MONGODB:
        pytest.skip("SecantusDB forgets the options of a collection that is renamed; set TDV_TEST_MONGODB_URL")
    place.database.create_collection("users", validator=VALIDATOR)
    place.checkout(3)
    (found,) = place.database.list_collections(filter={"name": "users"})
    assert found["options"] == {"validator": VALIDATOR}


def test_view_in_the_way_is_refused(place: Place) -> None:
    place.database.command("create", "users", viewOn="people", pipeline=[])
    with pytest.raises(Refused, match="'users' of the target is a view"):
        place.checkout(replace=True)


def test_table_that_a_version_no_longer_has_goes(tmp_path: Path, place: Place) -> None:
    checkout(tmp_path, place.target, snapshot(tmp_path, {USERS: users(3), PAIRS: PAIR_ROWS}))
    place.checkout(3, "2.0.0")
    assert place.collections() == {"users"}
    assert [found.name for found in place.target.inspect().tables] == ["users"]


def test_value_of_another_type_is_an_integrity_error(place: Place) -> None:
    place.checkout()
    place.database["users"].update_one({"_id": 1}, {"$set": {"age": "old"}})
    with pytest.raises(IntegrityError, match="column 'age' holds a value that is no int16"):
        place.holds(5)


def test_document_without_its_key_is_an_integrity_error(place: Place) -> None:
    place.checkout()
    place.database["users"].update_one({"_id": 1}, {"$unset": {"id": ""}})
    with pytest.raises(IntegrityError, match=r"table 'users': a row lacks 'id', which is of its key"):
        place.holds(5)


def test_plan_counts_rows(place: Place) -> None:
    place.checkout(5)
    assert "delete 5 rows of 'users'" in place.checkout(3, "2.0.0", dry_run=True).plan
    assert place.holds(5)


def test_names_that_cannot_be_are_refused_at_once(tmp_path: Path, place: Place) -> None:
    bad = table("_tdv_x", {"id": "int64", "a.b": "string?", "$c": "string?", "_id": "string?"})
    rows = pa.table({"id": [1], "a.b": ["x"], "$c": ["x"], "_id": ["x"]}, schema=arrow_schema(bad))
    with pytest.raises(DataError, match=r"cannot take the names '_tdv_x', _tdv_x\.a\.b, _tdv_x\.\$c, _tdv_x\._id"):
        checkout(tmp_path, place.target, snapshot(tmp_path, {bad: rows}))


def test_names_of_collections_are_told_apart() -> None:
    names = ["a", ".a", "a.", "a..b", "a.b", "%2Ea", "system.x", "a$b", "a%24b"]
    found = [collection_of(name) for name in names]
    assert len(set(found)) == len(names)
    assert not [name for name in found if name.startswith((".", "system.")) or ".." in name or "$" in name]


def test_database_that_tdv_knows_nothing_of_has_no_schema(place: Place) -> None:
    with pytest.raises(UsageError, match="holds nothing of tdv's"):
        place.target.inspect()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mongodb://ada:hunter2@127.0.0.1:1/app", "cannot be reached: connection refused"),
        ("mongodb://ada:hunter2@127.0.0.1:port/app", "cannot be read"),
        ("mongodb://ada:hunter2@127.0.0.1", "names no database"),
    ],
)
def test_urls_that_lead_nowhere(tmp_path: Path, url: str, said: str) -> None:
    place = target(tmp_path, url)
    with pytest.raises(TargetError, match=said) as caught:
        place.held()
    assert "hunter2" not in f"{caught.value} {caught.value.hint} {place.shown} {caught.value.__cause__}"


def test_what_the_url_lets_an_application_skip_is_not_for_tdv(tmp_path: Path, empty_mongodb: str) -> None:
    """Neither may tdv read from a secondary, which may lack what was just written, nor write without an answer."""
    options = "readPreference=secondaryPreferred&w=0&readConcernLevel=available"
    place = Place(tmp_path, f"{empty_mongodb}{'&' if '?' in empty_mongodb else '?'}{options}")
    with closing(place.client), closing(Session(place.url)) as session:
        assert session.database.read_preference == ReadPreference.PRIMARY
        assert session.database.read_concern.level is None
        assert place.checkout().action == "loaded"
        assert place.holds(5)


@pytest.mark.parametrize(("option", "seconds"), [("", 2.5), ("?serverSelectionTimeoutMS=7000", 7.0)])
def test_server_that_went_away_is_looked_for_as_long_as_the_url_says(option: str, seconds: float) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as listening:
        session = Session(f"mongodb://127.0.0.1:{listening.server_address[1]}/app{option}")
    with closing(session):
        assert session.client.options.server_selection_timeout == seconds


def test_server_that_is_gone_is_waited_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver looks for it as long as the URL says; what would be tidied up there is left."""
    process, port = start_secantus()
    place = Place(tmp_path, f"mongodb://127.0.0.1:{port}/app?serverSelectionTimeoutMS=50")
    place.checkout()
    waited: list[object] = []
    monkeypatch.setattr("tdv.targets.mongodb.loading.sweep", lambda *_: waited.append(1))
    found = snapshot(tmp_path, {USERS: users(7)})

    real = found.batches

    def gone(name: str, columns: Any = None) -> Any:
        process.stop()
        waited.clear()
        return real(name, columns)

    found.batches = gone  # type: ignore[method-assign]
    with pytest.raises(TargetError, match=r"does not answer, or went away$|connection refused$") as caught:
        checkout(tmp_path, place.target, wanted(found, "2.0.0"))
    assert caught.value.__cause__ is None
    assert "runs, and at host and port of the URL" in str(caught.value.hint)
    assert waited == []


def test_second_checkout_waits_and_says_who_is_at_work(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "LOCK_WAIT", 0.05)
    with lock.locked(place.database, "target", "it"), pytest.raises(Refused, match="is in use by process"):
        place.checkout()
    assert place.checkout().action == "loaded"


def test_lock_is_taken_without_an_expression_in_an_upsert(place: Place) -> None:
    """MongoDB: "$expr is not allowed in the query predicate for an upsert"."""
    SENT.commands.clear()
    place.owned().checkout()
    upserts = [update for sent in SENT.commands for update in sent.get("updates", ()) if update.get("upsert")]
    assert {update["q"]["_id"] for update in upserts} >= {"target", "shop"}
    assert not [update for update in upserts if "$expr" in str(update["q"])]


def test_lock_whose_time_is_over_is_taken(place: Place) -> None:
    with lock.locked(place.database, "target", "it"):
        place.database["_tdv_lock"].update_one({}, {"$set": {"until": datetime(2026, 1, 1)}})
        assert place.checkout().action == "loaded"
    assert place.database["_tdv_lock"].count_documents({}) == 0


def test_lock_that_was_lost_stops_the_load(place: Place) -> None:
    place.checkout()
    found = snapshot(place.directory, {USERS: users(7)})

    def opened() -> Any:
        place.database["_tdv_lock"].update_one({}, {"$set": {"token": "another one"}})
        return found

    late = Wanted("shop", "2.0.0", found.manifest.digest, opened)
    with pytest.raises(TargetBusy, match="another checkout took the lock"):
        checkout(place.directory, place.target, late)
    assert place.holds(5)

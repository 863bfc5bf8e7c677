"""Redis: what tdv promises on an engine without tables, types and transactions."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tdv.checkout import CheckoutOptions, Wanted, load_of
from tdv.content.arrow import arrow_schema
from tdv.errors import DataError, IntegrityError, Refused, TargetBusy, TargetError, TdvError, UsageError
from tdv.servers.server import Server, free_port
from tdv.targets.protocol import Content, Target
from tdv.targets.verification import target_digest
from tdv.testing import NOW, USERS, checkout, snapshot, table, users, wanted
from tests.targets.builders import target
from tests.targets.places import Restored

pytest.importorskip("redis")

import redis

from tdv.targets.redis import images, loading, lock, session
from tdv.targets.redis.answers import FromDriver, FromSocket, answers_on
from tdv.targets.redis.codec import Block, commands
from tdv.targets.redis.rows import Seen
from tdv.targets.redis.session import Session

PAIRS = table("pairs", {"a": "string", "b": "string", "note": "string?"}, key=("a", "b"))
PAIR_ROWS = pa.table(
    {"a": ["x:y", "x", "x%3Ay", ""], "b": ["z", "y:z", "z", ":"], "note": pa.array(["", None, "*?[", "é"], pa.string())}
)
LOG = table("log", {"line": "string?", "size": "int16?"}, key=())
LOG_ROWS = pa.table({"line": [None, "same", "same", ""], "size": [None, 1, 1, None]}, schema=arrow_schema(LOG))


class Place(Restored):
    """A database with a target on it, and a client of its own."""

    def __init__(self, directory: Path, url: str) -> None:
        super().__init__(directory, url)
        self.client = redis.Redis.from_url(url)

    def keys(self) -> set[bytes]:
        return {key for key in self.client.scan_iter() if not key.startswith(b"_tdv_")}


@pytest.fixture
def place(tmp_path: Path, empty_redis: str) -> Iterator[Place]:
    made = Place(tmp_path, empty_redis)
    with closing(made.client):
        yield made


def test_row_is_a_hash_that_applications_can_read(place: Place) -> None:
    place.checkout(3)
    assert place.client.hgetall("users:1") == {
        b"id": b"1",
        b"email": b"user1@example.test",
        b"age": b"1",
        b"at": b"2020-01-01T01:00:00.000001",
    }
    assert place.client.hget("users:3", "age") is None
    assert place.keys() == {b"users:1", b"users:2", b"users:3"}


def test_keys_with_colons_do_not_collide(tmp_path: Path, place: Place) -> None:
    found = snapshot(tmp_path, {PAIRS: PAIR_ROWS})
    checkout(tmp_path, place.target, found)
    assert place.keys() == {b"pairs:x%3Ay:z", b"pairs:x:y%3Az", b"pairs:x%253Ay:z", b"pairs::%3A"}
    assert target_digest(place.target, found.manifest.schema) == found.manifest.content
    assert place.client.hget("pairs:x%3Ay:z", "note") == b""


def test_rows_without_a_key_are_numbered(tmp_path: Path, place: Place) -> None:
    found = snapshot(tmp_path, {LOG: LOG_ROWS})
    checkout(tmp_path, place.target, found)
    assert place.keys() == {b"log:1", b"log:2", b"log:3", b"log:4"}
    assert target_digest(place.target, found.manifest.schema) == found.manifest.content


@pytest.mark.parametrize("owned", [False, True])
def test_keys_of_others_stay(place: Place, owned: bool) -> None:
    if owned:
        place.owned()
    others = {b"sessions:1": b"s", b"users": b"u", b"users:1:cart": b"c", b"userspace:1": b"x"}
    place.client.mset(others)
    for rows, version in ((5, "1.0.0"), (3, "2.0.0"), (5, "1.0.0")):
        place.checkout(rows, version)
        assert place.holds(rows)
        assert {key: place.client.get(key) for key in others} == others


def test_rows_that_tdv_did_not_load_are_refused(place: Place) -> None:
    place.client.hset("users:7", mapping={"id": 7})
    with pytest.raises(Refused, match="rows that tdv did not load are in 'users'"):
        place.checkout()
    assert place.keys() == {b"users:7"}
    place.checkout(replace=True)
    assert place.holds(5)


@pytest.mark.parametrize("owned", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        lambda client: client.hset("users:1", "age", 77),
        lambda client: client.delete("users:2"),
        lambda client: client.hset("users:9", mapping={"id": 9}),
        lambda client: client.set("users:10", "no hash"),
        lambda client: client.flushdb(),
    ],
)
def test_what_tests_changed_comes_back(place: Place, owned: bool, change: Callable[[Any], Any]) -> None:
    if owned:
        place.owned()
    place.checkout()
    assert place.checkout().action == "unchanged"
    change(place.client)
    assert place.checkout().action == ("cloned" if owned else "loaded")
    assert place.holds(5)
    assert len(place.keys()) == 5


def test_owned_database_is_emptied_of_everything_else(place: Place) -> None:
    place.owned().checkout()
    place.client.set("cache:1", "made by a test")
    assert place.checkout().action == "cloned"
    assert len(place.keys()) == 5


def test_damaged_image_is_made_anew(place: Place) -> None:
    place.owned().checkout()
    with redis.Redis.from_url(place.url.replace("/3", "/1023")) as shelf:
        shelf.delete(*shelf.keys("_tdv_image:*:users:1"))
    place.client.hset("users:1", "age", 77)
    assert place.checkout().action == "loaded"
    assert place.holds(5)


def test_table_that_a_version_no_longer_has_goes(tmp_path: Path, place: Place) -> None:
    both = snapshot(tmp_path, {USERS: users(3), PAIRS: PAIR_ROWS})
    checkout(tmp_path, place.target, both)
    place.checkout(3, "2.0.0")
    assert len(place.keys()) == 3
    assert [found.name for found in place.target.inspect().tables] == ["users"]


def test_key_that_is_no_row_is_an_integrity_error(place: Place) -> None:
    place.checkout()
    place.client.set("users:10", "no hash")
    with pytest.raises(IntegrityError, match="is no hash"):
        place.holds(5)
    place.client.delete("users:10")
    place.client.hset("users:1", "age", "old")
    with pytest.raises(IntegrityError, match="column 'age' holds a value that is no int16"):
        place.holds(5)
    place.client.hdel("users:1", "age", "at")
    with pytest.raises(IntegrityError, match=r"table 'users': a row lacks a value of 'at'"):
        place.holds(5)
    place.client.hdel("users:1", "id")
    place.client.hdel("users:2", "id")
    with pytest.raises(IntegrityError, match=r"table 'users': 2 rows lack 'id', which is of its key"):
        place.holds(5)


def test_plan_counts_rows(place: Place) -> None:
    place.checkout(5)
    assert "delete 5 rows of 'users'" in place.checkout(3, "2.0.0", dry_run=True).plan
    assert place.holds(5)


def test_names_of_tdv_are_refused_for_tables(tmp_path: Path, place: Place) -> None:
    state = table("_tdv_state", {"id": "int64"})
    with pytest.raises(DataError, match="has the name of a key of tdv's own"):
        checkout(tmp_path, place.target, snapshot(tmp_path, {state: pa.table({"id": [1]})}))


def test_database_that_tdv_knows_nothing_of_has_no_schema(place: Place) -> None:
    with pytest.raises(UsageError, match="holds nothing of tdv's"):
        place.target.inspect()


def refused(place: Place, kind: type[TdvError] = TargetError) -> str:
    """What a checkout of another version says, which leaves the first one as it is."""
    with pytest.raises(kind) as caught:
        place.checkout(4000, "2.0.0")
    return str(caught.value)


def test_full_memory_leaves_the_old_rows(place: Place) -> None:
    place.checkout()
    place.client.config_set("maxmemory", place.client.info("memory")["used_memory"] + 200_000)
    try:
        assert "memory limit is reached" in refused(place)
    finally:
        place.client.config_set("maxmemory", 0)
    assert place.holds(5)
    assert not place.client.keys("_tdv_staged*")


@pytest.mark.parametrize("owned", [False, True])
def test_staged_row_that_went_meanwhile_is_missed(place: Place, monkeypatch: pytest.MonkeyPatch, owned: bool) -> None:
    """As where the server makes room for other rows."""
    if owned:
        place.owned()
    place.checkout()
    module = images if owned else loading
    fill = module.fill

    def filled(session: Session, *words: Any) -> None:
        fill(session, *words)
        assert session.call("DEL", f"{words[-1]}users:1")

    monkeypatch.setattr(module, "fill", filled)
    with pytest.raises(TargetError, match="did not keep all rows"):
        place.checkout(7, "2.0.0")
    assert place.holds(5)
    assert not place.client.keys("_tdv_staged*")


@pytest.fixture(params=[answers_on, FromDriver])
def _answers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes of the driver's socket, and those of its values, as for a version that has its socket elsewhere."""
    monkeypatch.setattr(session, "answers_on", request.param)


def test_bytes_come_from_a_socket_where_the_driver_has_one(place: Place) -> None:
    with closing(Session(place.url)) as at_work:
        assert isinstance(answers_on(at_work._client.connection), FromSocket)
    assert isinstance(answers_on(object()), FromDriver)


@pytest.mark.usefixtures("_answers")
def test_other_answer_is_told_and_leaves_the_session_in_order(place: Place) -> None:
    with closing(Session(place.url)) as session:
        block = commands(users(3), USERS, "users:", 1)
        assert session.pour([block])
        place.client.flushdb()
        answer = bytes(block.answer)
        for wrong in (answer.replace(b"user2", b"other"), answer.replace(b"$-1", b"$0\r\n"), b":" + answer):
            place.client.flushdb()
            assert not session.pour([Block(block.data, memoryview(wrong))])
            assert session.call("DBSIZE") == 3
        # Fields that were there before are no new ones.
        assert not session.pour([block])


@pytest.mark.usefixtures("_answers")
def test_refusal_among_the_answers_is_told_without_its_words(place: Place) -> None:
    place.client.set("users:2", "no hash")
    with closing(Session(place.url)) as session:
        with pytest.raises(redis.ResponseError) as caught:
            session.pour([commands(users(3), USERS, "users:", 1)])
        assert str(caught.value).startswith("WRONGTYPE")
        assert "users:2" not in str(caught.value)
        assert session.call("DBSIZE") == 3


def test_user_who_may_not_read_rows_back_changes_nothing(tmp_path: Path, place: Place) -> None:
    place.checkout()
    place.client.execute_command("ACL SETUSER", "some", "on", ">pw", "+@all", "-hmget", "~*")
    url = place.url.replace("//default:", "//some:").replace(place.url.split(":")[2].split("@")[0], "pw")
    try:
        with pytest.raises(TargetError, match="the user may not do this"):
            checkout(tmp_path / "other", target(tmp_path, url), wanted(snapshot(tmp_path, {USERS: users(2)}), "2.0.0"))
    finally:
        place.client.acl_deluser("some")
    assert place.holds(5)
    assert not place.client.keys("_tdv_staged*")


def test_values_of_any_length_come_back(tmp_path: Path, place: Place) -> None:
    """Redis keeps a hash with a value of more than 64 bytes in another form, without the order of its fields."""
    texts = [size * "é" for size in (0, 32, 33, 300_000)]
    found = snapshot(tmp_path, {LOG: pa.table({"line": texts, "size": [1, None, 2, 3]}, schema=arrow_schema(LOG))})
    checkout(tmp_path, place.target, found)
    assert target_digest(place.target, found.manifest.schema) == found.manifest.content


def test_replica_is_refused(place: Place) -> None:
    place.checkout()
    place.client.replicaof("127.0.0.1", free_port())
    try:
        assert "it is a replica, which only reads" in refused(place)
    finally:
        place.client.replicaof("NO", "ONE")
    assert place.holds(5)


def test_user_who_may_write_some_tables_only_changes_nothing(tmp_path: Path, place: Place) -> None:
    both = {USERS: users(3), PAIRS: PAIR_ROWS}
    checkout(tmp_path, place.target, snapshot(tmp_path, both))
    place.client.execute_command("ACL SETUSER", "some", "on", ">pw", "allcommands", "~_tdv_*", "~pairs:*")
    some = target(
        tmp_path, place.url.replace("//default:", "//some:").replace(place.url.split(":")[2].split("@")[0], "pw")
    )
    found = snapshot(tmp_path, {USERS: users(2), PAIRS: PAIR_ROWS.slice(0, 1)})
    try:
        with pytest.raises(TargetError, match="the user may not do this"):
            checkout(tmp_path / "other", some, wanted(found, "2.0.0"))
    finally:
        place.client.acl_deluser("some")
    assert len(place.keys()) == 7


def test_password_is_never_shown(tmp_path: Path, empty_redis: str) -> None:
    password = empty_redis.split(":")[2].split("@")[0]
    wrong = target(tmp_path, empty_redis.replace(password, "hunter2"))
    with pytest.raises(TargetError, match="wrong user or password") as caught:
        wrong.held()
    assert "hunter2" not in f"{caught.value} {caught.value.hint} {wrong.shown} {caught.value.__cause__}"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://127.0.0.1:1/0", "cannot be reached, or went away: Connection refused"),
        ("redis://:secret@127.0.0.1:port/0", "cannot be read"),
        ("{}/5000", "no database of this number"),
    ],
)
def test_urls_that_lead_nowhere(tmp_path: Path, redis_server: Server, url: str, said: str) -> None:
    with pytest.raises(TargetError, match=said) as caught:
        target(tmp_path, url.format(redis_server.url.removesuffix("/0"))).held()
    assert "secret" not in str(caught.value)


def test_connection_limit_says_so(place: Place) -> None:
    place.checkout()
    before = place.client.config_get("maxclients")["maxclients"]
    place.client.config_set("maxclients", 1)
    try:
        with pytest.raises(TargetBusy, match="takes no more connections") as caught:
            place.target.held()
    finally:
        place.client.config_set("maxclients", before)
    assert "maxclients" in str(caught.value.hint)
    assert place.holds(5)


def test_cluster_is_refused(tmp_path: Path, redis_server: Server) -> None:
    # The nodes of a cluster also talk over the port that is 10,000 higher.
    port = next(port for port in iter(free_port, 0) if port < 55_000)
    command = [redis_server.binaries / "redis-server", "--port", str(port), "--cluster-enabled", "yes", "--save", ""]
    process = subprocess.Popen([*command, "--dir", str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert any("Ready to accept" in line for line in process.stdout)
        with pytest.raises(TargetError, match="is a Redis Cluster"):
            target(tmp_path, f"redis://127.0.0.1:{port}").held()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_server_that_goes_away_is_told(tmp_path: Path, redis_server: Server) -> None:
    from tdv.servers.redis import serve
    from tdv.servers.server import Options

    with serve(redis_server.binaries / "redis-server", Options()) as server:
        place = Place(tmp_path, server.url)
        found = snapshot(tmp_path, {USERS: users(5)})
        load = load_of([wanted(found)], CheckoutOptions(tmp_path / ".tdv", NOW, "run1"))

        def batches() -> Iterator[pa.Table]:
            yield users(5)
            server.process.stop()
            yield users(5)

        (item,) = load.items
        content = Content(tuple(replace(part, batches=batches) for part in item.content().tables))
        broken = replace(load, items=(replace(item, content=lambda: content),))
        with pytest.raises(TargetError, match="cannot be reached, or went away"):
            place.target.load(broken)
        place.client.close()


def test_second_checkout_waits_and_says_who_is_at_work(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "LOCK_WAIT", 0.05)
    run_id = place.client.info("server")["run_id"]
    with redis.Redis.from_url(place.url, single_connection_client=True) as holder:
        holder.set("_tdv_lock", f"{run_id} {holder.client_id()} 00 4711 elsewhere")
        with pytest.raises(Refused, match="is in use by process 4711 on elsewhere"):
            place.checkout()
    assert place.checkout().action == "loaded"


def test_lock_that_was_lost_stops_the_load(place: Place) -> None:
    place.checkout()
    found = snapshot(place.directory, {USERS: users(7)})

    def opened() -> Any:
        place.client.set("_tdv_lock", "another one")
        return found

    manifest = found.manifest
    late = Wanted("shop", "2.0.0", manifest.digest, opened)
    with pytest.raises(TargetBusy, match="another checkout took the lock"):
        checkout(place.directory, place.target, late)
    place.client.delete("_tdv_lock")
    assert place.holds(5)


def test_two_urls_of_one_database_share_a_lock(tmp_path: Path) -> None:
    def identity(url: str) -> str:
        found: Target = target(tmp_path, url)
        return found.identity

    assert identity("redis://localhost") == identity("redis://u:p@127.0.0.1:6379/0") == identity("redis://[::1]/?db=0")
    assert identity("redis://localhost/1") != identity("redis://localhost/2")


def test_key_that_scan_gives_twice_is_one() -> None:
    seen = Seen()
    assert seen.fresh(pa.array([b"a", b"b", b"a"])).tolist() == [True, True, False]
    assert seen.fresh(pa.array([b"c", b"b"])).tolist() == [True, False]
    many = pa.array([str(number).encode() for number in range(5000)])
    assert seen.fresh(many).all()
    assert not seen.fresh(many).any()
    assert np.all(seen.fresh(pa.array([], pa.binary())))

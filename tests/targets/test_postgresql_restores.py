"""PostgreSQL: nothing to do, ways back, and faults."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import pyarrow as pa
import pytest

from tdv.checkout import CheckoutOptions, Wanted, load_of
from tdv.content.snapshot import Snapshot
from tdv.errors import DataError, PluginMissing, Refused, TargetBusy, TargetError
from tdv.servers import postgresql
from tdv.servers.server import Options, Server
from tdv.targets import state
from tdv.targets.on_server import target_lock
from tdv.targets.postgresql.target import PostgresqlTarget
from tdv.targets.protocol import Outcome
from tdv.targets.verification import target_digest
from tdv.testing import NOW, USERS, checkout, snapshot, table, users, wanted
from tests.targets.builders import target
from tests.targets.places import Place
from tests.targets.servers import database_url, name_of, run_sql

psycopg = pytest.importorskip("psycopg")

NEWEST_TEMPLATE = "SELECT datname FROM pg_database WHERE datname ~ '^tdv_template_' ORDER BY oid DESC LIMIT 1"


@pytest.fixture
def place(tmp_path: Path, empty_postgresql: str) -> Place:
    return Place(tmp_path, empty_postgresql)


@pytest.mark.parametrize("owned", [False, True])
@pytest.mark.parametrize(
    "touch",
    [
        "UPDATE users SET age = 9 WHERE id = 1",
        "DELETE FROM users WHERE id = 2",
        "INSERT INTO users (email, at) VALUES ('x', now())",
        "TRUNCATE users",
        "ALTER TABLE users RENAME age TO years",
        "DROP TABLE users",
        "SELECT nextval(pg_get_serial_sequence('users', 'id'))",
        "UPDATE _tdv._tdv_state SET version = '9.9.9'",
    ],
)
def test_whatever_was_touched_is_brought_back(place: Place, owned: bool, touch: str) -> None:
    if owned:
        place.owned()
    place.checkout()
    assert place.checkout().action == "unchanged"
    place.sql(touch)
    assert place.checkout(replace="RENAME" in touch).action == ("cloned" if owned else "loaded")
    digest = snapshot(place.directory, {USERS: users(5)}).manifest
    assert target_digest(place.target, digest.schema) == digest.content
    assert place.sql("INSERT INTO users (email, at) VALUES ('new', now()) RETURNING id") == [(6,)]


@pytest.mark.parametrize(("keys", "following"), [([-12], 1), ([-3, 32767], None), ([], 1)])
def test_keys_at_and_beyond_the_bounds_of_a_sequence(place: Place, keys: list[int], following: int | None) -> None:
    small = table("small", {"id": "int16", "name": "string?"})
    rows = pa.table({"id": pa.array(keys, pa.int16()), "name": pa.array(["x"] * len(keys), pa.string())})
    place.checkout_tables({small: rows})
    assert sorted(place.sql("SELECT id FROM small")) == [(key,) for key in keys]
    if following is not None:
        assert place.sql("INSERT INTO small (name) VALUES ('new') RETURNING id") == [(following,)]


def test_connection_that_meets_a_swap_reaches_the_new_database(place: Place, postgresql_server: Server) -> None:
    """Whoever connects while the names are exchanged waits, and is then told that the old database is gone."""
    place.owned().checkout()
    name = name_of(place.url)
    waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'object' AND NOT granted"
    with ThreadPoolExecutor(1) as pool, psycopg.connect(postgresql_server.url) as swap:
        run_sql(postgresql_server.url, f'CREATE DATABASE "{name}_new" TEMPLATE "{name}"')
        swap.execute(f'ALTER DATABASE "{name}" RENAME TO "{name}_old"')
        swap.execute(f'ALTER DATABASE "{name}_new" RENAME TO "{name}"')
        held = pool.submit(place.target.held)
        while not run_sql(postgresql_server.url, waiting):
            assert not held.done()
        swap.commit()
        assert [item.dataset for item in held.result()] == ["shop"]
    run_sql(postgresql_server.url, f'DROP DATABASE "{name}_old"')


@pytest.mark.parametrize("without_driver", [True, False])
def test_clone_is_proved_before_anybody_else_can_write(place: Place, *, without_driver: bool) -> None:
    """A write between the moment that the clone has its name and the proof would be part of what is remembered."""
    place.owned().checkout()
    load = load_of([wanted(snapshot(place.directory, {USERS: users(5)}))], CheckoutOptions(place.directory, NOW, "r"))
    if without_driver:
        outcome = place.target.load(load)
    else:
        with cast(PostgresqlTarget, place.target)._maintained() as whole:
            assert whole is not None
            outcome = cast(Outcome, whole.replace(load))
    assert outcome.action == "cloned"
    assert outcome.proof is not None
    assert outcome.proof == place.target.proof()
    place.sql("UPDATE users SET age = 9 WHERE id = 1")
    state.remember(place.directory, place.target, outcome)
    assert state.untouched(place.directory, place.target) is None


def test_open_session_forbids_the_proof(place: Place) -> None:
    place.checkout()
    with psycopg.connect(place.url) as session:
        session.execute("SELECT 1")
        assert place.target.proof() is None
    assert place.checkout().action in ("unchanged", "loaded")


def test_database_in_use_is_filled_and_its_sessions_live_on(place: Place) -> None:
    place.owned().checkout()
    with psycopg.connect(place.url, autocommit=True) as session:
        session.execute("UPDATE users SET age = 1")
        assert place.checkout(3, "2.0.0").action == "loaded"
        assert session.execute("SELECT count(*) FROM users").fetchone() == (3,)
    place.sql("UPDATE users SET age = 1")
    assert place.checkout(5, "1.0.0").action == "cloned"


def test_settings_and_rights_of_a_database_outlive_its_clone(place: Place) -> None:
    name = name_of(place.url)
    place.sql(
        f"ALTER DATABASE {name} SET search_path TO app, public, 'a\"\"b', ''",
        f"ALTER DATABASE {name} SET temp_tablespaces TO ''",
        f"ALTER DATABASE {name} SET work_mem = '7MB'",
        f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC",
        f"COMMENT ON DATABASE {name} IS 'it''s mine'",
    )
    query = (
        "SELECT datacl::text, shobj_description(d.oid, 'pg_database'), (SELECT setconfig FROM pg_db_role_setting"
        f" WHERE setdatabase = d.oid), d.oid::int FROM pg_database d WHERE datname = '{name}'"
    )
    before = place.sql(query)[0]
    place.owned().checkout()
    after = place.sql(query)[0]
    assert after[1:3] == before[1:3]
    assert set(re.split("[{},]", after[0])) == set(re.split("[{},]", before[0]))
    assert after[3] != before[3]


def test_tablespace_of_a_database_outlives_its_clone(place: Place, postgresql_server: Server) -> None:
    name = name_of(place.url)
    try:
        run_sql(postgresql_server.url, "SET allow_in_place_tablespaces = on", "CREATE TABLESPACE elsewhere LOCATION ''")
    except psycopg.errors.UndefinedObject:
        pytest.skip("this PostgreSQL has no tablespaces in place")
    run_sql(postgresql_server.url, f"ALTER DATABASE {name} SET TABLESPACE elsewhere")
    place.owned().checkout()
    place.sql("DELETE FROM users")
    assert place.checkout().action == "cloned"
    query = "SELECT spcname::text FROM pg_tablespace t JOIN pg_database d ON d.dattablespace = t.oid"
    assert place.sql(f"{query} WHERE datname = '{name}'") == [("elsewhere",)]
    run_sql(postgresql_server.url, f"DROP DATABASE {name}", "DROP TABLESPACE elsewhere")


def test_user_may_have_any_name(place: Place, postgresql_server: Server) -> None:
    run_sql(postgresql_server.url, 'DROP ROLE IF EXISTS "Ada L."', 'CREATE ROLE "Ada L." LOGIN CREATEDB')
    place.sql(f'ALTER DATABASE {name_of(place.url)} OWNER TO "Ada L."')
    place.target = target(place.directory, place.url.replace("postgres@", "Ada%20L.@"), owns="database")
    place.checkout(13)
    place.sql("DELETE FROM users")
    assert place.checkout(13).action == "cloned"


def test_kind_of_the_locale_outlives_a_clone(tmp_path: Path) -> None:
    """Here the server's own databases have another kind."""
    query = "SELECT datlocprovider::text FROM pg_database WHERE datname = 'app'"
    made = "CREATE DATABASE icu TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
    with postgresql.serve(postgresql.binaries(os.environ["PATH"]), Options(port=None)) as server:
        try:
            run_sql(server.url, "CREATE DATABASE app", made)
        except psycopg.errors.FeatureNotSupported as exc:
            pytest.skip(f"this PostgreSQL: {exc}")
        run_sql(server.url, "ALTER DATABASE template0 RENAME TO plain", "ALTER DATABASE icu RENAME TO template0")
        # As initdb leaves it.
        run_sql(server.url, "UPDATE pg_database SET datcollversion = NULL WHERE datname = 'template0'")
        place = Place(tmp_path, database_url(server.url, "app")).owned()
        assert place.checkout().action == "loaded"
        assert run_sql(server.url, query) == [("c",)]


def test_only_one_template_and_no_clone_is_left(place: Place, postgresql_server: Server) -> None:
    query = "SELECT datname FROM pg_database WHERE datname LIKE 'tdv%' AND datname NOT LIKE 'tdv_template_%'"
    place.owned()
    for _ in range(3):
        place.checkout(11)
        place.sql("DELETE FROM users")
    assert run_sql(postgresql_server.url, query) == []


def test_clones_that_a_killed_run_left_are_swept(place: Place, postgresql_server: Server) -> None:
    place.owned().checkout()
    from tdv.targets.postgresql.cloning import prefix_of

    prefix = prefix_of(name_of(place.url))
    run_sql(postgresql_server.url, f'CREATE DATABASE "{prefix}dead"')
    place.sql("DELETE FROM users")
    place.checkout()
    assert run_sql(postgresql_server.url, f"SELECT 1 FROM pg_database WHERE datname = '{prefix}dead'") == []


def test_owned_database_is_dropped_and_no_other(place: Place) -> None:
    drop: Callable[[], None] = place.target.drop  # type: ignore[attr-defined]
    with pytest.raises(Refused, match="not tdv's to drop"):
        drop()
    place.owned().checkout()
    place.target.drop()  # type: ignore[attr-defined]
    assert place.target.held() == ()
    with pytest.raises(TargetError, match="does not exist"):
        list(place.target.read(USERS))


def test_rows_go_to_the_schema_of_the_search_path(place: Place) -> None:
    place.sql("CREATE SCHEMA app")
    url = f"{place.url}&options=-csearch_path%3Dapp"
    for owns in ("tables", "database"):
        place.target = target(place.directory, url, owns=owns)
        place.checkout(4, f"1.0.{len(owns)}")
        assert place.sql("SELECT count(*) FROM app.users") == [(4,)]
    place.target = target(place.directory, url.replace("Dapp", "Dabsent"))
    with pytest.raises(TargetError, match="no schema of the search path absent"):
        place.checkout()


def test_password_is_never_said(place: Place, tmp_path: Path) -> None:
    secret = "hunter2%zz"
    for url in (
        f"postgresql://u:{secret}@127.0.0.1:1/db",
        "postgresql://u:hunter2@127.0.0.1:1/db",
        "postgresql://u:hunter2@127.0.0.1:1/db?sslmode=nonsense",
    ):
        with pytest.raises(TargetError) as caught:
            target(tmp_path, url).held()
        chain: BaseException | None = caught.value
        while chain is not None and not chain.__suppress_context__:
            assert "hunter2" not in str(chain)
            chain = chain.__cause__
        assert caught.value.hint


def test_wrong_password_is_said_in_a_sentence(postgresql_server: Server, tmp_path: Path, place: Place) -> None:
    run_sql(postgresql_server.url, "DROP ROLE IF EXISTS reader", "CREATE ROLE reader LOGIN PASSWORD 'right'")
    place.checkout()
    reader = target(tmp_path, place.url.replace("postgres@", "reader@"))
    with pytest.raises(TargetError, match="permission denied"):
        checkout(tmp_path, reader, snapshot(tmp_path, {USERS: users(3)}))
    with pytest.raises(TargetError, match=r"role .* does not exist"):
        target(tmp_path, place.url.replace("postgres@", "nobody@")).held()


def test_user_who_may_make_no_schema_needs_one_called_tdv(place: Place, postgresql_server: Server) -> None:
    run_sql(postgresql_server.url, "DROP ROLE IF EXISTS plain", "CREATE ROLE plain LOGIN")
    place.sql("CREATE SCHEMA app AUTHORIZATION plain")
    url = place.url.replace("postgres@", "plain@")
    there = target(place.directory, f"{url}&options=-csearch_path%3Dapp")
    found = snapshot(place.directory, {USERS: users(3)})
    with pytest.raises(TargetError, match="permission denied for database") as caught:
        checkout(place.directory, there, found)
    assert "CREATE SCHEMA _tdv AUTHORIZATION" in str(caught.value.hint)
    place.sql("CREATE SCHEMA _tdv AUTHORIZATION plain")
    for _ in range(2):
        checkout(place.directory, there, found)
        assert target_digest(there, found.manifest.schema) == found.manifest.content
        place.sql("DELETE FROM app.users")


@pytest.mark.parametrize(
    ("reason", "hint"),
    [
        ('FATAL:  database "app" does not exist', "owns: database"),
        ('FATAL:  role "nobody" does not exist', "Check user and password"),
        ('root certificate file "/root/.postgresql/root.crt" does not exist', "sslrootcert="),
        ('FATAL:  pg_hba.conf rejects connection for host "h", user "u", no encryption', "sslmode=require"),
        ('FATAL:  no pg_hba.conf entry for host "h", user "u", database "d", no encryption', "sslmode=require"),
        ('FATAL:  pg_hba.conf rejects connection for host "h", user "u", database "d", SSL encryption', "pg_hba.conf"),
    ],
)
def test_server_that_lets_nobody_in_is_told_with_what_helps(reason: str, hint: str) -> None:
    from tdv.targets.postgresql.session import failures

    with pytest.raises(TargetError, match="cannot be reached") as caught, failures("postgresql://h/app"):
        raise psycopg.OperationalError(f"connection failed: {reason}")
    assert hint in str(caught.value.hint)


def test_rows_that_a_policy_hides_are_never_left_out(place: Place, postgresql_server: Server) -> None:
    run_sql(postgresql_server.url, "DROP ROLE IF EXISTS hidden", "CREATE ROLE hidden LOGIN")
    place.checkout()
    place.sql(
        "GRANT SELECT ON users TO hidden",
        "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY few ON users USING (id < 3)",
    )
    manifest = snapshot(place.directory, {USERS: users(5)}).manifest
    with pytest.raises(TargetError, match="row-level security") as caught:
        target_digest(target(place.directory, place.url.replace("postgres@", "hidden@")), manifest.schema)
    assert "BYPASSRLS" in str(caught.value.hint)
    place.sql("DROP OWNED BY hidden")


def test_read_only_user_is_told(place: Place) -> None:
    place.checkout()
    place.target = target(place.directory, f"{place.url}&options=-cdefault_transaction_read_only%3Don")
    with pytest.raises(TargetError, match="read-only transaction"):
        place.checkout(3, "2.0.0")
    assert place.ids() == [1, 2, 3, 4, 5]


def test_lock_of_somebody_else_is_busy(place: Place) -> None:
    place.checkout()
    place.target = target(place.directory, f"{place.url}&options=-clock_timeout%3D100")
    with psycopg.connect(place.url) as session:
        session.execute("LOCK TABLE users")
        with pytest.raises(TargetBusy, match="holds a lock"):
            place.checkout(3, "2.0.0")
    assert place.ids() == [1, 2, 3, 4, 5]


def test_checkout_of_somebody_else_is_named(place: Place) -> None:
    from tdv.targets.postgresql.session import connect, parameters
    from tdv.targets.postgresql.statements import lock

    place.target = target(place.directory, f"{place.url}&options=-clock_timeout%3D100")
    with connect(parameters(place.url)) as other:
        lock(other, target_lock(name_of(place.url)), "it")
        with pytest.raises(Refused, match=r"in use by session \d+ of postgres"):
            place.checkout()


def test_second_checkout_waits_by_whatever_host_it_comes_to_the_server(
    tmp_path: Path, postgresql_server: Server
) -> None:
    with postgresql.serve(postgresql_server.binaries) as server:
        other = server.url.replace("127.0.0.1", "127.1") + "?options=-clock_timeout%3D100"
        first, second = Place(tmp_path, server.url), Place(tmp_path / "second", other)
        found = snapshot(tmp_path, {USERS: users(3)})

        def opened() -> Snapshot:
            with pytest.raises(Refused, match="is in use by session"):
                second.checkout()
            return found

        checkout(tmp_path, first.target, Wanted("shop", "1.0.0", found.manifest.digest, opened))
        assert first.ids() == [1, 2, 3]


def test_connection_limit_is_busy(place: Place, postgresql_server: Server) -> None:
    run_sql(postgresql_server.url, "DROP ROLE IF EXISTS few", "CREATE ROLE few LOGIN CONNECTION LIMIT 0")
    with pytest.raises(TargetBusy, match="too many connections"):
        target(place.directory, place.url.replace("postgres@", "few@")).held()


def test_missing_database_says_what_to_do(absent_postgresql: str, tmp_path: Path) -> None:
    place = target(tmp_path, absent_postgresql)
    assert place.held() == ()
    with pytest.raises(TargetError, match="does not exist") as caught:
        checkout(tmp_path, place, snapshot(tmp_path, {USERS: users(3)}))
    assert "owns: database" in str(caught.value.hint)


def test_server_that_is_gone_in_the_middle_leaves_the_old_rows(place: Place) -> None:
    place.checkout()
    found = snapshot(place.directory, {USERS: users(9)})
    real = found.batches

    def cut(name: str, columns: Any = None) -> Any:
        place.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tdv'")
        return real(name, columns)

    found.batches = cut  # type: ignore[method-assign]
    with pytest.raises(TargetError):
        checkout(place.directory, place.target, wanted(found, "2.0.0"))
    assert place.ids() == [1, 2, 3, 4, 5]


def test_server_with_another_encoding_refuses_what_it_lacks(place: Place, postgresql_server: Server) -> None:
    name = f"{name_of(place.url)}_l1"
    run_sql(postgresql_server.url, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    schema = table("t", {"id": "int64", "s": "string"})
    for owns in ("tables", "database"):
        there = target(place.directory, database_url(postgresql_server.url, name), owns=owns)
        good = snapshot(place.directory, {schema: pa.table({"id": [1], "s": ["é"]})})
        checkout(place.directory, there, good)
        assert target_digest(there, good.manifest.schema) == good.manifest.content
        with pytest.raises(DataError, match="'t'") as caught:
            checkout(place.directory, there, snapshot(place.directory, {schema: pa.table({"id": [1], "s": ["€"]})}))
        assert "whose encoding is UTF8" in str(caught.value.hint)
    run_sql(postgresql_server.url, f"DROP DATABASE {name}")


@pytest.mark.parametrize("owns", ["tables", "database"])
def test_server_without_an_encoding_keeps_every_character(
    place: Place, postgresql_server: Server, absent_postgresql: str, owns: str
) -> None:
    name = name_of(absent_postgresql)
    run_sql(postgresql_server.url, f"DROP DATABASE IF EXISTS {name}")
    run_sql(postgresql_server.url, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
    schema = table("t", {"id": "int64", "s": "string"})
    found = snapshot(place.directory, {schema: pa.table({"id": [1], "s": ["é€😀"]})})
    there = target(place.directory, database_url(postgresql_server.url, name), owns=owns)
    checkout(place.directory, there, found)
    assert target_digest(there, found.manifest.schema) == found.manifest.content


def test_clients_time_zone_and_style_do_not_matter(place: Place) -> None:
    kinds = {"id": "int64", "at": "timestamptz", "on": "date", "b": "binary", "f": "float64", "l": "list<string>"}
    schema = table("t", kinds)
    row = {"id": [1], "at": [NOW], "on": [NOW.date()], "b": [b"\0\xff"], "f": [0.1], "l": [["a", None]]}
    rows = pa.table(row)
    styles = "-cTimeZone%3DAsia/Tokyo%20-cDateStyle%3DGerman%20-cbytea_output%3Descape%20-cextra_float_digits%3D-5"
    more = "-cquote_all_identifiers%3Don%20-carray_nulls%3Doff"
    place.target = target(place.directory, f"{place.url}&options={styles}%20{more}")
    place.checkout_tables({schema: rows})
    digest = snapshot(place.directory, {schema: rows}).manifest
    assert target_digest(place.target, digest.schema) == digest.content
    assert place.target.inspect().table("t").columns == schema.columns
    place.sql("ALTER TABLE t ADD more int")
    place.checkout_tables({schema: rows})
    assert target_digest(place.target, digest.schema) == digest.content


def test_missing_driver_says_what_to_install(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "tdv.targets.postgresql.session", None)
    with pytest.raises(PluginMissing) as caught:
        target(tmp_path, "postgresql://h/db").held()
    assert 'pip install "tdv[postgres]"' in str(caught.value.hint)


@pytest.mark.parametrize("owned", [False, True])
def test_target_that_holds_a_newer_version_goes_back(place: Place, owned: bool) -> None:
    if owned:
        place.owned()
    place.checkout(7, "2.0.0")
    place.checkout(5, "1.0.0")
    assert place.holds(5)
    assert [item.version for item in place.target.held()] == ["1.0.0"]
    assert place.checkout(7, "2.0.0").action == ("cloned" if owned else "loaded")
    assert place.holds(7)


@pytest.mark.parametrize("name", ['quo"te', "per%cent", "sn☃wman", "select", "dot.ted", "with space"])
def test_any_name_of_a_database_is_only_a_name(postgresql_server: Server, tmp_path: Path, name: str) -> None:
    place = Place(tmp_path, database_url(postgresql_server.url, quote(name, safe=""))).owned()
    place.checkout()
    assert place.checkout().action == "unchanged"
    place.sql("DELETE FROM users")
    assert place.checkout().action == "cloned"
    assert place.sql("SELECT current_database(), count(*) FROM users") == [(name, 5)]
    place.target.drop()


def test_database_keeps_the_collation_that_it_was_made_with(place: Place, postgresql_server: Server) -> None:
    name = name_of(place.url)
    run_sql(postgresql_server.url, f'DROP DATABASE "{name}"')
    try:
        made = f'CREATE DATABASE "{name}" TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE'
        run_sql(postgresql_server.url, f"{made} 'sv'")
    except psycopg.errors.FeatureNotSupported as exc:
        pytest.skip(f"the server was built without other collations: {exc}")
    place.owned().checkout()
    place.sql("DELETE FROM users")
    place.checkout()
    assert place.sql("SELECT datlocprovider FROM pg_database WHERE datname = current_database()") == [("i",)]
    assert place.sql("SELECT 'z' < 'ö'") == [(True,)]


@pytest.mark.slow
def test_session_on_a_template_is_told_and_the_database_stays(place: Place, postgresql_server: Server) -> None:
    place.owned().checkout(9)
    ((template,),) = run_sql(postgresql_server.url, NEWEST_TEMPLATE)
    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        psycopg.connect(database_url(postgresql_server.url, str(template)))
    place.sql("DELETE FROM users WHERE id = 1")
    run_sql(postgresql_server.url, f"ALTER DATABASE {template} ALLOW_CONNECTIONS true")
    with psycopg.connect(database_url(postgresql_server.url, str(template))):
        with pytest.raises(TargetError) as caught:
            place.checkout(9)
        assert caught.value.hint == "Close the sessions on that database, then run the command again."
    run_sql(postgresql_server.url, f"ALTER DATABASE {template} ALLOW_CONNECTIONS false")
    assert place.ids() == [2, 3, 4, 5, 6, 7, 8, 9]
    assert place.checkout(9).action == "cloned"

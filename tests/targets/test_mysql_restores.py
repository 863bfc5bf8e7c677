"""MariaDB: nothing to do, ways back, throwaway databases, and faults."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread
from urllib.parse import quote, urlsplit

import pyarrow as pa
import pytest
import sqlalchemy as sa

import tdv
from tdv.checkout import CheckoutOptions, Wanted, load_of
from tdv.cleanup import CleanupOptions, cleanup
from tdv.content.snapshot import Snapshot
from tdv.errors import DataError, PluginMissing, Refused, TargetBusy, TargetError
from tdv.project.databases import DatabaseWish
from tdv.servers import mariadb
from tdv.servers.server import Server
from tdv.targets.mysql.session import connect, lock, parameters
from tdv.targets.mysql.templates import Templates
from tdv.targets.on_server import target_lock
from tdv.targets.throwaway import Name, Throwaway, Throwaways, throwaways_of
from tdv.targets.verification import target_digest
from tdv.testing import NOW, USERS, checkout, snapshot, table, users, wanted
from tests.shop import kill_a_worker, released_shop
from tests.targets.builders import target
from tests.targets.places import MysqlPlace
from tests.targets.servers import mysql_url, name_of, run_mysql
from tests.targets.test_throwaway import load

pymysql = pytest.importorskip("pymysql")
pytest_plugins = ["pytester", "tests.targets.servers"]

MARKED_BY_OTHERS = (
    "CREATE OR REPLACE VIEW _tdv_state AS SELECT 'shop' AS dataset, '9.9.9' AS version, '' AS digest, '' AS loaded_at,"
    " '' AS execution_id, '{\"users\": 5}' AS tables, '[]' AS scenarios, '{}' AS objects, 1 AS whole"
)
LEFT = "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'tdv\\_2%' ORDER BY 1"


@pytest.fixture
def place(tmp_path: Path, empty_mysql: str) -> MysqlPlace:
    return MysqlPlace(tmp_path, empty_mysql)


@pytest.mark.parametrize("owned", [False, True])
@pytest.mark.parametrize(
    "touch",
    [
        "UPDATE users SET age = 9 WHERE id = 1",
        "DELETE FROM users WHERE id = 2",
        "INSERT INTO users (email, at) VALUES ('x', now())",
        "TRUNCATE users",
        "ALTER TABLE users RENAME COLUMN age TO years",
        "DROP TABLE users",
        "ALTER TABLE users AUTO_INCREMENT = 99",
        MARKED_BY_OTHERS,
    ],
)
def test_whatever_was_touched_is_brought_back(place: MysqlPlace, owned: bool, touch: str) -> None:
    if owned:
        place.owned()
    place.checkout()
    assert place.checkout().action == "unchanged"
    place.sql(touch)
    action = place.checkout(replace="RENAME" in touch).action
    assert action == ("cloned" if owned else "loaded")
    digest = snapshot(place.directory, {USERS: users(5)}).manifest
    assert target_digest(place.target, digest.schema) == digest.content
    assert place.sql("INSERT INTO users (email, at) VALUES ('new', now())", "SELECT max(id) FROM users") == [(6,)]


def test_proof_holds_from_the_second_after_the_last_write(place: MysqlPlace) -> None:
    place.checkout()
    place.sql("SELECT SLEEP(1 - MICROSECOND(NOW(6)) / 1000000)")
    proof = place.target.proof()
    assert proof is not None
    place.sql("SELECT SLEEP(1 - MICROSECOND(NOW(6)) / 1000000)", "UPDATE users SET age = age")
    assert place.target.proof() == proof
    place.sql("UPDATE users SET age = 7")
    assert place.target.proof() is None
    place.sql("SELECT SLEEP(1 - MICROSECOND(NOW(6)) / 1000000)")
    assert place.target.proof() not in (None, proof)


def test_other_connection_does_not_see_a_half_loaded_state(place: MysqlPlace) -> None:
    place.sql("CREATE TABLE users (id bigint PRIMARY KEY, email text, age smallint, at datetime(6))")
    place.checkout(4)
    with pymysql.connect(**words(place.url)) as reader, reader.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM users")
        place.checkout(3, "2.0.0")
        cursor.execute("SELECT count(*) FROM users")
        assert cursor.fetchall() == ((4,),)
        reader.rollback()
        cursor.execute("SELECT count(*) FROM users")
        assert cursor.fetchall() == ((3,),)


def words(url: str) -> dict[str, object]:
    from tdv.targets.mysql.session import parameters

    given = parameters(url)
    return {**given.words, "database": given.database}


@pytest.mark.parametrize("password", ["p@ss/w:o?#rd%25 +&='", "Ä€Ж"])
def test_user_and_password_may_have_any_character(tmp_path: Path, mariadb_server: Server, password: str) -> None:
    user = f"'a@b/c:{len(password)}'@'%'"
    written = password.replace("'", "''")
    run_mysql(mariadb_server.url, f"CREATE USER {user} IDENTIFIED BY '{written}'", f"GRANT ALL ON *.* TO {user}")
    account = f"{quote(user[1:-5], safe='')}:{quote(password, safe='')}"
    url = re.sub("//[^@]*@", f"//{account}@", mariadb_server.url)
    throwaways = throwaways_of(target(tmp_path, url))
    made = throwaways.create(Name(NOW, "run1", "a"), load(tmp_path))
    with throwaways.connect(made) as connection:
        assert count(connection) == 5
    if password.isascii():
        with sa.create_engine(made.url.replace("mysql:", "mysql+pymysql:")).connect() as other:
            assert other.execute(sa.text("SELECT count(*) FROM users")).scalar() == 5
    throwaways.drop(made.name)
    run_mysql(mariadb_server.url, f"DROP USER {user}")


def test_wrong_password_is_never_printed(place: MysqlPlace) -> None:
    url = place.url.replace("mysql://tdv:", "mysql://tdv:s3cret")
    with pytest.raises(TargetError, match="cannot be reached: Access denied") as caught:
        checkout(place.directory, target(place.directory, url), snapshot(place.directory, {USERS: users(1)}))
    assert "s3cret" not in f"{caught.value.message} {caught.value.hint} {target(place.directory, url).shown}"


def test_way_to_log_in_that_the_driver_lacks_is_named(place: MysqlPlace) -> None:
    if importlib.util.find_spec("nacl") is not None:
        pytest.skip("the driver has it")
    try:
        place.sql("INSTALL SONAME 'auth_ed25519'")
    except pymysql.err.MySQLError as exc:
        pytest.skip(f"the server lacks the plug-in: {exc.args[-1]}")
    place.sql("CREATE USER ed IDENTIFIED VIA ed25519 USING PASSWORD('s3cret')")
    parts = urlsplit(place.url)
    url = parts._replace(netloc=f"ed:s3cret@{parts.netloc.rpartition('@')[2]}").geturl()
    try:
        with pytest.raises(TargetError, match="cannot log in as this server asks for: 'pynacl'") as caught:
            target(place.directory, url).held()
    finally:
        place.sql("DROP USER ed", "UNINSTALL SONAME 'auth_ed25519'")
    assert "Install that package" in str(caught.value.hint)
    assert "s3cret" not in f"{caught.value.message} {caught.value.hint}"


def test_missing_database_says_what_to_do(tmp_path: Path, absent_mysql: str) -> None:
    place = MysqlPlace(tmp_path, absent_mysql)
    assert place.target.held() == ()
    with pytest.raises(TargetError, match="cannot be reached: Unknown database") as caught:
        place.checkout()
    assert "owns: database" in str(caught.value.hint)


@pytest.mark.parametrize("url", ["mysql://localhost", "mysql://u:p@host:port/x"])
def test_url_that_cannot_be_used_is_not_repeated(tmp_path: Path, url: str) -> None:
    with pytest.raises(TargetError, match="the URL of the MySQL target") as caught:
        target(tmp_path, url).held()
    assert "u:p" not in caught.value.message


def test_server_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="cannot be reached") as caught:
        target(tmp_path, "mariadb://me:hidden@localhost/x?unix_socket=/nowhere").held()
    assert "serve-db mariadb" in str(caught.value.hint)
    assert "hidden" not in caught.value.message


@pytest.mark.parametrize("owned", [False, True])
def test_user_who_may_only_read_changes_nothing(place: MysqlPlace, mariadb_server: Server, owned: bool) -> None:
    place.checkout()
    user = f"reader{owned}"
    run_mysql(
        mariadb_server.url,
        f"CREATE OR REPLACE USER {user} IDENTIFIED BY 'pw'",
        f"GRANT SELECT, SHOW VIEW ON {name_of(place.url)}.* TO {user}",
    )
    url = place.url.replace(place.url[len("mysql://") : place.url.index("@")], f"{user}:pw")
    reader = target(place.directory / "reader", url, owns="database" if owned else "tables")
    with pytest.raises(TargetError, match=r"command denied|Access denied"):
        checkout(place.directory / "reader", reader, wanted(snapshot(place.directory, {USERS: users(2)}), "2.0.0"))
    assert place.ids() == [1, 2, 3, 4, 5]


def test_user_without_a_right_to_make_databases_owns_one(place: MysqlPlace, mariadb_server: Server) -> None:
    run_mysql(
        mariadb_server.url,
        "CREATE OR REPLACE USER modest IDENTIFIED BY 'pw'",
        f"GRANT ALL ON {name_of(place.url)}.* TO modest",
    )
    place.url = place.url.replace(place.url[len("mysql://") : place.url.index("@")], "modest:pw")
    place.owned()
    assert [place.checkout(rows, version).action for rows, version in ((5, "1.0.0"), (4, "2.0.0"))] == ["loaded"] * 2
    assert place.ids() == [1, 2, 3, 4]


def test_connection_limit_says_so(place: MysqlPlace, mariadb_server: Server) -> None:
    run_mysql(
        mariadb_server.url,
        "CREATE OR REPLACE USER crowded IDENTIFIED BY 'pw' WITH MAX_USER_CONNECTIONS 1",
        f"GRANT ALL ON {name_of(place.url)}.* TO crowded",
    )
    url = place.url.replace(place.url[len("mysql://") : place.url.index("@")], "crowded:pw")
    with pymysql.connect(**words(url)), pytest.raises(TargetBusy, match="takes no more connections"):
        target(place.directory, url).held()


def test_second_checkout_says_who_holds_the_target(
    place: MysqlPlace, monkeypatch: pytest.MonkeyPatch, mariadb_server: Server
) -> None:
    from tdv.targets.mysql import session

    monkeypatch.setattr(session, "LOCK_WAIT", 0)
    given = session.parameters(place.url)
    with session.connected(given) as holder:
        session.lock(holder, target_lock(given.database), "the target")
        with pytest.raises(Refused, match=r"is in use by session \d+ of tdv from localhost"):
            place.checkout()


def test_second_checkout_waits_by_whatever_way_it_comes_to_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mariadb_server: Server
) -> None:
    from tdv.targets.mysql import session

    monkeypatch.setattr(session, "LOCK_WAIT", 0)
    with mariadb.serve(mariadb_server.binaries) as server:
        socket = urlsplit(server.url)._replace(query=f"unix_socket={quote(str(server.directory / 'socket'), safe='')}")
        first, second = MysqlPlace(tmp_path, server.url), MysqlPlace(tmp_path / "second", socket.geturl())
        found = snapshot(tmp_path, {USERS: users(3)})

        def opened() -> Snapshot:
            with pytest.raises(Refused, match="is in use by session"):
                second.checkout()
            return found

        checkout(tmp_path, first.target, Wanted("shop", "1.0.0", found.manifest.digest, opened))
        assert first.ids() == [1, 2, 3]


def test_open_transaction_on_a_table_is_waited_for(place: MysqlPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    from tdv.targets.mysql import session

    settings = tuple(item.replace("= 60", "= 1") for item in session._SETTINGS)
    monkeypatch.setattr(session, "_SETTINGS", settings)
    place.checkout()
    with pymysql.connect(**words(place.url)) as other:
        other.query("SELECT * FROM users")
        with pytest.raises(TargetBusy, match="another session holds a lock"):
            place.checkout(3, "2.0.0")
    assert place.ids() == [1, 2, 3, 4, 5]
    assert place.sql("SHOW TABLES") == [("_tdv_state",), ("users",)]


def test_full_table_space_leaves_the_old_rows(place: MysqlPlace, mariadb_server: Server) -> None:
    """The server stops taking rows in the middle, as it does on a full disk."""
    place.checkout()
    url = mysql_url(mariadb_server.url, name_of(place.url))
    killer = "CREATE TRIGGER full BEFORE INSERT ON users FOR EACH ROW SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1021"
    run_mysql(url, killer)
    with pytest.raises((TargetError, DataError)):
        place.checkout(3, "2.0.0")
    run_mysql(url, "DROP TRIGGER full")
    assert place.ids() == [1, 2, 3, 4, 5]
    assert [held.version for held in place.target.held()] == ["1.0.0"]


def test_encoding_of_the_database_does_not_matter(place: MysqlPlace, mariadb_server: Server) -> None:
    name = name_of(place.url)
    run_mysql(mariadb_server.url, f"ALTER DATABASE `{name}` CHARACTER SET latin1")
    schema = table("t", {"id": "int64", "s": "string"})
    place.checkout_tables({schema: pa.table({"id": [1], "s": ["é€😀"]})})
    assert place.sql("SELECT s FROM t") == [("é€😀",)]
    place.sql("DROP TABLE t", "CREATE TABLE t (id bigint PRIMARY KEY, s varchar(9) CHARACTER SET latin1 NOT NULL)")
    with pytest.raises(DataError, match=r"refuses rows of table 't'.* \(s\)"):
        place.checkout_tables({schema: pa.table({"id": [1], "s": ["é€😀"]})})
    place.checkout_tables({schema: pa.table({"id": [1], "s": ["é"]})})
    assert place.sql("SELECT s, length(s) FROM t") == [("é", 1)]


def test_values_that_are_one_in_the_collation_of_a_column_are_explained(place: MysqlPlace) -> None:
    place.sql("CREATE TABLE t (s varchar(9) COLLATE utf8mb4_general_ci PRIMARY KEY)")
    schema = table("t", {"s": "string"}, key=("s",))
    with pytest.raises(DataError, match=r"refuses rows of table 't': a value stands twice \(PRIMARY\)") as raised:
        place.checkout_tables({schema: pa.table({"s": ["Balcony", "balcony"]})})
    assert "utf8mb4_bin" in raised.value.hint
    place.sql("ALTER TABLE t MODIFY s varchar(9) COLLATE utf8mb4_bin")
    place.checkout_tables({schema: pa.table({"s": ["Balcony", "balcony"]})})


def test_missing_driver_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("pymysql", "tdv.targets.mysql."))]:
        if name not in ("tdv.targets.mysql.target", "tdv.targets.mysql.types"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pymysql", None)
    with pytest.raises(PluginMissing) as caught:
        target(tmp_path, "mysql://localhost/x").held()
    assert caught.value.hint == 'Run `pip install "tdv[mysql]"`.'


# Throwaway databases.


@pytest.fixture
def throwaways(tmp_path: Path, mariadb_server: Server) -> Throwaways:
    return throwaways_of(target(tmp_path, mariadb_server.url))


@pytest.fixture
def made(tmp_path: Path, throwaways: Throwaways) -> Throwaway:
    return throwaways.create(Name(NOW, "run1", tmp_path.name[-12:].lower().replace("_", "x")), load(tmp_path))


def count(connection: object) -> int:
    with connection.cursor() as cursor:  # type: ignore[attr-defined]
        cursor.execute("SELECT count(*) FROM users")
        return int(cursor.fetchall()[0][0])


def test_every_throwaway_is_a_database_of_its_own(tmp_path: Path, throwaways: Throwaways) -> None:
    first, second = (throwaways.create(Name(NOW, "run1", part), load(tmp_path)) for part in "ab")
    with throwaways.connect(first) as connection:
        connection.query("DELETE FROM users")
        connection.commit()
    open_session = throwaways.connect(second)
    assert count(open_session) == 5
    for name in (first.name, first.name, second.name):
        throwaways.drop(name)
    with pytest.raises(pymysql.err.OperationalError):
        count(open_session)
    with suppress(pymysql.err.Error):
        open_session.close()
    assert [item for item in throwaways.found() if item.kind == "database"] == []
    for name in ("test", "mysql"):
        throwaways.drop(name)


def test_drop_waits_for_the_session_that_makes_the_database(
    throwaways: Throwaways, made: Throwaway, mariadb_server: Server
) -> None:
    dropping = Thread(target=throwaways.drop, args=(made.name,))
    with closing(connect(parameters(mariadb_server.url), None)) as maker:
        lock(maker, made.name, "the database")
        dropping.start()
        waiting = "SELECT 1 FROM information_schema.PROCESSLIST WHERE STATE = 'User lock'"
        while not run_mysql(mariadb_server.url, waiting):
            assert dropping.is_alive()
    dropping.join()
    assert made.name not in [item.name for item in throwaways.found()]


def test_making_waits_for_whoever_has_the_name(tmp_path: Path, throwaways: Throwaways, mariadb_server: Server) -> None:
    name = Name(NOW, "run1", "waits")
    making = Thread(target=throwaways.create, args=(name, load(tmp_path)))
    with closing(connect(parameters(mariadb_server.url), None)) as other:
        lock(other, str(name), "the database")
        making.start()
        waiting = "SELECT 1 FROM information_schema.PROCESSLIST WHERE STATE = 'User lock'"
        while not run_mysql(mariadb_server.url, waiting):
            assert making.is_alive()
    making.join()
    throwaways.drop(str(name))


def test_template_that_another_run_removes_meanwhile_is_made_anew(
    tmp_path: Path, throwaways: Throwaways, mariadb_server: Server
) -> None:
    name, found = Name(NOW, "late", "a"), load(tmp_path, 6)
    throwaways.drop(throwaways.create(Name(NOW, "late", "b"), found).name)
    given = parameters(mariadb_server.url)
    with ThreadPoolExecutor(1) as pool:
        with closing(connect(given, None)) as other:
            lock(other, str(name), "it")
            made = pool.submit(throwaways.create, name, found)
            waiting = "SELECT 1 FROM information_schema.PROCESSLIST WHERE STATE = 'User lock'"
            while not run_mysql(mariadb_server.url, waiting):
                assert not made.done()
            templates = Templates(other)
            templates.drop(templates.name_of(found))
        assert run_mysql(made.result().url, "SELECT COUNT(*) FROM users") == [(6,)]
    throwaways.drop(str(name))


def test_name_that_is_taken_is_refused_and_stays(tmp_path: Path, throwaways: Throwaways, made: Throwaway) -> None:
    name = Name.parse(made.name)
    assert name is not None
    with pytest.raises(Refused, match="such a database"):
        throwaways.create(name, load(tmp_path))
    with throwaways.connect(made) as connection:
        assert count(connection) == 5
    throwaways.drop(made.name)


def test_killed_worker_leaves_nothing(pytester: pytest.Pytester, mariadb_server: Server) -> None:
    kill_a_worker(pytester, mariadb_server.url)
    assert run_mysql(mariadb_server.url, LEFT) == []


def test_transaction_is_undone_on_a_connection_that_stays(throwaways: Throwaways, made: Throwaway) -> None:
    with throwaways.connect(made) as connection:
        for _ in range(2):
            begun = throwaways.begin(made, lambda: connection)
            connection.query("DELETE FROM users")
            assert throwaways.undone(made, connection, begun)
        assert count(connection) == 5
    throwaways.drop(made.name)


@pytest.mark.parametrize("act", ["DELETE FROM users", "ALTER TABLE users ADD more int", "CREATE TABLE more (id int)"])
def test_what_was_committed_proves_nothing(throwaways: Throwaways, made: Throwaway, act: str) -> None:
    with throwaways.connect(made) as connection:
        begun = throwaways.begin(made, lambda: connection)
        connection.query(act)
        connection.commit()
        assert not throwaways.undone(made, connection, begun)
    throwaways.drop(made.name)


def test_session_of_somebody_else_is_noticed(throwaways: Throwaways, made: Throwaway) -> None:
    with throwaways.connect(made) as connection, throwaways.connect(made):
        begun = throwaways.begin(made, lambda: connection)
        assert not throwaways.undone(made, connection, begun)
    throwaways.drop(made.name)


def test_unused_templates_are_dropped_oldest_first(tmp_path: Path, mariadb_server: Server) -> None:
    from tdv.targets.mysql.session import connect, parameters
    from tdv.targets.mysql.templates import Templates

    wanted_load = load_of(
        [wanted(snapshot(tmp_path, {USERS: users(8)}))], CheckoutOptions(tmp_path / ".tdv", NOW, "run1")
    )
    throwaways = throwaways_of(target(tmp_path, mariadb_server.url))
    for key, part in (("one", "a"), ("two", "b")):
        throwaways.drop(throwaways.create(Name(NOW, "run1", part), replace(wanted_load, key=key)).name)
    with connect(parameters(mariadb_server.url), None) as admin:
        templates = Templates(admin)
        spare = templates.name_of(replace(wanted_load, key="one"))
        assert templates.collect(spare, keep_templates=0)
        assert [template.name for template in templates.found()] == [spare]


def test_plug_in_and_exec_copy_on_the_server(pytester: pytest.Pytester, mariadb_server: Server) -> None:
    shop = released_shop(pytester.path)
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(2))
        def test_rows(tdv_database, number):
            with tdv_database.connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM users")
                assert cursor.fetchall() == ((10,),)
                cursor.execute("DELETE FROM orders")
                tdv_database.connection.commit()
        """
    )
    pytester.runpytest_subprocess("--tdv-target", mariadb_server.url).assert_outcomes(passed=2)
    outcome = shop.tdv_process("exec", "-t", mariadb_server.url, "--fresh", "--", "sh", "-c", "echo $DATABASE_URL")
    assert outcome.stdout.startswith("mysql://")
    assert [name for (name,) in run_mysql(mariadb_server.url, LEFT) if "_run1_" not in str(name)] == []


TEMPLATES = "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'tdv\\_template\\_%'"
KILLED = """
import os, signal, sys
import tdv
from tdv.project.databases import DatabaseWish
from tdv.targets.mysql import building

building.fill = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
tdv.open(".").databases("killed").create(DatabaseWish(target=sys.argv[1]))
"""


def test_template_that_a_killed_build_left_goes_with_cleanup(throwaways: Throwaways, mariadb_server: Server) -> None:
    dead, living = (f"tdv_template_{digit * 20}" for digit in "ab")
    run_mysql(mariadb_server.url, f"CREATE DATABASE {dead}", f"CREATE DATABASE {living}")
    options = CleanupOptions(NOW)
    with closing(connect(parameters(mariadb_server.url), None)) as builder:
        lock(builder, living, "the template")
        done = cleanup("here", throwaways, lambda _: True, options)
        assert [item.leaving.name for item in done if not item.kept] == [dead]
        throwaways.drop(living)
        assert (living,) in run_mysql(mariadb_server.url, TEMPLATES)
    throwaways.drop(living)
    assert not {(dead,), (living,)} & set(run_mysql(mariadb_server.url, TEMPLATES))


@pytest.mark.parametrize("by", ["run", "build"])
def test_template_that_a_killed_build_left_goes_with_the_next(
    tmp_path: Path, throwaways: Throwaways, mariadb_server: Server, by: str
) -> None:
    for (name,) in run_mysql(mariadb_server.url, TEMPLATES):
        run_mysql(mariadb_server.url, f"DROP DATABASE {name}")
    shop = released_shop(tmp_path / "shop")
    words = [sys.executable, "-c", KILLED, mariadb_server.url]
    assert subprocess.run(words, cwd=shop.root, check=False).returncode == -9
    ((left,),) = run_mysql(mariadb_server.url, TEMPLATES)
    if by == "run":
        with tdv.open(shop.root).databases("next") as databases:
            databases.create(DatabaseWish(target="sqlite:///app.db"))
            assert (left,) in run_mysql(mariadb_server.url, TEMPLATES)
            # This one has its template already, and builds none.
            owned = databases._beside(databases._ports.settings.target(mariadb_server.url))
            owned.collect()
    else:
        throwaways.drop(throwaways.create(Name(NOW, "run1", "b"), load(tmp_path, rows=3)).name)
    assert (left,) not in run_mysql(mariadb_server.url, TEMPLATES)

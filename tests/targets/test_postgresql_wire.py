"""The small client of PostgreSQL against a real server: it does what the driver does, or leaves it to the driver."""

from __future__ import annotations

import gc
import os
import re
import shutil
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from tdv.errors import PluginMissing, TargetError
from tdv.servers import postgresql
from tdv.servers.server import Options, Server
from tdv.targets.postgresql.authentication import Login, Unsupported
from tdv.targets.postgresql.light import opened
from tdv.targets.postgresql.statements import execute, tolerating
from tdv.targets.postgresql.wire import Address, Refusal, session
from tests.shop import released_shop
from tests.targets.builders import target
from tests.targets.servers import missing, run_sql
from tests.test_package import loaded_by

psycopg = pytest.importorskip("psycopg")
pytest_plugins = ["tests.targets.servers"]

PASSWORD = "p@:/% ?&"
RULES = """
local all all trust
host all open 127.0.0.1/32 trust
host all hashed 127.0.0.1/32 md5
host all spoken 127.0.0.1/32 password
hostssl all covered 127.0.0.1/32 scram-sha-256
hostnossl all bare 127.0.0.1/32 scram-sha-256
host all salted 127.0.0.1/32 scram-sha-256
host all named 127.0.0.1/32 ident
"""
USERS = ("open", "spoken", "covered", "bare", "salted", "named")
WHO = "SELECT current_user, (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), current_setting('search_path')"

INTERRUPTED = """
import sys
from tdv.targets.postgresql.wire import Address, session

with session(Address.of(sys.argv[1], {})) as opened:
    opened.wait_for_long()
    try:
        opened.query("SELECT pg_advisory_lock(7)")
    except KeyboardInterrupt:
        print("interrupted, then", opened.query("SELECT 1"))
"""


def test_connection_that_fails_leaves_no_socket_open(tmp_path: Path) -> None:
    gc.collect()  # what other tests left is no concern of this one
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with pytest.raises(FileNotFoundError), session(Address(str(tmp_path), 5432, "ada", "app")):
            pass
        gc.collect()
    assert said == []


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with a port and a user for each way to prove who one is."""
    try:
        programs = postgresql.binaries(os.environ["PATH"])
    except PluginMissing as exc:
        missing(exc.message)
    with postgresql.serve(programs, Options()) as started:
        with (started.directory / "data" / "pg_hba.conf").open("w", encoding="ascii") as file:
            file.write(RULES if has_tls(started) else re.sub("host(no)?ssl", "host", RULES))
        written = "'" + PASSWORD + "'"
        admin = by_socket(started)
        run_sql(admin, *(f"CREATE ROLE {name} LOGIN PASSWORD {written}" for name in USERS))
        run_sql(admin, "SET password_encryption = 'md5'", f"CREATE ROLE hashed LOGIN PASSWORD {written}")
        switch(started, "statement_timeout", "61s")
        yield started


@pytest.fixture(scope="module")
def tls_server(server: Server) -> Server:
    """The same with TLS, by a certificate that nobody but itself vouches for."""
    if not has_tls(server):
        pytest.skip("the server was built without TLS")
    if shutil.which("openssl") is None:
        pytest.skip("the program openssl, which makes a certificate, is not there")
    data = server.directory / "data"
    for name in certificate(data):
        os.chown(name, data.stat().st_uid, data.stat().st_gid)
    switch(server, "ssl", "on")
    return server


def has_tls(server: Server) -> bool:
    """Whether the server was built with it."""
    return run_sql(by_socket(server), "SELECT setting <> '' FROM pg_settings WHERE name = 'ssl_library'") == [(True,)]


def certificate(directory: Path) -> tuple[Path, Path]:
    """A new key and its certificate."""
    key, made = directory / "server.key", directory / "server.crt"
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=another.example"]
    subprocess.run(["openssl", *words, "-keyout", key, "-out", made], check=True, capture_output=True)
    key.chmod(0o600)
    return key, made


def switch(server: Server, setting: str, value: str) -> None:
    """Lets the server read its files again, until sessions that begin are by the new ones."""
    admin = by_socket(server)
    run_sql(admin, f"ALTER SYSTEM SET {setting} = '{value}'", "SELECT pg_reload_conf()")
    for _ in range(1000):
        if run_sql(admin, f"SELECT current_setting('{setting}') = '{value}'") == [(True,)]:
            return
    pytest.fail(f"the server does not set {setting} to {value}")


def by_socket(server: Server) -> str:
    return (
        f"postgresql://postgres@/postgres?host={quote(str(server.directory), safe='')}&port={urlsplit(server.url).port}"
    )


def by_port(server: Server, user: str, mode: str, password: str = PASSWORD) -> str:
    port = urlsplit(server.url).port
    return f"postgresql://{user}:{quote(password, safe='')}@127.0.0.1:{port}/postgres?sslmode={mode}"


def asked(url: str, statements: str = WHO) -> list[tuple[str | None, ...]]:
    with session(Address.of(url, {})) as opened:
        return opened.query(statements)


def by_driver(url: str) -> list[tuple[str | None, ...]]:
    """The same by the driver, a truth value as the server writes it."""
    return [
        tuple({True: "t", False: "f"}.get(value, value) if isinstance(value, bool) else value for value in row)
        for row in run_sql(url, WHO)
    ]


@pytest.mark.parametrize("mode", ["disable", "prefer", "require"])
@pytest.mark.parametrize("user", ["open", "hashed", "spoken", "salted"])
def test_session_is_encrypted_as_the_driver_does_it(tls_server: Server, user: str, mode: str) -> None:
    url = by_port(tls_server, user, mode)
    assert asked(url) == by_driver(url)
    assert asked(url)[0][:2] == (user, "f" if mode == "disable" else "t")


def test_session_by_a_socket_is_that_of_the_driver(server: Server) -> None:
    url = by_socket(server) + "&options=-csearch_path%3Dapp"
    assert asked(url) == by_driver(url) == [("postgres", "f", "app")]


@pytest.mark.parametrize(
    "value", ["", "it's", "back\\slash", "100 %s %% \u20ac", 7, -(2**63), True, False, None, ["a", "b,'\"{}\\"], []]
)
def test_light_session_sends_and_gives_values_as_the_driver_does(server: Server, value: object) -> None:
    kind = {bool: "bool", int: "int8", list: "text[]"}.get(type(value), "text")
    given = f"SELECT 'of 100%%', x::text, cardinality(y), %s::{kind} IS NULL FROM (SELECT %s::{kind} x, %s::text[] y) t"
    values = (value, value, value if isinstance(value, list) else [])
    with opened(Address.of(by_socket(server), {})) as light, psycopg.connect(by_socket(server)) as driver:
        assert execute(light, given, *values) == execute(driver, given, *values)
        assert light.info.server_version == driver.info.server_version


def test_light_session_reads_types_as_the_driver_does(server: Server) -> None:
    statement = (
        "SELECT 1::int2, 2, 3::int8, 4::oid, 't', true, false, NULL::bool, NULL::int, 'x'::name, 5 \"a b\" WHERE 1 < 2"
    )
    with opened(Address.of(by_socket(server), {})) as light, psycopg.connect(by_socket(server)) as driver:
        assert execute(light, statement) == execute(driver, statement)
        assert execute(light, statement + " AND 2 < 1") == []


def test_light_session_goes_on_after_a_refusal(server: Server) -> None:
    with opened(Address.of(by_socket(server), {})) as light:
        with tolerating("22012"), light.transaction():
            execute(light, "CREATE TABLE kept (id int)")
            execute(light, "SELECT 1 / 0")
        assert execute(light, "SELECT to_regclass('kept') IS NULL") == [(True,)]
        with tolerating("42P01"):
            execute(light, "SELECT * FROM kept")
        with pytest.raises(Refusal), tolerating("42P01"):
            execute(light, "SELECT 1 / 0")


@pytest.mark.parametrize(("user", "mode"), [("hashed", "disable"), ("open", "require")])
def test_ctrl_c_ends_the_statement_on_the_server(tls_server: Server, user: str, mode: str) -> None:
    url = by_port(tls_server, user, mode)
    with psycopg.connect(by_socket(tls_server), autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(7)")
        command = [sys.executable, "-c", INTERRUPTED, url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            while process.poll() is None and not other.execute(waiting).fetchall():
                pass
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate()
        # Nobody gave the lock back meanwhile.
        assert (said, other.execute(waiting).fetchall()) == ("interrupted, then [('1',)]\n", [])


@pytest.mark.parametrize(("user", "mode"), [("covered", "disable"), ("bare", "prefer"), ("bare", "require")])
def test_refusal_is_left_to_the_driver(tls_server: Server, user: str, mode: str) -> None:
    """With ``prefer`` the driver tries again without encryption."""
    with pytest.raises(Refusal) as caught:
        asked(by_port(tls_server, user, mode))
    assert caught.value.sqlstate == "28000"


def test_server_without_tls_is_used_where_it_is_only_preferred(tls_server: Server) -> None:
    switch(tls_server, "ssl", "off")
    try:
        assert asked(by_port(tls_server, "salted", "prefer"))[0][1] == "f"
        with pytest.raises(Unsupported):
            asked(by_port(tls_server, "salted", "require"))
        with pytest.raises(psycopg.OperationalError):
            run_sql(by_port(tls_server, "salted", "require"))
    finally:
        switch(tls_server, "ssl", "on")


@pytest.mark.parametrize("user", ["hashed", "spoken", "salted"])
def test_wrong_password_is_refused_and_not_repeated(server: Server, user: str, tmp_path: Path) -> None:
    url = by_port(server, user, "prefer", "a-wrong-secret")
    with pytest.raises(Refusal) as caught:
        asked(url)
    assert caught.value.sqlstate == "28P01"
    with pytest.raises(TargetError, match="authentication failed") as told:
        target(tmp_path, url).proof()
    assert "a-wrong-secret" not in repr(Address.of(url, {})) + str(caught.value) + str(told.value) + str(
        told.value.hint
    )


def test_other_ways_to_prove_who_one_is_are_left_to_the_driver(server: Server) -> None:
    with pytest.raises((Unsupported, Refusal)):
        asked(by_port(server, "named", "disable"))
    with pytest.raises(Unsupported):
        asked(by_port(server, "salted", "disable").replace(":" + quote(PASSWORD, safe=""), ""))
    with pytest.raises(Unsupported):
        asked(by_port(server, "salted", "disable", "pässword"))


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user@one,two/data",
        "postgresql://user@[::1]/data",
        "postgresql://host/data",
        "postgresql://user@/data",
        "postgresql://user@host/data?sslmode=verify-full",
        "postgresql://user@host/data?sslmode=verify-ca",
        "postgresql://user@host/data?sslmode=allow",
        "postgresql://user@host/data?sslrootcert=ca.pem",
        "postgresql://user@host/data?service=ci",
        "postgresql://user@host/data?hostaddr=10.0.0.1",
        "postgresql://user@host/data?gssencmode=require",
        "postgresql://user@host/data?channel_binding=require",
        "postgresql://user@host/data?target_session_attrs=read-write",
        "postgresql://user@/data?host=%40abstract",
        "postgresql://user@host/data?port=1&port=2",
    ],
)
def test_urls_that_the_driver_must_read(url: str) -> None:
    with pytest.raises(Unsupported):
        Address.of(url, {})


def test_variables_count_as_with_the_driver() -> None:
    given = {"PGHOST": "/run", "PGPORT": "6", "PGUSER": "ann", "PGPASSWORD": "x", "PGDATABASE": "d", "PGSSLMODE": ""}
    assert Address.of("postgresql://", given) == Address("/run", 6, "ann", "d", "x")
    assert Address.of("postgresql://bob@/", {"PGHOST": "/run", "HOME": "/"}).database == "bob"
    for name in ("PGSERVICE", "PGSSLROOTCERT", "PGPASSFILE", "PGHOSTADDR", "PGREQUIREAUTH"):
        with pytest.raises(Unsupported):
            Address.of("postgresql://user@/data?host=/run", {name: "x"})


def test_rows_are_text_and_errors_have_their_code(server: Server) -> None:
    url = by_socket(server)
    assert asked(url, "SELECT 1; SELECT NULL, '', 'ä\n☃' UNION ALL SELECT 'b', 'c', 'd'") == [
        (None, "", "ä\n☃"),
        ("b", "c", "d"),
    ]
    assert asked(url, "SELECT 1; CREATE TEMP TABLE t (a int)") == [("1",)]
    with pytest.raises(Refusal) as caught:
        asked(url, "SELECT 1 / 0")
    assert caught.value.sqlstate == "22012"
    with pytest.raises(Unsupported):
        asked(url, "COPY (SELECT 1) TO STDOUT")


@pytest.mark.parametrize("last", [None, b"v=" + b"A" * 44])
def test_server_that_does_not_know_the_password_is_not_believed(last: bytes | None) -> None:
    login = Login("ann", "secret")
    first = login.answer(10, b"SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0")
    assert first is not None
    nonce = first.partition(b"r=")[2]
    assert login.answer(11, b"r=" + nonce + b"more,s=c2FsdA==,i=4096") is not None
    if last is not None:
        assert login.answer(12, last) is None
    with pytest.raises(Unsupported):
        login.answer(0, b"")


def test_checkout_with_nothing_to_do_loads_no_driver(tmp_path: Path, empty_postgresql: str) -> None:
    shop = released_shop(tmp_path)
    words = ["checkout", "shop@v1.0.0", "--target", empty_postgresql]
    shop.tdv_process(*words, expect=0)
    assert loaded_by(words, tmp_path) == set()
    run_sql(empty_postgresql, "DELETE FROM orders")
    shop.tdv_process(*words, expect=0)
    assert run_sql(empty_postgresql, "SELECT count(*) FROM orders") == [(20,)]


def test_second_restore_of_an_owned_database_loads_no_driver(tmp_path: Path, empty_postgresql: str) -> None:
    shop = released_shop(tmp_path)
    shop.write({"tdv.yaml": f"targets:\n  ci: {{url: '{empty_postgresql}', owns: database}}\n"})
    words = ["checkout", "shop@v1.0.0", "--target", "ci"]
    shop.tdv_process(*words, expect=0)
    for damage in ("DELETE FROM orders", "DROP TABLE orders"):
        run_sql(empty_postgresql, damage)
        assert loaded_by(words, tmp_path) == set()
        assert run_sql(empty_postgresql, "SELECT count(*) FROM orders") == [(20,)]
    left = "SELECT datname FROM pg_database WHERE datname LIKE 'tdv\\_clone\\_%'"
    assert run_sql(empty_postgresql, left) == []

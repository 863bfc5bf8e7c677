"""``tdv.yaml``, the environment, and what a target's name stands for."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tdv import config
from tdv.config import AppSource, Environment, Limits, Migrations, Policy, Repository, Settings, TargetEntry
from tdv.config.address import absolute, complete, hosts, identity, server, without_credentials
from tdv.config.app import app_version
from tdv.documents import parse
from tdv.errors import ConfigError, DocumentError, NotFound, Refused, UsageError
from tests.documents import SETTINGS, broken

Load = Callable[..., Settings]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(text: str, environ: Mapping[str, str] | None = None) -> Settings:
        (tmp_path / "tdv.yaml").write_text(text)
        return config.load(tmp_path, environ or {})

    return load


def never_run(_: tuple[str, ...]) -> str:
    raise AssertionError("no command is to be run here")


# -- reading


def test_load_reads_the_example(load: Load, tmp_path: Path) -> None:
    found = load(SETTINGS)
    assert (found.root, found.default_dataset, found.default_target) == (tmp_path, "movies", "local")
    assert found.wanted == {"movies": "^1.1", "reference": "*"}
    assert found.repositories == {"catalog": Repository("catalog", "https://host/test-data.git", "main")}
    assert found.app == AppSource("from", "pyproject.toml")
    assert found.migrations == Migrations(
        "alembic", "migrations", ("alembic", "upgrade", "{revision}"), {"DATABASE_URL": "{url}"}
    )
    assert found.targets["local"] == TargetEntry("local", url="sqlite:///.tdv/local.db", owns="database")
    assert found.targets["staging"] == TargetEntry("staging", url_env="STAGING_URL", protected=True)
    assert found.environments == {"ci": Environment("ci", "ci", ("reference", "movies"))}
    assert found.policy == Policy(("*.prod.*",), "squash")


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "{}"])
def test_load_of_an_empty_file_gives_the_defaults(load: Load, tmp_path: Path, text: str) -> None:
    found = load(text)
    assert found.wanted is None
    assert found.policy == Policy((), "squash")
    target = found.target()
    assert (target.url, target.owns) == (f"sqlite:///{tmp_path}/.tdv/local.db", "database")


def test_load_of_a_right_file_does_not_import_what_is_heavy(load: Load, tmp_path: Path) -> None:
    load(SETTINGS)
    code = "import sys; from pathlib import Path; from tdv import config; config.load(Path(sys.argv[1]), {}).target()"
    code += "; print({'jsonschema', 'decimal', 'difflib', 'tomllib', 'subprocess'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-I", "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_load_of_a_file_that_was_read_before_does_not_import_yaml(load: Load, tmp_path: Path) -> None:
    found = load(SETTINGS)
    code = "import sys; from pathlib import Path; from tdv import config; found = config.load(Path(sys.argv[1]), {})"
    code += "; print('yaml' in sys.modules, found.policy, found.targets)"
    done = subprocess.run([sys.executable, "-I", "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout == f"False {found.policy} {found.targets}\n"


def test_load_of_a_changed_file_gives_what_it_says_now(load: Load) -> None:
    assert load("policy: {merge: merge}").policy.merge == "merge"
    assert load("policy: {merge: squash}").policy.merge == "squash"
    for _ in range(2):
        with pytest.raises(DocumentError, match=r"policy"):
            load("policy: {merge: rebase}")


def test_load_without_a_file_says_tdv_init(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(tmp_path, {})
    assert "tdv init" in str(caught.value.hint)


def test_find_root_goes_up_to_the_nearest_file(tmp_path: Path) -> None:
    (tmp_path / "tdv.yaml").touch()
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert config.find_root(tmp_path / "a" / "b") == tmp_path


def test_find_root_does_not_leave_the_git_repository(tmp_path: Path) -> None:
    (tmp_path / "tdv.yaml").touch()
    (tmp_path / "inner" / ".git").mkdir(parents=True)
    with pytest.raises(ConfigError) as caught:
        config.find_root(tmp_path / "inner")
    assert "tdv init" in str(caught.value.hint)


def test_names_that_lead_zzz_are_reported_together(load: Load) -> None:
    with pytest.raises(DocumentError) as caught:
        load("""\
default: {target: lcal}
datasets: {"catalgo:movies": "*"}
repositories: {catalog: {git: "https://host/x.git"}}
targets: {local: {url: "sqlite:///x.db"}, other: {url: "sqlite:///y.db"}}
environments:
  ci: {target: zzz}
  one: {target: other}
  two: {target: other}
  local: {target: other}
""")
    assert [f"{problem.line}: {problem.key}: {problem.message}" for problem in caught.value.problems] == [
        "1: default.target: 'lcal' is not declared under targets:; did you mean 'local'?",
        "2: datasets.'catalgo:movies': 'catalgo' is not declared under repositories:; did you mean 'catalog'?",
        "6: environments.ci.target: 'zzz' is not declared under targets:",
        "8: environments.two.target: the environment 'one' has this target already",
        "9: environments.local: a target has this name too, but the environment's target is 'other'",
        "9: environments.local.target: the environment 'one' has this target already",
    ]


@given(value=broken(parse(SETTINGS, "x").data))
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_file_is_read_or_refused_with_a_document_error(load: Load, value: object) -> None:
    with suppress(DocumentError):
        assert load(json.dumps(value, ensure_ascii=False)).root


# -- the environment


def test_variables_win_over_the_file(load: Load) -> None:
    found = load(SETTINGS, {"TDV_TARGET": "ci", "TDV_APP_VERSION": "9.9.9", "DATABASE_URL": "postgresql://db/x"})
    assert found.target().name == "ci"
    assert app_version(found, never_run) == "9.9.9"


def test_empty_variables_say_nothing(load: Load) -> None:
    found = load("", {"TDV_TARGET": "", "TDV_APP_VERSION": ""})
    assert (found.default_target, found.app_version) == (config.DEFAULT_TARGET, None)


def test_process_environment_is_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TDV_TARGET", "x")
    config.process_environment()["TDV_TARGET"] = "y"
    assert config.process_environment()["TDV_TARGET"] == "x"


@pytest.mark.parametrize(
    ("source", "file", "text"),
    [
        ("from: pyproject.toml", "pyproject.toml", '[project]\nversion = "1.4.2"\n'),
        ("from: pyproject.toml", "pyproject.toml", '[tool.poetry]\nversion = "1.4.2"\n'),
        ("from: Cargo.toml", "Cargo.toml", '[package]\nversion = "1.4.2"\n'),
        ("json: package.json", "package.json", '{"version": "1.4.2"}'),
        ("file: VERSION", "VERSION", "1.4.2\n"),
    ],
)
def test_app_version_from_a_file(load: Load, tmp_path: Path, source: str, file: str, text: str) -> None:
    (tmp_path / file).write_text(text)
    assert app_version(load(f"app: {{version: {{{source}}}}}"), never_run) == "1.4.2"


def test_app_version_from_a_command(load: Load) -> None:
    settings = load("app: {version: {command: [git, describe, --tags]}}")
    assert app_version(settings, lambda words: f"v{len(words)}.0.0\n") == "v3.0.0"


def test_app_version_without_a_source_is_none(load: Load) -> None:
    assert app_version(load(""), never_run) is None


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("from", "[project"),
        ("from", '[project]\nname = "x"'),
        ("from", "project = 3"),
        ("json", "[]"),
        ("json", "{"),
        ("file", " \n"),
        ("file", b"\xff"),
        ("file", None),
    ],
)
def test_app_version_that_cannot_be_found(load: Load, tmp_path: Path, source: str, text: str | bytes | None) -> None:
    if text is not None:
        (tmp_path / "x").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match="x") as caught:
        app_version(load(f"app: {{version: {{{source}: x}}}}"), never_run)
    assert "TDV_APP_VERSION" in str(caught.value.hint)


# -- targets


def test_target_by_name_and_by_environment(load: Load, tmp_path: Path) -> None:
    targets = "targets: {db: {url: 'duckdb:///x.duckdb', also_empty: [audit]}}"
    found = load(f"{targets}\nenvironments: {{ci: {{target: db, datasets: [a1]}}}}")
    for name in ("db", "ci"):
        target = found.target(name, Path("/elsewhere"))
        assert (target.name, target.url, target.owns) == ("db", f"duckdb:///{tmp_path}/x.duckdb", "tables")
        assert (target.also_empty, target.environments) == (("audit",), (Environment("ci", "db", ("a1",)),))


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("app.db", "sqlite:////here/app.db"),
        ("sub/app.sqlite3", "sqlite:////here/sub/app.sqlite3"),
        ("x.duckdb", "duckdb:////here/x.duckdb"),
        ("out/", "file:///here/out/"),
        ("./out", "file:///here/out"),
        ("../out", "file:///out"),
        ("/abs/out", "file:///abs/out"),
        ("we?ird #1%.db", "sqlite:////here/we%3Fird %231%25.db"),
        ("sqlite:///x.db", "sqlite:////here/x.db"),
        ("sqlite:////abs/x.db?mode=rw", "sqlite:////abs/x.db?mode=rw"),
        ("sqlite://", "sqlite://"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("duckdb:///a/../x.duckdb", "duckdb:////here/x.duckdb"),
        ("file:out?format=csv", "file:///here/out?format=csv"),
        ("file:///abs/out?format=csv", "file:///abs/out?format=csv"),
        ("file:////abs/out", "file:///abs/out"),
        ("postgresql://u:p@host/db", "postgresql://u:p@host/db"),
    ],
)
def test_target_by_url_or_path_counts_from_the_directory(load: Load, text: str, url: str) -> None:
    target = load("").target(text, Path("/here"))
    assert (target.name, target.url, target.owns, target.protected) == (None, url, "tables", False)
    assert absolute(target.url, Path("/elsewhere")) == target.url


def test_target_of_an_unknown_name_offers_the_nearest(load: Load) -> None:
    with pytest.raises(NotFound, match=r"there is no target 'stagin'; did you mean 'staging'\?") as caught:
        load(SETTINGS).target("stagin")
    assert caught.value.hint == "Use --target staging."


def test_target_whose_variable_is_not_set(load: Load) -> None:
    with pytest.raises(ConfigError, match="the variable DATABASE_URL is not set") as caught:
        load(SETTINGS).target("ci")
    assert "DATABASE_URL=" in str(caught.value.hint)


def test_target_whose_variable_is_no_url(load: Load) -> None:
    with pytest.raises(ConfigError, match="DATABASE_URL holds neither a URL nor a path"):
        load(SETTINGS, {"DATABASE_URL": "secret"}).target("ci")


@pytest.mark.parametrize(
    "spelling",
    [
        "postgresql://db.host/shop",
        "postgres://other:user@DB.host:5432/shop?sslmode=require",
        "postgresql+psycopg://db.host./shop",
        "postgresql:///shop?host=db.host",
        "postgresql://x,db.host/shop",
        "postgresql://user@localhost:1/?host=db.host&port=5432&dbname=shop",
    ],
)
def test_a_raw_url_does_not_evade_protection(load: Load, spelling: str) -> None:
    found = load(SETTINGS, {"STAGING_URL": "postgresql://u:p@db.host/shop"})
    target = found.target(spelling)
    assert (target.name, target.protected) == ("staging", True)


PROTECTED = "targets: {live: {url: 'postgresql://db.host:6432/shop', protected: true}}\npolicy: {never: ['*.prod.*']}"


@pytest.mark.parametrize(
    ("written", "variables"),
    [
        ("postgresql:///", "PGHOST=db.host PGPORT=6432 PGDATABASE=shop"),
        ("postgresql:///shop", "PGHOST=db.host PGPORT=6432"),
        ("postgresql+psycopg://ada@/shop?sslmode=require", "PGHOST=x,DB.host. PGPORT=6432"),
        ("postgresql://db.host", "PGPORT=06432 PGDATABASE=shop"),
        ("postgresql://db.host:6432", "PGUSER=shop"),
        ("postgresql://db.host:6432/?user=shop", "PGUSER=other"),
        ("postgresql://db.host:6432/?dbname=", "PGUSER=shop PGDATABASE=other"),
        ("postgresql://other:6432/shop", "PGHOSTADDR=db.host"),
        ("postgresql:///shop?hostaddr=db.host", "PGHOST=other PGPORT=6432"),
        ("postgresql://a%2Cdb.host:6432/shop", ""),
    ],
)
def test_variables_of_libpq_do_not_evade_protection(load: Load, written: str, variables: str) -> None:
    environ = dict(word.split("=") for word in variables.split())
    target = load(PROTECTED, environ).target(written)
    assert (target.name, target.protected) == ("live", True)


def test_variables_of_libpq_hide_no_protected_target(load: Load) -> None:
    found = load(PROTECTED.replace("db.host:6432/shop", "/"), {"PGHOST": "db.host", "PGDATABASE": "shop"})
    assert found.target("postgresql://db.host/shop").protected
    assert not found.target("postgresql://db.host/other").protected


@pytest.mark.parametrize(
    ("written", "variables"),
    [
        ("postgresql://ada@/shop", "PGHOST=eu.prod.example"),
        ("postgresql://db.host/shop", "PGHOSTADDR=eu.prod.example"),
        ("postgresql://eu.prod.example/shop", "PGHOSTADDR=10.0.0.5"),
    ],
)
def test_policy_never_holds_for_variables_of_libpq(load: Load, written: str, variables: str) -> None:
    with pytest.raises(Refused, match=r"policy.never holds '\*.prod.\*'"):
        load(PROTECTED, dict([variables.split("=")])).target(written)


@pytest.mark.parametrize(
    ("written", "environ", "message"),
    [
        ("postgresql://db.host:5432/shop?service=live", {}, "names the service 'live'"),
        ("postgresql:///shop", {"PGSERVICE": "live"}, "leaves host to that service"),
        ("postgresql://db.host/shop", {"PGSERVICE": "live", "PGPORT": "5432"}, "leaves port to that service"),
    ],
)
def test_service_of_libpq_hides_no_database(load: Load, written: str, environ: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        load(PROTECTED, environ).target(written)
    assert "Write host, port and database in the URL" in str(caught.value.hint)
    assert load(PROTECTED, environ).target("sqlite:///x.db").name is None


def test_a_raw_path_does_not_evade_protection(load: Load, tmp_path: Path) -> None:
    (tmp_path / "real.db").touch()
    (tmp_path / "link.db").symlink_to(tmp_path / "real.db")
    found = load("targets: {keep: {url: 'sqlite:///real.db', protected: true}, twin: {url: 'sqlite:///./link.db'}}")
    assert found.target("link.db", tmp_path).protected
    assert found.target("twin").protected
    assert not found.target("other.db", tmp_path).protected


def test_a_url_of_another_socket_keeps_its_server_and_takes_the_rules(load: Load) -> None:
    found = load("targets: {ci: {url: 'postgresql:///app?host=/run/one', protected: true}}")
    raw = found.target("postgresql:///app?host=/run/two")
    assert "/run/two" in raw.url
    assert raw.protected


def test_a_database_is_in_the_environments_of_all_its_spellings(load: Load, tmp_path: Path) -> None:
    found = load("""\
targets: {one: {url: "sqlite:///x.db"}, two: {url: "sqlite:///./x.db"}, three: {url: "sqlite:///x.db"}, y: {url: y.db}}
environments: {ci: {target: two, limits: {rows: 5000}}, dev: {target: three, protected: true}, other: {target: y}}
""")
    environments = (Environment("ci", "two", limits=Limits(rows=5000)), Environment("dev", "three"))
    for text in ("one", "two", "ci", "dev", "x.db"):
        target = found.target(text, tmp_path)
        assert (target.environments, target.protected) == (environments, True)
    assert found.target("y.db", tmp_path).environments == (Environment("other", "y"),)


def test_a_database_beside_a_protected_one_is_not_protected(load: Load) -> None:
    found = load(SETTINGS, {"STAGING_URL": "postgresql://db.host/shop"})
    for text in ("postgresql://db.host/other", "postgresql://db.host:5433/shop", "mysql://db.host:5432/shop"):
        assert not found.target(text).protected


@pytest.mark.parametrize(
    "url", ["postgresql://eu.prod.example/x", "mysql://u@EU.PROD.example:9/x", "redis://a,b.prod.x/0"]
)
def test_policy_never_refuses_a_host(load: Load, url: str) -> None:
    with pytest.raises(Refused, match=r"policy.never holds '\*.prod.\*'"):
        load(SETTINGS).target(url)


def test_policy_never_holds_for_declared_targets_too(load: Load) -> None:
    with pytest.raises(Refused):
        load(SETTINGS, {"DATABASE_URL": "postgresql://eu.prod.example/x"}).target("ci")


@pytest.mark.parametrize("url", ["sqlite:///a#b.db", "duckdb:////a#b.duckdb", "file:///out#x"])
def test_number_sign_in_the_url_of_a_file_would_cut_its_path(load: Load, url: str) -> None:
    with pytest.raises(UsageError, match="which ends its path") as caught:
        load("").target(url)
    assert caught.value.hint == "Write # as %23."


# -- addresses


def test_hosts_of_this_machine_are_one() -> None:
    spellings = ["localhost", "127.0.0.1", "[::1]:5432", "LOCALHOST:5432", ""]
    assert len({identity(f"postgresql://{host}/x") for host in spellings}) == 1
    assert hosts("postgresql://[::1]:5432/x") == ("localhost",)
    assert hosts("postgresql://[2001:db8::5]/x") == ("2001:db8::5",)
    assert hosts("sqlite:////x.db") == ()


@pytest.mark.parametrize(
    ("url", "one"),
    [
        # What the drivers make of them: libpq lets options win, redis-py those for the database only.
        ("postgresql://h/other?dbname=app", "postgresql://h/app"),
        ("postgresql://h:1/app?port=2", "postgresql://h:2/app"),
        ("postgresql://other:7/app?host=h", "postgresql://h:7/app"),
        ("postgresql://a:1,b:2/app?port=3", "postgresql://b:3,a:3/app"),
        ("postgresql://app@h", "postgresql://h/app"),
        ("postgresql://other/app?host=", "postgresql://localhost/app"),
        ("postgresql:///app?host=@abstract", "postgresql://127.0.0.2/app"),
        ("postgresql://h/other?dbname=a+p", "postgresql://h/a%2Bp"),
        ("postgresql://h:05432/app", "postgresql://h/app"),
        ("mysql://h:03306/app", "mysql://h:0/app"),
        ("redis://h/06", "redis://h/6"),
        ("redis://h/0/6", "redis://h/6"),
        ("redis://h/5?db=6&db=7", "redis://h/6"),
        ("redis://h/app", "redis://h"),
        ("redis://h:1/6?host=other&port=2", "redis://h:1/6"),
        ("redis:///6?host=h&port=2", "redis://h:2/6"),
        ("mysql://h/app?host=other", "mysql://h/app"),
        ("mysql://other/app?unix_socket=/run/socket", "mysql://localhost/app"),
        ("redis://other/6?unix_socket_path=/run/socket", "redis://localhost/6"),
        ("mongodb://h/app?host=other", "mongodb://h/app"),
    ],
)
def test_options_of_a_url_hide_no_database(url: str, one: str) -> None:
    assert identity(url) == identity(one)


@pytest.mark.parametrize(
    ("url", "environ", "whole"),
    [
        ("postgresql://u:p%40@h:1/app?sslmode=require", {"PGHOST": "x", "PGPORT": "2", "PGDATABASE": "y"}, None),
        ("postgresql:///app", {}, None),
        ("mysql:///", {"PGHOST": "x"}, None),
        ("postgres://u@", {"PGHOST": "/run/pg", "PGDATABASE": "a b/c"}, "postgres://u@/a%20b%2Fc?host=/run/pg"),
        ("postgresql://h/app?a=b", {"PGPORT": "2"}, "postgresql://h/app?a=b&port=2"),
        ("postgresql://h:1,i/app", {"PGPORT": "2"}, None),
        ("postgresql://h:1/app", {"PGSERVICE": "x"}, "postgresql://h:1/app?hostaddr="),
    ],
)
def test_url_is_completed_as_libpq_does(url: str, environ: dict[str, str], whole: str | None) -> None:
    assert complete(url, environ) == (whole or url)


def test_database_is_called_as_the_user_of_the_system_where_nothing_names_it() -> None:
    name = pwd.getpwuid(os.geteuid()).pw_name
    assert complete("postgresql://h", {}) == f"postgresql://h/{name}"
    assert complete("postgresql://?user=", {"PGUSER": "x"}) == f"postgresql:///{name}?user="


@pytest.mark.parametrize(
    "url", ["mysql://h:7/app?unix_socket=/run/socket", "redis://h:7/app?unix_socket_path=/run/socket"]
)
@pytest.mark.parametrize("port", ["", ":7"])
def test_socket_may_be_that_of_any_port(url: str, port: str) -> None:
    assert identity(url) & identity(f"{url.partition(':')[0]}://localhost{port}/app")


def test_option_that_the_driver_ignores_hides_no_host() -> None:
    assert hosts("mysql://db.prod.example/app?host=localhost") == ("db.prod.example",)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://user:s3cret@host:5432/db", "postgresql://host:5432/db"),
        ("postgresql://user:p%40ss@w@host/db", "postgresql://host/db"),
        ("postgresql://host/db?password=s3cret&sslmode=require", "postgresql://host/db?password=…&sslmode=require"),
        ("mongodb://h/?authToken=s3cret", "mongodb://h/?authToken=…"),
        ("sqlite:////x.db", "sqlite:////x.db"),
        ("file:///out?format=csv", "file:///out?format=csv"),
        ("postgresql:///db?host=/run&password=hunter2", "postgresql:///db?host=/run&password=…"),
    ],
)
def test_no_credential_is_shown(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("postgresql+psycopg://ada:pw@h:1/db?dbname=x&host=/run", "postgresql://h:1/?host=/run"),
        ("postgres:///db?host=/run&password=pw", "postgresql:///?host=/run&password=…"),
        ("rediss://:pw@h/3?db=4", "redis://h/"),
        ("sqlite:////srv/a b.db", "sqlite"),
    ],
)
def test_server_is_named_without_database_and_credentials(url: str, where: str) -> None:
    assert server(url) == where


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:hush#hush@db.prod.corp/app",
        "postgresql://u:hush/hush@db.prod.corp/app",
        "mysql://u:hush?hush@db.prod.corp/app",
        "postgresql://u:hush@[db/app",
        "redis://:hush℀hush@db/0",
    ],
)
def test_url_that_drivers_read_in_another_way_is_refused_and_not_shown(load: Load, url: str) -> None:
    with pytest.raises(UsageError) as caught:
        load("policy: {never: ['*.prod.*']}").target(url)
    assert "hush" not in caught.value.message + (caught.value.hint or "")
    assert "# as %23" in (caught.value.hint or "")


def test_no_credential_is_in_a_repr(load: Load) -> None:
    found = load(
        "targets: {a: {url: 'postgresql://u:s3cret@host/db'}, b: {url_env: B}}",
        {"B": "mysql://u:s3cret@other/db", "X": "s3cret"},
    )
    for value in (
        found,
        found.targets["a"],
        found.target("a"),
        found.target("b"),
        found.target("mysql://u:s3cret@c/d"),
    ):
        assert "s3cret" not in repr(value) + str(value)
    assert found.target("b").shown == "mysql://other/db"


def test_the_example_of_the_reference_page_is_right(load: Load) -> None:
    page = Path(__file__).parent.parent / "docs" / "reference" / "config.md"
    example = page.read_text().partition("```yaml\n")[2].partition("```")[0]
    found = load(example)
    assert found.targets["staging"].also_empty == ("audit_log",)
    assert found.targets["ci"].health == ("SELECT count(*) > 100 FROM movies",)
    assert found.levels == {"row-removed": "minor"}

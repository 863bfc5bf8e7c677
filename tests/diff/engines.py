"""Engines on which a script is run by their own drivers, with foreign keys enforced."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import duckdb
import pytest

from tdv.content.snapshot import Snapshot
from tdv.diff.sql import ScriptOptions, statements
from tdv.model.schema import DatasetSchema
from tdv.targets.dialect import Dialect, named_dialect
from tdv.targets.protocol import Target
from tdv.targets.verification import target_digest
from tdv.testing import checkout, wanted
from tests.targets.builders import target
from tests.targets.servers import database_url, mysql_url, run_mysql, run_sql

FIXTURES = {"sqlite": "tmp_path", "duckdb": "tmp_path", "postgresql": "postgresql_server", "mysql": "mariadb_server"}


@dataclass
class Engine:
    """Places of one engine, each with a database of its own; `base` is a directory or the URL of a server."""

    name: str
    base: str
    directory: Path
    made: list[str] = field(default_factory=list)

    @property
    def dialect(self) -> Dialect:
        return named_dialect(self.name)

    def place(self) -> str:
        """The URL of a new database, which is empty."""
        name = f"place_{self.directory.name[-12:]}_{len(self.made)}".replace("-", "_").lower()
        self.made.append(name)
        return _NEW[self.name](self.base, name)

    def holding(self, state: Snapshot) -> tuple[str, Target]:
        """A new place that holds a state."""
        url = self.place()
        found = target(self.directory, url)
        checkout(self.directory, found, wanted(state))
        return url, found

    def run(self, url: str, script: str) -> None:
        """Runs a script as its user would."""
        _RUN[self.name](url, script)

    def drop(self) -> None:
        for name in self.made:
            if self.name == "postgresql":
                run_sql(self.base, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            elif self.name == "mysql":
                run_mysql(self.base, f"DROP DATABASE IF EXISTS `{name}`")


def engine_of(request: pytest.FixtureRequest, name: str, directory: Path) -> Iterator[Engine]:
    """The engine of that name, whose databases are gone afterwards."""
    found = request.getfixturevalue(FIXTURES[name])
    engine = Engine(name, str(found) if isinstance(found, Path) else found.url, directory)
    yield engine
    engine.drop()


def script(old: Snapshot, new: Snapshot, dialect: Dialect) -> str:
    return "\n".join(statements(old, new, dialect, ScriptOptions(("a", "b"), reveal=True)))


def turn(engine: Engine, old: Snapshot, new: Snapshot) -> str:
    """Turns a database that holds `old` into one that holds `new`, and asserts that it is as a checkout makes it."""
    url, place = engine.holding(old)
    text = script(old, new, engine.dialect)
    engine.run(url, text)
    assert target_digest(place, new.manifest.schema) == new.manifest.content, text
    _, wanted_place = engine.holding(new)
    assert described(place.inspect()) == described(wanted_place.inspect()), text
    return text


def described(schema: DatasetSchema) -> dict[str, Any]:
    """A schema without the order of its lists."""
    return {
        table.name: (
            {column.name: column for column in table.columns},
            table.key,
            sorted(table.uniques),
            sorted(map(str, table.references)),
        )
        for table in schema.tables
    }


def _new_postgresql(base: str, name: str) -> str:
    run_sql(base, f'CREATE DATABASE "{name}"')
    return database_url(base, name)


def _new_mysql(base: str, name: str) -> str:
    run_mysql(base, f"CREATE DATABASE `{name}`")
    return mysql_url(base, name)


def _path(url: str) -> str:
    return url.split("://", 1)[1].removeprefix("/")


def _run_sqlite(url: str, text: str) -> None:
    with closing(sqlite3.connect(f"/{_path(url).lstrip('/')}", isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.executescript(text)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)


def _run_duckdb(url: str, text: str) -> None:
    with closing(duckdb.connect(f"/{_path(url).lstrip('/')}")) as connection:
        connection.execute(text)


def _run_mysql(url: str, text: str) -> None:
    lines = [line.removesuffix(";") for line in text.split("\n") if line and not line.startswith("--")]
    run_mysql(url, *lines)


_NEW: dict[str, Callable[[str, str], str]] = {
    "sqlite": lambda base, name: f"sqlite:///{base}/{name}.db",
    "duckdb": lambda base, name: f"duckdb:///{base}/{name}.duckdb",
    "postgresql": _new_postgresql,
    "mysql": _new_mysql,
}
_RUN: dict[str, Callable[[str, str], None]] = {
    "sqlite": _run_sqlite,
    "duckdb": _run_duckdb,
    "postgresql": lambda url, text: run_sql(url, text) and None,
    "mysql": _run_mysql,
}


def client(engine: str, url: str) -> list[str]:
    """The engine's own program, which reads a script from its input and stops at the first error."""
    if engine in ("sqlite", "duckdb"):
        return ["sqlite3" if engine == "sqlite" else "duckdb", "-bail", f"/{_path(url).lstrip('/')}"]
    if engine == "postgresql":
        return ["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", url]
    parts = urlsplit(url)
    socket = dict(parse_qsl(parts.query))["unix_socket"]
    return [
        "mariadb", "--no-defaults", f"--socket={socket}", f"--user={parts.username}", f"--password={parts.password}",
        parts.path.removeprefix("/"),
    ]  # fmt: skip

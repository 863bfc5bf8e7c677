"""Brings a database to a place in the history with the project's own command, ``migrations.apply`` in ``tdv.yaml``.

In: the command, the place, the database by its URL. Out: a database whose schema stands there, as the tool's own table
says. Always holds: a command that fails, hangs, or leaves the schema anywhere else ends in a `MigrationError` that
quotes its last lines; no password of the URL is in them, and nothing that the command started goes on after it, nor
after a tdv that was killed.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from tdv.errors import ConfigError, MigrationError, NotFound
from tdv.migrations.lifeline import watched
from tdv.migrations.protocol import MigrationTool, Rows
from tdv.migrations.secrecy import without_secrets
from tdv.model.history import Position

SECONDS: Final = 300.0
"""How long one run of the command may take."""
_LINES: Final = 3
_WIDTH: Final = 300
_PLACEHOLDER: Final = re.compile(r"\{(url|revision|app|name)\}")
_STATEMENT: Final = re.compile(r"^\s*(?:\[SQL:\s*|(?:SQL|STATEMENT|Statement)\s*:\s*)(.+?)\]?\s*$", re.MULTILINE)
_SKIPPED: Final = frozenset({"__pycache__", "node_modules", "venv"})
_SQL: Final = "[SQL:"
_LONG_SQL: Final = re.compile(
    r"^\[SQL:\s*([^\n]*(?<!\])\n.*?)\]$(?=\s*(?:\[parameters:|\(Background on|\Z))", re.MULTILINE | re.DOTALL
)
"""A statement of several lines, as SQLAlchemy ends its message with."""
_UNSAID: Final = ("[parameters:", "(Background on this error", "DETAIL:", "LINE ", "^")
"""How lines of SQLAlchemy and PostgreSQL begin that hold values of rows, a link, or the statement once more."""


@dataclass(frozen=True, slots=True)
class Apply:
    """The command. ``{url}`` and ``{revision}`` are filled in, in its `words` and in the values of `env`; for tools
    whose revisions are ``app.name``, ``{app}`` and ``{name}``, too. It runs in `directory`, `env` over `environ`."""

    tool: str
    words: tuple[str, ...]
    env: Mapping[str, str]
    directory: Path
    environ: Mapping[str, str] = field(repr=False)
    seconds: float = SECONDS

    @property
    def shown(self) -> str:
        """The command as it is written in ``tdv.yaml``."""
        return " ".join(self.words)


@dataclass(frozen=True, slots=True)
class Database:
    """What is migrated: `url` may hold a password, `shown` never does; `rows` reads its tables, None where nothing
    can."""

    url: str = field(repr=False)
    shown: str
    rows: Rows | None


def apply(command: Apply, tool: MigrationTool, place: Position, database: Database) -> None:
    """Brings `database` to `place`: one run for each revision at which it ends. Raises `MigrationError`."""
    for revision in place.revisions:
        _run(command, revision, database)
    if database.rows is not None and place.revisions:
        _check(command, tool, place, database, database.rows)


def fingerprint(command: Apply, path: Path) -> str:
    """The digest of what decides which schema the command makes: its words, and the files in `path`."""
    digest = hashlib.sha256(repr([command.tool, command.words, sorted(command.env.items())]).encode())
    for file in _files(command.tool, path):
        name = os.fsencode(file.relative_to(path.parent).as_posix())
        digest.update(b"%d %s %s" % (len(name), name, hashlib.sha256(file.read_bytes()).digest()))
    return digest.hexdigest()


def _files(tool: str, path: Path) -> Iterator[Path]:
    """The files of the migrations, sorted; around an ini file, those of its directory."""
    if path.is_file() and path.suffix != ".ini":
        yield path
        return
    top = path.parent if path.is_file() else path
    pattern = "**/migrations/*.py" if tool == "django" else "**/*"
    for file in sorted(top.glob(pattern)):
        parts = file.relative_to(top).parts
        if file.is_file() and not any(part in _SKIPPED or part.startswith(".") for part in parts):
            yield file


def _run(command: Apply, revision: str, database: Database) -> None:
    app, _, name = revision.partition(".")
    values = {"url": database.url, "revision": revision, "app": app, "name": name}
    words = [_filled(word, values) for word in command.words]
    environ = {**command.environ, **{key: _filled(value, values) for key, value in command.env.items()}}
    with tempfile.TemporaryFile() as output, watched() as watch:
        try:
            process = subprocess.Popen(
                words,
                cwd=command.directory,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as exc:
            raise ConfigError(
                f"migrations.apply cannot be run: {words[0]}: {exc.strerror}",
                hint="Correct migrations.apply in tdv.yaml, or install the tool.",
            ) from exc
        watch(process.pid)
        code = _wait(process, command.seconds)
        if code != 0:
            raise _failure(command, revision, code, _Said(output, database))


def _filled(text: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: values[match[1]], text)


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """The exit code, None when the time was over; nothing of the command's session is left."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _failure(command: Apply, revision: str, code: int | None, said: _Said) -> MigrationError:
    how = f"took more than {command.seconds:g} s" if code is None else f"failed with exit code {code}"
    lines = said.lines()
    return MigrationError(
        f"migrations.apply ({command.shown}) {how} at {revision}" + (f": {' | '.join(lines)}" if lines else ""),
        hint="Run the command by hand against a scratch database; tdv.yaml holds it under migrations.",
        revision=revision,
        statement=said.statement(),
        reason=said.reason() or how,
    )


class _Said:
    """What a command printed, without the secrets of the URL that it was given."""

    def __init__(self, output: IO[bytes], database: Database) -> None:
        output.seek(0)
        said = _LONG_SQL.sub(_in_one_line, output.read().decode("utf-8", "replace"))
        self._text = without_secrets(said, database.url, database.shown)

    def lines(self) -> list[str]:
        """The last lines that say something; values of rows are no part of them."""
        said = (line.strip() for line in self._text.splitlines())
        return [line[:_WIDTH] for line in said if line and not line.startswith(_UNSAID)][-_LINES:]

    def reason(self) -> str:
        """The last line that is not the statement itself."""
        return next((line for line in reversed(self.lines()) if not line.startswith(_SQL)), "")

    def statement(self) -> str:
        """The last SQL statement that the command named, as SQLAlchemy, Flyway and PostgreSQL do; "" for none."""
        found = _STATEMENT.findall(self._text)
        return str(found[-1])[:_WIDTH] if found else ""


def _in_one_line(statement: re.Match[str]) -> str:
    """So that the last lines are not the end of a statement, but what is wrong with it, too."""
    return f"{_SQL} {' '.join(statement[1].split())}]"


def _check(command: Apply, tool: MigrationTool, place: Position, database: Database, rows: Rows) -> None:
    """Raises `MigrationError` where the tool's table says another place; a tool without a table is believed."""
    asked: list[str] = []

    def noted(table: str) -> Sequence[Mapping[str, Any]] | None:
        asked.append(table)
        return rows(table)

    try:
        found = tool.place(place.history, noted)
    except NotFound as exc:
        raise _elsewhere(command, place, database, f"at a migration that is unknown here ({exc.message})") from exc
    if found is None:
        if asked:
            raise _elsewhere(command, place, database, f"nowhere: it has no table {asked[0]}")
    elif found.applied != place.applied:
        raise _elsewhere(command, place, database, f"at {found.text}")


def _elsewhere(command: Apply, place: Position, database: Database, where: str) -> MigrationError:
    return MigrationError(
        f"migrations.apply ({command.shown}) ended well, but {database.shown} stands {where}, not at {place.text}",
        hint='The command has to take {revision}, and the database from {url}: env: {DATABASE_URL: "{url}"}.',
        revision=place.text,
        reason=f"the database stands {where} afterwards",
        statement="",
    )

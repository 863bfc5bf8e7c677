"""Every error that tdv raises on purpose, with its code, exit code and hint.

An error is made where its cause is known and printed in one place (`tdv.cli.boundary`, `tdv.server`).
Nothing here imports from tdv.

    TdvError
    ├── UsageError            2   the call's words are off
    ├── ConfigError           3   tdv.yaml, dataset.yaml or another file of the project is wrong
    │   └── DocumentError     3   one or more `Problem`s in one or more files
    ├── NotFound             10   dataset, version, table, target … that does not exist
    ├── Refused              11   conflict, or what would lose somebody's work
    │   ├── Excess                … because an environment takes less
    │   └── Unfit                 … because the rows do not fit the schema that the application makes
    ├── Incompatible         12   nothing satisfies the ranges
    ├── IntegrityError       13   bytes or rows are not what a release promises
    ├── StoreError           14   Git, DVC or a remote failed
    │   ├── GitError
    │   ├── ForgeError
    │   └── RemoteError
    ├── TargetError          15   a target cannot be reached, opened or written
    │   ├── TargetBusy            … because somebody else is using it
    │   └── MigrationError        … because the project's own migrations cannot be applied to it
    ├── DataError            16   data may not be stored or released
    │   ├── BadKey                … because rows have no key of their own
    │   ├── FactoryError          … because a factory failed or is not reproducible
    │   └── StatementError        … because an SQL statement that came with it is wrong
    ├── PluginMissing        17   an optional driver is not installed
    ├── CommandNotRunnable  126   a command that tdv was told to run cannot be, as a shell says it
    ├── CommandNotFound     127   … or does not exist
    └── Bug                  70   tdv broke its own promise
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class TdvError(Exception):
    """One sentence of what went wrong, one hint that mends it, and the facts as data."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 70

    def __init__(self, message: str, *, hint: str | None, **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.facts = facts


class UsageError(TdvError):
    """The command line or the call does not make sense as it stands."""

    code = "usage"
    exit_code = 2


class ConfigError(TdvError):
    """A file of the project that the user writes cannot be used."""

    code = "config"
    exit_code = 3


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in one file: `line` and `column` count from 1; `key` is a dotted path or ''."""

    file: str
    line: int
    key: str
    message: str
    column: int = 1

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}"
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class DocumentError(ConfigError):
    """All mistakes found in one reading, so that they can be mended in one go."""

    code = "document"

    def __init__(self, problems: Sequence[Problem], *, hint: str | None) -> None:
        count = len(problems)
        title = str(problems[0]) if count == 1 else f"{count} mistakes"
        super().__init__(title, hint=hint)
        self.problems = tuple(problems)


class NotFound(TdvError):
    """What was named does not exist; the hint offers the nearest names."""

    code = "not-found"
    exit_code = 10


class Refused(TdvError):
    """Going on would lose work, alter a release or touch what is not tdv's."""

    code = "refused"
    exit_code = 11


class Unfit(Refused):
    """The schema that the application's migrations made just now does not take the rows."""

    code = "unfit"


class Excess(Refused):
    """An environment takes less than a load would bring."""


class Incompatible(TdvError):
    """No release satisfies all ranges."""

    code = "incompatible"
    exit_code = 12


class IntegrityError(TdvError):
    """Bytes or rows differ from what the record promises."""

    code = "integrity"
    exit_code = 13


class StoreError(TdvError):
    """Git, DVC or a remote did not do what was asked."""

    code = "store"
    exit_code = 14


class GitError(StoreError):
    """A git command failed."""

    code = "git"


class ForgeError(StoreError):
    """GitHub or GitLab did not take a call; the fact `status` is that of HTTP, 0 without an answer."""

    code = "forge"


class RemoteError(StoreError):
    """A DVC remote is missing, unreachable or lacks an object."""

    code = "remote"


class TargetError(TdvError):
    """A target cannot be reached, opened, read or written."""

    code = "target"
    exit_code = 15


class TargetBusy(TargetError):
    """Another process uses the target."""

    code = "target-busy"


class MigrationError(TargetError):
    """The command that migrates a database failed, took too long, or left the schema somewhere else.

    `revision` is where it should have gone, `reason` the end of what it said, `statement` the SQL that broke, as far
    as it named one.
    """

    code = "migration"

    def __init__(
        self, message: str, *, hint: str | None, revision: str, reason: str, statement: str, **facts: object
    ) -> None:
        super().__init__(message, hint=hint, revision=revision, reason=reason, statement=statement, **facts)
        self.revision = revision
        self.reason = reason
        self.statement = statement


class DataError(TdvError):
    """The data breaks its own spec, or may not leave its place."""

    code = "data"
    exit_code = 16


class BadKey(DataError):
    """A row has NULL in its key, or two have the same one; `facts` name the table."""


class FactoryError(DataError):
    """A factory raised, or reached for the clock, the network or a shared random stream."""

    code = "factory"


class StatementError(DataError):
    """An SQL statement cannot run over the tables, whatever rows they hold.

    `reason` says why, without the statement. Where the statement stands in a file that is known, it is raised again
    as a `DocumentError` that names the line.
    """

    code = "statement"

    def __init__(self, message: str, *, hint: str | None, reason: str, **facts: object) -> None:
        super().__init__(message, hint=hint, reason=reason, **facts)
        self.reason = reason


class PluginMissing(TdvError):
    """An optional dependency is needed; the hint is the exact pip command."""

    code = "plugin-missing"
    exit_code = 17


class CommandNotRunnable(TdvError):
    """The command that tdv was told to run is no program that may be run; the exit code is a shell's."""

    code = "command-not-runnable"
    exit_code = 126


class CommandNotFound(TdvError):
    """The command that tdv was told to run does not exist; the exit code is a shell's."""

    code = "command-not-found"
    exit_code = 127


class Bug(TdvError):
    """An invariant of tdv's own does not hold."""

    code = "bug"
    exit_code = 70

"""The settings as frozen values, and what a target's name stands for.

In: values that `tdv.config.read` took from a valid ``tdv.yaml``. Out: answers to callers. Always holds: a target
that `Settings.target` gives back is absolute, on no host that `policy.never` excludes, protected if any declared
spelling of the same database is, and in the environments of all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from tdv.config.address import (
    FILES,
    absolute,
    complete,
    engine_of,
    hosts,
    identity,
    is_path,
    is_url,
    without_credentials,
)
from tdv.config.repositories import Repository
from tdv.documents.words import did_you_mean, nearest
from tdv.errors import ConfigError, NotFound, Refused, UsageError
from tdv.frozen import dataclass

if TYPE_CHECKING:
    from tdv.model.diff import Level

DEFAULT_TARGET: Final = "sqlite:///.tdv/local.db"

Ownership = Literal["tables", "database"]
AppKind = Literal["from", "file", "json", "command"]


class AppSource(NamedTuple):
    """Where the app's version is: `path` of a file, or the words of a command."""

    kind: AppKind
    path: str = ""
    command: tuple[str, ...] = ()


class Migrations(NamedTuple):
    """The migration tool, where its files are, and the command that migrates a target."""

    tool: str
    path: str
    apply: tuple[str, ...] = ()
    env: Mapping[str, str] = MappingProxyType({})


class Limits(NamedTuple):
    """What one load may bring at most: rows, and bytes of the snapshots that it is from; None sets no limit."""

    rows: int | None = None
    size: int | None = None


NO_LIMITS: Final = Limits()


class Environment(NamedTuple):
    """A declared target with the datasets that it may hold, None allows all, and how much of them."""

    name: str
    target: str
    datasets: tuple[str, ...] | None = None
    limits: Limits = NO_LIMITS


class Policy(NamedTuple):
    """`never` holds patterns of hosts that no target may be on; `merge` is how pull requests are merged."""

    never: tuple[str, ...] = ()
    merge: Literal["squash", "merge"] = "squash"


@dataclass(frozen=True, slots=True)
class TargetEntry:
    """One target as ``tdv.yaml`` declares it: either `url` or the variable `url_env` is set.

    `health` are queries in the target's SQL that give one true value each.
    """

    name: str
    url: str | None = field(default=None, repr=False)
    url_env: str | None = None
    owns: Ownership = "tables"
    protected: bool = False
    also_empty: tuple[str, ...] = ()
    health: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """One target to work with. `name` is None for a URL that no entry declares; `url` may hold a password.

    `environments` are those whose target is the same database: each of them says what may go there.
    """

    name: str | None
    url: str = field(repr=False)
    owns: Ownership = "tables"
    protected: bool = False
    also_empty: tuple[str, ...] = ()
    health: tuple[str, ...] = ()
    environments: tuple[Environment, ...] = ()

    @property
    def shown(self) -> str:
        """The URL without credentials."""
        return without_credentials(self.url)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that ``tdv.yaml`` and the environment say.

    `wanted` maps a dataset (or ``repository:dataset``) to its range, None means every dataset of the repository.
    `default_target` is a target's name or a URL; `app_version` comes from TDV_APP_VERSION. `environ` is the whole
    process environment, for programs that tdv runs.
    """

    root: Path
    default_target: str = DEFAULT_TARGET
    default_dataset: str | None = None
    wanted: Mapping[str, str] | None = None
    repositories: Mapping[str, Repository] = field(default_factory=dict)
    app: AppSource | None = None
    app_version: str | None = None
    migrations: Migrations | None = None
    targets: Mapping[str, TargetEntry] = field(default_factory=dict)
    environments: Mapping[str, Environment] = field(default_factory=dict)
    policy: Policy = Policy()
    levels: Mapping[str, Level] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    def is_target(self, text: str) -> bool:
        """True for what `target` takes: a declared name, a URL or a path."""
        return text in self.targets or text in self.environments or is_url(text) or is_path(text)

    def target(self, text: str | None = None, directory: Path | None = None) -> TargetSettings:
        """The target that `text` means: a declared name, an environment's name, a URL or a path.

        None is the default target. Relative paths in `text` count from `directory` (default: the root), those in
        ``tdv.yaml`` from the root. Raises `NotFound` for an unknown name, `ConfigError` for a variable that is
        not set, `Refused` for a host that `policy.never` excludes, `UsageError` for empty text, or for a database that
        only a service of libpq names.
        """
        if text is not None and not text.strip():
            raise UsageError("The target is empty", hint="Name one, or leave --target out for the default target.")
        base = self.root if text is None or directory is None else directory
        text = text or self.default_target
        entry = self.targets.get(text) or self._of_environment(text)
        if entry is not None:
            found = self._declared(entry)
        elif self.is_target(text):
            found = self._undeclared(complete(absolute(text, base), self.environ), text == DEFAULT_TARGET)
        else:
            raise self._unknown(text)
        self._refuse_never(found)
        return found

    def url(self, entry: TargetEntry) -> str:
        """The absolute URL of a declared target, complete; raises `ConfigError` when its variable is not set."""
        return complete(self._written(entry), self.environ)

    def _written(self, entry: TargetEntry) -> str:
        url = entry.url if entry.url_env is None else self.environ.get(entry.url_env)
        if not url:
            raise ConfigError(
                f"the variable {entry.url_env} is not set; it holds the URL of the target {entry.name!r}",
                hint=f"Set it, as in {entry.url_env}=postgresql://…, or name another target.",
                variable=entry.url_env,
                target=entry.name,
            )
        if not is_url(url) and not is_path(url):
            place = f"targets.{entry.name}.url" if entry.url_env is None else f"the variable {entry.url_env}"
            raise ConfigError(
                f"{place} holds neither a URL nor a path", hint="Write it as sqlite:///app.db or postgresql://host/db."
            )
        return absolute(url, self.root)

    def _of_environment(self, name: str) -> TargetEntry | None:
        environment = self.environments.get(name)
        return self.targets[environment.target] if environment is not None else None

    def _declared(self, entry: TargetEntry) -> TargetSettings:
        url = self.url(entry)
        twins = self._twins(url)
        names = {entry.name, *(twin.name for twin in twins)}
        return TargetSettings(
            name=entry.name,
            url=url,
            owns=entry.owns,
            protected=entry.protected or any(twin.protected for twin in twins),
            also_empty=entry.also_empty,
            health=entry.health,
            environments=tuple(item for item in self.environments.values() if item.target in names),
        )

    def _undeclared(self, url: str, is_own: bool) -> TargetSettings:
        """A raw URL; one that points to a declared database is that target, so that no spelling evades a rule.

        All sockets of this machine count as one host, so that a URL of a server stays the one that was given.
        """
        twins = sorted(self._twins(url), key=lambda twin: not twin.protected)
        if twins:
            declared = self._declared(twins[0])
            return declared if engine_of(url) in FILES else replace(declared, url=url)
        return TargetSettings(name=None, url=url, owns="database" if is_own else "tables")

    def _twins(self, url: str) -> list[TargetEntry]:
        """Declared targets that point to the same database; one whose variable is not set points nowhere."""
        sought = identity(url)
        known = [entry for entry in self.targets.values() if entry.url or self.environ.get(entry.url_env or "")]
        alike = [entry for entry in known if engine_of(self._written(entry)) == engine_of(url)]
        return [entry for entry in alike if sought & identity(self.url(entry))]

    def _refuse_never(self, target: TargetSettings) -> None:
        for host in hosts(target.url):
            for pattern in self.policy.never:
                if fnmatchcase(host, pattern.lower()):
                    raise Refused(
                        f"the host {host} is one that no target may be on: policy.never holds {pattern!r}",
                        hint="Use another target; policy.never in tdv.yaml says where test data may never go.",
                        host=host,
                    )

    def _unknown(self, text: str) -> NotFound:
        names = [*self.targets, *self.environments]
        near = nearest(text, names)
        hint = f"Use --target {near}." if near else "Declare it under targets: in tdv.yaml, or give a URL or a path."
        return NotFound(f"there is no target {text!r}{did_you_mean(text, names)}", hint=hint, target=text)

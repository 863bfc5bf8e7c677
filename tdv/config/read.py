"""Reads ``tdv.yaml`` and the environment.

In: a directory and an environment. Out: `Settings`, or a `DocumentError` with every mistake. Always holds: a
correct file is read without importing jsonschema; one that was read before without PyYAML, too.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping
from typing import Any, Final

from tdv.config.address import is_path, is_url
from tdv.config.repositories import Repository, fault, hint
from tdv.config.settings import (
    DEFAULT_TARGET,
    AppSource,
    Environment,
    Limits,
    Migrations,
    Policy,
    Settings,
    TargetEntry,
)
from tdv.documents.document import Document, Mistakes, Path
from tdv.documents.parsed import Parsed
from tdv.documents.read import parse, read
from tdv.documents.schema import validate
from tdv.documents.words import did_you_mean, quoted
from tdv.errors import ConfigError

FILE: Final = "tdv.yaml"
_SHOWN: Final = 3


def process_environment() -> dict[str, str]:
    """The environment of this process; everything else in tdv is given it."""
    return dict(os.environ)


def colour_wanted() -> bool:
    """False where the user asked for plain text: https://no-color.org, or a terminal that knows no colour."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def cache_home(environ: Mapping[str, str]) -> pathlib.Path:
    """Where tdv keeps what projects of one user share, and what may be deleted at any time."""
    base = environ.get("XDG_CACHE_HOME") or f"{environ.get('HOME', '')}/.cache"
    if not os.path.isabs(base):
        raise ConfigError("There is no cache directory: HOME is not set", hint="Set HOME or XDG_CACHE_HOME.")
    return pathlib.Path(base) / "tdv"


def find_root(start: pathlib.Path) -> pathlib.Path:
    """The nearest directory at or above `start` that holds ``tdv.yaml``, looking no further than its Git repository.

    Raises `ConfigError` when there is none.
    """
    start = start.resolve()
    for directory in (start, *start.parents):
        if (directory / FILE).is_file():
            return directory
        if (directory / ".git").exists():
            break
    raise ConfigError(
        f"there is no {FILE} in {start} or above it",
        hint=_elsewhere(start),
        directory=str(start),
    )


def _elsewhere(start: pathlib.Path) -> str:
    below = sorted(path.parent for pattern in (f"*/{FILE}", f"*/*/{FILE}") for path in start.glob(pattern))
    if not below:
        return "Run `tdv init` in the root of your Git repository, or name another directory with -C."
    shown = ", ".join(path.relative_to(start).as_posix() for path in below[:_SHOWN])
    more = f" and {len(below) - _SHOWN} more" if len(below) > _SHOWN else ""
    return f"There are projects in {shown}{more}: go there, or name one with -C."


def load(root: pathlib.Path, environ: Mapping[str, str]) -> Settings:
    """The settings of the repository at `root`; TDV_TARGET and TDV_APP_VERSION in `environ` win over the file.

    Raises `ConfigError` when there is no ``tdv.yaml``, `DocumentError` with all mistakes in it.
    """
    root = root.resolve()
    if not (root / FILE).exists():
        raise ConfigError(f"there is no {FILE} in {root}", hint="Run `tdv init` there.", directory=str(root))
    content, name = read(root / FILE, root)
    parsed = Parsed.below(root)
    data = parsed.get(FILE, content)
    if data is None:
        data = _checked(parse(content, name))
        parsed.keep(FILE, content, data)
    return _settings(root, data, environ)


def _checked(document: Document) -> Mapping[str, Any]:
    validate(document, "tdv")
    mistakes = Mistakes()
    _check_names(document, mistakes)
    mistakes.raise_if_any()
    return document.data or {}


def _settings(root: pathlib.Path, data: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    default = data.get("default", {})
    repositories = data.get("repositories", {})
    policy = data.get("policy", {})
    environments = data.get("environments", {})
    guarded = {item["target"] for item in environments.values() if item.get("protected")}
    return Settings(
        root=root,
        default_target=environ.get("TDV_TARGET") or default.get("target") or DEFAULT_TARGET,
        default_dataset=default.get("dataset"),
        wanted=data.get("datasets"),
        repositories={name: Repository(name, item["git"], item.get("ref")) for name, item in repositories.items()},
        app=_app(data["app"]["version"]) if "app" in data else None,
        app_version=environ.get("TDV_APP_VERSION") or None,
        migrations=_migrations(data["migrations"]) if "migrations" in data else None,
        targets={name: _target(name, item, name in guarded) for name, item in data.get("targets", {}).items()},
        environments={name: _environment(name, item) for name, item in environments.items()},
        policy=Policy(tuple(policy.get("never", ())), policy.get("merge", "squash")),
        levels=data.get("levels", {}),
        environ=environ,
    )


def _app(item: Mapping[str, Any]) -> AppSource:
    kind, value = next(iter(item.items()))
    if kind == "command":
        return AppSource("command", command=tuple(value))
    return AppSource("from" if kind == "from" else "json" if kind == "json" else "file", path=value)


def _migrations(item: Mapping[str, Any]) -> Migrations:
    return Migrations(item["tool"], item["path"], tuple(item.get("apply", ())), item.get("env", {}))


def _target(name: str, item: Mapping[str, Any], guarded: bool) -> TargetEntry:
    """One target; `guarded` where its environment is protected."""
    return TargetEntry(
        name=name,
        url=item.get("url"),
        url_env=item.get("url_env"),
        owns=item.get("owns", "tables"),
        protected=guarded or item.get("protected", False),
        also_empty=tuple(item.get("also_empty", ())),
        health=tuple(item.get("health", ())),
    )


def _environment(name: str, item: Mapping[str, Any]) -> Environment:
    datasets = item.get("datasets")
    allowed = tuple(datasets) if datasets is not None else None
    return Environment(name, item["target"], allowed, Limits(**item.get("limits", {})))


def _check_names(document: Document, mistakes: Mistakes) -> None:
    """Names that refer to other parts of the file must exist there."""
    data = document.data or {}
    names = _Names(document, mistakes)
    default = data.get("default", {}).get("target")
    if default is not None and not is_url(default) and not is_path(default):
        names.check(("default", "target"), default, "targets")
    for name in data.get("datasets", {}):
        if ":" in name:
            names.check(("datasets", name), name.rpartition(":")[0], "repositories")
    for name, item in data.get("repositories", {}).items():
        if problem := fault(item["git"]):
            mistake = document.problem(("repositories", name, "git"), f"this URL {problem}")
            mistakes.add(mistake, hint(problem))
    taken: dict[str, str] = {}
    for name, item in data.get("environments", {}).items():
        names.check(("environments", name, "target"), item["target"], "targets")
        names.check_environment(name, item["target"], taken.setdefault(item["target"], name))


class _Names:
    """Looks names up in the parts of one document that declare them."""

    def __init__(self, document: Document, mistakes: Mistakes) -> None:
        self._document = document
        self._mistakes = mistakes

    def check(self, path: Path, word: str, place: str) -> None:
        """Notes a mistake at `path` unless `word` is declared under `place`."""
        known = list((self._document.data or {}).get(place, {}))
        if word not in known:
            message = f"{quoted(word)} is not declared under {place}:{did_you_mean(word, known)}"
            self._mistakes.add(self._document.problem(path, message), f"Declare {word!r} under {place}:.")

    def check_environment(self, name: str, target: str, holder: str) -> None:
        """An environment has a target of its own, and one name never means two targets."""
        if holder != name:
            problem = self._document.problem(
                ("environments", name, "target"), f"the environment {holder!r} has this target already"
            )
            self._mistakes.add(problem, "Give each environment a target of its own.")
        if name != target and name in self._document.data.get("targets", {}):
            problem = self._document.problem(
                ("environments", name), f"a target has this name too, but the environment's target is {target!r}"
            )
            self._mistakes.add(problem, "Rename one of them.")

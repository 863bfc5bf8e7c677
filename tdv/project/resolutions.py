"""Wires a resolution: what is asked for and by whom, the app's version, the place in the migrations, the book.

In: a `ResolveWish`. Out: a `Resolution`. Always holds: what the command line says wins over the environment, and that
over ``tdv.yaml``; without any word about app or migrations, they do not matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tdv.errors import ConfigError, NotFound, UsageError
from tdv.frozen import dataclass
from tdv.model.compat import Span
from tdv.model.fit import Need, app_of
from tdv.model.reference import repository_of
from tdv.model.resolution import Asked
from tdv.project import libraries, states

if TYPE_CHECKING:
    from pathlib import Path

    from tdv.model.app import AppVersion
    from tdv.model.history import History, Place
    from tdv.model.resolution import Resolution
    from tdv.project.ports import Ports
    from tdv.resolve import Reasons

CALL: Final = "the command line"
SETTINGS: Final = "tdv.yaml"


@dataclass(frozen=True, slots=True)
class ResolveWish:
    """`refs` empty means what tdv.yaml wants; `app` and `migration` None mean what tdv.yaml and the files say, and with
    a `target` what its own tables say, relative paths counted from `directory`; `reasons` is how much to say about
    releases that are not chosen."""

    refs: tuple[str, ...] = ()
    app: str | None = None
    migration: str | None = None
    target: str | None = None
    directory: Path | None = None
    reasons: Reasons = "short"


def resolve(ports: Ports, wish: ResolveWish) -> Resolution:
    """Chooses one release per dataset; raises what reading, finding and resolving raise."""
    from tdv import resolve as verb

    needed = need(ports, wish.app, _migration(ports, wish))
    library = libraries.reachable(ports)
    found = verb.resolve(verb.Wish(asked(ports, wish.refs), needed, reasons=wish.reasons), library)
    return replace(found, notes=tuple(library.notes)) if library.notes else found


def _migration(ports: Ports, wish: ResolveWish) -> str | None:
    """The revision that is given, else that of the target that is named; raises `NotFound` where it has none."""
    if wish.target is None or wish.migration is not None:
        return wish.migration
    from tdv.project.schemas import standing

    history(ports)
    target = ports.settings.target(wish.target, wish.directory)
    found = standing(ports, target)
    return found.text if found is not None else None


def asked(ports: Ports, refs: tuple[str, ...] = ()) -> Mapping[str, tuple[Asked, ...]]:
    """Which ranges hold for which dataset: of the references, else of tdv.yaml, else any release of every dataset."""
    if refs:
        return _of_call(ports, refs)
    wanted = ports.settings.wanted
    if wanted is not None:
        return {name: (_of_settings(ports, name, text),) for name, text in wanted.items()}
    released = {name: (Asked("*", SETTINGS),) for name in ports.book.datasets() if ports.book.versions(name)}
    if not released:
        raise NotFound("Nothing is released yet", hint="Make the first release: `tdv release NAME 1.0.0`.")
    return released


def _of_settings(ports: Ports, name: str, text: str) -> Asked:
    """The range of one dataset in tdv.yaml, or the version that stands in the stage it names."""
    if not text.startswith("#"):
        states.refuse_unadopted(ports, name, text)
        return Asked(text, SETTINGS)
    if repository_of(name) is not None:
        raise ConfigError(
            f"{name}: the stages of another repository are not read", hint='Write a range in tdv.yaml, such as "^1.1".'
        )
    return Asked(states.promoted(ports, name, text[1:]).version, f"{SETTINGS} ({text})")


def _of_call(ports: Ports, refs: tuple[str, ...]) -> Mapping[str, tuple[Asked, ...]]:
    found: dict[str, tuple[Asked, ...]] = {}
    for text in refs:
        ref = states.parse(text)
        if ref.kind == "stage":
            dataset = states.own(ports, ref)
            item = Asked(states.promoted(ports, dataset, ref.value).version, text)
        elif ref.kind == "range":
            dataset = states.named(ports, ref)
            states.refuse_unadopted(ports, dataset, ref.value)
            item = Asked(ref.value, CALL)
        else:
            raise UsageError(f"{text!r} is no release", hint="Releases are resolved: write movies, or movies@^1.1.")
        found[dataset] = (*found.get(dataset, ()), item)
    return found


def need(ports: Ports, app: str | None = None, migration: str | None = None) -> Need:
    """What a release has to serve here."""
    return Need(_app(ports, app), place(ports, migration))


def _app(ports: Ports, given: str | None) -> AppVersion | None:
    if given is not None:
        return app_of(given)
    settings = ports.settings
    if settings.app is None and settings.app_version is None:
        return None
    from tdv.config.app import app_version
    from tdv.project.app_command import ask

    text = app_version(settings, lambda command: ask(command, ports.root, ports.environ))
    try:
        return app_of(text) if text is not None else None
    except UsageError as exc:
        source = "TDV_APP_VERSION" if settings.app_version else "app.version in tdv.yaml"
        raise ConfigError(f"{exc.message} ({source})", hint=_app_hint(text or "")) from exc


def _app_hint(text: str) -> str:
    if "@" in text:
        return "Leave data tags out: app: {version: {command: [git, describe, --tags, --exclude, '*@*']}}."
    return "Set TDV_APP_VERSION or --app, or correct app.version in tdv.yaml."


def place(ports: Ports, given: str | None = None) -> Place | None:
    """Where the schema stands: the revision given, else the head of the migrations that tdv.yaml names, else None."""
    if ports.settings.migrations is None:
        if given is None:
            return None
        from tdv.model.history import Unplaced

        return Unplaced(given)
    found = history(ports)
    return found.at(given) if given is not None else found.head


def history(ports: Ports) -> History:
    """The history of the migrations that tdv.yaml names."""
    from tdv import migrations

    settings = ports.settings.migrations
    if settings is None:
        raise ConfigError(
            "tdv.yaml names no migrations", hint="Set migrations: {tool: alembic, path: migrations} in tdv.yaml."
        )
    return migrations.read(settings.tool, ports.root / settings.path, settings.path)


def default_span(ports: Ports) -> Span | None:
    """The span of a release whose spec names none: from the head of the migrations on; None without migrations."""
    if ports.settings.migrations is None:
        return None
    found = history(ports)
    return Span(found.head.text) if found.heads else None

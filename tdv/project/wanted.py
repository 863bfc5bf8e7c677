"""Which states a checkout restores: those named, those that the code at a tag was pinned to, those of the lock, or
what resolves.

In: references and a `Fit`. Out: a `Picked`. Always holds: the lock is followed while it holds; when it does not, that
is said, and with `locked` it is refused; a record that is not what the lock pins is never restored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tdv.errors import Incompatible, IntegrityError, NotFound, Refused, UsageError
from tdv.frozen import dataclass
from tdv.model.fit import Need, range_of
from tdv.model.lock import FILE
from tdv.project import libraries, resolutions, states
from tdv.project.states import State

if TYPE_CHECKING:
    from tdv.lock import Stale
    from tdv.model.lock import Lock, Pin
    from tdv.model.reference import Ref
    from tdv.model.release import Record
    from tdv.project.ports import Ports

_SHOWN: Final = 3
PASSABLE: Final = "passable"
"""The fact of a refusal that a wish with `ignore_compat` does not meet."""


@dataclass(frozen=True, slots=True)
class Fit:
    """What the states have to fit. `app` and `migration` None mean what tdv.yaml and the files say; `app_tag` is the
    Git tag of an app's release, whose lock decides; `locked` refuses to resolve anew; `ignore_compat` takes what is
    named whatever it serves."""

    app: str | None = None
    migration: str | None = None
    app_tag: str | None = None
    locked: bool = False
    ignore_compat: bool = False


@dataclass(frozen=True, slots=True)
class Picked:
    """The states, required ones first; `notes` are sentences that the user should read. `migration` is where the
    schema stood for which they were chosen, where that is not what was asked for."""

    states: tuple[State, ...]
    notes: tuple[str, ...] = ()
    migration: str | None = None


def pick(ports: Ports, refs: tuple[str, ...], fit: Fit) -> Picked:
    """The states to restore, with those that they require; without `refs` those of the lock, else what resolves."""
    if refs and (fit.locked or fit.app_tag is not None):
        option = "--locked" if fit.locked else "--app-tag"
        raise UsageError(f"{option} says itself what is restored", hint=f"Leave {option} or {refs[0]} out.")
    if fit.app_tag is not None:
        found = _at_tag(ports, fit.app_tag)
    else:
        found = _named(ports, refs, fit) if refs else _locked(ports, fit)
    _refuse_namesakes(found.states)
    return replace(found, notes=(*found.notes, *ports.library.notes))


def _refuse_namesakes(found: Sequence[State]) -> None:
    names = {state.dataset: state.name for state in found}
    other = next((state for state in found if names[state.dataset] != state.name), None)
    if other is not None:
        raise Refused(
            f"{other.name} and {names[other.dataset]} are two datasets of one name, and a target holds one",
            hint="Restore them into two targets, each named on its own.",
        )


def _need(ports: Ports, fit: Fit) -> Need:
    return Need() if fit.ignore_compat else resolutions.need(ports, fit.app, fit.migration)


def _named(ports: Ports, texts: tuple[str, ...], fit: Fit) -> Picked:
    refs = [states.parse(text) for text in texts]
    names = [states.named(ports, ref) for ref in refs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice} is named twice", hint="A target holds one version of a dataset; name one of them.")
    if all(_is_release(ref) for ref in refs):
        return _resolved(ports, texts, fit)
    found = with_required(ports, [states.find(ports, text) for text in texts])
    as_built = (name for ref, name in zip(refs, names, strict=True) if ref.kind == "workspace")
    edited = [name for name in as_built if not _is_built(ports, name)]
    notes = (f"The sources of {name} changed since it was built: tdv build {name}" for name in edited)
    return Picked(found, tuple(notes))


def _is_built(ports: Ports, dataset: str) -> bool:
    """Whether what was built last is what the sources in the work tree make."""
    from tdv.store.fingerprint import Fingerprints, stage_status

    prints = Fingerprints(ports.root)
    status = stage_status(ports.root, dataset, prints)
    prints.save()
    return status.sources_unchanged


def _is_release(ref: Ref) -> bool:
    return ref.kind in ("range", "stage")


def _resolved(ports: Ports, texts: tuple[str, ...], fit: Fit) -> Picked:
    from tdv import resolve

    wish = resolve.Wish(resolutions.asked(ports, texts), _need(ports, fit), reasons="none")
    try:
        found = resolve.resolve(wish, ports.library)
    except Incompatible as problem:
        if wish.need == Need():
            raise
        raise Incompatible(problem.message, hint=problem.hint, **{PASSABLE: True}, **problem.facts) from problem
    return Picked(with_required(ports, [states.of_release(choice.release) for choice in found.datasets.values()]))


def _locked(ports: Ports, fit: Fit) -> Picked:
    from tdv.project import locks

    held = locks.required(ports) if fit.locked else locks.read(ports)
    if held is None:
        return _resolved(ports, (), fit)
    asked, needed = resolutions.asked(ports), _need(ports, fit)
    why = locks.stale(ports, held, asked, needed)
    _refuse_altered(why)
    if not why:
        return Picked(with_required(ports, [_of_pin(ports, *item) for item in held.datasets.items()]))
    listed = "; ".join(item.message for item in why[:_SHOWN])
    if fit.locked:
        raise Refused(f"{FILE} is stale: {listed}", hint="Renew it with `tdv lock`, review and commit it.", lock=FILE)
    found = locks.resolve_with(ports.library, asked, needed, held.versions)
    chosen = [states.of_release(choice.release) for choice in found.datasets.values()]
    return Picked(with_required(ports, chosen), (f"{FILE} is stale: {listed}. `tdv lock` renews it.",))


def _refuse_altered(why: Sequence[Stale]) -> None:
    altered = next((item for item in why if item.kind == "digest"), None)
    if altered is not None:
        raise IntegrityError(
            altered.message,
            hint="A record never changes and a lock is written by `tdv lock`: `git log -p` shows which of them did.",
            dataset=altered.dataset,
        )


def _of_pin(ports: Ports, dataset: str, pin: Pin) -> State:
    return states.of_release(ports.library.release(dataset, pin.version))


def _at_tag(ports: Ports, tag: str) -> Picked:
    lock = lock_at(ports, tag)
    found = [_pinned_at(ports, tag, lock, name) for name in lock.datasets]
    yanked = [name for name, pin in lock.datasets.items() if _is_yanked(ports, name, pin.version)]
    notes = tuple(f"{name}@v{lock.datasets[name].version} was yanked since." for name in yanked)
    return Picked(with_required(ports, found), notes, lock.migration)


def lock_at(ports: Ports, tag: str) -> Lock:
    """The lock that the commit of a tag, or any other revision, holds; raises `NotFound`."""
    from tdv.store.locks import parse_lock

    try:
        commit = ports.git.resolve(tag)
        data = ports.git.read_many(commit, (FILE,)).get(FILE)
    except NotFound as problem:
        raise _pins_nothing(ports, tag, problem.message, f"`git fetch origin tag {tag}` brings it") from problem
    if data is None:
        raise _pins_nothing(ports, tag, f"{tag} has no {FILE}", "Resolve for the version of that code with --app")
    return parse_lock(data, f"{tag}:{FILE}")


def _pins_nothing(ports: Ports, tag: str, message: str, hint: str) -> NotFound:
    """A tag without a lock; that of a release of the data is said to be one."""
    dataset, at, _ = tag.partition("@v")
    if at and dataset in ports.book.datasets():
        message, hint = f"{tag} is a release of the data, no tag of the app", f"`tdv checkout {tag}` restores it"
    return NotFound(f"{message}, so that nothing says what {tag} was pinned to", hint=f"{hint}.", tag=tag)


def _pinned_at(ports: Ports, tag: str, lock: Lock, dataset: str) -> State:
    """The release of a pin: its record in this tree or in another repository, else the one at the tag."""
    pin = lock.datasets[dataset]
    if pin.repository is not None:
        found = states.of_release(libraries.pinned_by(ports, lock).release(dataset, pin.version))
    elif (record := _record(ports, dataset, pin.version)) is not None:
        found = states.of_record(record)
    else:
        from tdv.store.history import book_at

        found = states.of_record(book_at(ports.git, tag).record(dataset, pin.version))
    if found.digest != pin.digest:
        raise IntegrityError(
            f"The digest of {found.reference} is not the one that {tag} pins",
            hint="A record never changes: `git log -p` on the record shows who changed it.",
            dataset=dataset,
        )
    return found


def _record(ports: Ports, dataset: str, version: str) -> Record | None:
    return ports.book.record(dataset, version) if version in ports.book.versions(dataset) else None


def _is_yanked(ports: Ports, dataset: str, version: str) -> bool:
    return version in ports.book.versions(dataset) and ports.book.release(dataset, version).yanked


def with_required(ports: Ports, wanted: Iterable[State]) -> tuple[State, ...]:
    """The states and the releases that they require, those first, each dataset once."""
    chosen = {state.name: state for state in wanted}
    order: dict[str, State] = {}

    def visit(state: State, path: tuple[str, ...]) -> None:
        if state.name in order or state.name in path:
            return
        for name, needed in sorted(state.requires.items()):
            found = chosen.get(name) or states.of_release(states.release(ports, name, needed))
            if found.record is not None and not range_of(needed).allows(found.version):
                raise Incompatible(
                    f"{state.reference} requires {name} {needed}, and {found.reference} is asked for",
                    hint=f"Leave {name} out, or name a version of it in that range.",
                )
            visit(found, (*path, state.name))
        order[state.name] = state

    for state in chosen.values():
        visit(state, ())
    return tuple(order.values())

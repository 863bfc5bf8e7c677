"""Gets the artifact of a state: from the cache, else from the remote, else rebuilt from Git's history.

In: a `State`. Out: a `Snapshot` in the cache. Always holds: what is given back has the digest that the record
promises; nothing is rebuilt from commits that are not on the default branch or upstream of HEAD.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tdv import durable
from tdv.errors import RemoteError, StoreError, TdvError
from tdv.model.release import MANIFEST

if TYPE_CHECKING:
    from tdv.content.snapshot import Snapshot
    from tdv.model.manifest import Manifest
    from tdv.model.release import Artifact, Origin, Record
    from tdv.project.ports import Ports
    from tdv.project.states import State


def open_state(ports: Ports, state: State) -> Snapshot:
    """The snapshot of a state, fetched or rebuilt if it is not in the cache."""
    from tdv.store.artifacts import open_artifact

    if state.record is not None and state.origin is not None:
        return open_foreign(ports, state.record, state.origin)
    if state.record is not None:
        return open_release(ports, state.record)
    try:
        fetch(ports, state.artifact.md5)
    except RemoteError as problem:
        raise nowhere(state.dataset, state.version, problem) from problem
    return open_artifact(ports.cache, state.artifact.md5)


def nowhere(dataset: str, version: str, problem: RemoteError) -> RemoteError:
    """The error for the data of a state that is no release, which is neither in the cache nor to be fetched."""
    said = f"The data of {dataset}@{version} is not in the cache; {_small(problem.message)}"
    hint = f"`tdv build {dataset}` makes that of the work tree anew." if version == "workspace" else problem.hint
    return RemoteError(said, hint=hint, dataset=dataset, version=version)


def open_release(ports: Ports, record: Record) -> Snapshot:
    """The snapshot of a release, fetched or rebuilt if it is not in the cache.

    Raises `IntegrityError` where record and data disagree.
    """
    from tdv.store.artifacts import open_release as open_in_cache

    return open_in_cache(ports.cache, record, obtain(ports, record))


def open_foreign(ports: Ports, record: Record, origin: Origin) -> Snapshot:
    """The snapshot of a release of another repository, fetched from its remote; it is never rebuilt."""
    from tdv.store.artifacts import open_release as open_in_cache

    md5 = ports.foreign(origin.url).obtain(record, origin.commit, ports.cache)
    return open_in_cache(ports.cache, record, md5)


def obtain(ports: Ports, record: Record) -> str:
    """Brings the data of a release into the cache and returns its md5 there: the record's, or a rebuild's."""
    md5 = record.artifact.md5
    if ports.cache.has_all(md5):
        return md5
    rebuilt = _rebuilt(ports, record.digest)
    if rebuilt is not None:
        return rebuilt
    try:
        fetch(ports, md5)
    except RemoteError as problem:
        return _from_history(ports, record, problem)
    return md5


def read_manifest(ports: Ports, artifact: Artifact) -> bytes:
    """The bytes of an artifact's manifest; if need be, it and the list of files are fetched, none of the tables."""
    _fetch_only(ports, artifact.md5)
    files = {entry.relpath: entry.md5 for entry in ports.cache.read_dir(artifact.md5)}
    if MANIFEST not in files:
        raise StoreError(f"The artifact {artifact.md5} has no manifest", hint="`tdv build` makes it anew.")
    _fetch_only(ports, files[MANIFEST])
    return ports.cache.read(files[MANIFEST])


def manifest_of(ports: Ports, state: State) -> Manifest:
    """The manifest of a state; its rows are fetched or rebuilt only where the manifest cannot be had alone."""
    from tdv.content.snapshot import parse_manifest

    if state.origin is not None:
        return open_state(ports, state).manifest
    try:
        return parse_manifest(read_manifest(ports, state.artifact))
    except RemoteError:
        return open_state(ports, state).manifest


def open_sparsely(ports: Ports, old: State, new: State) -> tuple[Snapshot, Snapshot]:
    """Two snapshots of which only the parts that the other lacks are looked for, and fetched where the cache lacks
    them; the rest as soon as it is read."""
    if old.origin or new.origin:
        return open_state(ports, old), open_state(ports, new)
    try:
        one, other = (_sparse(ports, state) for state in (old, new))
        one.fetch(_unshared(one.snapshot, other.snapshot))
        other.fetch(_unshared(other.snapshot, one.snapshot))
    except RemoteError:
        # What the remote lacks may be rebuilt from Git's history, which only the whole can be.
        return open_state(ports, old), open_state(ports, new)
    return one.snapshot, other.snapshot


class _Sparse(NamedTuple):
    """A snapshot whose files come when they are read, or when they are asked for."""

    snapshot: Snapshot
    fetch: Callable[[Iterable[str]], None]


def _sparse(ports: Ports, state: State) -> _Sparse:
    from tdv.content.snapshot import Snapshot
    from tdv.store import artifacts

    md5, record = state.artifact.md5, state.record
    read_manifest(ports, state.artifact)
    if record is None:
        found = artifacts.open_artifact(ports.cache, md5)
    else:
        found = artifacts.open_release(ports.cache, record, md5)
    md5s = {entry.relpath: entry.md5 for entry in ports.cache.read_dir(md5)}

    def fetch(files: Iterable[str]) -> None:
        _fetch_only(ports, *(md5s[file] for file in files if file in md5s))

    def locate(file: str) -> Path:
        fetch([file])
        return found.locate(file)

    return _Sparse(Snapshot(found.manifest, locate), fetch)


def _unshared(one: Snapshot, other: Snapshot) -> list[str]:
    """The files of parts that the other snapshot does not have."""
    known = {part.digest for table in other.manifest.tables for part in table.parts}
    return [part.file for table in one.manifest.tables for part in table.parts if part.digest not in known]


def fetch(ports: Ports, md5: str) -> None:
    """Brings an artifact into the cache; raises `RemoteError`, and `IntegrityError` for other bytes than these."""
    if ports.cache.has_all(md5):
        return
    from tdv.store import dvc

    dvc.fetch(ports.dvc, [md5])


def _fetch_only(ports: Ports, *md5s: str) -> None:
    if all(ports.cache.has(md5) for md5 in md5s):
        return
    from tdv.store import dvc

    dvc.fetch_objects(ports.dvc, md5s)


def _from_history(ports: Ports, record: Record, problem: RemoteError) -> str:
    from tdv.project.rebuild import rebuild_from_history

    try:
        _, md5 = rebuild_from_history(ports, record)
    except StoreError as failure:
        raise RemoteError(
            f"The data of {record.reference} is not in the cache; {_small(problem.message)}; {_small(failure.message)}",
            hint=failure.hint or problem.hint,
            dataset=record.dataset,
            version=record.version,
        ) from problem
    durable.write_text(_note(ports, record.digest), md5 + "\n")
    return md5


def _small(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _note(ports: Ports, digest: str) -> Path:
    return ports.state / "rebuilt" / digest.replace(":", "-")


def _rebuilt(ports: Ports, digest: str) -> str | None:
    """The md5 under which a rebuild of `digest` is in the cache."""
    from tdv.store.artifacts import open_artifact

    with suppress(FileNotFoundError, TdvError):
        md5 = _note(ports, digest).read_text(encoding="utf-8").strip()
        if ports.cache.has_all(md5) and open_artifact(ports.cache, md5).manifest.digest == digest:
            return md5
    return None

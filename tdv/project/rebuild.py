"""Builds a release again: from the work tree in a clean process, or from the commit that it was built from.

In: a record. Out: a snapshot with the record's digest, or an error that says what differs. Always holds: the second
build of a release runs under other circumstances than the first: another hash seed, time zone, locale, directory,
block size and clock.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tdv.content.snapshot import Snapshot
from tdv.content.tree import sources_digest
from tdv.errors import ConfigError, DataError, GitError, IntegrityError, StoreError
from tdv.model.manifest import Source
from tdv.project import sources as build_sources
from tdv.project.builds import scratch
from tdv.project.making import DATA, MakeOptions, make, source_files
from tdv.store.artifacts import open_artifact

if TYPE_CHECKING:
    from tdv.model.manifest import Manifest
    from tdv.model.release import Record
    from tdv.project.making import Made
    from tdv.project.ports import Ports
    from tdv.project.sources import Sources

_TREE: Final = "datasets"
_SETTINGS: Final = ("tdv.yaml", "dvc.yaml", ".dvc/config")
_BUILT: Final = "/data/"
_FIRST_DEEPEN: Final = 50
_MOST_COMMITS: Final = 1 << 20
_UNSHALLOW: Final = "Fetch the whole history with `git fetch --unshallow`, or the data with `tdv pull`."


def again(ports: Ports, dataset: str) -> Manifest:
    """The manifest of a cold build of the work tree's sources in a clean process; nothing is kept."""
    with scratch(ports) as directory:
        return build_elsewhere(ports, dataset, directory).manifest


def build_elsewhere(ports: Ports, dataset: str, directory: Path) -> Snapshot:
    """Runs `tdv.project.again` on the repository at `ports.root`; the snapshot is left in `directory`."""
    from tdv.factories.variation import OTHER

    kept = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV", "XDG_CACHE_HOME")
    environ = {name: value for name, value in ports.environ.items() if name in kept}
    environ |= {"PYTHONHASHSEED": str(OTHER.hash_seed), "TZ": OTHER.timezone, "LANG": OTHER.language}
    done = subprocess.run(
        [sys.executable, "-m", "tdv.project.again", str(ports.root), dataset, str(directory)],
        cwd=directory,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    answer = _answer(done.stdout)
    if done.returncode or "digest" not in answer:
        raise DataError(
            f"The second build of {dataset} failed: {answer.get('message') or _last(done.stderr)}",
            hint=answer.get("hint") or f"`tdv build {dataset} --force` shows it too, unless chance is at work.",
        )
    return Snapshot.open(directory / DATA)


def _answer(output: bytes) -> dict[str, str]:
    try:
        answer = json.loads(output.decode("utf-8").strip().rpartition("\n")[2])
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _last(stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it ended without a word"


def rebuild_from_history(ports: Ports, record: Record) -> tuple[Snapshot, str]:
    """Builds a release from its sources in Git's history, and stores it in the cache under its own md5.

    Raises `StoreError` when no commit that may be trusted has these sources, `IntegrityError` when the result
    has another digest.
    """
    with scratch(ports) as directory:
        made = _from_commits(ports, record, directory) or _from_deeper(ports, record, directory)
        if made.manifest.digest != record.digest:
            raise IntegrityError(
                f"{record.reference} built from its sources has the digest {made.manifest.digest}, "
                f"the record promises {record.digest}",
                hint=f"It was made with {_tools(record)}; `tdv verify {record.reference} --rebuild` says what differs.",
            )
        md5, _, _ = ports.cache.add_tree(made.directory, move=True)
    return open_artifact(ports.cache, md5), md5


def rebuild_into(ports: Ports, record: Record, directory: Path) -> Snapshot:
    """Builds a release from its recorded sources into `directory`, whatever the digest comes to.

    The sources are taken from Git's history, else from the artifact itself. Raises `StoreError` without them.
    """
    made = _from_commits(ports, record, directory) or _from_kept(ports, record, directory)
    return (made or _from_deeper(ports, record, directory)).snapshot


def _no_sources(record: Record) -> StoreError:
    return StoreError(
        f"no commit in reach has the sources of {record.reference}",
        hint=_UNSHALLOW,
    )


def _from_kept(ports: Ports, record: Record, directory: Path) -> Made | None:
    root = directory / "kept"
    if not _extract_kept(ports, record, root):
        return None
    return _make_in(ports, record, root, directory / "kept-build")


def _from_deeper(ports: Ports, record: Record, directory: Path) -> Made:
    """The build of a commit beyond the end of a shallow clone; raises `StoreError` when there is none in reach."""
    step = _FIRST_DEEPEN
    while step <= _MOST_COMMITS and ports.git.is_shallow() and ports.git.default_remote() is not None:
        try:
            ports.git.fetch_deepen(step)
        except GitError as exc:
            raise StoreError(f"{_no_sources(record).message}, and {exc.message}", hint=_UNSHALLOW) from exc
        made = _from_commits(ports, record, directory)
        if made is not None:
            return made
        step *= 4
    raise _no_sources(record)


def _from_commits(ports: Ports, record: Record, directory: Path) -> Made | None:
    for commit in _commits(ports, record):
        root = directory / commit
        _extract(ports, commit, root, _paths(ports, commit))
        if (root / _TREE / record.dataset / build_sources.SPEC).is_file():
            made = _make_in(ports, record, root, directory / f"{commit}-build", commit)
            if made is not None:
                return made
        shutil.rmtree(root)
    return None


def _make_in(ports: Ports, record: Record, root: Path, build: Path, commit: str | None = None) -> Made | None:
    """The build of a tree, or None when its sources are not those of the record."""
    there = ports_with_cache(ports, replace(ports, root=root))
    with suppress(ConfigError):
        if commit is not None:
            _extract(ports, commit, root, _further_sources(ports, there, record.dataset, commit))
        spec = there.spec(record.dataset)
        sources = build_sources.find(there, spec)
        if sources_of(root, sources) == record.sources:
            build.mkdir()
            return make(there, spec, sources, MakeOptions(build))
    return None


def _further_sources(ports: Ports, there: Ports, dataset: str, commit: str) -> list[str]:
    """The files at `commit` that the spec lists under ``sources:``; the spec cannot be loaded without them."""
    from tdv import documents

    listed: list[str] = []
    for name in (dataset, *(path.name for path in (there.root / _TREE).iterdir())):
        path = there.directory(name) / build_sources.SPEC
        if path.is_file():
            data = documents.load(path, there.root).data
            listed += [str(item) for item in (data.get("sources") or ())] if isinstance(data, dict) else []
    return [path for path in ports.git.ls_tree(commit) if _below(path, tuple(listed))]


def _extract_kept(ports: Ports, record: Record, root: Path) -> bool:
    """Lays out the sources that the artifact keeps, and seeds from the work tree where they are the same."""
    if not ports.cache.has_all(record.artifact.md5):
        return False
    snapshot = open_artifact(ports.cache, record.artifact.md5, record.manifest)
    for source in snapshot.manifest.sources:
        place = root / source.path
        origin = snapshot.locate(f"sources/{source.sha256}") if source.kept else ports.root / source.path
        if ".." in Path(source.path).parts or not origin.is_file():
            return False
        data = origin.read_bytes()
        if hashlib.sha256(data).hexdigest() != source.sha256:
            return False
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return True


def ports_with_cache(ports: Ports, there: Ports) -> Ports:
    """`there` with the DVC settings of `ports`, so that an extracted tree uses the repository's own cache."""
    there.__dict__["dvc"] = ports.dvc
    return there


def sources_of(root: Path, sources: Sources) -> str:
    """``sha256:<hex>`` over the sources of a tree, as its manifest would say."""
    found = source_files(root, sources)
    return sources_digest(
        Source(item.path, hashlib.sha256(item.file.read_bytes()).hexdigest(), item.kept) for item in found
    )


def _tools(record: Record) -> str:
    return ", ".join(f"{name} {version}" for name, version in record.toolchain.items())


def _commits(ports: Ports, record: Record) -> Iterator[str]:
    """Commits that changed the dataset, newest first, as far as they are on a branch that was reviewed; then the one
    that is tagged, for a release of another line. Nothing of any runs unless its sources are those of the record."""
    trusted = ports.git.default_remote_branch() or "HEAD"
    line = ports.git.history(f"{_TREE}/{record.dataset}", trusted)
    yield from line
    tagged = [tag.commit for tag in ports.git.tags(record.dataset) if tag.name == record.reference]
    yield from (commit for commit in tagged if commit not in line)


def _paths(ports: Ports, commit: str) -> list[str]:
    known = ports.git.ls_tree(commit)
    return [path for path in known if path in _SETTINGS or (path.startswith(f"{_TREE}/") and _BUILT not in path)]


def _below(path: str, sources: tuple[str, ...]) -> bool:
    return any(path == source or path.startswith(source.rstrip("/") + "/") for source in sources)


def _extract(ports: Ports, commit: str, root: Path, paths: list[str]) -> None:
    for path, data in ports.git.read_many(commit, paths).items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)

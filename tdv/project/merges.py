"""Wires merges: as Git's driver with three files, and by hand after a conflict.

In: paths. Out: what was merged, and what is left to a person. Always holds: a file that merges without a clash is
taken out of conflict, any other stays in conflict; whatever fails, the lines are merged as Git would have.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tdv import durable
from tdv import merge as verb
from tdv.documents import parse
from tdv.documents.markers import clashes, our_side
from tdv.errors import DocumentError, NotFound, UsageError
from tdv.model.lock import FILE
from tdv.project import rivals
from tdv.store import conflicts
from tdv.store.git import Git
from tdv.store.records import named_by

if TYPE_CHECKING:
    from tdv.project.ports import Ports

FORMAT: Final = "tdv.merge/v1"
_DEEPEST: Final = 10
_READ: Final = ("tdv.yaml", "CHANGELOG.md")


@dataclass(frozen=True, slots=True)
class MergedFile:
    """One file after the merge; `conflicts` names what is left to a person."""

    path: str
    conflicts: tuple[str, ...]

    def to_plain(self) -> dict[str, Any]:
        """The JSON form."""
        return {"path": self.path, "conflicts": list(self.conflicts)}


@dataclass(frozen=True, slots=True)
class Merging:
    """All files that were in conflict and of a kind that tdv merges, and those that it only reads."""

    files: tuple[MergedFile, ...]

    @property
    def clean(self) -> bool:
        """True if nothing is left to a person."""
        return not any(file.conflicts for file in self.files)

    def to_plain(self) -> dict[str, Any]:
        """The JSON form."""
        return {"format": FORMAT, "clean": self.clean, "files": [file.to_plain() for file in self.files]}


def merge(ports: Ports, paths: tuple[str, ...]) -> Merging:
    """Merges the files in conflict, all that tdv knows or those named; raises `NotFound` for one without conflict."""
    found = conflicts.unmerged(ports.git, paths)
    absent = [path for path in paths if path not in found and not any(name.startswith(f"{path}/") for name in found)]
    if absent:
        raise NotFound(f"{absent[0]} is not in conflict", hint="`git status` lists the files that are.")
    done = []
    for path, (base, ours, theirs) in found.items():
        release = named_by(path)
        if release and ours is not None and theirs is not None:
            done += _record(ports, path, rivals.Rivals(*release, ours, theirs))
            continue
        if ours is None or theirs is None or not verb.is_known(path):
            if path in paths:
                raise UsageError(f"{path} is nothing that tdv merges", hint="Mend it by hand, then git add it.")
            done += _left(path, _gone(ours, theirs))
            continue
        data, clashes = _merged(ports.git, ports.root, path, verb.Versions(base or b"", ours, theirs), 7)
        if path not in paths and _is_mended(ports.root / path, data):
            done.append(MergedFile(path, (f"mended by hand: git add it, or tdv merge {path} to merge it anew",)))
            continue
        durable.write_bytes(ports.root / path, data)
        done.append(MergedFile(path, clashes))
    conflicts.settle(ports.git, [file.path for file in done if not file.conflicts])
    return Merging(tuple(done))


def _gone(ours: bytes | None, theirs: bytes | None) -> str | None:
    """The side that removed what the other one edited; None where both have the file, or neither."""
    if (ours is None) == (theirs is None):
        return None
    return "ours" if ours is None else "theirs"


def _left(path: str, gone: str | None) -> list[MergedFile]:
    """A file of the project that tdv reads and does not merge; all others are nobody's business here."""
    if path == FILE:
        return [MergedFile(path, (f"tdv lock settles it, then git add {path}",))]
    if path in _READ or verb.is_known(path) or path.startswith("datasets/"):
        if gone is not None:
            ways = f"git add {path} keeps it, git rm {path} removes it"
            return [MergedFile(path, (f"{gone} removed it, and the other side edited it: {ways}",))]
        return [MergedFile(path, (f"mend it by hand, then git add {path}",))]
    return []


def _record(ports: Ports, path: str, found: rivals.Rivals) -> list[MergedFile]:
    """A record that both sides wrote: settled once a person took one side."""
    side = rivals.taken(ports, path, found)
    if side is None:
        return [MergedFile(path, rivals.advice(ports, path, found))]
    return [MergedFile(name, ()) for name in rivals.settle(ports, path, found, side)]


def _is_mended(path: Path, merged: bytes) -> bool:
    """True for a file that a person took the markers out of, or wrote anew: no merge may undo that unasked."""
    try:
        there = path.read_bytes()
    except FileNotFoundError:
        return False
    return not clashes(there) and there != merged


def drive(git: Git, files: tuple[Path, Path, Path], size: int, path: str) -> tuple[str, ...]:
    """Git's merge driver: merges base, ours and theirs into the file of ours; returns what is left to a person.

    `path` is the file's place from the directory of `git`, the top of the work tree.
    """
    base, ours, theirs = (file.read_bytes() for file in files)
    data, clashes = _merged(git, git.root, path, verb.Versions(base, ours, theirs), size)
    files[1].write_bytes(data)
    return clashes


def _merged(git: Git, root: Path, path: str, versions: verb.Versions, size: int) -> tuple[bytes, tuple[str, ...]]:
    options = verb.MergeOptions(path, partial(_key, root / _before_datasets(path)), partial(_texts, git), size)
    merged = verb.merge(versions, options)
    if merged is not None:
        return merged.data, merged.conflicts
    data, _ = conflicts.merge_lines(git, (versions.base, versions.ours, versions.theirs), size)
    return data, ("lines that clash",)


def _texts(git: Git, versions: verb.Versions) -> bytes | None:
    data, clashes = conflicts.merge_lines(git, (versions.base, versions.ours, versions.theirs), 7)
    return None if clashes else data


def _before_datasets(path: str) -> str:
    """The directory that ``datasets/`` stands in, where the project lies below the top of its repository."""
    before, _, _ = f"/{path}".rpartition("/datasets/")
    return before.strip("/")


def _key(root: Path, dataset: str, table: str) -> tuple[str, ...]:
    """The key of a table as the work tree's spec or one that it extends says; () where none says it.

    Of a spec that is in conflict itself our side counts: without a key, an edited row would become two.
    """
    for _ in range(_DEEPEST):
        path = root / "datasets" / dataset / "dataset.yaml"
        try:
            text = path.read_bytes()
            data = parse(our_side(text) if clashes(text) else text, path.name).data
        except (OSError, DocumentError):
            return ()
        data = data if isinstance(data, dict) else {}
        tables = data.get("tables")
        spec = tables.get(table) if isinstance(tables, dict) else None
        if isinstance(spec, dict) and isinstance(spec.get("key"), list):
            return tuple(str(name) for name in spec["key"])
        if not isinstance(data.get("extends"), str):
            return ()
        dataset = data["extends"]
    return ()

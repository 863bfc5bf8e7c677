"""Two branches that released one version: which record stays, and what becomes of the other release.

In: a record in conflict, as both sides have it. Out: what is left to a person, () once one side was taken. Always
holds: tdv chooses neither side, since each is somebody's release; of the side that was taken the changelog has the
section as that side wrote it, which Git mixes from both.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tdv import durable
from tdv.errors import NotFound
from tdv.store import changelog, conflicts

if TYPE_CHECKING:
    from tdv.project.ports import Ports

Side = Literal["ours", "theirs"]


@dataclass(frozen=True, slots=True)
class Rivals:
    """The record of one version as both sides have it."""

    dataset: str
    version: str
    ours: bytes
    theirs: bytes


def taken(ports: Ports, path: str, found: Rivals) -> Side | None:
    """The side that a person took into the work tree, None while neither is there as it was."""
    try:
        there = (ports.root / path).read_bytes()
    except FileNotFoundError:
        return None
    return "ours" if there == found.ours else "theirs" if there == found.theirs else None


def settle(ports: Ports, path: str, found: Rivals, side: Side) -> tuple[str, ...]:
    """Gives the changelog the section of the side that was taken; returns the files to be taken out of conflict."""
    dataset, version = found.dataset, found.version
    revision = "HEAD" if side == "ours" else conflicts.other_side(ports.git)
    log = ports.root / changelog.FILE
    if revision is None or not log.is_file() or changelog.FILE in conflicts.unmerged(ports.git, (changelog.FILE,)):
        return (path,)
    written = ports.git.read_many(revision, (changelog.FILE,)).get(changelog.FILE, b"").decode("utf-8", "replace")
    section = changelog.section_of(written, dataset, version)
    text = log.read_text(encoding="utf-8")
    if not section or changelog.section_of(text, dataset, version) == section:
        return (path,)
    durable.write_text(log, changelog.placed(text, dataset, version, section))
    return (path, changelog.FILE)


def advice(ports: Ports, path: str, found: Rivals) -> tuple[str, ...]:
    """Which record to keep, and how."""
    said = f"{found.dataset}@v{found.version} was released on both sides"
    keep = f"git checkout --theirs -- {path} (or --ours), then tdv merge"
    for data, where in _published(ports, path, found):
        if data in (found.ours, found.theirs):
            side = "ours" if data == found.ours else "theirs"
            said += f"; {side} is published, {where}, and stays"
            keep = f"git checkout --{side} -- {path}, then tdv merge"
            break
    else:
        said += ", and neither is published as far as this clone knows: keep what was merged first"
    return (said, keep, f"after the merge, tdv release {found.dataset} makes the other one the next version")


def _published(ports: Ports, path: str, found: Rivals) -> Iterator[tuple[bytes | None, str]]:
    """The record as a tag promises it and as the main branch of the remote has it, with where that is."""
    for tag in ports.git.tags(found.dataset):
        if tag.kind == "version" and tag.version == found.version:
            with suppress(NotFound):
                yield ports.git.show(tag.commit, path), f"tagged {tag.name}"
    branch = ports.git.default_remote_branch()
    if branch is not None:
        with suppress(NotFound):
            yield ports.git.show(branch, path), f"on {branch}"

"""The commit that a branch is compared with, also in clones that hold one commit only.

In: a `Git` and the name of a branch, tag or commit. Out: a `Base`, and what differs from it. Always holds: nothing
of the user's branches or work tree moves; what a shallow clone lacks is fetched, or the error names the command.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from tdv.errors import GitError, NotFound
from tdv.store.git import Git

_STEPS: Final = (50, 500, 5000)
_PARENT: Final = re.compile(rb"^parent ([0-9a-f]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Base:
    """What was asked for as `name`: its commit `tip`, and `fork`, the last commit that it has in common with HEAD.

    `known` is False where this clone cannot find the common commit; `fork` is `tip` then.
    """

    name: str
    tip: str
    fork: str
    known: bool = True


def find_base(git: Git, name: str) -> Base:
    """The point to compare with. Raises `NotFound` for an unknown name, `GitError` without a commit at HEAD."""
    head = git.head()
    tip = _tip(git, name)
    fork = git.merge_base(head, tip)
    # A merge made by a forge names its parents also where the history behind it was cut off.
    if fork is None and tip in _recorded_parents(git, head):
        fork = tip
    if fork is None and git.is_shallow():
        fork = _deepened(git, name, tip)
    return Base(name, tip, fork or tip, fork is not None)


def changed_since(git: Git, commit: str) -> tuple[str, ...]:
    """The files that differ between `commit` and the work tree, untracked ones included; paths from the root."""
    differing = git.answer("diff", "--name-only", "-z", "--no-renames", "--relative", commit, "--", ".")
    new = git.answer("ls-files", "-z", "--others", "--exclude-standard", "--", ".")
    names = (differing + new).decode("utf-8", "surrogateescape").split("\0")
    return tuple(sorted({name for name in names if name}))


def _tip(git: Git, name: str) -> str:
    try:
        return git.resolve(name)
    except NotFound as exc:
        remote, _, branch = name.partition("/")
        if not branch or remote not in git.remotes():
            raise _with_remote(git, name, exc) from exc
    depth = ["--depth=1"] if git.is_shallow() else []
    spec = f"+refs/heads/{branch}:refs/remotes/{name}"
    try:
        git.answer("fetch", "--quiet", "--no-tags", *depth, "--", remote, spec)
    except GitError as exc:
        raise NotFound(
            f"There is no commit {name!r} here, and it could not be fetched: {exc.message}",
            hint=f"git fetch {' '.join([*depth, remote, spec])}",
            revision=name,
        ) from exc
    return git.resolve(name)


def _with_remote(git: Git, name: str, problem: NotFound) -> NotFound:
    """The problem with a hint at the branch of the remote: a clone of one branch has no other one of its own."""
    remote = git.default_remote()
    if remote is None:
        return problem
    hint = f"A branch of the remote is written --base {remote}/{name}. {problem.hint}"
    return NotFound(problem.message, hint=hint, revision=name)


def _recorded_parents(git: Git, commit: str) -> set[str]:
    header = git.answer("cat-file", "commit", commit).partition(b"\n\n")[0]
    return {parent.decode() for parent in _PARENT.findall(header)}


def _deepened(git: Git, name: str, tip: str) -> str | None:
    remote = name.partition("/")[0] if name.partition("/")[0] in git.remotes() else git.default_remote()
    for step in _STEPS if remote else ():
        with suppress(GitError):
            git.fetch_deepen(step, remote)
            git.answer("fetch", "--quiet", "--no-tags", f"--deepen={step}", "--", str(remote), tip, git.head())
        fork = git.merge_base(git.head(), tip)
        if fork is not None or not git.is_shallow():
            return fork
    return None

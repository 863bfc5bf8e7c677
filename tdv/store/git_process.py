"""Runs ``git``, and says what its failures mean.

In: the directory to run in, the environment, the words of a command. Out: what it printed, or a `GitError` with its
last line and what helps. Always holds: paths are taken literally unless a caller says that they are patterns.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tdv.errors import GitError, NotFound, Refused
from tdv.store.process import last_line

_LOCK: Final = re.compile(rb"Unable to create '(?P<path>[^'\n]+\.lock)': File exists")


class GitProcess:
    """``git`` in the directory `root`, with the environment `environ`."""

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self._root = root
        self._environ = environ

    def text(self, *arguments: str) -> str:
        """What a command prints, without white space around it; raises `GitError`."""
        return self.run(*arguments).decode("utf-8", "surrogateescape").strip()

    def run(self, *arguments: str, stdin: bytes = b"", literal: bool = True) -> bytes:
        """What a command prints; raises `GitError`."""
        done = self.start(*arguments, stdin=stdin, literal=literal)
        if done.returncode:
            raise self.error(arguments[0], done)
        return done.stdout

    def start(self, *arguments: str, stdin: bytes = b"", literal: bool = True) -> subprocess.CompletedProcess[bytes]:
        """A command that ended, whatever its exit code; raises `GitError` without git, `NotFound` without `root`."""
        environ = {**self._environ, "GIT_LITERAL_PATHSPECS": "1" if literal else "0"}
        try:
            return subprocess.run(
                ["git", *arguments], cwd=self._root, env=environ, input=stdin, capture_output=True, check=False
            )
        except FileNotFoundError as exc:
            if self._root.is_dir():
                raise GitError("The program git is not installed", hint="Install git 2.30 or newer.") from exc
            raise NotFound(f"There is no directory {self._root}", hint="Check the path.") from exc

    def error(self, verb: str, done: subprocess.CompletedProcess[bytes]) -> GitError:
        """What the failure of ``git VERB`` means."""
        if lock := locked(done.stderr):
            hint = f"Wait for the Git process that works here; if there is none: rm {shlex.quote(lock)}"
            return GitError(f"git {verb} failed: {lock} is in the way", hint=hint, status=done.returncode, path=lock)
        reason = last_line(done.stderr or done.stdout) or f"exit code {done.returncode}"
        return GitError(f"git {verb} failed: {reason}", hint=_hint(verb, done.stderr), status=done.returncode)


def locked(stderr: bytes) -> str:
    """The lock file that another Git process holds or left behind, ""."""
    found = _LOCK.search(stderr)
    return found["path"].decode("utf-8", "replace") if found else ""


def moved(expected: str, found: str) -> Refused:
    """HEAD is not where it was."""
    hint = "Somebody committed meanwhile; run the command again on the new commit."
    return Refused(f"HEAD moved from {expected[:12]} to {found[:12]}", hint=hint, expected=expected, found=found)


def _hint(verb: str, stderr: bytes) -> str:
    if b"not a git repository" in stderr:
        return "Run `git init` here, or start tdv inside a Git repository."
    if b"dubious ownership" in stderr:
        return "The directory belongs to another user; `git status` prints the command that trusts it."
    if b"tell me who you are" in stderr or b"empty ident" in stderr:
        return "Run `git config user.name NAME` and `git config user.email MAIL`."
    if verb in ("fetch", "push", "ls-remote"):
        return "`git remote -v` shows where the remote is; check the connection and your access."
    return "`git status` shows the state of the repository."

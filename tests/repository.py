"""A Git repository that uses tdv, built by tests in one expression.

In: a directory and files as text. Out: a `Repository` whose methods write, commit and run commands. Always
holds: nothing outside the directory is touched, and commands run in the environment of `tests/conftest.py`.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command answered: exit code, stdout, stderr."""

    exit_code: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        """The answer of a command that was called with ``--json``."""
        return json.loads(self.stdout)

    def __str__(self) -> str:
        return f"exit code {self.exit_code}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"


def run(*command: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> Outcome:
    """Runs a process without stdin and returns its outcome whatever the exit code is."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def tdv_in_process(*arguments: str, cwd: Path) -> Outcome:
    """Runs the ``tdv`` command inside this process, as fast as a function call."""
    from tdv.cli.app import run as run_tdv

    stdout, stderr = io.StringIO(), io.StringIO()
    with redirect_stdout(stdout), redirect_stderr(stderr):
        exit_code = run_tdv(["-C", str(cwd), *arguments])
    return Outcome(exit_code, stdout.getvalue(), stderr.getvalue())


@dataclass(frozen=True, slots=True)
class Repository:
    """A Git repository at `root`; every method that changes it returns it, so that calls chain."""

    root: Path

    @classmethod
    def create(cls, root: Path, files: Mapping[str, str | bytes] | None = None) -> Repository:
        """A new repository on the branch ``main`` with `files` in its first commit."""
        root.mkdir(parents=True, exist_ok=True)
        made = cls(root)
        made.git("init", "--quiet", "--initial-branch=main")
        if files:
            made.write(files).commit("Start")
        return made

    def write(self, files: Mapping[str, str | bytes]) -> Repository:
        """Writes files by path; text is dedented, so that it can be indented in the test."""
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            data = content if isinstance(content, bytes) else textwrap.dedent(content).lstrip("\n").encode()
            path.write_bytes(data)
        return self

    def read(self, name: str) -> str:
        """The text of a file."""
        return (self.root / name).read_text(encoding="utf-8")

    def commit(self, message: str = "Change") -> Repository:
        """Commits everything that is not ignored."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self

    def prepared(self) -> Repository:
        """Runs ``tdv init`` and commits what it wrote."""
        self.tdv("init", expect=0)
        return self.commit("Prepare the repository for tdv")

    def git(self, *arguments: str) -> str:
        """Runs git, which must succeed; returns its stdout without the last line end."""
        outcome = run("git", *arguments, cwd=self.root)
        assert outcome.exit_code == 0, f"git {' '.join(arguments)}: {outcome}"
        return outcome.stdout.rstrip("\n")

    def tdv(self, *arguments: str, expect: int | None = None) -> Outcome:
        """Runs tdv in this process; `expect` is the exit code that the test needs to go on."""
        outcome = tdv_in_process(*arguments, cwd=self.root)
        assert expect is None or outcome.exit_code == expect, f"tdv {' '.join(arguments)}: {outcome}"
        return outcome

    def tdv_process(self, *arguments: str, expect: int | None = None, env: Mapping[str, str] | None = None) -> Outcome:
        """Runs tdv as a process of its own, as a user would."""
        outcome = run(sys.executable, "-m", "tdv", *arguments, cwd=self.root, env=env)
        assert expect is None or outcome.exit_code == expect, f"tdv {' '.join(arguments)}: {outcome}"
        return outcome

    def dvc(self, *arguments: str) -> Outcome:
        """Runs the real DVC command line."""
        return run(sys.executable, "-m", "dvc", *arguments, cwd=self.root)

    def gto(self, *arguments: str) -> Outcome:
        """Runs the real GTO command line."""
        return run(Path(sys.executable).with_name("gto"), *arguments, cwd=self.root)

    def clone(self, to: Path, *options: str) -> Repository:
        """Clones this repository, e.g. with ``--depth=1``."""
        outcome = run("git", "clone", "--quiet", *options, self.root.as_uri(), to, cwd=self.root.parent)
        assert outcome.exit_code == 0, outcome
        return Repository(to)

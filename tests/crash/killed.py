"""Runs ``tdv`` in this process and kills it, as ``kill -9`` does, at a numbered point.

``python -m tests.crash.killed POINT COUNT_FILE WORD…``: a point is reached before and after each rename, link,
flush, removal, database commit and Git command that writes. With POINT 0 nothing is killed and the number of
points is written to COUNT_FILE, so that a test knows how many there are.
"""

from __future__ import annotations

import functools
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

GIT_WRITES = frozenset({"commit", "tag", "push", "update-ref"})


class Points:
    """Counts the points passed and ends the process at the chosen one."""

    def __init__(self, fatal: int) -> None:
        self.fatal = fatal
        self.passed = 0

    def reach(self) -> None:
        self.passed += 1
        if self.passed == self.fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(call)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self.reach()
            result = call(*args, **kwargs)
            self.reach()
            return result

        return wrapped


def watch_files(points: Points) -> None:
    for name in ("rename", "replace", "link", "fsync", "unlink", "symlink"):
        setattr(os, name, points.around(getattr(os, name)))


def watch_databases(points: Points) -> None:
    class Connection(sqlite3.Connection):
        def commit(self) -> None:
            points.reach()
            super().commit()
            points.reach()

        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            if sql.lstrip().upper().startswith(("COMMIT", "BEGIN", "PRAGMA WAL_CHECKPOINT", "PRAGMA JOURNAL_MODE")):
                points.reach()
                cursor = super().execute(sql, *args)
                points.reach()
                return cursor
            return super().execute(sql, *args)

    connect = sqlite3.connect

    @functools.wraps(connect)
    def watched(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        kwargs.setdefault("factory", Connection)
        return connect(*args, **kwargs)

    sqlite3.connect = watched  # type: ignore[assignment]


def watch_git(points: Points) -> None:
    run = subprocess.run

    @functools.wraps(run)
    def watched(command: Any, *args: Any, **kwargs: Any) -> Any:
        words = [str(word) for word in command] if isinstance(command, (list, tuple)) else []
        writes = bool(words) and Path(words[0]).name == "git" and GIT_WRITES.intersection(words)
        if writes:
            points.reach()
        result = run(command, *args, **kwargs)
        if writes:
            points.reach()
        return result

    subprocess.run = watched  # type: ignore[assignment]


def main() -> None:
    fatal, count_file, *words = sys.argv[1:]
    points = Points(int(fatal))
    watch_files(points)
    watch_databases(points)
    watch_git(points)
    from tdv.cli.app import run

    code = run(words)
    Path(count_file).write_text(str(points.passed), encoding="utf-8")
    sys.exit(code)


if __name__ == "__main__":
    main()

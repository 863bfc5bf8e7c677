"""Who runs a server, and the private directory that it runs in.

In: the present user. Out: an account, a directory. Always holds: a server that is started by root, which database
servers refuse to run as, runs under an account without rights.
"""

from __future__ import annotations

import os
import pwd
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tdv.errors import TargetError

_ACCOUNTS: Final = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs the server; `options` are those of `subprocess` that make it so, {} for the present user."""

    user: int
    group: int
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def choose(cls) -> Account:
        """The present user, or as root one without rights; raises `TargetError` where there is none."""
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid())
        for name in _ACCOUNTS:
            with suppress(KeyError):
                found = pwd.getpwnam(name)
                options = {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
                return cls(found.pw_uid, found.pw_gid, options)
        raise TargetError(
            f"a database server does not run as root, and there is no user {' or '.join(_ACCOUNTS)}",
            hint="Run the command as another user, or add one of these.",
        )

    def may_enter(self, path: Path) -> bool:
        """False for what lies in a directory that only another user, such as root, may enter."""
        for directory in (path, *path.parents):
            status = os.stat(directory)
            if status.st_uid == self.user:
                continue
            if not status.st_mode & (stat.S_IXGRP if status.st_gid == self.group else stat.S_IXOTH):
                return False
        return True


def new_directory(account: Account, parent: Path | None) -> Path:
    """An empty directory that only `account` (and root) may enter; below the system's temporary one by default."""
    path = Path(tempfile.mkdtemp(prefix="tdv-", dir=parent))
    os.chown(path, account.user, account.group)
    return path

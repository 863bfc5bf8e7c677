"""Programs that prepare a database server.

In: commands. Out: what they print. Always holds: a program sees nothing of this process's environment.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Final

from tdv.errors import TargetError
from tdv.servers.private import Account

_LINES: Final = 3
_VERSION: Final = re.compile(r" v?=?(\d+(?:\.\d+)*\w*)")


def run(command: list[str | Path], directory: Path, account: Account) -> str:
    """What a program prints; raises `TargetError` with the last lines of its complaint when it fails."""
    environment = {"LC_ALL": "C", "PATH": os.defpath, "HOME": str(directory)}
    done: subprocess.CompletedProcess[str] = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, check=False, text=True, **account.options
    )
    if done.returncode != 0:
        # The last one alone may be that it gives up.
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()][-_LINES:] or ["it says nothing"]
        raise TargetError(f"{command[0]} failed: {' / '.join(lines)}", hint="Look at free space, memory and rights.")
    return done.stdout


def version_of(command: list[str | Path], directory: Path, account: Account) -> str:
    """The version that a server tells of itself; raises `TargetError` where its program does not start."""
    text = run([*command, "--version"], directory, account)
    found = _VERSION.search(text)
    return found[1] if found else text.strip()

"""Programs that prepare a server and fail."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tdv.errors import TargetError
from tdv.servers.private import Account
from tdv.servers.programs import run

FAILS = "echo long ago >&2; echo the cause >&2; echo ERROR 1051 >&2; echo Aborting >&2; exit 1"


def test_program_that_fails_is_quoted_with_the_cause(tmp_path: Path) -> None:
    account = Account(os.geteuid(), os.getegid())
    with pytest.raises(TargetError, match=r"^/bin/sh failed: the cause / ERROR 1051 / Aborting$"):
        run(["/bin/sh", "-c", FAILS], tmp_path, account)
    with pytest.raises(TargetError, match=r"^/bin/sh failed: it says nothing$"):
        run(["/bin/sh", "-c", "exit 1"], tmp_path, account)

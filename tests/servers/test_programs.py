"""Programs that prepare a server and fail."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tdv.errors import TargetError
from tdv.servers.private import Account
from tdv.servers.programs import run, version_of

PRINTED = {
    "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)": "15.18",
    "postgres (PostgreSQL) 19beta1": "19beta1",
    "/opt/mariadb-10.6/bin/mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64": "10.11.19",
    "Redis server v=6.2.14 sha=40305114:0 malloc=libc bits=64 build=dff95a8e7a99d269": "6.2.14",
    "db version v7.0.14\nBuild Info: {": "7.0.14",
}
"""What programs say of their version, and which it is."""
FAILS = "echo long ago >&2; echo the cause >&2; echo ERROR 1051 >&2; echo Aborting >&2; exit 1"


def test_program_that_fails_is_quoted_with_the_cause(tmp_path: Path) -> None:
    account = Account(os.geteuid(), os.getegid())
    with pytest.raises(TargetError, match=r"^/bin/sh failed: the cause / ERROR 1051 / Aborting$"):
        run(["/bin/sh", "-c", FAILS], tmp_path, account)
    with pytest.raises(TargetError, match=r"^/bin/sh failed: it says nothing$"):
        run(["/bin/sh", "-c", "exit 1"], tmp_path, account)


@pytest.mark.parametrize("text", PRINTED)
def test_version_is_found_in_what_each_server_prints(tmp_path: Path, text: str) -> None:
    account = Account(os.geteuid(), os.getegid())
    assert version_of(["/bin/sh", "-c", 'printf "%s\n" "$0"', text], tmp_path, account) == PRINTED[text]

"""Which engines have throwaway servers.

In: an engine's name. Out: a running server. Always holds: the programs are looked for in the PATH of this process
first, so that a test runs against the version that its user chose.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Final

from tdv.config import process_environment
from tdv.errors import UsageError
from tdv.servers import postgresql
from tdv.servers.server import Options, Server

ENGINES: Final = ("postgresql",)


def serve(engine: str, options: Options) -> AbstractContextManager[Server]:
    """A server of `engine` while the block runs; raises `UsageError` for an engine that has none."""
    if engine not in ENGINES:
        raise UsageError(f"there is no throwaway server of {engine!r}", hint=f"Use one of {', '.join(ENGINES)}.")
    return postgresql.serve(postgresql.binaries(process_environment().get("PATH", "")), options)

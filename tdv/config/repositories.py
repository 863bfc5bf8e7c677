"""Other repositories with datasets: where they are, and which URLs Git is never given.

In: URLs as users write them. Out: a `Repository`, a location that counts from nowhere. Always holds: what `fault` lets
through holds no credentials, so that it may be printed and stored, and makes Git run nothing but its own transports.
"""

from __future__ import annotations

import os.path
import re
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from tdv.config.address import without_credentials

SCHEMES: Final = ("https", "http", "ssh", "git", "file")
_SCP: Final = re.compile(r"(?:[^/@:]+@)?[^/:@]+:(?!//)")
_HELPER: Final = re.compile(r"[A-Za-z0-9+.-]*::")


class Repository(NamedTuple):
    """Another repository with datasets; `ref` None is its default branch."""

    name: str
    git: str
    ref: str | None = None


def fault(url: str) -> str:
    """What is wrong with the URL of a repository, as the end of a sentence that does not repeat it; "" for none."""
    if url.startswith("-") or any(ord(letter) < 32 for letter in url) or not url.strip():
        return "is no URL of a Git repository"
    if _HELPER.match(url):
        return "names a transport that would run a command"
    scheme, separator, _ = url.partition("://")
    if not separator:
        return ""
    if scheme.lower() not in SCHEMES:
        return f"has the scheme {scheme!r}, not one of {', '.join(SCHEMES)}"
    return "holds credentials" if _has_credentials(url) else ""


def hint(problem: str) -> str:
    """What mends a URL with this fault."""
    if "credentials" in problem:
        return "Leave them out: Git's credential helper, an SSH key or `git config url.….insteadOf` gives them to Git."
    return "Write it as https://host/data.git, git@host:data.git or ../data."


def _has_credentials(url: str) -> bool:
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    if parts.scheme.lower() == "ssh":
        return ":" in user  # a user's name alone is no secret: ssh://git@host/data.git
    return bool(at) or without_credentials(url) != url


def location(url: str, root: Path) -> str:
    """`url` as Git takes it from any directory: a path counts from `root`."""
    if "://" in url or _SCP.match(url):
        return url
    return os.path.abspath(root / os.path.expanduser(url))


def directory(place: str) -> Path | None:
    """The directory of a location on this machine, None for one on another host."""
    if place.startswith("file://"):
        return Path(urlsplit(place).path)
    return Path(place) if place.startswith("/") else None


def name_for(url: str) -> str:
    """A name for a repository that has none in tdv.yaml: the last word of its URL."""
    last = url.rstrip("/").removesuffix(".git").rpartition("/")[2].rpartition(":")[2]
    return re.sub(r"[^A-Za-z0-9_-]+", "-", last).strip("-") or "repository"

"""Releases of a repository that tdv.yaml does not name, for one call.

In: a URL or a name, and references to releases there. Out: ports that know the repository, and the references as they
are written here. Always holds: what is refused in tdv.yaml is refused here.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tdv import config
from tdv.config.repositories import fault, hint, location, name_for
from tdv.errors import UsageError
from tdv.project import states
from tdv.project.libraries import unknown
from tdv.project.ports import Ports

if TYPE_CHECKING:
    from tdv.config import Settings

_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")


class Outside(Ports):
    """A directory that is in no project: without datasets or a default target, and with the cache of the user."""

    @cached_property
    def settings(self) -> Settings:
        """What the environment says."""
        return config.Settings(self.root, default_target=self.environ.get("TDV_TARGET", ""), environ=self.environ)

    @property
    def state(self) -> Path:
        """What tdv keeps for itself."""
        return config.cache_home(self.environ) / "outside"


def invited(ports: Ports, repository: str, refs: tuple[str, ...], directory: Path) -> tuple[Ports, tuple[str, ...]]:
    """The ports with the repository, and the references with its name; a path counts from `directory`."""
    if not refs:
        raise UsageError("What is wanted of that repository?", hint="Name a release of it: movies@v1.1.0.")
    name = repository
    if repository not in ports.repositories:
        if _NAME.fullmatch(repository) and not (directory / repository).exists():
            raise unknown(repository, list(ports.repositories))
        if problem := fault(repository):
            raise UsageError(f"The URL of --repo {problem}", hint=hint(problem))
        name = name_for(repository)
        guest = config.Repository(name, location(repository, directory))
        ports = replace(ports, guests={**ports.guests, name: guest})
    return ports, tuple(_there(name, text) for text in refs)


def _there(repository: str, text: str) -> str:
    ref = states.parse(text)
    if ref.dataset is None or ref.repository is not None:
        raise UsageError(f"{text!r} names no dataset of that repository", hint="Write movies@v1.1.0, or movies@^1.1.")
    return str(replace(ref, repository=repository))

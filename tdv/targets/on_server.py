"""What the adapters of all servers have in common: their settings, files on the way, errors in tdv's words.

In: a target's settings; an engine as a subclass. Out: a base for what `Target` promises. Always holds: construction
opens nothing and imports no driver.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

from tdv.config import TargetSettings
from tdv.config.address import identity
from tdv.frozen import dataclass
from tdv.targets.driver import Driver, Place, failures
from tdv.targets.protocol import Load


@dataclass(frozen=True, slots=True)
class Filling:
    """What a template is filled with: the settings of a target on the server, the rows, a directory for passing
    files."""

    settings: TargetSettings
    load: Load
    scratch: Path


def target_lock(database: str) -> str:
    """What the lock of a database is called on its server: whoever comes by another host or a socket takes the same."""
    return f"target {database.lower()}"


class OnServer:
    """A database of a server; the subclass knows the engine and names its `driver`."""

    driver: ClassVar[Driver]

    def __init__(self, settings: TargetSettings, work: Path) -> None:
        self.settings = settings
        self.shown = settings.shown
        self._scratch = work / "images"

    @property
    def identity(self) -> str:
        return " ".join(sorted(identity(self.settings.url)))

    def proof(self) -> Any | None:
        """None where the server does not tell who wrote without reading everything."""
        return None

    def settle(self) -> None:
        """A server counts writes by itself, whatever the clock."""

    def fresh_scratch(self) -> Path:
        """A directory for files on their way, which does not exist yet."""
        return self._scratch / f".scratch-{os.urandom(6).hex()}"

    def failures(self) -> AbstractContextManager[None]:
        """Turns errors of the driver and of the disk into tdv's."""
        return failures(self.driver, Place(self.shown, self._scratch))

"""Several files of the work tree, changed all or none.

In: new bytes by path, None for a file that goes. Out: the files in place. Always holds: once the journal is complete
a crash loses nothing, and the next run finishes the work; before that nothing was touched; a file that somebody
else changed in between is never written over.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tdv import durable
from tdv.errors import Refused

_PLAN: Final = "plan.json"


def land(journal: Path, directory: Path, files: Mapping[str, bytes | None]) -> None:
    """Writes `files`, by path below `directory`; `journal` is a directory that is made for it and removed."""
    shutil.rmtree(journal, ignore_errors=True)
    plan = []
    for number, (path, data) in enumerate(files.items()):
        if data is not None:
            durable.write_bytes(journal / str(number), data)
        old, new = _digest(directory / path), hashlib.sha256(data).hexdigest() if data is not None else None
        plan.append({"path": path, "old": old, "new": new, "data": str(number)})
    durable.write_text(journal / _PLAN, json.dumps(plan))
    finish(journal, directory)


def finish(journal: Path, directory: Path) -> bool:
    """Does what a complete journal says; False where there is none. Raises `Refused` for a file that has changed."""
    if not (journal / _PLAN).exists():
        shutil.rmtree(journal, ignore_errors=True)
        return False
    plan: list[dict[str, Any]] = json.loads((journal / _PLAN).read_text(encoding="utf-8"))
    there = {item["path"]: _digest(directory / item["path"]) for item in plan}
    for item in plan:
        if there[item["path"]] not in (item["old"], item["new"]):
            raise Refused(
                f"{directory / item['path']} was changed while an upgrade was writing it",
                hint=f"Restore the files with git, remove {journal}, then run the upgrade again.",
            )
    for item in plan:
        if there[item["path"]] != item["new"]:
            _put(directory / item["path"], (journal / item["data"]).read_bytes() if item["new"] else None)
    shutil.rmtree(journal)
    return True


def _put(path: Path, data: bytes | None) -> None:
    if data is not None:
        durable.write_bytes(path, data)
        return
    path.unlink()
    durable.sync_directory(path.parent)


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None

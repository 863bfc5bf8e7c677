"""Sqitch: the changes of a plan, in the plan's order.

In: ``sqitch.plan`` or its directory. Out: a `History`. Always holds: a change comes after the one above it, since
Sqitch deploys in that order; a tag is another name of the change above it.

The format is https://sqitch.org/docs/manual/sqitchchanges/#plan-file: pragmas begin with ``%``, tags with ``@``,
a change is ``name [requires] time planner <mail> # note``; a reworked change keeps its old self as ``name@tag``.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Final

from tdv.errors import ConfigError
from tdv.migrations.protocol import Rows, text_of
from tdv.model.history import History, Migration, Position

PLAN: Final = "sqitch.plan"
TABLES: Final = ("sqitch.changes", "changes")
_NAME: Final = re.compile(r"[+]?\s*([^\s@:#\[\]%+-][^\s@:#\[\]]*)")
_TAG: Final = re.compile(r"@([^\s@:#\[\]]+)")


class _Sqitch:
    """Reads one plan."""

    def read(self, path: Path, source: str) -> History:
        plan = path / PLAN if path.is_dir() else path
        if not plan.is_file():
            raise ConfigError(f"There is no {PLAN} in {source}", hint="Correct migrations.path in tdv.yaml.")
        found: list[Migration] = []
        for number, line in enumerate(map(str.strip, text_of(plan).splitlines()), 1):
            if not line or line.startswith(("#", "%")):
                continue
            if tag := _TAG.match(line):
                if found:
                    found[-1] = replace(found[-1], aliases=(*found[-1].aliases, f"@{tag[1]}", tag[1]))
            elif match := _NAME.match(line):
                _add(found, Migration(match[1], file=f"{source}:{number}"))
            else:
                raise ConfigError(f"{source}:{number} is neither a change nor a tag", hint="`sqitch plan` shows it.")
        return History.chain(source, found)

    def place(self, history: History, rows: Rows) -> Position | None:
        noted = next((found for found in map(rows, TABLES) if found is not None), None)
        if noted is None:
            return None
        if not noted:
            return history.at("base")
        last = max(noted, key=lambda row: str(row["committed_at"]))
        return history.at(str(last["change"]))


def _add(found: list[Migration], change: Migration) -> None:
    """Adds a change; the one that it reworks is called by the last tag before it, as Sqitch names its scripts, and
    goes by the other tags since, too."""
    for place, before in enumerate(found):
        if before.revision == change.revision:
            tags = [alias for later in found[place:] for alias in later.aliases if alias.startswith("@")] or ["@"]
            *others, name = (f"{before.revision}{tag}" for tag in tags)
            found[place] = replace(before, revision=name, aliases=(*before.aliases, *others))
    found.append(change)


SQITCH: Final = _Sqitch()

"""``tdv log``"""

from __future__ import annotations

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, Names, open_project
from tdv.cli.text import counted


def command(ctx: typer.Context, names: Names = None, json: Json = False) -> None:
    """List releases, newest version first.

    \b
      tdv log
      tdv log shop --json
    """
    log = open_project(ctx).log(tuple(names or ()))
    if json:
        terminal.json(log.to_plain())
        return
    if not log.entries:
        terminal.note("No release yet: `tdv release NAME 1.0.0` makes the first one.")
    rows = []
    for entry in log.entries:
        record = entry.release.record
        marks = [
            word for word, holds in (("untagged", entry.tagged is False), ("yanked", entry.release.yanked)) if holds
        ]
        count = counted(sum(table.rows for table in record.tables.values()), "row")
        fits = str(entry.release.compat)
        rows.append(
            (record.reference, record.released[:10], record.change.bump, count, fits, ", ".join(marks), record.notes)
        )
    terminal.table(("release", "date", "bump", "size", "fits", "", "notes"), rows, right=(3,))

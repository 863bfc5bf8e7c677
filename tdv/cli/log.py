"""``tdv log``"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, Names, open_project
from tdv.cli.text import counted

if TYPE_CHECKING:
    from tdv.uses import Uses


def command(
    ctx: typer.Context,
    names: Names = None,
    used_by: Annotated[
        str | None, typer.Option("--used-by", metavar="REF", help="List the app's tags that pin this release instead.")
    ] = None,
    json: Json = False,
) -> None:
    """List releases, newest version first.

    \b
      tdv log
      tdv log shop --json
      tdv log --used-by shop@v1.1.0
    """
    if used_by is not None:
        _print_uses(open_project(ctx).uses(used_by), json=json)
        return
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
        marks += [f"{stage.stage} since {stage.tag.date[:10]} by {stage.tag.tagger}" for stage in entry.stages]
        count = counted(sum(table.rows for table in record.tables.values()), "row")
        fits = str(entry.release.compat)
        rows.append(
            (
                entry.release.reference,
                record.released[:10],
                record.change.bump,
                count,
                fits,
                ", ".join(marks),
                record.notes,
            )
        )
    terminal.table(("release", "date", "bump", "size", "fits", "", "notes"), rows, right=(3,))


def _print_uses(found: Uses, *, json: bool) -> None:
    if json:
        terminal.json(found.to_plain())
        return
    terminal.table(("tag", "date", "commit"), [(use.tag, use.date[:10], use.commit[:10]) for use in found.tags])
    if not found.tags:
        terminal.note(
            f"No tag here pins {found.dataset}@v{found.version}; `git fetch --tags` brings what this clone lacks"
        )
    for tag in found.unread:
        terminal.note(f"The tdv.lock at {terminal.clean(tag)} cannot be read")

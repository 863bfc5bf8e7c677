"""``tdv cleanup``"""

from __future__ import annotations

from typing import Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, Target, open_project
from tdv.cli.text import size


def command(
    ctx: typer.Context,
    target: Target = None,
    execution: Annotated[
        str | None, typer.Option("--execution", metavar="ID", help="Only the databases of this run.")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="AGE", help="Only what is older, as 30m or 2h; images, too.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")] = False,
    json: Json = False,
) -> None:
    """Remove throwaway databases that ended runs left, and never anything else.

    Databases of a run at work on this machine stay. The images that databases
    are copied from go with --older-than, by the time of their last use.

    \b
      tdv cleanup
      tdv cleanup --target ci --older-than 2h
    """
    cleanup = open_project(ctx).cleanup(target, execution_id=execution, older_than=older_than, dry_run=dry_run)
    if json:
        terminal.json(cleanup.to_plain())
        return
    gone = "would go" if dry_run else "removed"
    rows = [
        ("kept" if item.kept else gone, item.leaving.kind, item.leaving.name, size(item.leaving.size or 0), item.kept)
        for item in cleanup.items
    ]
    terminal.table(("", "", "", "", ""), rows)
    freed = sum(item.leaving.size or 0 for item in cleanup.removed)
    terminal.note(f"{gone}: {len(cleanup.removed)} of {len(rows)}, {size(freed)}")

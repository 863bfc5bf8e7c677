"""``tdv cleanup``"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, Target, open_project
from tdv.cli.text import counted, size

if TYPE_CHECKING:
    from tdv.cleanup import Cleaned


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

    Databases of a run at work in this work tree stay, and those of runs of other
    work trees and machines. The images that databases are copied from go with
    --older-than, by the time of their last use.

    \b
      tdv cleanup
      tdv cleanup --target ci --older-than 2h
    """
    cleanup = open_project(ctx).cleanup(target, execution_id=execution, older_than=older_than, dry_run=dry_run)
    if json:
        terminal.json(cleanup.to_plain())
        return
    gone = "would go" if dry_run else "removed"
    images = [item for item in cleanup.items if item.kept and item.leaving.kind == "image"]
    rows = [
        ("kept" if item.kept else gone, item.leaving.kind, item.leaving.name, _size([item]), item.kept)
        for item in cleanup.items
        if item not in images
    ]
    terminal.table(("", "", "", "", ""), rows)
    terminal.note(f"{gone}: {len(cleanup.removed)} of {len(cleanup.items)}, {_size(cleanup.removed)}")
    if images:
        # There are as many as versions were used; one line each would hide what else stays.
        terminal.note(f"kept: {counted(len(images), 'image')}, {_size(images)}; {images[0].kept}")


def _size(items: Iterable[Cleaned]) -> str:
    return size(sum(item.leaving.size or 0 for item in items))

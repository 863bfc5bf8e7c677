"""``tdv lock``"""

from __future__ import annotations

from typing import Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import App, Json, Migration, open_project
from tdv.cli.text import pin_lines


def command(
    ctx: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]…", help="With --upgrade: only these.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if the lock is stale.")] = False,
    upgrade: Annotated[bool, typer.Option("--upgrade", "-U", help="Move to the newest releases that fit.")] = False,
    app: App = None,
    migration: Migration = None,
    json: Json = False,
) -> None:
    """Pin the releases that this code uses in tdv.lock.

    What is pinned stays while it fits; a pull request shows when it moves.

    \b
      tdv lock && git add tdv.lock
      tdv lock --check
      tdv lock --upgrade shop
    """
    from tdv.project.locks import LockWish

    wish = LockWish(tuple(names or ()), upgrade, app, migration)
    locked = open_project(ctx).lock(wish, check=check)
    if json:
        terminal.json(locked.to_plain())
    else:
        for line in pin_lines(locked.lock.versions, locked.before.versions):
            terminal.out(line)
        for item in locked.stale:
            terminal.note(f"stale: {terminal.clean(item.message)}" if check else terminal.clean(item.message))
        if locked.written:
            terminal.note("Review and commit tdv.lock")
    if check and locked.stale:
        raise typer.Exit(1)

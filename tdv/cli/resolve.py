"""``tdv resolve``"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import App, Json, Migration, open_project
from tdv.cli.text import choice_lines, need_text

if TYPE_CHECKING:
    from tdv.resolve import Reasons


def command(
    ctx: typer.Context,
    refs: Annotated[
        list[str] | None, typer.Argument(metavar="[REF]…", help="movies, movies@^1.1 …; else what tdv.yaml wants.")
    ] = None,
    app: App = None,
    migration: Migration = None,
    target: Annotated[
        str | None, typer.Option("--target", "-t", metavar="TARGET", help="Take the schema's place from this database.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Say what spoke against every other release.")] = False,
    json: Json = False,
) -> None:
    """Say which release of each dataset fits the app and the schema.

    \b
      tdv resolve
      tdv resolve --app 2.3.1 --migration 0042
      tdv resolve --target staging
      tdv resolve shop@^1.1 --explain
    """
    from tdv.project.resolutions import ResolveWish

    reasons: Reasons = "all" if explain else "short" if json else "none"
    found = open_project(ctx).resolve(ResolveWish(tuple(refs or ()), app, migration, target, reasons=reasons))
    if json:
        terminal.json(found.to_plain())
        return
    for choice in found.datasets.values():
        for line in choice_lines(choice, explain=explain):
            terminal.out(line)
    for note in found.notes:
        terminal.note(note)
    if text := need_text(found.app, found.migration):
        terminal.note(f"For {text}")

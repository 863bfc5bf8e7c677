"""``tdv yank``"""

from __future__ import annotations

from typing import Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, Message, Ref, open_project


def command(
    ctx: typer.Context,
    ref: Ref,
    message: Message = "",
    undo: Annotated[bool, typer.Option("--undo", help="Take a yank back.")] = False,
    json: Json = False,
) -> None:
    """Withdraw a release: it stays, but is only used where it is named exactly.

    Writes to datasets/NAME/amendments.yaml, for review; `tdv tag` mirrors it.

    \b
      tdv yank shop@v1.0.1 -m "Prices without tax"
    """
    amended = open_project(ctx).yank(ref, message, undo=undo)
    if json:
        terminal.json(amended.to_plain())
        return
    state = "yanked" if amended.after.yanked else "not yanked"
    terminal.out(f"{amended.after.record.reference} is {state}{'' if amended.path else ' already'}")
    if amended.path:
        terminal.note(f"Review and commit {amended.path}")

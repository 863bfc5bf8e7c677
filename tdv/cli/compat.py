"""``tdv compat``"""

from __future__ import annotations

from typing import Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, Message, Ref, open_project


def command(
    ctx: typer.Context,
    ref: Ref,
    app: Annotated[str | None, typer.Option("--app", metavar="RANGE", help="App versions that it serves.")] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="REVISION", help="The first migration it fits.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="REVISION", help="The migration that ends it.")
    ] = None,
    message: Message = "",
    json: Json = False,
) -> None:
    """Show or amend which app versions and migrations a release serves.

    An empty value opens that side. Writes to datasets/NAME/amendments.yaml.

    \b
      tdv compat shop@v1.1.0
      tdv compat shop@v1.1.0 --until 0007 -m "0008 drops users.age"
    """
    from tdv.amend import CompatChange

    change = CompatChange(app, start, until)
    amended = open_project(ctx).compat(ref, change, message)
    if json:
        terminal.json(amended.to_plain())
        return
    terminal.out(f"{amended.after.record.reference} fits {terminal.clean(str(amended.after.compat))}")
    if amended.path:
        terminal.note(f"Review and commit {amended.path}")

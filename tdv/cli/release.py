"""``tdv release``"""

from __future__ import annotations

from typing import Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, Message, open_project
from tdv.cli.text import finding_lines


def command(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The dataset.")],
    version: Annotated[
        str, typer.Argument(metavar="[auto|major|minor|patch|X.Y.Z]", help="At least what the change needs.")
    ] = "auto",
    message: Message = "",
    amend: Annotated[bool, typer.Option("--amend", help="Replace the release that is not published yet.")] = False,
    no_commit: Annotated[bool, typer.Option("--no-commit", help="Leave the files in the work tree.")] = False,
    json: Json = False,
) -> None:
    """Record the built state as an immutable version, in one commit.

    Builds, validates, builds again in a clean process, pushes the data, then
    commits record, changelog, dvc.lock and snapshot.yaml. `tdv tag` tags it.

    \b
      tdv release shop                         the bump that the change needs
      tdv release shop 1.0.0 -m "First version"
      tdv release shop --amend                 redo the one not published yet
    """
    from tdv.project.releases import ReleaseWish

    wish = ReleaseWish(name, version, message, amend, commit=not no_commit)
    with terminal.waiting(f"releasing {name}"):
        released = open_project(ctx).release(wish)
    if json:
        terminal.json(released.to_plain())
        return
    change = released.record.change
    since = f"{change.bump} since v{change.since}" if change.since else "the first release"
    terminal.out(f"{released.record.reference}  {since}  {released.record.digest[:17]}")
    for line in finding_lines(released.change.findings):
        terminal.out(line)
    for warning in released.warnings:
        terminal.note(terminal.clean(warning))
    done = f"committed {released.commit[:10]}" if released.commit else "not committed"
    terminal.note(f"{done}; `tdv tag` tags it on the main branch" if released.taggable else done)

"""``tdv tag``"""

from __future__ import annotations

from typing import Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, Names, open_project


def command(
    ctx: typer.Context,
    names: Names = None,
    push: Annotated[bool, typer.Option("--push", help="Push the tags to the Git remote.")] = False,
    remote: Annotated[str | None, typer.Option("--remote", metavar="NAME", help="The Git remote.")] = None,
    json: Json = False,
) -> None:
    """Tag each release that has no tag yet, as GTO and DVC read tags.

    Run it on the main branch, by CI after a merge. Running it again changes nothing.

    \b
      tdv tag
      tdv tag shop --push
    """
    with terminal.waiting("tagging"):
        tagging = open_project(ctx).tag(tuple(names or ()), push=push, remote=remote)
    if json:
        terminal.json(tagging.to_plain())
        return
    for tag in tagging.tags:
        pushed = ", pushed" if tag.pushed else ""
        terminal.out(f"{tag.name}  {tag.action} on {tag.commit[:10]}{pushed}")
    for note in tagging.notes:
        terminal.note(terminal.clean(note))
    if not tagging.tags:
        terminal.note("No release to tag: `tdv release NAME 1.0.0` makes the first one.")

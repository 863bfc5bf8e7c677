"""``tdv init``"""

from __future__ import annotations

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, invocation


def command(ctx: typer.Context, json: Json = False) -> None:
    """Make a Git repository ready for tdv: DVC, tdv.yaml, ignore and attribute files.

    Keeps what exists; running it again changes nothing.

    \b
      git init && tdv init
    """
    from tdv.project.project import prepare

    prepared = prepare(invocation(ctx).directory)
    if json:
        terminal.json({"format": "tdv.init/v1", "created": prepared.created, "changed": prepared.changed})
        return
    for path in prepared.created:
        terminal.out(f"created  {path}")
    for path in prepared.changed:
        terminal.out(f"extended {path}")
    if not prepared.created and not prepared.changed:
        terminal.out("Everything is there already.")
    terminal.note("Next: `tdv new NAME`, or `tdv new NAME --from sqlite:///app.db --rows`")

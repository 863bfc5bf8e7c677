"""``tdv init``"""

from __future__ import annotations

from typing import Annotated, Final

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, invocation
from tdv.config.forge import ForgeName

_BEGIN: Final = "`tdv new NAME`, or `tdv new NAME --from sqlite:///app.db --rows`"
_RESTORE: Final = "`tdv checkout` restores a release, `tdv pull` brings the data of all"


def command(
    ctx: typer.Context,
    ci: Annotated[
        ForgeName | None, typer.Option("--ci", help="Write what the forge needs to review pull requests.")
    ] = None,
    json: Json = False,
) -> None:
    """Make a Git repository ready for tdv: DVC, tdv.yaml, ignore and attribute files.

    Keeps what exists; running it again changes nothing. In a clone of a prepared
    repository it registers the drivers by which Git shows and merges test data.

    \b
      git init && tdv init
      tdv init --ci github
    """
    if ci is not None:
        _write_ci(ctx, ci, json=json)
        return
    from tdv.project.unopened import prepare

    prepared = prepare(invocation(ctx).directory)
    if json:
        terminal.json(prepared.to_plain())
        return
    for path in prepared.created:
        terminal.out(f"created  {path}")
    for path in prepared.changed:
        terminal.out(f"extended {path}")
    if not prepared.created and not prepared.changed:
        terminal.out("Everything is there already.")
    if prepared.within is not None:
        terminal.note(f"{prepared.within} is a project already; this directory in it is now one of its own.")
    if prepared.untaggable:
        terminal.note(terminal.clean(prepared.untaggable))
    terminal.note(f"Next: {_RESTORE if prepared.datasets else _BEGIN}")


def _write_ci(ctx: typer.Context, forge: ForgeName, *, json: bool) -> None:
    from tdv.project.unopened import write_ci

    written = write_ci(invocation(ctx).directory, forge)
    if json:
        terminal.json(written.to_plain())
        return
    for path in written.created:
        terminal.out(f"created  {path}")
    for path in written.changed:
        terminal.out(f"extended {path}")
    for path in written.kept:
        terminal.out(f"kept     {path}: it differs from what this version writes")
    for note in written.notes:
        terminal.out(note)
    if not (written.created or written.changed or written.kept or written.notes):
        terminal.out("Everything is there already.")

"""``tdv push``"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, Refs, Remote, open_project
from tdv.cli.text import counted, size


def command(
    ctx: typer.Context,
    refs: Refs = None,
    remote: Remote = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent.")] = False,
    json: Json = False,
) -> None:
    """Send the data of releases to the DVC remote.

    DVC's own push knows only the present dvc.lock; this one sends every release.

    \b
      tdv push
      tdv push shop@v1.0.0 --remote storage
    """
    with terminal.progress("pushing"):
        report = open_project(ctx).push(tuple(refs or ()), remote=remote, dry_run=dry_run)
    if json:
        terminal.json({"format": "tdv.push/v1", **asdict(report)})
        return
    verb = "would send" if dry_run else "sent"
    terminal.out(f"{verb} {counted(report.objects, 'object')} ({size(report.size)}) to {terminal.clean(report.remote)}")
    for reference in report.missing:
        terminal.note(f"{reference} is neither here nor there: `tdv verify {reference} --rebuild` makes it again")
    if report.commit:
        terminal.note(f"The remote is part of this repository: git add {report.commit} && git commit")

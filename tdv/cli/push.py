"""``tdv push``"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, Refs, Remote, open_project
from tdv.cli.text import counted, size
from tdv.errors import RemoteError

if TYPE_CHECKING:
    from tdv.push import PushReport


def command(
    ctx: typer.Context,
    refs: Refs = None,
    remote: Remote = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent.")] = False,
    json: Json = False,
) -> int:
    """Send the data of releases to the DVC remote.

    DVC's own push knows only the present dvc.lock; this one sends every release.
    Exits with 14 when the data of one is neither here nor there, after the rest.

    \b
      tdv push
      tdv push shop@v1.0.0 --remote storage
    """
    with terminal.waiting("pushing"):
        report = open_project(ctx).push(tuple(refs or ()), remote=remote, dry_run=dry_run)
    if json:
        terminal.json({"format": "tdv.push/v1", **asdict(report)})
        return _exit_code(report)
    verb = "would send" if dry_run else "sent"
    terminal.out(f"{verb} {counted(report.objects, 'object')} ({size(report.size)}) to {terminal.clean(report.remote)}")
    for reference in report.missing:
        terminal.note(f"{reference} is neither here nor there: `tdv pull {reference} --remote NAME` where it still is")
    if report.commit:
        terminal.note(f"The remote is part of this repository: git add {report.commit} && git commit")
    return _exit_code(report)


def _exit_code(report: PushReport) -> int:
    return RemoteError.exit_code if report.missing else 0

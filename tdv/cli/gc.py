"""``tdv gc``"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, Remote, open_project
from tdv.cli.text import counted, size


def command(
    ctx: typer.Context,
    remote: Remote = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    shared: Annotated[bool, typer.Option("--shared", help="Allow a cache that other repositories may use.")] = False,
    json: Json = False,
) -> None:
    """Remove data that no release of any branch or tag needs.

    A bare `dvc gc` deletes every release but the present one; this one keeps them all.

    \b
      tdv gc --dry-run
      tdv gc --remote storage
    """
    report = open_project(ctx).gc(remote=remote, dry_run=dry_run, shared=shared)
    if json:
        terminal.json({"format": "tdv.gc/v1", **asdict(report)})
        return
    verb = "would remove" if dry_run else "removed"
    amount = f" ({size(report.size)})" if report.size else ""
    terminal.out(f"{verb} {counted(len(report.removed), 'object')}{amount}, kept {report.kept:,}")

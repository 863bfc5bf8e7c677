"""``tdv pull``"""

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
    verify: Annotated[
        bool, typer.Option("--verify", help="Read what is here already, and fetch what is damaged.")
    ] = False,
    json: Json = False,
) -> None:
    """Fetch the data of releases from the DVC remote, and restore datasets/*/data.

    \b
      tdv pull                 every release
      tdv pull shop@v1.0.0     one release
    """
    with terminal.waiting("pulling"):
        report = open_project(ctx).pull(tuple(refs or ()), remote=remote, verify=verify)
    if json:
        terminal.json({"format": "tdv.pull/v1", **asdict(report)})
        return
    terminal.out(f"fetched {counted(report.objects, 'object')} ({size(report.size)})")
    for path in report.restored:
        terminal.out(f"restored {terminal.clean(path)}")
    for path in report.kept:
        terminal.note(f"{terminal.clean(path)} differs from dvc.lock and was left as it is; `tdv build` makes it anew")

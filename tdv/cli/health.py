"""``tdv health``"""

from __future__ import annotations

from typing import Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, Refs, open_project


def command(
    ctx: typer.Context,
    target: Annotated[str, typer.Argument(metavar="TARGET", help="A name from tdv.yaml, a URL or a file.")],
    refs: Refs = None,
    json: Json = False,
) -> None:
    """Say whether a target is there and holds what it should; exit 1 if not.

    It should hold what a checkout would put there: reachable, the version,
    every row, keys and unique columns, and indexes that tdv makes; and the
    queries of `health:` of the target in tdv.yaml are true. Nothing is written.

    \b
      tdv health ci
      tdv health sqlite:///app.db shop@v1.1.0 --json
    """
    health = open_project(ctx).health(target, tuple(refs or ()))
    if json:
        terminal.json(health.to_plain())
    else:
        terminal.out(f"{terminal.clean(health.target)}  {'healthy' if health.ok else 'not healthy'}")
        rows = [
            (
                "  ok" if check.ok else "  WRONG",
                check.check,
                ".".join(filter(None, (check.dataset, check.table))),
                check.message,
            )
            for check in health.checks
        ]
        terminal.table(("", "", "", ""), rows)
    raise typer.Exit(0 if health.ok else 1)

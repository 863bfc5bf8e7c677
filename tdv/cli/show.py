"""``tdv show``"""

from __future__ import annotations

from typing import Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, open_project


def command(
    ctx: typer.Context,
    ref: Annotated[str, typer.Argument(metavar="REF", help="v1.1.0, movies@^1.1, movies@workspace …")],
    table: Annotated[str | None, typer.Argument(metavar="[TABLE]", help="Show its columns and first rows.")] = None,
    scenario: Annotated[
        str | None, typer.Option("--scenario", metavar="NAME", help="Show the keys of its rows.")
    ] = None,
    rows: Annotated[int, typer.Option("--rows", "-n", metavar="N", min=0, max=10_000, help="How many rows.")] = 10,
    show_private: Annotated[bool, typer.Option("--show-private", help="Show values of private columns.")] = False,
    json: Json = False,
) -> None:
    """Look into a release, one of its tables, or one of its scenarios.

    \b
      tdv show shop@v1.0.0
      tdv show shop@v1.0.0 orders -n 3
      tdv show shop --scenario payment-retry --json
    """
    from tdv.cli.views import print_view
    from tdv.project.views import ShowWish

    view = open_project(ctx).show(ref, ShowWish(table, scenario, rows, show_private))
    if json:
        terminal.json(view.to_plain())
    else:
        print_view(view)

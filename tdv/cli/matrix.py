"""``tdv matrix``"""

from __future__ import annotations

from typing import Annotated

import typer

from tdv.cli import grid
from tdv.cli.options import Html, Json, Names, open_project


def command(
    ctx: typer.Context,
    names: Names = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown for a comment or a wiki.")] = False,
    html: Html = None,
    json: Json = False,
) -> None:
    """Show which release serves which app version at which migration, and the holes.

    App versions are the tags of the app and the work tree. The crossing with
    the last migration that the code has is in brackets.

    \b
      tdv matrix
      tdv matrix shop --html matrix.html
    """
    found = open_project(ctx).matrix(tuple(names or ()))
    grid.show(found, markdown=markdown, html=html, json=json)

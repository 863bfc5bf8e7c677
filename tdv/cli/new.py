"""``tdv new``"""

from __future__ import annotations

from typing import Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, open_project
from tdv.cli.text import counted


def command(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Lower-case letters, digits and '-'.")],
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="URL", help="Copy the schema of a database, such as sqlite:///app.db."),
    ] = None,
    rows: Annotated[bool, typer.Option("--rows", help="Copy the rows too, as reviewable seeds.")] = False,
    json: Json = False,
) -> None:
    """Begin a dataset: an example spec, or the schema and rows of a database.

    \b
      tdv new shop
      tdv new shop --from sqlite:///app.db --rows
    """
    made = open_project(ctx).new(name, source, rows=rows)
    if json:
        terminal.json(made.to_plain())
        return
    terminal.out(f"{made.directory}  {counted(len(made.tables), 'table')}, {counted(len(made.files), 'file')}")
    written = {seed.table: seed for seed in made.seeds}
    terminal.table(
        ("", "", "", ""),
        [(f"  {seed.table}", counted(seed.rows, "row"), seed.file, _keeper(seed.tracked)) for seed in written.values()],
        right=(1,),
    )
    for note in made.notes:
        terminal.note(f"not copied: {terminal.clean(note)}")
    terminal.note(f"Next: look at {made.directory}/dataset.yaml, then `tdv build {name}`")


def _keeper(tracked: bool) -> str:
    return "kept by DVC: too large to review in Git" if tracked else ""

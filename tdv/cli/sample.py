"""``tdv sample``"""

from __future__ import annotations

from typing import Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, open_project
from tdv.errors import UsageError
from tdv.faces.cells import cell_text


def command(
    ctx: typer.Context,
    table: Annotated[str, typer.Argument(metavar="NAME.TABLE", help="A table of a dataset.")],
    count: Annotated[int, typer.Argument(metavar="[COUNT]", min=1, max=10_000, help="How many rows.")] = 10,
    row: Annotated[int, typer.Option("--row", metavar="N", min=0, help="The first row, counted from 0.")] = 0,
    show_private: Annotated[bool, typer.Option("--show-private", help="Show values of private columns.")] = False,
    json: Json = False,
) -> None:
    """Print generated rows without building or writing anything.

    \b
      tdv sample shop.orders
      tdv sample shop.orders 3 --row 4711
    """
    dataset, dot, name = table.partition(".")
    if not dot:
        raise UsageError(f"{table!r} names no table", hint=f"Write the dataset and the table: {table}.TABLE")
    sample = open_project(ctx).sample(dataset, name, range(row, row + count), reveal=show_private)
    if json:
        terminal.json(sample.to_plain())
        return
    terminal.table(sample.columns, [[cell_text(row[name]) for name in sample.columns] for row in sample.rows])
    if not sample.generated:
        terminal.note(f"{table} has no generated rows: all of its rows are written by hand, in seeds or scenarios.")

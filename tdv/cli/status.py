"""``tdv status``"""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, Names, open_project
from tdv.cli.text import standing_lines
from tdv.model.reference import no_name


def command(
    ctx: typer.Context,
    names: Names = None,
    environments: Annotated[
        bool, typer.Option("--environments", "-e", help="Ask the targets of the environments, too.")
    ] = False,
    json: Json = False,
) -> None:
    """Say what is left to do, and how far the data in use is from the code.

    \b
      tdv status
      tdv status --environments
    """
    status = open_project(ctx).status(tuple(names or ()), environments=environments)
    if json:
        terminal.json(status.to_plain())
        return
    for dataset in status.datasets:
        latest = f"v{dataset.latest}" if dataset.latest else "no release"
        idle = not (dataset.notices or status.unmerged or any(item.problem for item in status.versions))
        terminal.out(f"{terminal.styled(dataset.dataset, 'bold')}  {latest}{'  nothing to do' if idle else ''}")
        terminal.table(("", "", ""), [(f"  {item.kind}", item.message, item.hint) for item in dataset.notices])
    if status.unmerged:
        terminal.table(("", "", ""), [("conflict", f"in conflict: {', '.join(status.unmerged)}", "tdv merge")])
    for directory in status.misnamed:
        name = directory.rpartition("/")[2]
        terminal.table(("", "", ""), [("name", no_name(name), f"git mv {shlex.quote(directory)} datasets/NAME")])
    terminal.table(("", "", "", ""), standing_lines(status.versions))
    if not (status.datasets or status.misnamed):
        terminal.note("No dataset yet: `tdv new NAME` begins one.")

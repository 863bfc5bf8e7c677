"""``tdv status``"""

from __future__ import annotations

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, Names, open_project


def command(ctx: typer.Context, names: Names = None, json: Json = False) -> None:
    """Say what is left to do: edited, unbuilt, unreleased, untagged, drifted.

    \b
      tdv status
      tdv status shop --json
    """
    status = open_project(ctx).status(tuple(names or ()))
    if json:
        terminal.json(status.to_plain())
        return
    for dataset in status.datasets:
        latest = f"v{dataset.latest}" if dataset.latest else "no release"
        terminal.out(
            f"{terminal.styled(dataset.dataset, 'bold')}  {latest}{'' if dataset.notices else '  nothing to do'}"
        )
        terminal.table(("", "", ""), [(f"  {item.kind}", item.message, item.hint) for item in dataset.notices])
    if not status.datasets:
        terminal.note("No dataset yet: `tdv new NAME` begins one.")

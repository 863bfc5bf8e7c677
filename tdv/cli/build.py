"""``tdv build``"""

from __future__ import annotations

from typing import Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, Names, note_misnamed, open_project
from tdv.cli.text import counted, duration


def command(
    ctx: typer.Context,
    names: Names = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Build even if no source changed.")] = False,
    json: Json = False,
) -> None:
    """Turn specs into snapshots; does nothing when the sources did not change.

    Generates, merges hand-written rows, validates, and stores the result in
    DVC's cache, in datasets/NAME/data and in dvc.lock, as `dvc repro` does.

    \b
      tdv build                 every dataset
      tdv build shop --force    one dataset, whatever dvc.lock says
    """
    project = open_project(ctx)
    note_misnamed(project, names)
    with terminal.progress("building") as advance:
        built = project.build(tuple(names or ()), force=force, advance=advance)
    if json:
        terminal.json({"format": "tdv.build/v1", "datasets": [item.to_plain() for item in built]})
        return
    terminal.table(
        ("", "", "", "", ""),
        [
            (
                item.dataset,
                item.action,
                counted(sum(item.tables.values()), "row"),
                item.digest[:17],
                duration(item.seconds),
            )
            for item in built
        ],
        right=(2, 4),
    )

"""``tdv textconv``, which Git calls"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import invocation


def command(ctx: typer.Context, file: Annotated[Path, typer.Argument(metavar="FILE")]) -> None:
    """Print a dvc.lock or Parquet file as text, for `git diff` and `git log -p`."""
    from tdv.project.unopened import readable

    terminal.out(terminal.clean_lines(readable(invocation(ctx).directory, file)).rstrip("\n"))

"""``tdv adopt``"""

from __future__ import annotations

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, Ref, open_project


def command(ctx: typer.Context, ref: Ref, json: Json = False) -> None:
    """Bring in the record of a release that was tagged on another branch.

    \b
      tdv adopt shop@v1.0.2        a hotfix, released after v2.0.0
    """
    adopted = open_project(ctx).adopt(ref)
    if json:
        terminal.json(adopted.to_plain())
        return
    if not adopted.files:
        terminal.out(f"{adopted.record.reference} is here already")
        return
    terminal.out(f"{adopted.record.reference} from {adopted.commit[:10]}")
    terminal.note(f"Review and commit {' and '.join(adopted.files)}")

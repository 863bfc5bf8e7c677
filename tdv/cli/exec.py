"""``tdv exec``"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Refs, Scenarios, Target, open_project
from tdv.cli.text import receipt_lines
from tdv.cli.words import CommandClass, words

if TYPE_CHECKING:
    from tdv.model.receipt import Receipt

__all__ = ["CommandClass", "command"]


def command(
    ctx: typer.Context,
    refs: Refs = None,
    target: Target = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="With --target: a throwaway database beside it, not the target itself.")
    ] = False,
    scenario: Scenarios = None,
    env: Annotated[str, typer.Option("--env", metavar="NAME", help="The variable for the URL.")] = "DATABASE_URL",
    keep: Annotated[bool, typer.Option("--keep", help="Do not drop the throwaway database afterwards.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Replace rows that were there before tdv.")] = False,
    allow_protected: Annotated[bool, typer.Option("--allow-protected", help="Write to a protected target.")] = False,
) -> None:
    """Run a command with a database of its own, told by DATABASE_URL.

    Without --target it is a throwaway beside the default target, dropped when
    the command ends. The exit code is the command's; 127 if there is none of
    that name, 126 if it cannot be run.

    \b
      tdv exec -- pytest
      tdv exec shop@^1.1 --scenario payment-retry -- ./server
      tdv exec --target ci -- pytest -n 4
    """
    from tdv.project.databases import DatabaseWish
    from tdv.project.executions import ExecWish

    wish = ExecWish(
        words=words(ctx),
        database=DatabaseWish(tuple(refs or ()), target, tuple(scenario or ()), allow_protected),
        in_place=target is not None and not fresh,
        replace=replace,
        keep=keep,
        variable=env,
    )
    raise typer.Exit(open_project(ctx).execute(wish, _announce))


def _announce(receipt: Receipt) -> None:
    for line in (*receipt.notes, *receipt_lines(receipt)):
        terminal.note(line)

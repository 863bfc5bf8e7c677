"""``tdv git-diff``, which Git calls"""

from __future__ import annotations

from typing import Annotated, Final

import typer

from tdv.cli import terminal
from tdv.cli.options import invocation

_STYLES: Final = {"+++": "bold", "---": "bold", "+": "green", "-": "red", "@": "cyan"}


def command(ctx: typer.Context, words: Annotated[list[str], typer.Argument(metavar="ARGUMENT…")]) -> None:
    """Print how a file of test data changed, as Git's `diff.tdv.command`: `git diff` of dvc.lock shows rows."""
    from tdv.cli.differences import print_report
    from tdv.project.unopened import file_diff, git_colours

    directory = invocation(ctx).directory
    found = file_diff(directory, words)
    terminal.use_colour(git_colours(directory, is_terminal=terminal.is_terminal()))
    for line in found.title:
        terminal.out(terminal.styled(terminal.clean(line), "bold"))
    for line in found.lines:
        style = next((style for sign, style in _STYLES.items() if line.startswith(sign)), "")
        terminal.out(terminal.styled(terminal.clean(line), style))
    if found.pointer:
        terminal.out(terminal.styled(found.pointer, "dim"))
    for number, report in enumerate(found.reports):
        if number or found.lines:
            terminal.out()
        print_report(report)

"""``tdv check``"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, open_project, written_file
from tdv.cli.text import counted


class Format(Enum):
    """How the answer is printed."""

    lines = "lines"
    markdown = "markdown"
    github = "github"
    gitlab = "gitlab"


def command(
    ctx: typer.Context,
    base: Annotated[
        str | None, typer.Option("--base", metavar="REF", help="What to merge into; else the remote's main branch.")
    ] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Build each changed dataset cold and compare.")] = False,
    shape: Annotated[
        Format, typer.Option("--format", help="Lines, Markdown, or annotations of GitHub or GitLab.")
    ] = Format.lines,
    markdown: Annotated[bool, typer.Option("--markdown", help="The same as --format markdown.")] = False,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE", callback=written_file, help="Write the Markdown to a file, too."),
    ] = None,
    json: Json = False,
) -> int:
    """The gate of a pull request: does a merge keep every promise?

    One line per rule; exits with 1 when one is broken. Run it on the result of
    the merge, as forges check it out.

    \b
      tdv check
      tdv check --base origin/main --markdown
      tdv check --base origin/main --format github
    """
    from tdv import check

    with terminal.waiting("checking"):
        checked = open_project(ctx).check(base, rebuild=rebuild)
    if report is not None:
        report.write_text(check.markdown(checked), encoding="utf-8")
    if json:
        terminal.json(checked.to_plain())
    elif markdown or shape is Format.markdown:
        terminal.out(check.markdown(checked).rstrip("\n"))
    elif shape is Format.lines:
        for line in check.lines(checked):
            terminal.out(terminal.styled(line, "red") if line.startswith("FAIL") else line)
        kept = sum(verdict.ok for verdict in checked.verdicts)
        held = f"{kept} of {counted(len(checked.verdicts), 'rule')} hold"
        terminal.note(held if checked.verdicts else f"No test data changed since {terminal.clean(checked.base)}")
    else:
        terminal.out(check.annotated(checked, shape.value).rstrip("\n"))
    return 0 if checked.ok else 1

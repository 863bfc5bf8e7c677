"""``tdv diff``"""

from __future__ import annotations

from typing import Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, open_project
from tdv.cli.text import finding_lines


def command(
    ctx: typer.Context,
    old: Annotated[str | None, typer.Argument(metavar="[A]", help="The older state; else the last release.")] = None,
    new: Annotated[str | None, typer.Argument(metavar="[B]", help="The newer state; else the work tree.")] = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 if the states differ.")] = False,
    json: Json = False,
) -> int:
    """Show what changes between two states of the data, and the bump that it needs.

    \b
      tdv diff                                    the work tree since the last release
      tdv diff shop@v1.0.0 v1.1.0                 two releases
      tdv diff shop@git:main shop@workspace       two states in Git
    """
    from tdv.model.diff_report import plain_reports
    from tdv.project.comparisons import DiffWish

    reports = open_project(ctx).diff(DiffWish(old, new))
    if json:
        terminal.json(plain_reports(reports))
    else:
        for report in reports:
            terminal.out(f"{report.old} → {report.new}  {report.bump}")
            terminal.table(
                ("  table", "added", "removed", "changed"),
                [(f"  {t.name}", t.change.added, t.change.removed, t.change.changed) for t in report.tables if t.total],
                right=(1, 2, 3),
            )
            for line in finding_lines(report.findings):
                terminal.out(line)
    return int(exit_code and any(report.differs or report.findings for report in reports))

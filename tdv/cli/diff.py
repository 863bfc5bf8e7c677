"""``tdv diff``"""

from __future__ import annotations

from typing import Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Html, Json, open_project
from tdv.errors import UsageError

Many = list[str] | None


def command(
    ctx: typer.Context,
    old: Annotated[str | None, typer.Argument(metavar="[A]", help="The older state; else the last release.")] = None,
    new: Annotated[str | None, typer.Argument(metavar="[B]", help="The newer state; else the work tree.")] = None,
    base: Annotated[str | None, typer.Option("--base", metavar="REV", help="Since this branch left REV.")] = None,
    table: Annotated[Many, typer.Option("--table", metavar="TABLE", help="Only this table; may be repeated.")] = None,
    where: Annotated[
        str | None, typer.Option("--where", metavar="SQL", help="Only rows of which this is true.")
    ] = None,
    columns: Annotated[str, typer.Option("--columns", metavar="A,B", help="Compare only these columns.")] = "",
    ignore: Annotated[str, typer.Option("--ignore", metavar="A,B", help="Leave these columns out.")] = "",
    tolerance: Annotated[
        float, typer.Option("--tolerance", metavar="X", min=0, help="Numbers may differ by X, absolute or relative.")
    ] = 0.0,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", min=0, help="Rows of each kind shown.")] = None,
    stat: Annotated[bool, typer.Option("--stat", help="Show statistics per column in the place of rows.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown for a comment of a pull request.")
    ] = False,
    html: Html = None,
    sql: Annotated[bool, typer.Option("--sql", help="Print the statements that turn A into B.")] = False,
    dialect: Annotated[
        str | None,
        typer.Option("--dialect", metavar="ENGINE", help="For --sql: sqlite, duckdb, postgresql or mysql."),
    ] = None,
    json: Json = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print JSON Lines: a head, then one line per row.")] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 1 if anything shown differs.")] = False,
    show_private: Annotated[bool, typer.Option("--show-private", help="Show values of private columns.")] = False,
) -> int:
    """Show what changes between two states of the data, and the bump that it needs.

    A and B are releases, v1.0.0 or shop@^1.1; Git states, shop@git:main; the
    work tree as it was built last, shop@workspace; or targets, sqlite:///app.db.

    \b
      tdv diff                                    the work tree since the last release
      tdv diff v1.0.0 v1.1.0 --table orders
      tdv diff --base origin/main --markdown      what a pull request changes
      tdv diff shop@v1.1.0 sqlite:///app.db       what became of a restored release
      tdv diff sqlite:///app.db shop@v1.2.0 --sql
      tdv diff v1.0.0 v1.1.0 --sql --dialect postgresql | psql
    """
    from tdv.cli.differences import Face, show, show_lines, show_script
    from tdv.model.diff_report import ReportOptions
    from tdv.project.pairs import DiffWish

    given = {
        "--where": where is not None,
        "--columns": bool(columns),
        "--ignore": bool(ignore),
        "--tolerance": tolerance > 0,
        "--limit": limit is not None,
        "--exit-code": exit_code,
    }
    _require_fitting(sql, dialect, [name for name, is_given in given.items() if is_given])
    face = Face.chosen(stat=stat, markdown=markdown, html=html, sql=sql, json=json, jsonl=jsonl)
    shown = ReportOptions(
        tables=tuple(table or ()),
        columns=_listed(columns),
        ignore=_listed(ignore),
        where=where,
        limit=face.limit if limit is None else limit,
        tolerance=tolerance,
        statistics=face.statistics,
        reveal=show_private,
    )
    project = open_project(ctx)
    wish = DiffWish(old, new, base, shown, dialect=dialect)
    if face.name == "sql":
        show_script(project.diff_sql(wish))
        return 0
    if face.name == "jsonl":
        return int(show_lines(project.diff_stream(wish), shown.limit) and exit_code)
    with terminal.waiting("comparing"):
        reports = project.diff(wish)
    show(face, reports)
    return int(exit_code and any(report.differs or report.stale for report in reports))


def _require_fitting(sql: bool, dialect: str | None, narrowing: list[str]) -> None:
    """A script is about everything: `narrowing` are options that it would leave without effect."""
    if dialect is not None and not sql:
        raise UsageError("--dialect is about --sql", hint="Add --sql, or leave out --dialect.")
    if sql and narrowing:
        raise UsageError(
            f"--sql turns A into B as a whole, and {narrowing[0]} does not apply to it",
            hint=f"Leave out {narrowing[0]}; --table narrows a script to some tables.",
        )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())

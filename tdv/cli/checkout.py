"""``tdv checkout``"""

from __future__ import annotations

from typing import Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import App, Json, Migration, Refs, Scenarios, Target, open_anywhere, open_project
from tdv.cli.text import receipt_lines


def command(
    ctx: typer.Context,
    refs: Refs = None,
    target: Target = None,
    format: Annotated[
        str | None, typer.Option("--format", metavar="FORMAT", help="For files: parquet, csv, jsonl or sql.")
    ] = None,
    scenario: Scenarios = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace rows that were there before tdv.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")] = False,
    allow_protected: Annotated[bool, typer.Option("--allow-protected", help="Write to a protected target.")] = False,
    app: App = None,
    migration: Migration = None,
    app_tag: Annotated[
        str | None, typer.Option("--app-tag", metavar="TAG", help="What the code at this Git tag was pinned to.")
    ] = None,
    locked: Annotated[bool, typer.Option("--locked", help="Only what tdv.lock says; fail if it is stale.")] = False,
    ignore_compat: Annotated[
        bool, typer.Option("--ignore-compat", help="Take what is named, whatever app and schema it serves.")
    ] = False,
    repo: Annotated[
        str | None, typer.Option("--repo", metavar="URL", help="Take the releases named from this Git repository.")
    ] = None,
    json: Json = False,
) -> None:
    """Restore releases into a target, verified; does nothing when they are there.

    \b
      tdv checkout                                      what tdv.lock says, or what fits
      tdv checkout v1.1.0                               the default target
      tdv checkout shop@^1.1 --target duckdb:///s.duckdb
      tdv checkout shop@v1.0.0 --target out/ --format csv
      tdv checkout --repo https://host/data.git shop@^1.1 --target app.db
    """
    from tdv.project.restores import CheckoutWish
    from tdv.project.wanted import Fit

    wish = CheckoutWish(
        refs=tuple(refs or ()),
        fit=Fit(app, migration, app_tag, locked, ignore_compat),
        target=target,
        format=format,
        scenarios=tuple(scenario or ()),
        replace=replace,
        dry_run=dry_run,
        allow_protected=allow_protected,
        repository=repo,
    )
    project = open_project(ctx) if repo is None else open_anywhere(ctx)
    with terminal.waiting("restoring"):
        receipt = project.checkout(wish=wish)
    for text in receipt.notes:
        terminal.note(text)
    if json:
        terminal.json(receipt.to_plain())
        return
    for line in receipt_lines(receipt):
        terminal.out(line)
    for step in receipt.plan:
        terminal.out(f"  {terminal.clean(step)}")

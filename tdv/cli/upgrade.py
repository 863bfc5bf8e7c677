"""``tdv upgrade``"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, open_project
from tdv.cli.text import finding_lines

if TYPE_CHECKING:
    from tdv.upgrade import Upgraded


def command(
    ctx: typer.Context,
    reference: Annotated[
        str | None, typer.Argument(metavar="[REF]", help="A dataset, or the release that its sources are.")
    ] = None,
    to: Annotated[str, typer.Option("--to", metavar="REVISION", help="Where the schema goes.")] = "head",
    start: Annotated[
        str | None, typer.Option("--from", metavar="REVISION", help="Where it stands; else spec or release say.")
    ] = None,
    freeze: Annotated[
        bool, typer.Option("--freeze", help="Turn generated rows that no generator can make any more into seeds.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Prove and show it, and write nothing.")] = False,
    json: Json = False,
) -> None:
    """Carry a dataset through the app's migrations: rewrites its spec, seeds and scenarios.

    Loads the rows into a scratch database at their migration, runs the app's own
    migrations on it, and rewrites the committed sources so that a build of them
    gives exactly what is in the database then. Shows the change and its bump.

    \b
      tdv upgrade movies --to 0045
      tdv upgrade movies --dry-run             to the head of the migrations
      tdv upgrade movies@v1.2.0 --from 0041 --to 0045
    """
    from tdv.project.upgrades import UpgradeWish

    with terminal.waiting("upgrading"):
        done = open_project(ctx).upgrade(UpgradeWish(reference, to, start, freeze, dry_run))
    if json:
        terminal.json(done.to_plain())
        return
    _show(done)


def _show(done: Upgraded) -> None:
    if done.diff is None:
        terminal.out(f"{done.dataset}  is at {done.to} already")
        return
    terminal.out(f"{done.dataset}  {done.start} → {done.to}  {done.bump} since {done.diff.old}  {done.digest[:17]}")
    for line in finding_lines(done.diff.findings):
        terminal.out(line)
    for file in done.files:
        terminal.out(f"  {terminal.clean(file)}")
    for table in done.frozen:
        terminal.note(f"{terminal.clean(table)} is no longer generated: its rows are seeds now")
    for note in done.notes:
        terminal.note(f"left out: {terminal.clean(note)}")
    if done.action == "planned":
        terminal.note("Nothing was written; run it again without --dry-run")
    else:
        terminal.note(f"Next: look at `git diff`, commit, then `tdv release {done.dataset} {done.bump}`")

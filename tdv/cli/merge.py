"""``tdv merge``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, invocation, open_project


def command(
    ctx: typer.Context,
    paths: Annotated[list[str] | None, typer.Argument(metavar="[PATH]…", help="Files in conflict; else all.")] = None,
    driver: Annotated[
        tuple[Path, Path, Path, int, str] | None,
        typer.Option("--driver", metavar="BASE OURS THEIRS SIZE PATH", help="Work as Git's merge driver."),
    ] = None,
    json: Json = False,
) -> int:
    """Merge what Git left in conflict: dvc.lock by stage, seeds and scenarios by cell.

    Forges run no merge drivers; this does the same by hand. What clashes is
    marked around its row and named; exits with 1 while something does, be it a
    dvc.lock that the next build writes anew.

    \b
      git merge origin/main
      tdv merge
      tdv build && git add dvc.lock datasets && git commit
    """
    if driver is not None:
        return _drive(ctx, driver)
    merging = open_project(ctx).merge(tuple(paths or ()))
    if json:
        terminal.json(merging.to_plain())
        return int(not merging.clean)
    for file in merging.files:
        terminal.out(f"{'conflict' if file.conflicts else 'merged  '}  {terminal.clean(file.path)}")
        for name in file.conflicts:
            terminal.out(f"            {terminal.clean(name)}")
    if not merging.files:
        terminal.note("Nothing that tdv merges is in conflict.")
    elif merging.clean:
        terminal.note("Next: `tdv build`, then `git add` what it wrote and `git commit`")
    else:
        terminal.note("Settle what is listed; `tdv build` writes dvc.lock and snapshot.yaml anew; then `git add` them.")
    return int(not merging.clean)


def _drive(ctx: typer.Context, driver: tuple[Path, Path, Path, int, str]) -> int:
    from tdv.project.unopened import drive_merge

    base, ours, theirs, size, path = driver
    conflicts = drive_merge(invocation(ctx).directory, (base, ours, theirs), size, path)
    for name in conflicts:
        terminal.say(f"tdv: {terminal.clean(path)}: conflict in {terminal.clean(name)}")
    return int(bool(conflicts))

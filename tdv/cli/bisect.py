"""``tdv bisect``"""

from __future__ import annotations

from typing import Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, Target, open_project
from tdv.cli.text import counted
from tdv.cli.words import CommandClass, words

__all__ = ["CommandClass", "command"]


def command(
    ctx: typer.Context,
    reference: Annotated[
        str | None, typer.Argument(metavar="[REF]", help="A dataset, or a range of its versions.")
    ] = None,
    good: Annotated[str | None, typer.Option("--good", metavar="VERSION", help="A version that is good.")] = None,
    bad: Annotated[str | None, typer.Option("--bad", metavar="VERSION", help="A version that is bad.")] = None,
    target: Target = None,
    env: Annotated[str, typer.Option("--env", metavar="NAME", help="The variable for the URL.")] = "DATABASE_URL",
    replace: Annotated[bool, typer.Option("--replace", help="Replace rows in the target that are not tdv's.")] = False,
    json: Json = False,
) -> int:
    """Find the first version of a dataset with which a command fails, like `git bisect run`.

    Restores version after version into the target and runs the command, which is
    told the URL by DATABASE_URL and the version by TDV_VERSION: exit code 0 is
    good, 125 skips the version, 1 to 127 is bad. Exits with 1 when one was found.

    \b
      tdv bisect -- pytest -x tests/test_orders.py
      tdv bisect shop --good v1.0.0 -- ./smoke.sh
      tdv bisect "shop@>=1.0,<2" --target sqlite:///app.db -- make test
    """
    from tdv.project.bisections import BisectWish

    wish = BisectWish(reference, words(ctx), good, bad, target, replace, env)
    found = open_project(ctx).bisect(wish)
    if json:
        terminal.json(found.to_plain())
        return int(found.first_bad is not None)
    terminal.table(("", ""), [(f"v{trial.version}", trial.verdict) for trial in found.trials])
    if found.first_bad is None:
        terminal.out(f"{found.dataset}@v{found.last_good} is good, the newest that was tried: no bad version was found")
        return 0
    after = f", v{found.last_good} is good" if found.last_good else ""
    terminal.out(f"{found.dataset}@v{found.first_bad} is the first bad version{after}")
    if found.doubtful:
        named = ", ".join(f"v{version}" for version in found.doubtful)
        terminal.note(f"It may as well be {named}: {counted(len(found.doubtful), 'version')} could not be judged.")
    if found.last_good is None and good is None:
        terminal.note(_doubt({trial.exit_code for trial in found.trials}))
    return 1


def _doubt(codes: set[int]) -> str:
    """What to think of a command that failed with every version."""
    if codes <= {126, 127}:
        return "It ended with 126 or 127 each time, as shells do where a program is not found or cannot be run."
    return "No version that was tried is good: the command may fail for another reason than the data."

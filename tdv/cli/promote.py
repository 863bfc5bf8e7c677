"""``tdv promote``"""

from __future__ import annotations

from typing import Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, Message, Ref, open_project


def command(
    ctx: typer.Context,
    ref: Ref,
    stage: Annotated[str, typer.Argument(metavar="ENVIRONMENT", help="An environment of tdv.yaml, or any stage.")],
    message: Message = "",
    push: Annotated[bool, typer.Option("--push", help="Push the tag to the Git remote.")] = False,
    remote: Annotated[str | None, typer.Option("--remote", metavar="NAME", help="The Git remote.")] = None,
    json: Json = False,
) -> None:
    """Say which release an environment uses: shop#staging then means it.

    Makes a tag that GTO reads. Running it again changes nothing.

    \b
      tdv promote shop@v1.1.0 staging --push
      tdv promote shop#staging production -m "Ran a week"
      tdv checkout shop#staging
    """
    from tdv.project.promotions import PromoteWish

    done = open_project(ctx).promote(PromoteWish(ref, stage, message, push, remote))
    if json:
        terminal.json(done.to_plain())
        return
    was = f", was v{done.before}" if done.before not in (None, done.promotion.version) else ""
    pushed = ", pushed" if done.pushed else ""
    name = done.promotion.tag.name
    terminal.out(f"{done.promotion.dataset}#{stage} is v{done.promotion.version}{was}  {name} {done.action}{pushed}")
    for note in done.notes:
        terminal.note(terminal.clean(note))

"""``tdv comment``"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, invocation
from tdv.config.forge import ForgeName


def command(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Markdown, put one after the other.")],
    number: Annotated[int | None, typer.Option("--number", metavar="N", min=1, help="The pull request.")] = None,
    head: Annotated[
        str | None, typer.Option("--head", metavar="OWNER:BRANCH", help="The pull request that comes from there.")
    ] = None,
    forge: Annotated[ForgeName | None, typer.Option("--forge", help="Else what the CI job says.")] = None,
    project: Annotated[
        str | None, typer.Option("--project", metavar="NAME", help="owner/name, or a GitLab project's number.")
    ] = None,
    api: Annotated[str | None, typer.Option("--api", metavar="URL", help="The root of the REST interface.")] = None,
    name: Annotated[
        str, typer.Option("--name", metavar="WORD", help="Tells several comments of one pull request apart.")
    ] = "review",
    json: Json = False,
) -> None:
    """Keep one comment on a pull request up to date.

    In a CI job of GitHub or GitLab the job says which one. The token comes from
    TDV_COMMENT_TOKEN, else from GITHUB_TOKEN or GITLAB_TOKEN. A token that may
    not write, as that of a fork, is no failure: the text goes to the summary of
    the step. What another account wrote is left alone.

    \b
      tdv comment check.md review.md
      tdv comment review.md --forge github --project me/app --number 12
    """
    from tdv.project.comments import CommentWish
    from tdv.project.unopened import comment

    base = invocation(ctx).directory
    wish = CommentWish(tuple(base / file for file in files), name, forge, api, project, number, head)
    done = comment(wish)
    if json:
        terminal.json(done.to_plain())
        return
    place = f" on #{done.number}" if done.number else ""
    terminal.out(terminal.clean(f"{done.action}{place}  {done.url}".rstrip()))
    if done.reason:
        terminal.note(f"No comment was written: {terminal.clean(done.reason)}")

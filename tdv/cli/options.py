"""Options that commands share, and how a command opens its project."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tdv.cli import terminal
from tdv.errors import NotFound, UsageError
from tdv.frozen import dataclass

if TYPE_CHECKING:
    from tdv.project import Project

Json = Annotated[bool, typer.Option("--json", help="Print the stable JSON form.")]
Message = Annotated[str, typer.Option("--message", "-m", metavar="TEXT", help="What a reader of the log should know.")]
Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]…", help="Datasets; all when none is named.")]
Refs = Annotated[
    list[str] | None,
    typer.Argument(metavar="[REF]…", help="v1.1.0, movies@^1.1, movies@git:main, movies@workspace …"),
]
Ref = Annotated[str, typer.Argument(metavar="REF", help="A release: v1.1.0 or movies@v1.1.0.")]
Remote = Annotated[
    str | None, typer.Option("--remote", "-r", metavar="NAME", help="A DVC remote; else the default one.")
]
Target = Annotated[
    str | None,
    typer.Option("--target", "-t", metavar="TARGET", help="A name from tdv.yaml, a URL, a file or a directory."),
]
App = Annotated[str | None, typer.Option("--app", metavar="VERSION", help="The app's version; else tdv.yaml says.")]
Migration = Annotated[
    str | None,
    typer.Option("--migration", metavar="REVISION", help="Where the schema stands; else the target or the files say."),
]
Scenarios = Annotated[
    list[str] | None, typer.Option("--scenario", metavar="NAME", help="Only this scenario and what it references.")
]


@dataclass(frozen=True, slots=True)
class Invocation:
    """What the global options say: `directory` is where tdv runs as if started there."""

    directory: Path = Path()


def invocation(ctx: typer.Context) -> Invocation:
    """The global options of this call."""
    return ctx.obj if isinstance(ctx.obj, Invocation) else Invocation()


def written_file(ctx: typer.Context, option: typer.CallbackParam, file: Path | None) -> Path | None:
    """Where an option's file goes; refuses a place that cannot be meant, before anything is looked at."""
    if file is None:
        return None
    file = invocation(ctx).directory / file
    if not file.parent.is_dir():
        words = f"There is no directory {file.parent} for the file of {option.opts[0]}"
        raise NotFound(words, hint=f"`mkdir -p {file.parent}` makes it.")
    if file.is_dir():
        words = f"{option.opts[0]} takes a file, and {file} is a directory"
        raise UsageError(words, hint=f"Name a file in it, as in {option.opts[0]} {file / 'review'}.")
    return file


Html = Annotated[
    Path | None,
    typer.Option(
        "--html", metavar="FILE", callback=written_file, help="Write a page to look at, in a directory that exists."
    ),
]


def open_project(ctx: typer.Context) -> Project:
    """The project around the directory of this call."""
    from tdv.project import Project

    return Project.find(invocation(ctx).directory)


def note_misnamed(project: Project, names: Sequence[str] | None) -> None:
    """Says which directories are passed over where all datasets are meant."""
    for sentence in () if names else project.misnamed():
        terminal.note(terminal.clean(sentence))


def open_anywhere(ctx: typer.Context) -> Project:
    """The project around the directory of this call; outside of any, one that has nothing of its own."""
    from tdv.project import Project

    return Project.anywhere(invocation(ctx).directory)

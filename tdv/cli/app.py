"""The ``tdv`` command: finds the command's file, runs it, and turns what happens into an exit code.

In: the words after ``tdv``. Out: the exit code; all printing goes through `tdv.cli.terminal`. Always holds:
only the file of the command that is called gets imported, so that everyday commands start fast.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer import core

from tdv import __version__
from tdv.cli import boundary, terminal
from tdv.cli.options import Invocation

SECTIONS: Final[dict[str, tuple[str, ...]]] = {
    "Make": ("init", "new", "sample", "build", "validate", "upgrade"),
    "Release": ("status", "diff", "merge", "release", "tag", "adopt", "yank", "compat"),
    "Use": ("checkout", "exec", "resolve", "lock", "matrix", "log", "show", "bisect", "serve-db"),
    "Environments": ("promote", "health", "cleanup"),
    "Trust": ("verify", "check", "comment", "push", "pull", "gc"),
}
# What Git calls, not people.
HIDDEN: Final = ("textconv", "git-diff")


@contextmanager
def _for_any_reader() -> Iterator[None]:
    """Takes it for no failure that a reader has seen enough, as ``head`` has; Typer does."""
    try:
        yield
    except BrokenPipeError as gone:
        terminal.drop(sys.stdout)
        raise typer.Exit(0) from gone


class CommandGroup(core.TyperGroup):
    """Commands found by name in ``tdv/cli/<name>.py``, loaded when they are needed."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, in the order of the work."""
        return [name for names in SECTIONS.values() for name in names]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name, or None."""
        if cmd_name not in (*self.list_commands(ctx), *HIDDEN):
            return None
        module = importlib.import_module(f"tdv.cli.{cmd_name.replace('-', '_')}")
        single = typer.Typer(add_completion=False, rich_markup_mode=None)
        single.command(cmd_name, cls=getattr(module, "CommandClass", None))(module.command)
        return typer.main.get_command(single)

    def invoke(self, ctx: Any) -> Any:
        """Runs the command; Ctrl-C reaches the boundary, where Typer would make a mere exit code of it."""
        try:
            with _for_any_reader():
                return super().invoke(ctx)
        except KeyboardInterrupt as exc:
            raise typer.Abort from exc

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Reads the words before the command, or prints the help."""
        with _for_any_reader():
            return super().parse_args(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Lists the commands section by section."""
        for section, names in SECTIONS.items():
            rows = [(name, self.get_command(ctx, name).get_short_help_str(90)) for name in names]
            with formatter.section(section):
                formatter.write_dl(rows)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tdv {__version__}")
        raise typer.Exit


def _start(
    ctx: typer.Context,
    directory: Annotated[Path, typer.Option("-C", metavar="DIR", help="Run as if started in DIR.")] = Path(),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print results and errors only.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print the causes of errors, too.")] = False,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Test data, versioned like code.

    \b
    Build golden and generated datasets from sources in Git, release them as
    immutable versions, and restore the version that fits into any target:

    \b
      tdv build shop && tdv validate shop
      tdv release shop minor -m "Edge cases for refunds"
      tdv checkout shop@v1.1.0 --target sqlite:///app.db
    """
    terminal.set_volume(int(verbose) - int(quiet))
    terminal.use_colour(None)
    ctx.obj = Invocation(directory)


def _application() -> Any:
    application = typer.Typer(
        cls=CommandGroup,
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    application.callback()(_start)
    return typer.main.get_command(application)


def run(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code; prints errors, never raises them."""
    words = list(arguments)
    own = words[: words.index("--")] if "--" in words else words
    return boundary.guard(lambda: _called(words), as_json="--json" in own)


def _called(words: list[str]) -> Any:
    """What the command answers, when all that it printed is written."""
    answer = _application().main(args=words, prog_name="tdv", standalone_mode=False)
    sys.stdout.flush()
    return answer

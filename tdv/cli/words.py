"""The words after ``--``, which are another program's."""

from __future__ import annotations

from typing import Any, Final

from typer import core

_KEY: Final = "tdv.words"


class CommandClass(core.TyperCommand):
    """A command whose words after ``--`` are another program's; `words` gives them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keeps the other program's words away from the options of this one."""
        here = args.index("--") if "--" in args else len(args)
        ctx.meta[_KEY] = tuple(args[here + 1 :])
        return super().parse_args(ctx, args[:here])


def words(ctx: Any) -> tuple[str, ...]:
    """The other program and its arguments."""
    found: tuple[str, ...] = ctx.meta[_KEY]
    return found

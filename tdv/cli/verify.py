"""``tdv verify``"""

from __future__ import annotations

from typing import Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, Refs, Target, open_project
from tdv.cli.text import counted
from tdv.errors import IntegrityError


def command(
    ctx: typer.Context,
    refs: Refs = None,
    target: Target = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Build each release again from its sources.")] = False,
    json: Json = False,
) -> int:
    """Prove that releases are what they promise: records, tags, bytes, digests, rows.

    Looks at every release, and at what the target holds of them. Exits with 13
    when a promise is broken.

    \b
      tdv verify
      tdv verify shop@v1.0.0 --rebuild
      tdv verify --target duckdb:///shop.duckdb
    """
    with terminal.progress("verifying"):
        verification = open_project(ctx).verify(tuple(refs or ()), target=target, rebuild=rebuild)
    if json:
        terminal.json(verification.to_plain())
        return 0 if verification.ok else IntegrityError.exit_code
    subjects: dict[str, list[str]] = {}
    for promise in verification.subjects:
        broken = subjects.setdefault(f"{promise.dataset}@v{promise.version}", [])
        if not promise.ok:
            broken.append(f"  {terminal.clean(promise.promise)}: {terminal.clean(promise.message)}")
    for name, lines in subjects.items():
        verdict = terminal.styled("broken", "red") if lines else terminal.styled("ok", "green")
        terminal.out(f"{name}  {verdict}")
        for line in lines:
            terminal.out(line)
    kept = sum(promise.ok for promise in verification.subjects)
    terminal.note(f"{kept} of {counted(len(verification.subjects), 'promise')} kept")
    return 0 if verification.ok else IntegrityError.exit_code

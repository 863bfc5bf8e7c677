"""``tdv verify``"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, Refs, Target, open_project
from tdv.cli.text import counted
from tdv.errors import IntegrityError, StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tdv.model.report import Promise, Verification


def command(
    ctx: typer.Context,
    refs: Refs = None,
    target: Target = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Build each release again from its sources.")] = False,
    compat: Annotated[
        bool, typer.Option("--compat", help="Load each release at every migration that it serves.")
    ] = False,
    json: Json = False,
) -> int:
    """Prove that releases are what they promise: records, tags, bytes, digests, rows.

    Looks at every release, and at what the target holds of them. Exits with 13
    when a promise is broken, with 14 when one cannot be looked at because Git or
    a remote fails.

    \b
      tdv verify
      tdv verify shop@v1.0.0 --rebuild
      tdv verify --compat
      tdv verify --target duckdb:///shop.duckdb
    """
    with terminal.waiting("verifying"):
        verification = open_project(ctx).verify(tuple(refs or ()), target=target, rebuild=rebuild, compat=compat)
    if json:
        terminal.json(verification.to_plain())
        return _exit_code(verification)
    subjects: dict[str, list[Promise]] = {}
    for promise in verification.subjects:
        version = f"v{promise.version}" if promise.version[:1].isdigit() else promise.version
        subjects.setdefault(f"{promise.dataset}@{version}", []).append(promise)
    for name, promises in subjects.items():
        terminal.out(f"{name}  {_verdict(promises)}")
        for promise in (promise for promise in promises if not promise.ok):
            terminal.out(f"  {terminal.clean(promise.promise)}: {terminal.clean(promise.message)}")
    for note in verification.notes:
        terminal.note(terminal.clean(note))
    kept = sum(promise.ok for promise in verification.subjects)
    terminal.note(f"{kept} of {counted(len(verification.subjects), 'promise')} kept")
    return _exit_code(verification)


def _verdict(promises: Sequence[Promise]) -> str:
    if all(promise.ok for promise in promises):
        return terminal.styled("ok", "green")
    if all(promise.ok or promise.unknown for promise in promises):
        return terminal.styled("unknown", "yellow")
    return terminal.styled("broken", "red")


def _exit_code(verification: Verification) -> int:
    if verification.ok:
        return 0
    return IntegrityError.exit_code if verification.broken else StoreError.exit_code

"""``tdv validate``"""

from __future__ import annotations

from typing import Annotated

import typer

from tdv.cli import terminal
from tdv.cli.options import Json, Refs, note_misnamed, open_project
from tdv.faces.cells import key_text


def command(
    ctx: typer.Context,
    refs: Refs = None,
    json: Json = False,
    show_private: Annotated[bool, typer.Option("--show-private", help="Show values of private columns.")] = False,
) -> int:
    """Check rows against the spec: types, keys, references, rules, checks, invariants.

    Without a reference, the state of the work tree is checked, built or not.
    Exits with 1 when a rule is broken, and shows the first rows that break it.

    \b
      tdv validate shop
      tdv validate shop@v1.0.0 --json
    """
    project = open_project(ctx)
    note_misnamed(project, refs)
    reports = project.validate(tuple(refs or ()), reveal=show_private)
    if json:
        plain = [report.to_plain() for report in reports]
        terminal.json(plain[0] if len(plain) == 1 else _joined(plain))
    else:
        for report in reports:
            failed = [check for check in report.checks if not check.ok]
            verdict = "valid" if report.ok else f"{len(failed)} of {len(report.checks)} rules broken"
            terminal.out(f"{report.dataset}: {verdict}" + (f", {len(report.checks)} rules" if report.ok else ""))
            for check in failed:
                terminal.out(
                    f"  {terminal.clean(check.table or '(dataset)')}: {check.rule}: {terminal.clean(check.message)}"
                )
                for example in check.examples:
                    terminal.out(f"    {key_text(example)}")
    return 0 if all(report.ok for report in reports) else 1


def _joined(plain: list[dict[str, object]]) -> dict[str, object]:
    checks = [{"dataset": item.get("dataset"), **check} for item in plain for check in item["checks"]]  # type: ignore[attr-defined]
    return {"format": "tdv.report/v1", "ok": all(item["ok"] for item in plain), "checks": checks}

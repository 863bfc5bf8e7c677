"""A difference with everything in it that has ever broken a face."""

from __future__ import annotations

from pathlib import Path

from tdv.content.snapshot import Snapshot
from tdv.diff.report import report
from tdv.model.diff_report import DiffReport, ReportOptions
from tdv.model.schema import TableSchema
from tests.snapshots import column, snapshot

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    "| a | b |\n|---|---|",
    "](javascript:alert(1)) ![x](http://evil.example/x.png)",
    "@everyone #1 !2 www.evil.example https://evil.example :smile:",
    "\x1b[2J\x1b]8;;http://evil.example\x07click\x1b]8;;\x07",
    "\u202egnp.exe \u200b \u2066",
    '=HYPERLINK("http://evil.example")',
    "```\n</details>\n# heading",
    "$\\href{javascript:alert(1)}{x}$ &lt; `code` **bold** _it_",
    "'; DROP TABLE users; --",
)
NAME = '<b>"t|able"</b>'
TEXTS = TableSchema(NAME, (column("id", "int64"), column("a|<i>`b`", "string", nullable=True)), key=("id",))
SECRET = "ada.secret@example.test"
PEOPLE = TableSchema(
    "people",
    (column("email", "string", privacy="email"), column("age", "int16"), column("name", "string", privacy="name")),
    key=("email",),
)


def states(root: Path) -> tuple[Snapshot, Snapshot]:
    """Two snapshots between which hostile and private values come, go and change."""
    ids = list(range(len(HOSTILE)))
    turned = [*HOSTILE[1:], HOSTILE[0]]
    people = {"email": [SECRET, "b@example.test"], "age": [36, 5], "name": ["Ada Secret", "Bob"]}
    others = {"email": ["b@example.test", "c." + SECRET], "age": [6, 7], "name": ["Bob Secret", "Cy Secret"]}
    old = snapshot(root / "old", {TEXTS: {"id": ids, "a|<i>`b`": HOSTILE}, PEOPLE: people})
    new = snapshot(root / "new", {TEXTS: {"id": [*ids, 99], "a|<i>`b`": [*turned, HOSTILE[0]]}, PEOPLE: others})
    return old, new


def hostile(root: Path, **options: object) -> DiffReport:
    """The report of it, with statistics."""
    old, new = states(root)
    return report(old, new, ("shop@v1", "shop@<i>"), ReportOptions(statistics=True, **options))  # type: ignore[arg-type]

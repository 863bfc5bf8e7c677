"""What "Keep golden data through migrations" tells people to type works."""

from __future__ import annotations

from pathlib import Path

from tests.migrating import migrating
from tests.test_docs import DOCS, blocks, comparable, type_in

PAGE = DOCS / "how-to/keep-golden-data-through-migrations.md"
PLAN = 'op.add_column("users", sa.Column("plan", sa.String(10), nullable=False, server_default="free"))'


def test_page_works_as_printed(tmp_path: Path) -> None:
    shop = migrating(tmp_path / "repo", PLAN)
    shop.tdv("release", "shop", "1.0.0", expect=0)
    outcome = type_in(blocks(PAGE, "sh"), shop.root)
    assert outcome.exit_code == 0, outcome
    printed = {comparable(line) for line in [*outcome.stdout.splitlines(), *outcome.stderr.splitlines()]}
    shown = blocks(PAGE, "text")[0].splitlines()
    assert [line for line in shown if comparable(line) not in printed] == []
    assert shop.tdv("log", "--json", expect=0).json()["releases"][0]["version"] == "1.1.0"

"""The page about pinning data to code: its commands work, and say what the page says they do."""

from __future__ import annotations

from pathlib import Path

from tests.test_docs import DOCS, blocks, type_in


def test_commands_work_as_printed(tmp_path: Path) -> None:
    commands = blocks(DOCS / "how-to" / "pin-data-to-code.md", "sh")
    assert len(commands) == 7
    outcome = type_in(commands, tmp_path)
    assert outcome.exit_code == 0, outcome
    assert "stale: shop@v1.0.0 serves migrations a1 until b2, which ends before b2" in outcome.stderr
    assert "shop@v1.0.0 serves migrations a1 until b2, which ends before b2" in outcome.stdout
    assert "shop@v1.1.0  was v1.0.0" in outcome.stdout
    printed = [" ".join(line.split()) for line in outcome.stdout.splitlines()]
    assert "v1.1.0 … work tree (1.1.0) v1.1.0 v1.0.0 [v1.1.0]" in printed
    assert "v1.0.0 v1.0.0 [v1.0.0] v1.1.0" in printed
    assert "shop#staging is v1.1.0 shop#staging#1 created" in printed
    assert "staging since" in outcome.stdout

"""The page about reviewing data in a pull request: its commands work, and it names every rule of the gate."""

from __future__ import annotations

import re
from pathlib import Path

from tdv.check import RULES
from tests.test_docs import DOCS, blocks, type_in

PAGE = DOCS / "how-to" / "review.md"


def test_commands_work_as_printed(tmp_path: Path) -> None:
    commands = blocks(PAGE, "sh")
    assert len(commands) == 11
    outcome = type_in(commands, tmp_path)
    assert outcome.exit_code == 0, outcome
    assert "users: 3 rows" in outcome.stdout
    assert "FAIL  shop" in outcome.stdout
    assert "2,Bob,bob@example.test\n3,eve,eve@example.test" in outcome.stdout
    assert "git checkout --theirs -- datasets/shop/releases/1.1.0.yaml (or --ours), then tdv merge" in outcome.stdout
    assert "merged    datasets/shop/releases/1.1.0.yaml\nmerged    CHANGELOG.md" in outcome.stdout
    assert "shop@v1.2.0  minor since v1.1.0" in outcome.stdout
    assert "is good, the newest that was tried" in outcome.stdout


def test_every_rule_is_explained() -> None:
    table = re.findall(r"^\| (`[^|]*) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    named = [rule for cell in table for rule in re.findall(r"`([a-z-]+)`", cell)]
    assert named == list(RULES)

"""The example application and the page about databases in tests: their commands run as printed."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.repository import Outcome, run

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples/bookshop"
PAGE = ROOT / "docs/how-to/databases-in-tests.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def typed(page: Path, directory: Path) -> Outcome:
    """Writes the page's Python blocks to the files that they name, then runs its shell blocks as one script."""
    commands = ["set -euxo pipefail"]
    for language, text in FENCE.findall(page.read_text(encoding="utf-8")):
        if language == "python":
            (directory / text.split("\n", 1)[0].removeprefix("# ")).write_text(text, encoding="utf-8")
        elif language == "sh":
            commands.append(text)
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return run("bash", "-c", "\n".join(commands), cwd=directory, env={"PATH": tools})


@pytest.mark.slow
def test_bookshop_and_its_page_run_in_parallel_as_printed(tmp_path: Path) -> None:
    shop = tmp_path / "bookshop"
    shutil.copytree(EXAMPLE, shop, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    outcome = typed(EXAMPLE / "README.md", shop)
    assert outcome.exit_code == 0, outcome
    assert "2 workers" in outcome.stdout
    assert " passed" in outcome.stdout
    assert "revenue: " in outcome.stdout
    assert list((shop / ".tdv/throwaway").iterdir()) == []
    outcome = typed(PAGE, shop)
    assert outcome.exit_code == 0, outcome
    assert "  healthy" in outcome.stdout

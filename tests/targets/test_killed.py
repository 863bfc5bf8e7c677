from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.targets.killed import CASES


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_killed_checkout_leaves_one_whole_version_and_the_next_one_finishes(case: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.targets.killed", case, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 3

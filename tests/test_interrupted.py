"""Ctrl-C before the command line is loaded."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.repository import run

# Raises what Ctrl-C does, at the first module that the command line imports.
EARLY = """
import sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
from tdv.cli import main
main()
"""


def test_ctrl_c_while_tdv_starts_ends_it_without_a_trace(tmp_path: Path) -> None:
    outcome = run(sys.executable, "-c", EARLY, cwd=tmp_path)
    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (130, "", "")

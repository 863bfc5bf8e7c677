"""The command line: one file per command, each parses, makes one call and renders."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of the ``tdv`` script."""
    from tdv.cli.app import run

    sys.exit(run(sys.argv[1:]))

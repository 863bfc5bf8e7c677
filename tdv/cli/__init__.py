"""The command line: one file per command, each parses, makes one call and renders."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of the ``tdv`` script."""
    try:
        from tdv.cli.app import run
    except KeyboardInterrupt:  # before there is anything that could say more
        sys.exit(130)
    sys.exit(run(sys.argv[1:]))

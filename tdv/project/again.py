"""The clean process of a second build: ``python -m tdv.project.again ROOT DATASET DIRECTORY``.

Out: one line of JSON on stdout with the digest, or with message and hint of what went wrong; the snapshot stays
in DIRECTORY.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tdv.config import process_environment
from tdv.content.leave import leave
from tdv.errors import TdvError
from tdv.factories.variation import OTHER
from tdv.project import sources as build_sources
from tdv.project.making import MakeOptions, make
from tdv.project.ports import Ports


def main(arguments: list[str]) -> int:
    """Builds cold and writes the digest; returns the exit code."""
    root, dataset, directory = arguments
    ports = Ports(Path(root), process_environment())
    try:
        spec = ports.spec(dataset)
        made = make(ports, spec, build_sources.find(ports, spec), MakeOptions(Path(directory), None, OTHER, 1))
    except TdvError as problem:
        sys.stdout.write(json.dumps({"message": problem.message, "hint": problem.hint}) + "\n")
        return problem.exit_code
    sys.stdout.write(json.dumps({"digest": made.manifest.digest}) + "\n")
    return 0


if __name__ == "__main__":
    leave(main(sys.argv[1:]))

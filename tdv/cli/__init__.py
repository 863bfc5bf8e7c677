"""The command line: one file per command, each parses, makes one call and renders."""

from __future__ import annotations

import os
import sys
from gc import set_threshold  # not by the name gc: the command of that name takes it in this package
from typing import Final

_SELDOM: Final = 50_000
"""Objects between two searches for cycles: at Python's 700, imports alone set off fifty that find nothing."""
_MATRIX_THREADS: Final = "OPENBLAS_NUM_THREADS"
"""NumPy's library for matrices, which tdv never multiplies, starts one a core that spins: 0.15 s of processors."""


def main() -> None:
    """Entry point of the ``tdv`` script."""
    _open_closed()
    set_threshold(_SELDOM)
    sys.set_int_max_str_digits(0)  # JSON of the data holds integers of any size
    if _MATRIX_THREADS not in os.environ:
        os.putenv(_MATRIX_THREADS, "1")  # past os.environ, of which commands that tdv runs inherit all
    try:
        from tdv.cli.app import run
        from tdv.cli.boundary import expect_interrupts
        from tdv.content.leave import leave
        from tdv.content.no_pandas import keep_out
    except KeyboardInterrupt:  # before there is anything that could say more
        sys.exit(130)
    keep_out()
    expect_interrupts()
    leave(run(sys.argv[1:]))


def _open_closed() -> None:
    """Puts the null device where the shell closed a standard stream, as with ``>&-``: left closed, its number would go
    to the next file that is opened, a database perhaps, into which Git or a driver would then print."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            os.set_inheritable(number, True)  # to the commands that tdv runs
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))

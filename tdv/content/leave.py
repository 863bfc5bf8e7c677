"""Ends a process of tdv without taking the interpreter apart.

In: an exit code. Out: nothing, the process is gone. Always holds: what was registered for the end was called, and what
was printed was written.

Threads of Arrow and DuckDB let go of their last Python objects when the system lets them. One that does so while Python
takes itself apart is ended by Python in the middle of C++, which then aborts the process, whatever it has answered:
"terminate called without an active exception".
"""

from __future__ import annotations

import atexit
import os
import sys
from typing import NoReturn


def leave(status: int) -> NoReturn:
    """Ends this process with an exit code."""
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)

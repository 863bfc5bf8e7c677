"""Opens a repository and wires its parts to the verbs.

In: a directory. Out: a `Project`, whose methods are the verbs of the command line. Always holds: a method calls
verbs and passes values between them; it decides nothing and prints nothing.
"""

from __future__ import annotations

from tdv.project.project import Project

__all__ = ["Project"]

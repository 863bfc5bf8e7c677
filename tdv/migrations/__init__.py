"""Histories of migrations, read from the files of the tool that a project uses.

In: the name of a tool and a path. Out: a `History`. Always holds: nothing of the project is imported or run, and no
database is needed; what the tool itself would refuse is refused here.
"""

from __future__ import annotations

from tdv.migrations.protocol import MigrationTool, Rows
from tdv.migrations.registry import TOOLS, read, tool

__all__ = ["TOOLS", "MigrationTool", "Rows", "read", "tool"]

"""``tdv`` without the two things that ``pg_restore`` does not do, to tell what they cost.

In: the arguments of ``tdv checkout`` into a PostgreSQL database that tdv owns. Out: the same database, whose rows were
not read back, and no template: the one that was filled takes the name itself. Always holds: nothing but the benchmark
runs this.
"""

from __future__ import annotations

import sys
from typing import Any

from tdv.cli import main
from tdv.targets.postgresql import building
from tdv.targets.postgresql.statements import execute
from tdv.targets.postgresql.templates import Template, Templates
from tdv.targets.sql import quote


def _not_read(*_: Any) -> None:
    """In the place of `building.verify`."""


def _handed_out(templates: Templates, template: Template, name: str, *_: str) -> None:
    """In the place of `Templates.clone`."""
    for change in ("IS_TEMPLATE false ALLOW_CONNECTIONS true", f"RENAME TO {quote(name)}"):
        execute(templates._admin, f"ALTER DATABASE {quote(template.name)} {change}")


if __name__ == "__main__":
    building.verify = _not_read
    Templates.clone = _handed_out
    sys.exit(main())

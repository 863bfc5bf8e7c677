"""``tdv`` without reading rows back, which a bare ``LOAD DATA`` does not do, to tell what it costs.

In: the arguments of ``tdv checkout`` into a MySQL database. Out: the same database, whose rows were not read back.
Always holds: nothing but the benchmark runs this.
"""

from __future__ import annotations

import sys
from typing import Any

from tdv.cli import main
from tdv.targets.mysql.building import Beside


def _not_read(*_: Any) -> None:
    """In the place of `Beside.check`."""


if __name__ == "__main__":
    Beside.check = _not_read
    sys.exit(main())

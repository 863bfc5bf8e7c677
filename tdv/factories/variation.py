"""The circumstances of a build that must not change its result.

Always holds: two variations give the same rows for a reproducible dataset; the second build of a release runs
under another one than the first to prove it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

BLOCK_ROWS: Final = 65_536


@dataclass(frozen=True, slots=True)
class Variation:
    """`hash_seed`, `timezone` and `language` go to the worker's environment; `clock_days` shifts what third-party
    code sees as the time; `block_rows` is the number of rows made at once."""

    hash_seed: int = 0
    timezone: str = "UTC"
    language: str = "C.UTF-8"
    clock_days: int = 0
    block_rows: int = BLOCK_ROWS


FIRST: Final = Variation()
"""An ordinary build."""
OTHER: Final = Variation(hash_seed=4711, timezone="Pacific/Kiritimati", language="C", clock_days=400, block_rows=10_007)
"""The second build of a release."""

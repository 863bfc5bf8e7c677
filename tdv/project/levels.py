"""Which levels the rules of a release have here.

In: the ports and a dataset. Out: the levels that tdv.yaml and the spec set. Always holds: a spec that cannot be read
sets none, so that data can be compared whatever state its sources are in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from tdv.errors import TdvError

if TYPE_CHECKING:
    from tdv.model.diff import Level
    from tdv.project.ports import Ports

_SETTING: Final = (b"levels", b"extends", b"\\")
"""What stands in every spec that sets levels: their key, its base, or an escape that could spell either."""


def levels_of(ports: Ports, dataset: str) -> Mapping[str, Level]:
    """The levels of rules that tdv.yaml and the spec set."""
    try:
        # Most specs set none, and reading one takes 30 ms, a tenth of a comparison.
        data = (ports.directory(dataset) / "dataset.yaml").read_bytes()
        if not any(word in data for word in _SETTING):
            return ports.settings.levels
        return {**ports.settings.levels, **ports.spec(dataset).levels}
    except (OSError, TdvError):
        return ports.settings.levels

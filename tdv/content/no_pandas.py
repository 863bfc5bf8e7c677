"""Keeps pandas out of the processes of tdv, where it is installed for somebody else.

In: the imports of a process. Out: none of pandas for tdv and pyarrow. Always holds: anybody else imports it as ever.

pyarrow asks of the first value that it is given whether it is one of pandas', and imports it to find out: 0.25 s, as
long as all else that a short ``tdv diff`` does. A pandas that pyarrow finds too old is a warning besides.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

_WITHOUT: Final = frozenset({"tdv", "pyarrow"})


class _NotForArrow:
    """Finds nothing, and lets nobody after it find pandas for a caller that has no use for it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "pandas" and _package_of(sys._getframe(1)) in _WITHOUT:
            raise ModuleNotFoundError("pandas is of no use here", name=fullname)
        return None


def keep_out() -> None:
    """Does so from now on, for this process."""
    sys.meta_path.insert(0, _NotForArrow())


def _package_of(frame: FrameType | None) -> str:
    """The package of the code that imports; what pyarrow has compiled has no frame, so it is that of its caller."""
    return next((name for name in _names(frame) if name != "importlib"), "")


def _names(frame: FrameType | None) -> Iterator[str]:
    while frame is not None:
        yield str(frame.f_globals.get("__name__", "")).partition(".")[0]
        frame = frame.f_back

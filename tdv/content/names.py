"""Directories of tables inside a snapshot.

In: any table name. Out: one path component that is safe on every file system. Always holds: different names
give different directories, and none is hidden, absolute, ``..`` or the manifest's file.
"""

from __future__ import annotations

import hashlib
from typing import Final
from urllib.parse import quote

_LONGEST: Final = 120


def directory_of(table: str) -> str:
    """The percent-encoded name; a long one is cut and told apart by its hash."""
    encoded = quote(table, safe="").replace(".", "%2E")
    if len(encoded) <= _LONGEST:
        return encoded
    return f"{encoded[: _LONGEST - 33]}-{hashlib.sha256(table.encode('utf-8')).hexdigest()[:32]}"

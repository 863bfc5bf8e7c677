"""``tdv.lock`` as a file: its one text, and what Git may have made of it.

In: a `Lock`, or bytes. Out: bytes, a `Lock`. Always holds: one lock has one text; a dataset is a block of its own, so
that two branches that move two datasets merge without a conflict.
"""

from __future__ import annotations

from typing import Final

from tdv.documents.markers import refuse
from tdv.documents.yaml_text import flow_lines
from tdv.model.lock import FILE, FORMAT, Lock

_HEADER: Final = "# Written by `tdv lock`; commit it with the code that uses the data."
_SETTLE: Final = "`tdv lock` settles it: what your side chose stays where it still fits."


def format_lock(lock: Lock) -> bytes:
    """The bytes of a lock."""
    lines = [_HEADER, *flow_lines({"format": FORMAT, "app": lock.app, "migration": lock.migration})]
    lines.append("datasets:" if lock.datasets else "datasets: {}")
    for name, pin in sorted(lock.datasets.items()):
        lines += [f"  {name}:", *(f"    {line}" for line in flow_lines(pin.to_plain()))]
    return ("\n".join(lines) + "\n").encode()


def parse_lock(data: bytes, path: str = FILE) -> Lock:
    """Reads a lock; raises `DocumentError` for one with a merge conflict, or with every mistake."""
    # Imported here: writing a lock needs no YAML reader.
    from tdv import documents

    refuse(data, path, _SETTLE)
    document = documents.parse(data, path)
    documents.validate(document, "lock")
    return Lock.from_plain(document.data)

"""``tdv.lock`` as a file: its one text, and what Git may have made of it.

In: a `Lock`, or bytes. Out: bytes, a `Lock`. Always holds: one lock has one text; a dataset is a block of its own, so
that two branches that move two datasets merge without a conflict.
"""

from __future__ import annotations

from typing import Final

from tdv.documents.yaml_text import flow_lines
from tdv.errors import ConfigError
from tdv.model.lock import FILE, FORMAT, Lock

_HEADER: Final = "# Written by `tdv lock`; commit it with the code that uses the data."
_OURS, _BASE, _THEIRS, _END = "<<<<<<<", "|||||||", "=======", ">>>>>>>"


def format_lock(lock: Lock) -> bytes:
    """The bytes of a lock."""
    lines = [_HEADER, *flow_lines({"format": FORMAT, "app": lock.app, "migration": lock.migration})]
    lines.append("datasets:" if lock.datasets else "datasets: {}")
    for name, pin in sorted(lock.datasets.items()):
        lines += [f"  {name}:", *(f"    {line}" for line in flow_lines(pin.to_plain()))]
    return ("\n".join(lines) + "\n").encode()


def parse_lock(data: bytes, path: str = FILE) -> Lock:
    """Reads a lock; raises `ConfigError` for one with a merge conflict, `DocumentError` with every mistake."""
    # Imported here: writing a lock needs no YAML reader.
    from tdv import documents

    if is_conflicted(data):
        raise ConfigError(
            f"{path} holds a merge conflict",
            hint="`tdv lock` settles it: what your side chose stays where it still fits.",
            path=path,
        )
    document = documents.parse(data, path)
    documents.validate(document, "lock")
    return Lock.from_plain(document.data)


def is_conflicted(data: bytes) -> bool:
    """True for a file that Git left with conflict markers."""
    return any(line.startswith(_OURS.encode()) for line in data.splitlines())


def our_side(data: bytes) -> bytes:
    """A file with conflict markers as our side has it."""
    kept: list[bytes] = []
    ours = True
    for line in data.splitlines(keepends=True):
        word = line[:7].decode("ascii", "replace")
        if word in (_BASE, _THEIRS):
            ours = False
        elif word in (_OURS, _END):
            ours = True
        elif ours:
            kept.append(line)
    return b"".join(kept)

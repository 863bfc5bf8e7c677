"""What ``git cat-file --batch`` is asked, and what it answers.

In: names of objects, and the bytes that the command printed. Out: the bytes to ask with, and the objects. Always holds:
one answer for each name, in their order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

_HEADER: Final = re.compile(rb"[0-9a-f]{40,64} (?P<type>blob|tree|commit|tag) (?P<size>[0-9]+)")


class Object(NamedTuple):
    """One object of Git: `kind` is ``blob``, ``tree``, ``commit`` or ``tag``."""

    kind: bytes
    data: bytes


def lines(names: Iterable[str]) -> bytes:
    """Object names, one on a line; a line break in one would ask for two."""
    return b"".join(name.replace("\n", "").encode("utf-8", "surrogateescape") + b"\n" for name in names)


def objects(output: bytes) -> Iterator[Object | None]:
    """The objects that were asked for, None where there is none."""
    at = 0
    while at < len(output):
        end = output.index(b"\n", at)
        header = _HEADER.fullmatch(output, at, end)
        at = end + 1
        if header is None:
            yield None
            continue
        size = int(header["size"])
        yield Object(header["type"], output[at : at + size])
        at += size + 1


def blob(found: Object | None) -> bytes | None:
    """The bytes of a file, None for anything else."""
    return found.data if found is not None and found.kind == b"blob" else None

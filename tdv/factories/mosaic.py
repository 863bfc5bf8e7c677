"""Texts that are put together from pieces of a dictionary, without touching a row in Python.

In: a dictionary of pieces and, for each row, the numbers of its pieces. Out: one text per row. The pieces of all
rows are taken in one go; they then lie one after another in one buffer, and a row's text is what lies between its
first piece and that of the next row.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Pieces = NDArray[np.int32]


def texts(dictionary: pa.Array, pieces: Pieces) -> pa.Array:
    """The text of each row of `pieces`, a matrix of places in `dictionary`; all columns count, from left to right.

    Raises `pyarrow.ArrowInvalid` if the texts have more than 2**31 bytes together.
    """
    rows, width = pieces.shape
    if not width:
        return pa.repeat(pa.scalar(""), rows)
    flat = pc.take(dictionary, pa.array(pieces.reshape(-1)), boundscheck=False)
    if width == 1:
        return flat
    _, offsets, data = flat.buffers()
    starts = np.frombuffer(offsets, dtype=np.int32, count=flat.offset + len(flat) + 1)[flat.offset :: width]
    return pa.StringArray.from_buffers(rows, pa.py_buffer(starts.copy()), data)

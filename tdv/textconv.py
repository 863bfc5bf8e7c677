"""Files of test data as text for ``git diff`` and ``git log -p``: the rows of dvc.lock's snapshots, and of Parquet.

In: the bytes of a file, and the cache where dvc.lock's snapshots are. Out: text. Always holds: other bytes give other
text; what cannot be read is shown as it is, or as its hash where it is no text; values of private columns of snapshots
are hidden.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from tdv.errors import TdvError
from tdv.faces.cells import line_text
from tdv.faces.text import named
from tdv.store.artifacts import open_artifact
from tdv.store.cache import Cache
from tdv.store.pipeline import Entry, StageLock, parse_lock

if TYPE_CHECKING:
    from tdv.content.snapshot import Snapshot

_PARQUET: Final = b"PAR1"
_MOST_ROWS: Final = 5000


def text_of(data: bytes, cache: Cache | None) -> str:
    """The file as lines for a reader."""
    if data.startswith(_PARQUET):
        return _parquet(data)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return f"sha256 {hashlib.sha256(data).hexdigest()}\n"
    if not text.startswith("schema:"):
        return text
    try:
        return "".join(f"{line}\n" for line in lock_lines(parse_lock(data), cache, _MOST_ROWS))
    except TdvError:
        return text


def lock_lines(stages: Mapping[str, StageLock], cache: Cache | None, most_rows: int) -> Iterator[str]:
    """Stages of dvc.lock with the tables of their snapshots, and the rows of tables that have so many at most."""
    for name, stage in sorted(stages.items()):
        yield f"{name}: {stage.cmd}"
        yield from (f"  source {dep.path}  {dep.md5}" for dep in stage.deps)
        for out in stage.outs:
            yield f"  output {out.path}  {out.md5}"
            if cache is not None and out.nfiles is not None:
                yield from _tables(out, cache, most_rows)


def _tables(out: Entry, cache: Cache, most_rows: int) -> Iterator[str]:
    try:
        snapshot = open_artifact(cache, out.md5)
    except TdvError:
        yield "    not in the cache: tdv pull fetches it"
        return
    for table in snapshot.manifest.tables:
        yield f"    {named(table.name)}: {table.rows} rows  {table.digest}"
        if table.rows <= most_rows:
            yield from _rows(snapshot, table.name)


def _rows(snapshot: Snapshot, table: str) -> Iterator[str]:
    """Each with the name of its table, since a reader of a difference sees only a few lines around it."""
    from tdv.content.examples import cell_rows

    try:
        rows = snapshot.table(table)
    except TdvError:
        yield f"      {named(table)}: its rows are not in the cache: tdv pull fetches them"
        return
    for row in cell_rows(rows, snapshot.manifest.table(table).schema, reveal=False):
        yield f"      {named(table)} {line_text(tuple(row.items()))}"


def _parquet(data: bytes) -> str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from tdv.content.raw import raw_cells

    digest = hashlib.sha256(data).hexdigest()
    try:
        with pq.ParquetFile(io.BytesIO(data)) as file:
            table = file.read()
        columns = [raw_cells(column) for column in table.slice(0, _MOST_ROWS).columns]
    except (pa.ArrowException, ValueError):
        return f"damaged Parquet, sha256 {digest}\n"
    lines = [f"{named(field.name)}: {named(str(field.type))}" for field in table.schema]
    lines += [line_text(tuple(zip(table.column_names, row, strict=True))) for row in zip(*columns, strict=True)]
    if table.num_rows > _MOST_ROWS:
        lines.append(f"and {table.num_rows - _MOST_ROWS} more rows, sha256 {digest}")
    return "".join(f"{line}\n" for line in lines)

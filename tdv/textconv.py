"""Files of test data as text for ``git diff`` and ``git log -p``: the rows of dvc.lock's snapshots, and of Parquet.

In: the bytes of a file, and the cache where dvc.lock's snapshots are. Out: text. Always holds: other bytes give other
text; what cannot be read is shown as it is, or as its hash where it is no text; values of private columns of snapshots
are hidden.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from tdv.errors import TdvError
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
        yield f"    {table.name}: {table.rows} rows  {table.digest}"
        if table.rows <= most_rows:
            yield from _rows(snapshot, table.name)


def _rows(snapshot: Snapshot, table: str) -> Iterator[str]:
    """Each with the name of its table, since a reader of a difference sees only a few lines around it."""
    from tdv.content.examples import plain_rows

    try:
        rows = snapshot.table(table)
    except TdvError:
        yield f"      {table}: its rows are not in the cache: tdv pull fetches them"
        return
    for row in plain_rows(rows, snapshot.manifest.table(table).schema, reveal=False):
        yield f"      {table} {_row(row)}"


def _parquet(data: bytes) -> str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(data))
    except pa.ArrowException:
        return f"damaged Parquet, sha256 {hashlib.sha256(data).hexdigest()}\n"
    lines = [f"{field.name}: {field.type}" for field in table.schema]
    lines += [_row(row) for row in table.slice(0, _MOST_ROWS).to_pylist()]
    if table.num_rows > _MOST_ROWS:
        lines.append(f"and {table.num_rows - _MOST_ROWS} more rows, sha256 {hashlib.sha256(data).hexdigest()}")
    return "".join(f"{line}\n" for line in lines)


def _row(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, default=str)

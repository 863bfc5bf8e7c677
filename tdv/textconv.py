"""Files of test data as text for ``git diff`` and ``git log -p``: dvc.lock by table, Parquet by row.

In: the bytes of a file, and the cache where dvc.lock's snapshots are. Out: text. Always holds: other bytes give other
text; what cannot be read is shown as it is, or as its hash where it is no text.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from typing import Any, Final

from tdv.errors import TdvError
from tdv.model import manifest as manifests
from tdv.store.cache import Cache
from tdv.store.pipeline import Entry, parse_lock

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
        return "".join(f"{line}\n" for line in _lock(data, cache))
    except TdvError:
        return text


def _lock(data: bytes, cache: Cache | None) -> Iterator[str]:
    for name, stage in sorted(parse_lock(data).items()):
        yield f"{name}: {stage.cmd}"
        yield from (f"  source {dep.path}  {dep.md5}" for dep in stage.deps)
        for out in stage.outs:
            yield from _output(out, cache)


def _output(out: Entry, cache: Cache | None) -> Iterator[str]:
    yield f"  output {out.path}  {out.md5}"
    if cache is None or out.nfiles is None:
        return
    try:
        files = {entry.relpath: entry.md5 for entry in cache.read_dir(out.md5)}
        manifest = json.loads(cache.read(files[manifests.FILE]))
        tables = [(name, table["rows"], table["digest"]) for name, table in manifest["tables"].items()]
    except (TdvError, AttributeError, KeyError, TypeError, ValueError):
        yield "    not in the cache: tdv pull fetches it"
        return
    yield from (f"    {name}: {rows} rows  {digest}" for name, rows, digest in tables)


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

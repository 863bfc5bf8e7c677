"""A difference as one file.

In: a complete `DatasetDiff`. Out: a zip archive of ``diff.json`` and one Arrow stream per table of rows, and back.
Always holds: ``load(dump(d)) == d``; reading runs no code and allocates no more than the file's rows take.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
from pyarrow import ipc

from tdv.diff.value import CellChanges, DatasetDiff, End, TableDiff
from tdv.errors import IntegrityError
from tdv.model.diff import TableChange
from tdv.model.manifest import ScenarioManifest
from tdv.model.schema import DatasetSchema, TableSchema

FORMAT: Final = "tdv.stored-diff/v1"
_HEAD: Final = "diff.json"
_MOMENT: Final = (1980, 1, 1, 0, 0, 0)


def dump(diff: DatasetDiff) -> bytes:
    """The bytes of the file: the same difference gives the same bytes."""
    archive = _Archive()
    plain = {
        "format": FORMAT,
        "dataset": diff.dataset,
        "complete": diff.complete,
        "old": _plain_end(diff.old),
        "new": _plain_end(diff.new),
        "tables": [archive.table(table) for table in diff.tables.values()],
    }
    return archive.packed(plain)


def load(data: bytes) -> DatasetDiff:
    """Reads `dump`; raises `IntegrityError` for anything else."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            plain = json.loads(archive.read(_HEAD))
            if plain["format"] != FORMAT:
                raise ValueError(f"format {plain['format']!r}")
            tables = {item["name"]: _table(archive, item) for item in plain["tables"]}
        return DatasetDiff(plain["dataset"], _end(plain["old"]), _end(plain["new"]), tables, plain["complete"])
    except (zipfile.BadZipFile, pa.ArrowException, OSError, ValueError, KeyError, TypeError) as exc:
        raise IntegrityError(
            f"this is no difference that this version of tdv reads ({exc})", hint="Make it anew with `tdv.diff.diff`."
        ) from exc


@dataclass(slots=True)
class _Archive:
    streams: list[bytes] = field(default_factory=list)

    def table(self, table: TableDiff) -> dict[str, Any]:
        """The plain form of a table, its rows put aside as streams."""
        cells = {
            name: self._rows(pa.table({"row": cell.rows, "before": cell.before, "after": cell.after}))
            for name, cell in table.cells.items()
        }
        return {
            "name": table.name,
            "old": table.old.to_plain() if table.old else None,
            "new": table.new.to_plain() if table.new else None,
            "change": table.change.to_plain(),
            "removed": self._rows(table.removed),
            "added": self._rows(table.added),
            "keys": self._rows(table.keys),
            "cells": cells,
            "lost": self._rows(table.lost),
            "gained": self._rows(table.gained),
        }

    def _rows(self, rows: pa.Table | None) -> str | None:
        if rows is None:
            return None
        sink = pa.BufferOutputStream()
        with ipc.new_stream(sink, rows.schema) as writer:
            writer.write_table(rows)
        self.streams.append(sink.getvalue().to_pybytes())
        return f"{len(self.streams)}.arrows"

    def packed(self, plain: Mapping[str, Any]) -> bytes:
        """The archive with its head."""
        sink = io.BytesIO()
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr(zipfile.ZipInfo(_HEAD, _MOMENT), json.dumps(plain, ensure_ascii=False))
            for number, stream in enumerate(self.streams, 1):
                archive.writestr(zipfile.ZipInfo(f"{number}.arrows", _MOMENT), stream)
        return sink.getvalue()


def _table(archive: zipfile.ZipFile, plain: Mapping[str, Any]) -> TableDiff:
    def rows(word: str) -> pa.Table:
        return _read(archive, plain[word])

    name, cells = plain["name"], {}
    for column, stream in plain["cells"].items():
        found = _read(archive, stream)
        cells[column] = CellChanges(*(found.column(word).combine_chunks() for word in ("row", "before", "after")))
    return TableDiff(
        name,
        TableSchema.from_plain(name, plain["old"]) if plain["old"] else None,
        TableSchema.from_plain(name, plain["new"]) if plain["new"] else None,
        TableChange(**plain["change"]),
        rows("removed"),
        rows("added"),
        rows("keys"),
        cells,
        rows("lost") if plain["lost"] else None,
        rows("gained") if plain["gained"] else None,
    )


def _read(archive: zipfile.ZipFile, name: str) -> pa.Table:
    with ipc.open_stream(archive.read(name)) as stream:
        table = stream.read_all().combine_chunks()
    table.validate(full=True)
    return table


def _plain_end(end: End) -> dict[str, Any]:
    return {
        "digest": end.digest,
        "tables": [{"name": table.name, **table.to_plain()} for table in end.schema.tables],
        "invariants": list(end.schema.invariants),
        "scenarios": [{"name": item.name, **item.to_plain()} for item in end.scenarios],
    }


def _end(plain: Mapping[str, Any]) -> End:
    tables = tuple(TableSchema.from_plain(table["name"], table) for table in plain["tables"])
    scenarios = tuple(ScenarioManifest.from_plain(item["name"], item) for item in plain["scenarios"])
    return End(plain["digest"], DatasetSchema(tables, tuple(plain["invariants"])), scenarios)

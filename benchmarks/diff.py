"""Comparing two states of a table of ten columns, against a full outer join in DuckDB and other tools; whole processes.

``python -m benchmarks.diff 1000000 10000000``; a peer that is not installed is left out.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from benchmarks import harness
from benchmarks.states import CHANGES, DATASET, TYPES, states
from tdv.project.ports import Ports
from tdv.project.states import at_revision

RUNS: Final = 3
PEERS: Final = 1_000_000
"""Rows up to which the other tools are run: they take minutes from there on."""
SIZES: Final = (1_000_000, 10_000_000)
LARGE: Final = 10_000_000

_JOIN: Final = """
import duckdb, sys
old, new, key, *columns = sys.argv[1:]
changed = [f'(o."{name}" IS DISTINCT FROM n."{name}")' for name in columns]
counts = ', '.join(f'count(*) FILTER (WHERE {test} AND o."{key}" IS NOT NULL AND n."{key}" IS NOT NULL)'
                   for test in changed)
print(duckdb.sql(f'''
    SELECT count(*) FILTER (WHERE o."{key}" IS NULL), count(*) FILTER (WHERE n."{key}" IS NULL), {counts}
    FROM read_parquet('{old}') o FULL OUTER JOIN read_parquet('{new}') n ON o."{key}" = n."{key}"
''').fetchall())
"""

_CSV: Final = """
import duckdb, sys
for name in sys.argv[1:]:
    duckdb.sql(f"COPY (FROM read_parquet('{name}.parquet')) TO '{name}.csv' (HEADER)")
    duckdb.connect(f'{name}.duckdb').execute(f"CREATE TABLE events AS FROM read_parquet('{name}.parquet')")
"""
_PEERS: Final = {
    "datacompy": """
import sys, datacompy, polars
old, new = (polars.read_parquet(f'{name}.parquet') for name in sys.argv[1:3])
print(datacompy.PolarsCompare(old, new, join_columns=sys.argv[3]).report())
""",
    "reladiff": """
import os, sys, reladiff
places = [f'duckdb:///{os.path.abspath(name)}.duckdb' for name in sys.argv[1:3]]
old, new = (reladiff.connect_to_table(place, ('main', 'events'), sys.argv[3]) for place in places)
print(len(list(reladiff.diff_tables(old, new, extra_columns=('score', 'note')))))
""",
    "csv_diff": """
import sys
from csv_diff import compare, load_csv
old, new = (load_csv(open(f'{name}.csv'), key=sys.argv[3]) for name in sys.argv[1:3])
print(len(compare(old, new)['changed']))
""",
    "daff": """
import csv, sys, daff
old, new = (daff.PythonTableView(list(csv.reader(open(f'{name}.csv')))) for name in sys.argv[1:3])
flags = daff.CompareFlags()
flags.addPrimaryKey(sys.argv[3])
result = []
daff.TableDiff(daff.compareTables(old, new, flags).align(), flags).hilite(daff.PythonTableView(result))
print(len(result))
""",
}


def main(sizes: tuple[int, ...] = SIZES) -> bool:
    """Prints the ratios; returns whether the promises hold."""
    held = []
    for rows in sizes:
        harness.claim(f"Comparing {rows:,} rows of {len(TYPES)} columns")
        with states(rows) as root:
            held.append(_identical(root))
            held.extend(_against_join(root, rows, kind) for kind in CHANGES)
            held.append(_storage(root, rows))
            if rows <= PEERS:
                held.extend(_against_peers(root))
    harness.versions("tdv", "duckdb")
    return all(held)


def _diff(old: str, new: str) -> list[str]:
    return [harness.TDV, "diff", f"{DATASET}@git:{old}", f"git:{new}"]


def _identical(root: Path) -> bool:
    (seconds,) = harness.alternate([harness.Side("identical", _diff("old", "old"))], root, RUNS)
    harness.figure("tdv diff of identical states", f"{seconds * 1000:.0f} ms")
    return harness.ratio("seconds", seconds, "< 0.15", holds=seconds < 0.15)


def _against_join(root: Path, rows: int, kind: str) -> bool:
    join = [sys.executable, "-c", _JOIN, "../old.parquet", f"../{kind}.parquet", *TYPES]
    sides = [harness.Side(f"tdv diff, {kind}", _diff("old", kind)), harness.Side("DuckDB full outer join", join)]
    own, peer = harness.alternate(sides, root, RUNS)
    memory = [harness.run(side.command, root).peak for side in sides]
    for side, seconds, peak in zip(sides, (own, peer), memory, strict=True):
        harness.figure(side.label, f"{seconds:.2f} s {peak / harness.MEGABYTE:5.0f} MB")
    most = _most(rows, kind)
    holds = harness.ratio(f"tdv / DuckDB, {kind}", own / peer, f"< {most:g}", holds=own / peer < most)
    return holds & harness.ratio("memory, tdv / DuckDB", memory[0] / memory[1], "< 1", holds=memory[0] < memory[1])


def _most(rows: int, kind: str) -> float:
    if rows < LARGE:
        return 1.0 if kind != "scattered" else 1.2
    return 1.2 if kind == "scattered" else 1 / 8


def _against_peers(root: Path) -> list[bool]:
    """Each tool that is installed, once, on the Parquet or CSV files of the scattered change."""
    own = harness.run(_diff("old", "scattered"), root).seconds
    harness.run([sys.executable, "-c", _CSV, "../old", "../scattered"], root)
    held = []
    for name, script in _PEERS.items():
        if find_spec(name) is None:
            harness.figure(name, "not installed")
            continue
        words = [sys.executable, "-c", script, "../old", "../scattered", next(iter(TYPES))]
        peer = harness.run(words, root).seconds
        harness.figure(name, f"{peer:.1f} s")
        held.append(harness.ratio(f"tdv / {name}", own / peer, "< 1", holds=own < peer))
    return held


def _storage(root: Path, rows: int) -> bool:
    """How much of a table is stored again after a local change; a part is a sixteenth of the smaller table."""
    share = _fresh_bytes(root, "local")
    if rows < LARGE:
        harness.figure("stored again after a local change", f"{share:.3f}")
        return True
    return harness.ratio("stored again after a local change", share, "< 0.02", holds=share < 0.02)


def _fresh_bytes(root: Path, kind: str) -> float:
    ports = Ports(root, os.environ)
    old, new = (at_revision(ports, DATASET, name).artifact.md5 for name in ("old", kind))
    before = {entry.md5 for entry in ports.cache.read_dir(old) if entry.relpath.endswith(".parquet")}
    after = {entry.md5 for entry in ports.cache.read_dir(new) if entry.relpath.endswith(".parquet")}
    total = sum(ports.cache.path(md5).stat().st_size for md5 in before)
    return sum(ports.cache.path(md5).stat().st_size for md5 in after - before) / total


if __name__ == "__main__":
    sys.exit(not main(tuple(int(word) for word in sys.argv[1:]) or SIZES))

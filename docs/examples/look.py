"""Shows the first rows of every table of a restored SQLite database, with Python's standard library only.

In: the path of the database. Out: text on stdout.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

SHOWN = 3
WIDTH = 24


def look(path: Path) -> None:
    """Prints name, number of rows and the first rows of each table, `_tdv_state` aside."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
        names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")]
        for name in names:
            if name.startswith(("_tdv", "sqlite_")):
                continue
            quoted = '"' + name.replace('"', '""') + '"'
            (count,) = database.execute(f"SELECT count(*) FROM {quoted}").fetchone()
            rows = database.execute(f"SELECT * FROM {quoted} LIMIT {SHOWN}")
            print(f"\n{name}: {count} rows")
            print("  " + " | ".join(column[0] for column in rows.description))
            for row in rows:
                print("  " + " | ".join(str(value)[:WIDTH] for value in row))


if __name__ == "__main__":
    look(Path(sys.argv[1]))

"""An upgrade writes all of its files or none, wherever its process is killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tdv.errors import Refused
from tdv.upgrade import finish, land

OLD = {"dataset.yaml": b"old spec", "seeds/users.csv": b"old users", "seeds/gone.csv": b"gone"}
NEW = {"dataset.yaml": b"new spec", "seeds/users.csv": b"new users", "seeds/gone.csv": None, "seeds/more.csv": b"more"}
PROGRAM = """
import os, sys
from pathlib import Path
from tests.crash.killed import Points, watch_files
from tests.crash.test_kill_landing import NEW
from tdv.upgrade import land

points = Points(int(sys.argv[1]))
watch_files(points)
land(Path("journal"), Path("."), NEW)
print(points.passed)
"""


def state(directory: Path) -> dict[str, bytes]:
    files = [path for path in directory.rglob("*") if path.is_file() and "journal" not in path.parts]
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in files if path.suffix != ".tmp"}


def begun(directory: Path, point: int) -> str:
    """Writes the old files, then lands the new ones in a process that is killed at a point, 0 for never."""
    for name, data in OLD.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", PROGRAM, str(point)]
    done = subprocess.run(command, cwd=directory, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == (-9 if point else 0), done.stderr
    return done.stdout


def test_killed_upgrade_is_finished_or_never_was(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    points = int(begun(tmp_path / "whole", 0))
    new = {name: data for name, data in NEW.items() if data is not None}
    assert state(tmp_path / "whole") == new
    outcomes = []
    for point in range(1, points + 1, 11):
        directory = tmp_path / str(point)
        directory.mkdir()
        begun(directory, point)
        outcomes.append(finish(directory / "journal", directory))
        assert state(directory) == (new if outcomes[-1] else OLD)
        assert not (directory / "journal").exists()
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {False, True}


def test_file_that_somebody_changed_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "dataset.yaml").write_bytes(b"old")
    land(tmp_path / "first", tmp_path, {"dataset.yaml": b"new"})
    assert (tmp_path / "dataset.yaml").read_bytes() == b"new"
    journal = tmp_path / "journal"
    journal.mkdir()
    (journal / "0").write_bytes(b"newer")
    plan = '[{"path": "dataset.yaml", "old": "1", "new": "2", "data": "0"}]'
    (journal / "plan.json").write_text(plan, encoding="utf-8")
    with pytest.raises(Refused, match="was changed while an upgrade was writing it"):
        finish(journal, tmp_path)
    assert (tmp_path / "dataset.yaml").read_bytes() == b"new"

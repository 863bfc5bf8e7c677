"""What a process makes is named on the disk until it is dropped, and is anybody's task once the process is dead."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from threading import Event, Thread

import pytest

from tdv.errors import Refused, TargetError
from tdv.targets import runs
from tdv.targets.ledger import Ledger, abandoned, forget_ended, places


def left(work: Path) -> dict[str, str]:
    return {name: place for book in abandoned(work) for name, place in book.names.items()}


def files(work: Path) -> list[str]:
    return sorted(path.name for path in (work / "runs").glob("*"))


def make(ledger: Ledger, *names: str, place: str = "sqlite") -> None:
    for name in names:
        with ledger.making(name, place):
            pass


def test_names_of_a_live_process_are_its_own_and_those_of_a_killed_one_are_not(tmp_path: Path) -> None:
    mine = Ledger(tmp_path, "run1")
    make(mine, "mine")
    child = os.fork()
    if not child:
        theirs = Ledger(tmp_path, "run1")
        make(theirs, "dropped", "made", place="postgresql://h:1/?host=/a b")
        theirs.strike("dropped")
        with theirs.making("begun", "sqlite"):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert places(tmp_path, "run1") == {"sqlite", "postgresql://h:1/?host=/a b"}
    assert left(tmp_path) == {"made": "postgresql://h:1/?host=/a b", "begun": "sqlite"}
    for book in abandoned(tmp_path):
        book.strike("made")
    assert left(tmp_path) == {"begun": "sqlite"}
    for book in abandoned(tmp_path):
        assert list(abandoned(tmp_path)) == [], "one collects at a time"
        book.strike("begun")
    mine.strike("mine")
    mine.close()
    assert files(tmp_path) == []


def test_closed_ledger_leaves_what_was_not_struck(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, "run1")
    make(ledger, "a", "b")
    ledger.strike("a")
    assert ledger.left("sqlite") == ("b",)
    assert ledger.left("duckdb") == ()
    assert left(tmp_path) == {}
    ledger.close()
    assert left(tmp_path) == {"b": "sqlite"}
    with pytest.raises(Refused, match="the run has ended"):
        make(ledger, "c")


def test_ledger_stays_locked_while_a_thread_makes_a_database(tmp_path: Path) -> None:
    ledger, begun, go_on = Ledger(tmp_path, "run1"), Event(), Event()

    def work() -> None:
        with ledger.making("slow", "sqlite"):
            begun.set()
            assert go_on.wait(30)

    thread = Thread(target=work)
    thread.start()
    assert begun.wait(30)
    make(ledger, "quick")
    ledger.end()
    assert ledger.left("sqlite") == ("quick",)
    ledger.close()
    assert left(tmp_path) == {}
    go_on.set()
    thread.join()
    assert set(left(tmp_path)) == {"slow", "quick"}


def test_interrupted_thread_that_ends_the_run_does_not_wait_for_itself(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, "run1")
    with ledger.making("a", "sqlite"):
        ledger.end()
        assert ledger.left("sqlite") == ("a",)
        ledger.close()
    assert left(tmp_path) == {"a": "sqlite"}


def test_damaged_lines_name_nothing(tmp_path: Path) -> None:
    path = tmp_path / "runs/run1.0.made"
    path.parent.mkdir()
    path.touch()
    path.write_bytes(b"tdv.made/v1 %d\n" % path.stat().st_ino + b"+a sqlite\n\xff\n+b\n-\n+c postgresql://h/\n+d sq")
    assert left(tmp_path) == {"a": "sqlite", "c": "postgresql://h/", "d": "sq"}
    path.write_bytes(b"")
    assert left(tmp_path) == {}
    assert files(tmp_path) == []


def test_what_cannot_be_written_down_is_not_made(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(TargetError, match=r"cannot write .*\.made"):
        make(Ledger(tmp_path, "run1"), "a")


def test_copied_work_tree_does_not_have_what_the_original_has(tmp_path: Path) -> None:
    work, copy = tmp_path / "work", tmp_path / "copy"
    with runs.at_work(work, "run1"):
        ledger = Ledger(work, "run1")
        make(ledger, "in-use")
        shutil.copytree(work, copy)
        assert left(copy) == {}
        assert runs.is_at_work(copy, "run1") is None, "of this run the copy knows nothing"
        assert runs.is_at_work(work, "run1") is True
        assert files(copy) == ["run1.lock"], "the copied names are gone"
        ledger.close()
    assert runs.is_at_work(work, "run1") is False
    assert left(work) == {"in-use": "sqlite"}


def test_traces_go_with_runs_that_are_no_more_and_left_nothing(tmp_path: Path) -> None:
    for name in ("ended", "left", "kept"):
        with runs.at_work(tmp_path, name):
            if name == "kept":
                runs.keep(tmp_path, name)
    ledger = Ledger(tmp_path, "left")
    make(ledger, "a")
    ledger.close()
    shutil.copy(tmp_path / "runs/ended.lock", tmp_path / "runs/copied.lock")
    with runs.at_work(tmp_path, "alive"), runs.at_work(tmp_path, "alive"):
        forget_ended(tmp_path)
        known = {name: runs.is_at_work(tmp_path, name) for name in ("ended", "copied", "left", "kept", "alive")}
        assert known == {"ended": None, "copied": None, "left": False, "kept": False, "alive": True}
    assert [name for name in files(tmp_path) if name.endswith(".lock")] == ["alive.lock", "kept.lock", "left.lock"]


def test_claim_is_made_anew_where_its_file_was_taken_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[int] = []
    flock = runs.fcntl.flock

    def late(descriptor: int, kind: int) -> None:
        if not opened:
            opened.append(descriptor)
            forget_ended(tmp_path)
        flock(descriptor, kind)

    monkeypatch.setattr(runs.fcntl, "flock", late)
    with runs.at_work(tmp_path, "run1"):
        assert runs.is_at_work(tmp_path, "run1") is True

"""How a command ends: with all that it printed, and with the exit code of its answer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import RepositoryBuilder
from tests.repository import Repository

_LAST = """\
import atexit, gc, os, sys

def search(phase, info, write=os.write):  # as Python does when it takes itself apart
    write(1, b"taken apart")

atexit.register(gc.callbacks.append, search)
atexit.register(print, "registered")
sys.argv = ["tdv", "--version"]
from tdv.cli import main
main()
"""

_OPENED = """\
import atexit, os, subprocess, sys

def opened():
    child = "import os; os.write(9, b' %d' % os.open('new', os.O_CREAT))"
    os.write(9, b"%d" % os.open("new", os.O_CREAT))
    subprocess.run([sys.executable, "-c", child], close_fds=False, check=True)

atexit.register(opened)
sys.argv = ["tdv", "--version"]
from tdv.cli import main
main()
"""


@pytest.fixture
def shop(repo: RepositoryBuilder) -> Repository:
    spec = "dataset: shop\ntables: {t: {key: [id], columns: {id: {type: int64}}}}\n"
    return repo().prepared().write({"datasets/shop/dataset.yaml": spec, "datasets/shop/seeds/t.csv": "id\n1\n"})


def ended(shop: Repository, *words: str, unbuffered: bool, stdout: int) -> tuple[int, str]:
    """Exit code and stderr of tdv with such a stdout."""
    env = {**os.environ, "PYTHONUNBUFFERED": "1" if unbuffered else ""}
    call = [sys.executable, "-m", "tdv", *words]
    done = subprocess.run(call, cwd=shop.root, env=env, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr


def test_interpreter_is_not_taken_apart_while_threads_may_run(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _LAST], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1:] == ["registered"]
    assert done.stdout.startswith("tdv ")


@pytest.mark.parametrize("unbuffered", [True, False])
@pytest.mark.parametrize("words", [("status",), ("status", "--json"), ("--help",)])
def test_reader_that_has_seen_enough_is_no_failure(shop: Repository, words: tuple[str, ...], unbuffered: bool) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    assert ended(shop, *words, unbuffered=unbuffered, stdout=writer) == (0, "")
    os.close(writer)


@pytest.mark.parametrize("unbuffered", [True, False])
@pytest.mark.parametrize("words", [("status",), ("status", "--json")])
def test_full_disk_below_stdout_is_said_in_a_sentence(
    shop: Repository, words: tuple[str, ...], unbuffered: bool
) -> None:
    with open("/dev/full", "wb") as full:
        status, said = ended(shop, *words, unbuffered=unbuffered, stdout=full.fileno())
    assert (status, said.splitlines()[0]) == (15, "error: The disk is full")
    assert "Traceback" not in said


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("words", "status"), [("status --json", 0), ("show nothing", 10)])
def test_closed_streams_leave_the_answer_as_it_is(shop: Repository, closed: str, words: str, status: int) -> None:
    call = [sys.executable, "-m", "tdv", *words.split()]
    opened = subprocess.run(call, cwd=shop.root, capture_output=True, text=True, check=False)
    shell = ["sh", "-c", f'"$@" {closed}', "sh", *call]
    done = subprocess.run(shell, cwd=shop.root, capture_output=True, text=True, check=False)
    assert (opened.returncode, done.returncode) == (status, status)
    assert done.stdout == ("" if " >&-" in f" {closed}" else opened.stdout)
    assert done.stderr == ("" if "2>&-" in closed else opened.stderr)


@pytest.mark.parametrize(("words", "status"), [("tag", 0), ("show nothing", 10)])
def test_what_cannot_be_said_changes_no_answer(shop: Repository, words: str, status: int) -> None:
    call = [sys.executable, "-m", "tdv", *words.split()]
    reader, writer = os.pipe()
    os.close(reader)
    with open("/dev/full", "wb") as full:
        for stderr in (full.fileno(), writer):
            done = subprocess.run(call, cwd=shop.root, stdout=subprocess.PIPE, stderr=stderr, check=False)
            assert done.returncode == status
    os.close(writer)


def test_nothing_that_is_opened_takes_the_place_of_a_closed_stream(tmp_path: Path) -> None:
    shell = ["sh", "-c", '"$@" 9>&1 <&- >&- 2>&-', "sh", sys.executable, "-c", _OPENED]
    done = subprocess.run(shell, cwd=tmp_path, capture_output=True, text=True, check=True)
    own, of_child = map(int, done.stdout.split())
    assert min(own, of_child) > 2

"""`tdv diff` on a terminal: no line is longer than it is wide, and nothing is left out elsewhere."""

import contextlib
import os
import pty
import subprocess
import sys

from rich.cells import cell_len

from tests.conftest import RepositoryBuilder
from tests.repository import Repository

SPEC = """
dataset: films
seed: 1
as_of: 2026-01-01T00:00:00Z
tables:
  films:
    key: [id]
    columns:
      id: {type: int64}
      title: {type: string}
      plot: {type: string}
      country: {type: string}
      language: {type: string}
"""
TITLE, PLOT = "千と千尋の神隠し", "A girl wanders into a world of spirits"


def on_a_terminal(made: Repository, columns: int, *words: str) -> str:
    """What a command writes to a terminal of that width."""
    reader, writer = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "NO_COLOR": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tdv", *words], cwd=made.root, env=environment, stdout=writer, stderr=writer
    )
    os.close(writer)
    written = b""
    # A terminal whose writer is gone answers with an error on Linux, elsewhere with nothing.
    with contextlib.suppress(OSError):
        while piece := os.read(reader, 65_536):
            written += piece
    os.close(reader)
    assert process.wait() == 0
    return written.decode().replace("\r\n", "\n")


def films(repo: RepositoryBuilder) -> Repository:
    """A release, and a work tree with other rows and one more column."""
    rows = "".join(f"{number},{TITLE} {number},{PLOT} {number},Japan,Japanese\n" for number in range(12))
    made = repo(
        {
            "datasets/films/dataset.yaml": SPEC,
            "datasets/films/seeds/films.csv": "id,title,plot,country,language\n" + rows,
        }
    ).prepared()
    made.tdv("build", expect=0)
    made.commit("Build")
    made.tdv("release", "films", "1.0.0", expect=0)
    rows = "".join(f"{number},{TITLE} {number},{PLOT}! {number},Japan,Japanese,{PLOT}\n" for number in range(1, 14))
    made.write(
        {
            "datasets/films/dataset.yaml": SPEC + "      comment: {type: string}\n",
            "datasets/films/seeds/films.csv": "id,title,plot,country,language,comment\n" + rows,
        }
    )
    made.tdv("build", expect=0)
    return made


def test_no_line_is_longer_than_the_terminal(repo: RepositoryBuilder) -> None:
    made = films(repo)
    for columns in (40, 60, 200):
        for face in ((), ("--stat",)):
            lines = on_a_terminal(made, columns, "diff", *face).splitlines()
            assert max(map(cell_len, lines)) <= columns, lines
    narrow, wide = on_a_terminal(made, 60, "diff"), made.tdv("diff", expect=0).stdout
    assert "A girl wa" in narrow
    assert narrow.count(" → …rits!") == wide.count(" → A ") == 10, "both sides of a change are seen, and differ"
    assert "…" in narrow
    assert on_a_terminal(made, 300, "-q", "diff") == wide, "without the seconds that a slow machine tells"

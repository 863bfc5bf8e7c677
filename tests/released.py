"""A repository with three releases, made by the commands themselves, with a Git remote and a DVC remote.

``shop`` has v1.0.0 with two generated users, a hand-written one and one in the scenario ``vip``, v1.1.0 with one more
and v1.2.0 with yet one more, pushed and tagged on ``origin``. It is made once per worker and copied for each test.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.repository import Repository

SPEC = """
    dataset: shop
    seed: 1
    tables:
      users:
        rows: {rows}
        key: [id]
        columns:
          id: {{type: int64, generate: {{sequence: {{start: 1}}}}}}
          email: {{type: string, generate: {{template: "user{{id}}@example.test"}}}}
"""
SPEC_PATH = "datasets/shop/dataset.yaml"
SCENARIO = """
    scenario: vip
    title: One user of note
    rows:
      users:
        ada: {id: 9001, email: ada@example.test}
"""


def record(version: str) -> str:
    """The path of a record of ``shop``."""
    return f"datasets/shop/releases/{version}.yaml"


def with_rows(repository: Repository, rows: int) -> Repository:
    """Changes and commits the sources, so that they make so many users beside a hand-written one."""
    seeds = f"id,email\n500,made-for-{rows}@example.test\n"
    files = {SPEC_PATH: SPEC.format(rows=rows), "datasets/shop/seeds/users.csv": seeds}
    return repository.write(files).commit(f"Make {rows} users")


def released(place: Path, base: Path) -> Repository:
    """A copy in `place` of the repository that is made once in `base`; beside it ``origin.git`` and ``storage``."""
    template = base / "released-template"
    if not template.exists():
        _make(template)
    for name in ("repo", "origin.git", "storage"):
        shutil.copytree(template / name, place / name, symlinks=True)
    made = Repository(place / "repo")
    made.git("remote", "set-url", "origin", (place / "origin.git").as_uri())
    return made


def _make(template: Path) -> None:
    made = Repository.create(template / "repo")
    made.write({"README.md": "A shop\n"}).commit("Start").prepared()
    assert made.dvc("remote", "add", "--default", "storage", "../storage").exit_code == 0
    (template / "storage").mkdir()
    made.write({"datasets/shop/scenarios/vip.yaml": SCENARIO})
    for rows, version in ((2, "1.0.0"), (3, "1.1.0"), (4, "1.2.0")):
        with_rows(made, rows)
        made.tdv("release", "shop", version, "-m", f"Release {version}", expect=0)
    made.git("clone", "--quiet", "--bare", str(made.root), str(template / "origin.git"))
    made.git("remote", "add", "origin", (template / "origin.git").as_uri())
    made.git("fetch", "--quiet", "origin")
    made.git("branch", "--quiet", "--set-upstream-to=origin/main")
    made.tdv("tag", "--push", expect=0)

"""A DVC repository with one dataset, written natively, for the tests of `tdv.store` and its verbs."""

from __future__ import annotations

import os
from pathlib import Path

from tdv.store import pipeline
from tdv.store.fingerprint import Fingerprints
from tdv.store.git import Git
from tdv.store.pipeline import Entry, StageLock, StageSpec
from tdv.store.settings import DvcSettings, load
from tests.repository import Repository

SOURCES = ("datasets/movies/dataset.yaml", "datasets/movies/factories.py", "datasets/movies/seeds")
DATA = "datasets/movies/data"
SUMMARY = "datasets/movies/snapshot.yaml"
COMMAND = "tdv build movies"

FILES = {
    ".dvc/config": "",
    ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
    ".dvcignore": "__pycache__/\n*.pyc\n*~\n/.tdv/\n",
    ".gitignore": "/.tdv/\n__pycache__/\n",
    "datasets/movies/dataset.yaml": "dataset: movies\n",
    "datasets/movies/factories.py": "ROWS = 3\n",
    "datasets/movies/seeds/users.csv": "id,name\n1,Ada\n",
    "datasets/movies/seeds/más/ünïcode.csv": "id\n2\n",
}


def dvc_repository(root: Path, files: dict[str, str] | None = None) -> Repository:
    return Repository.create(root, {**FILES, **(files or {})})


def settings(repository: Repository) -> DvcSettings:
    return load(repository.root, os.environ)


def git(repository: Repository) -> Git:
    return Git(repository.root, os.environ)


def stage_spec(name: str = "movies") -> StageSpec:
    return StageSpec(name, COMMAND, SOURCES, DATA, (SUMMARY,), description="Films: a ${catalogue}", labels=("golden",))


def built(repository: Repository, content: str = "rows", name: str = "movies") -> StageLock:
    """Does what a build does: data into cache and work tree, summary, dvc.yaml, dvc.lock."""
    data = repository.root / ".tdv" / "scratch"
    for relpath, text in (("manifest.json", f"{{{content}}}"), ("users/0.parquet", content), ("empty", "")):
        path = data / relpath
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    cache = settings(repository).cache
    md5, size, nfiles = cache.add_tree(data, move=True)
    cache.materialise(md5, repository.root / DATA)
    (repository.root / SUMMARY).write_text(f"content: {content}\n")
    pipeline.ensure_stage(repository.root, stage_spec(name))
    fingerprints = Fingerprints(repository.root)
    summary = fingerprints.entries((SUMMARY,))
    stage = StageLock(name, COMMAND, fingerprints.entries(SOURCES), (Entry(DATA, md5, size, nfiles), *summary))
    pipeline.write_stage(repository.root, stage)
    return stage

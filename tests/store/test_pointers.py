"""``.dvc`` files, with the real ``dvc add`` as the writer."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tdv.errors import DocumentError
from tdv.pull import pull
from tdv.push import push
from tdv.store.fingerprint import Fingerprints
from tdv.store.history import named_objects
from tdv.store.pointers import parse_pointer, tracked
from tests.store.dvc_repository import dvc_repository, git, settings

CONFIG = "[core]\n    remote = storage\n['remote \"storage\"']\n    url = ../../storage\n"


def test_what_dvc_add_tracks_travels_with_push_and_pull(tmp_path: Path) -> None:
    large = {"datasets/movies/seeds/large.parquet": "rows", "models/a": "1", "models/b": "2"}
    repository = dvc_repository(tmp_path / "r", {".dvc/config": CONFIG})
    repository.write(large)
    added = repository.dvc("add", "datasets/movies/seeds/large.parquet", "models")
    assert added.exit_code == 0, added
    repository.commit()
    entries = tracked(git(repository))
    assert [entry.path for entry in entries] == ["datasets/movies/seeds/large.parquet", "models"]
    assert entries == Fingerprints(repository.root).entries([entry.path for entry in entries])
    assert {entry.md5 for entry in entries} <= named_objects(git(repository))

    push([], [entry.md5 for entry in entries], settings(repository))
    clone = repository.clone(tmp_path / "clone")
    report = pull([], [], settings(clone), tracked=tracked(git(clone)))
    assert report.restored == ("datasets/movies/seeds/large.parquet", "models")
    assert {name: clone.read(name) for name in large} == large
    assert clone.dvc("status").stdout == "Data and pipelines are up to date.\n"
    shutil.rmtree(clone.root / "models")
    clone.write({"datasets/movies/seeds/large.parquet": "work"})
    report = pull([], [], settings(clone), tracked=tracked(git(clone)))
    assert (report.restored, report.kept) == (("models",), ("datasets/movies/seeds/large.parquet",))


@pytest.mark.parametrize(
    "text",
    [
        "outs: 7\n",
        "outs:\n- md5: aa\n",
        f"outs:\n- md5: {'0' * 32}\n  path: ../../etc/passwd\n",
        f"outs:\n- md5: {'0' * 32}\n  path: /etc/passwd\n",
        f"wdir: ../..\nouts:\n- md5: {'0' * 32}\n  path: x\n",
        "- a\n",
    ],
)
def test_a_pointer_of_another_shape_or_to_the_outside_is_an_error(text: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_pointer(text.encode(), "d/x.dvc")
    assert caught.value.problems[0].file == "d/x.dvc"


def test_an_output_that_was_never_stored_is_left_out() -> None:
    assert parse_pointer(b"outs:\n- path: x\n", "d/x.dvc") == ()
    assert parse_pointer(b"wdir: ..\nouts:\n- md5: aa\n  path: x\n", "d/x.dvc")[0].path == "x"

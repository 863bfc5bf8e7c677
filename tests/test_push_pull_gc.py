"""`tdv push`, `tdv pull` and `tdv gc` over the set of records."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tdv.errors import IntegrityError, Refused, RemoteError
from tdv.gc import GcOptions, collect
from tdv.model.release import Artifact, Change, Record
from tdv.pull import PullOptions, pull
from tdv.push import PushOptions, push
from tdv.store import dvc, pipeline
from tdv.store.records import ReleaseBook
from tests.repository import Repository
from tests.store.dvc_repository import DATA, built, dvc_repository, git, settings

CONFIG = "[core]\n    remote = storage\n['remote \"storage\"']\n    url = ../../storage\n"
NOW = datetime.now(tz=UTC) + timedelta(days=1)
RECORD = Record(
    dataset="movies",
    version="1.0.0",
    released="2026-11-21T10:00:00Z",
    author="Ada",
    digest="tdv1:" + "a" * 64,
    content="tdv1:" + "b" * 64,
    schema="tdv1:" + "c" * 64,
    sources="sha256:" + "d" * 64,
    artifact=Artifact("", 0, 0),
    manifest="sha256:" + "e" * 64,
    tables={},
    change=Change("major", None),
    toolchain={},
)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return dvc_repository(tmp_path / "r", {".dvc/config": CONFIG})


def _released(repository: Repository, version: str) -> Record:
    out = built(repository, f"rows of {version}").outs[0]
    record = replace(RECORD, version=version, artifact=Artifact(out.md5, out.size, out.nfiles or 0))
    ReleaseBook(repository.root).write_record(record)
    repository.commit(f"Release {version}")
    return record


def _objects(repository: Repository) -> set[str]:
    return {md5 for md5, _ in settings(repository).cache.objects()}


# -- push


def test_push_sends_every_release_not_only_the_current_one(repository: Repository) -> None:
    records = [_released(repository, version) for version in ("1.0.0", "1.1.0")]
    report = push(records, [], settings(repository))
    assert report.pushed == ("movies@v1.0.0", "movies@v1.1.0")
    assert (report.missing, report.commit, report.remote) == ((), None, "storage")
    assert report.objects == 7, "the empty file is in both"
    again = push(records, [], settings(repository))
    assert (again.pushed, again.objects) == ((), 0)


def test_push_says_what_is_neither_here_nor_there_and_sends_the_rest(repository: Repository) -> None:
    lost = replace(RECORD, version="0.9.0", artifact=Artifact("0" * 32 + ".dir", 1, 1))
    record = _released(repository, "1.0.0")
    cache = settings(repository).cache
    half = _released(repository, "1.1.0")
    cache.remove(next(entry.md5 for entry in cache.read_dir(half.artifact.md5) if entry.relpath == "manifest.json"))
    report = push([lost, record, half], [], settings(repository))
    assert report.missing == ("movies@v0.9.0", "movies@v1.1.0")
    assert report.pushed == ("movies@v1.0.0",)


def test_push_dry_run_sends_nothing(repository: Repository, tmp_path: Path) -> None:
    record = _released(repository, "1.0.0")
    report = push([record], [], settings(repository), PushOptions(dry_run=True))
    assert (report.pushed, report.objects) == (("movies@v1.0.0",), 0)
    assert not list((tmp_path / "storage").rglob("*.dir"))


def test_push_takes_what_the_work_tree_names_along(repository: Repository) -> None:
    stage = built(repository, "unreleased")
    seed = settings(repository).cache.add_bytes(b"a tracked seed").md5
    report = push([], [stage.outs[0].md5, seed, "0" * 32], settings(repository))
    assert report.objects == 5
    assert dvc.missing(settings(repository), [stage.outs[0].md5, seed]) == set()


def test_push_into_the_repository_names_what_to_commit(tmp_path: Path) -> None:
    config = "[core]\n    remote = in\n['remote \"in\"']\n    url = ../.remote\n"
    repository = dvc_repository(tmp_path / "r", {".dvc/config": config})
    report = push([_released(repository, "1.0.0")], [], settings(repository))
    assert report.commit == ".remote"
    assert git(repository).changes([".remote"])


# -- pull


def test_pull_brings_releases_and_restores_the_work_tree(repository: Repository, tmp_path: Path) -> None:
    records = [_released(repository, version) for version in ("1.0.0", "1.1.0")]
    push(records, [], settings(repository))
    clone = repository.clone(tmp_path / "clone", "--depth=1")
    configured = settings(clone)
    stages = list(pipeline.read_lock(clone.root).values())
    report = pull(records[:1], stages, configured)
    assert report.objects == 7
    assert report.restored == (DATA,)
    assert (clone.root / DATA / "users/0.parquet").read_text() == "rows of 1.1.0"
    assert clone.dvc("status").stdout == "Data and pipelines are up to date.\n"
    again = pull(records, stages, configured)
    assert (again.objects, again.restored, again.kept) == (0, (), ())


def test_pull_leaves_somebodys_work_alone(repository: Repository) -> None:
    record = _released(repository, "1.0.0")
    stage = pipeline.read_stage(repository.root, "movies")
    assert stage is not None
    repository.write({f"{DATA}/users/0.parquet": "work"})
    report = pull([record], [stage], settings(repository))
    assert (report.restored, report.kept) == ((), (DATA,))
    assert repository.read(f"{DATA}/users/0.parquet") == "work"


def test_pull_restores_what_another_commit_left_in_the_work_tree(repository: Repository) -> None:
    """`git pull` brings another dvc.lock and leaves the data of the old one; the cache has both."""
    records = [_released(repository, version) for version in ("1.0.0", "1.1.0")]
    repository.git("checkout", "--quiet", "HEAD~1")
    stage = pipeline.read_stage(repository.root, "movies")
    assert stage is not None
    assert repository.read(f"{DATA}/users/0.parquet") == "rows of 1.1.0"
    report = pull(records, [stage], settings(repository))
    assert (report.restored, report.kept) == ((DATA,), ())
    assert repository.read(f"{DATA}/users/0.parquet") == "rows of 1.0.0"


def test_pull_verify_fetches_damaged_objects_anew(repository: Repository) -> None:
    record = _released(repository, "1.0.0")
    configured = settings(repository)
    push([record], [], configured)
    listed = configured.cache.read_dir(record.artifact.md5)
    for md5 in (listed[0].md5, record.artifact.md5):
        path = configured.cache.path(md5)
        path.chmod(0o644)
        path.write_bytes(b"flipped")
        path.chmod(0o444)
    with pytest.raises(IntegrityError):
        pull([record], [], configured)
    assert pull([record], [], configured, PullOptions(verify=True)).objects == 2
    configured.cache.verify(record.artifact.md5)


def test_pull_of_what_the_remote_lacks_names_it(repository: Repository, tmp_path: Path) -> None:
    record = _released(repository, "1.0.0")
    (tmp_path / "storage").mkdir()
    shutil.rmtree(settings(repository).cache_dir)
    with pytest.raises(RemoteError, match="lacks 1 object, first"):
        pull([record], [], settings(repository))


# -- gc


def test_gc_keeps_every_record_of_every_branch_and_tag(repository: Repository) -> None:
    _released(repository, "1.0.0")
    repository.git("checkout", "--quiet", "-b", "hotfix")
    _released(repository, "1.0.1")
    repository.git("tag", "-a", "-m", "x", "movies@v1.0.1")
    repository.git("checkout", "--quiet", "main")
    repository.git("branch", "-D", "hotfix")
    _released(repository, "2.0.0")
    needed = _objects(repository)
    built(repository, "on another branch only")
    repository.git("checkout", "--quiet", "-b", "topic")
    repository.commit("unreleased")
    needed |= _objects(repository)
    repository.git("checkout", "--quiet", "main")
    built(repository, "abandoned")
    built(repository, "in the work tree")
    waste = {md5 for md5 in _objects(repository) - needed}
    lock = pipeline.read_stage(repository.root, "movies")
    assert lock is not None
    cache = settings(repository).cache
    waste -= {lock.outs[0].md5, *(entry.md5 for entry in cache.read_dir(lock.outs[0].md5))}
    assert len(waste) == 3

    dry = collect(git(repository), settings(repository), NOW, GcOptions(dry_run=True))
    assert set(dry.removed) == waste
    assert _objects(repository) >= waste
    report = collect(git(repository), settings(repository), NOW)
    assert set(report.removed) == waste
    assert report.size > 0
    assert _objects(repository) >= needed
    assert not _objects(repository) & waste
    assert collect(git(repository), settings(repository), NOW).removed == ()


def test_gc_spares_what_a_running_build_may_still_need(repository: Repository) -> None:
    young = settings(repository).cache.add_bytes(b"a part of a build").md5
    assert collect(git(repository), settings(repository), datetime.now(tz=UTC)).removed == ()
    assert collect(git(repository), settings(repository), NOW, GcOptions(keep=(young,))).removed == ()
    assert collect(git(repository), settings(repository), NOW).removed == (young,)


def test_gc_protects_the_data_of_a_record_that_cannot_be_read(repository: Repository) -> None:
    record = _released(repository, "1.0.0")
    path = "datasets/movies/releases/1.0.0.yaml"
    repository.write({path: repository.read(path).replace("format:", "format: [")}).commit()
    before = _objects(repository)
    collect(git(repository), settings(repository), NOW)
    assert _objects(repository) == before
    settings(repository).cache.verify(record.artifact.md5)


def test_gc_keeps_the_files_of_a_release_whose_list_is_only_on_the_remote(repository: Repository) -> None:
    record = _released(repository, "1.0.0")
    built(repository, "next")
    repository.commit()
    configured = settings(repository)
    files = [entry.md5 for entry in configured.cache.read_dir(record.artifact.md5)]
    push([record], [], configured)
    configured.cache.remove(record.artifact.md5)
    collect(git(repository), configured, NOW)
    assert all(configured.cache.has(md5) for md5 in files)


def test_gc_does_not_touch_a_cache_of_several_projects(tmp_path: Path) -> None:
    repository = dvc_repository(tmp_path / "r", {".dvc/config": f"[cache]\ndir = {tmp_path}/shared\n"})
    foreign = settings(repository).cache.add_bytes(b"another project's").md5
    with pytest.raises(Refused, match="other projects may use it"):
        collect(git(repository), settings(repository), NOW)
    assert collect(git(repository), settings(repository), NOW, GcOptions(shared=True)).removed == (foreign,)


def test_gc_of_a_remote_needs_the_whole_history(repository: Repository, tmp_path: Path) -> None:
    record = _released(repository, "1.0.0")
    push([record], [built(repository, "waste").outs[0].md5], settings(repository))
    repository.git("checkout", "--quiet", "--", ".")
    repository.write({"README.md": "x"}).commit()
    clone = repository.clone(tmp_path / "clone", "--depth=1")
    with pytest.raises(Refused, match="shallow"):
        collect(git(clone), settings(clone), NOW, GcOptions(remote="storage"))
    clone.git("fetch", "--quiet", "--unshallow")
    report = collect(git(clone), settings(clone), NOW, GcOptions(remote="storage"))
    assert len(report.removed) == 3
    assert dvc.missing(settings(repository), [record.artifact.md5]) == set()


def test_gc_of_a_remote_knows_what_others_released_since(repository: Repository, tmp_path: Path) -> None:
    """Somebody tidies the shared remote from a clone that has not seen a branch, a tag, or the last release."""
    push([_released(repository, "1.0.0")], [], settings(repository))
    stale = repository.clone(tmp_path / "stale")
    repository.git("checkout", "--quiet", "-b", "line-1")
    hotfix = _released(repository, "1.0.1")
    repository.git("tag", "-a", "-m", "x", "movies@v1.0.1")
    repository.git("checkout", "--quiet", "main")
    release = _released(repository, "2.0.0")
    push([hotfix, release], [], settings(repository))
    single = repository.clone(tmp_path / "single", "--single-branch")
    for clone, named in ((stale, "line-1, main, movies@v1.0.1"), (single, "line-1, movies@v1.0.1")):
        with pytest.raises(Refused, match=f"has not seen.*: {named}$") as caught:
            collect(git(clone), settings(clone), NOW, GcOptions(remote="storage"))
        subprocess.run(caught.value.hint, shell=True, check=True, cwd=clone.root, capture_output=True)
        assert collect(git(clone), settings(clone), NOW, GcOptions(remote="storage")).removed == ()
        for record in (hotfix, release):
            assert dvc.missing(settings(repository), [record.artifact.md5]) == set()


def test_plain_dvc_still_works_after_gc(repository: Repository) -> None:
    _released(repository, "1.0.0")
    built(repository, "waste")
    repository.git("checkout", "--quiet", "--", ".")
    shutil.rmtree(repository.root / DATA)
    collect(git(repository), settings(repository), NOW)
    checked_out = repository.dvc("checkout")
    assert checked_out.exit_code == 0, checked_out
    assert repository.dvc("status").stdout == "Data and pipelines are up to date.\n"

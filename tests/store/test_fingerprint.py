"""md5s of sources as DVC records them, and what tells that a stage is up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from tdv.errors import ConfigError
from tdv.store import pipeline
from tdv.store.fingerprint import STATE, Fingerprints, stage_status
from tdv.store.ignore import Ignore
from tests.store.dvc_repository import DATA, SUMMARY, built, dvc_repository

SEEDS = "datasets/movies/seeds"
PATTERNS = """\
# comment
*.tmp
!keep.tmp
/datasets/movies/seeds/deep/only-here
cache/
**/double/*.txt
[ab].csv
\\!bang
trailing space \n
build/**
sub/*.log
"""
NAMES = (
    "x.tmp", "keep.tmp", "deep/only-here", "other/only-here", "cache/f", "deep/cache", "a/double/f.txt", "a.csv",
    "c.csv", "!bang", "build/x/y", "sub/x.log", "sub/deep/x.log", "__pycache__/m.pyc", ".hidden", "ü/ñ.txt",
)  # fmt: skip


def _dvc_md5(repository_root: Path, path: str) -> tuple[str, int, int | None]:
    """What DVC itself computes for a dependency."""
    from dvc.repo import Repo

    with Repo(str(repository_root)) as project:
        from dvc_data.hashfile.build import build

        _, meta, obj = build(
            project.cache.local,
            str(repository_root / path),
            project.fs,
            "md5",
            dry_run=True,
            ignore=project.dvcignore,
        )
        return obj.hash_info.value, meta.size, meta.nfiles


def test_a_directory_hashes_as_dvc_hashes_it(tmp_path: Path) -> None:
    files = {f"{SEEDS}/{name}": f"{name}\n" for name in NAMES}
    repository = dvc_repository(tmp_path / "r", {**files, "datasets/.dvcignore": "users.csv\n!x.tmp\n"})
    (repository.root / ".dvcignore").write_text(PATTERNS)
    (repository.root / SEEDS / "link.csv").symlink_to("users.csv")
    (repository.root / SEEDS / "loop").symlink_to(".")
    (repository.root / SEEDS / "nested/.dvc").mkdir(parents=True)
    (repository.root / SEEDS / "nested/inner.csv").write_text("1")
    entry = Fingerprints(repository.root).entry(SEEDS)
    assert entry is not None
    assert (entry.md5, entry.size, entry.nfiles) == _dvc_md5(repository.root, SEEDS)


def test_ignore_agrees_with_dvc_path_by_path(tmp_path: Path) -> None:
    from dvc.repo import Repo

    repository = dvc_repository(tmp_path / "r", {f"{SEEDS}/{name}": "x" for name in NAMES})
    (repository.root / ".dvcignore").write_text(PATTERNS)
    ignore = Ignore(repository.root)
    with Repo(str(repository.root)) as project:
        for name in NAMES:
            path = f"{SEEDS}/{name}"
            assert ignore.hides(path) == project.dvcignore.is_ignored_file(str(repository.root / path)), path


def test_a_dvcignore_inside_a_tracked_directory_is_an_error(tmp_path: Path) -> None:
    repository = dvc_repository(tmp_path / "r", {f"{SEEDS}/.dvcignore": "x"})
    with pytest.raises(ConfigError, match="lies in a directory that DVC tracks"):
        Fingerprints(repository.root).entry(SEEDS)


def test_a_missing_or_hidden_source_is_an_error(tmp_path: Path) -> None:
    repository = dvc_repository(tmp_path / "r", {"a.pyc": "x"})
    fingerprints = Fingerprints(repository.root)
    with pytest.raises(ConfigError, match=r"nowhere\.py does not exist"):
        fingerprints.entries(["nowhere.py"])
    with pytest.raises(ConfigError, match=r"hidden by \.dvcignore"):
        fingerprints.entries(["a.pyc"])
    assert fingerprints.hidden(".tdv/x")
    assert not fingerprints.hidden(DATA, is_directory=True)


def test_stage_status_sees_what_dvc_status_sees(tmp_path: Path) -> None:
    repository = dvc_repository(tmp_path / "r")
    built(repository)
    assert stage_status(repository.root, "movies", Fingerprints(repository.root)).unchanged

    repository.write({f"{SEEDS}/users.csv": "id,name\n1,Bob\n", f"{DATA}/users/0.parquet": "touched"})
    status = stage_status(repository.root, "movies", Fingerprints(repository.root))
    assert (status.deps, status.outs, status.command_changed) == ((SEEDS,), (DATA,), False)

    (repository.root / "datasets/movies/factories.py").unlink()
    (repository.root / SUMMARY).unlink()
    text = repository.read("dvc.yaml").replace("cmd: tdv build movies", "cmd: tdv build  movies")
    repository.write({"dvc.yaml": text})
    status = stage_status(repository.root, "movies", Fingerprints(repository.root))
    assert status.deps == ("datasets/movies/factories.py", SEEDS)
    assert status.outs == (DATA, SUMMARY)
    assert status.command_changed
    assert not status.sources_unchanged


def test_a_stage_that_never_ran_is_not_unchanged(tmp_path: Path) -> None:
    repository = dvc_repository(tmp_path / "r")
    status = stage_status(repository.root, "movies", Fingerprints(repository.root))
    assert not status.ran
    assert not status.unchanged


def test_memory_is_used_only_for_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = dvc_repository(tmp_path / "r", {"a.txt": "one"})
    path = repository.root / "a.txt"
    # The clock that stamps changes cannot be set: what was just written counts as at rest only later.
    later = path.stat().st_ctime_ns + 10_000_000_000
    monkeypatch.setattr("tdv.store.fingerprint.time.time_ns", lambda: later)
    first = Fingerprints(repository.root)
    known = first.entry("a.txt")
    first.save()
    assert (repository.root / STATE).exists()
    assert Fingerprints(repository.root).entry("a.txt") == known

    remembered = (repository.root / STATE).read_text()
    assert known is not None
    (repository.root / STATE).write_text(remembered.replace(known.md5, "f" * 32))
    poisoned = Fingerprints(repository.root).entry("a.txt")
    assert poisoned is not None
    assert poisoned.md5 == "f" * 32, "the memory is what answers"
    path.write_text("two")
    changed = Fingerprints(repository.root).entry("a.txt")
    assert changed is not None
    assert changed.md5 != "f" * 32


def test_a_file_that_just_changed_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = dvc_repository(tmp_path / "r", {"a.txt": "one"})
    now = (repository.root / "a.txt").stat().st_ctime_ns + 1_000_000
    monkeypatch.setattr("tdv.store.fingerprint.time.time_ns", lambda: now)
    fingerprints = Fingerprints(repository.root)
    fingerprints.entry("a.txt")
    fingerprints.save()
    assert not (repository.root / STATE).exists()


@pytest.mark.parametrize("damage", ["", "{", '{"format": "other"}', '{"format": "tdv.hashes/v1", "files": {"a": 1}}'])
def test_a_damaged_memory_is_forgotten(tmp_path: Path, damage: str) -> None:
    repository = dvc_repository(tmp_path / "r", {"a.txt": "one", STATE: damage})
    assert Fingerprints(repository.root).entry("a.txt") is not None


def test_locked_entries_equal_those_of_dvc(tmp_path: Path) -> None:
    repository = dvc_repository(tmp_path / "r")
    built(repository)
    lock = pipeline.read_stage(repository.root, "movies")
    assert lock is not None
    for entry in lock.deps:
        assert entry.md5 == _dvc_md5(repository.root, entry.path)[0]

"""dvc.yaml and dvc.lock, with the real DVC as the judge."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tdv.errors import ConfigError, DocumentError, Refused
from tdv.store import pipeline, repository_lock
from tdv.store.pipeline import Entry, StageLock, StageSpec
from tests.store.dvc_repository import DATA, SOURCES, SUMMARY, built, dvc_repository, stage_spec

FOREIGN_YAML = """\
# the pipelines of this project
vars:
- lr: 0.5
stages:
  train: # another team's
    cmd: echo model > model.bin
    deps:
    - datasets/movies/dataset.yaml
    outs:
    - model.bin
"""


def test_dvc_status_is_clean_after_a_native_build(tmp_path: Path) -> None:
    repository = dvc_repository(tmp_path / "r")
    built(repository)
    status = repository.dvc("status")
    assert status.stdout == "Data and pipelines are up to date.\n", status
    repro = repository.dvc("repro")
    assert "Stage 'movies' didn't change, skipping" in repro.stdout, repro


def test_dvc_lock_has_the_bytes_that_dvc_writes(tmp_path: Path) -> None:
    repository = dvc_repository(tmp_path / "r")
    (repository.root / "datasets/movies/factories.py").chmod(0o755)
    built(repository)
    native = repository.read("dvc.lock")
    (repository.root / "dvc.lock").unlink()
    committed = repository.dvc("commit", "--force")
    assert committed.exit_code == 0, committed
    assert repository.read("dvc.lock") == native
    assert "isexec: true" in native


def test_dvc_writes_the_same_dvc_yaml_and_gitignore(tmp_path: Path) -> None:
    repository = dvc_repository(tmp_path / "r")
    spec = stage_spec()
    pipeline.ensure_stage(repository.root, spec)
    native = repository.read("dvc.yaml")
    ignored = repository.read("datasets/movies/.gitignore")
    (repository.root / "dvc.yaml").unlink()
    (repository.root / "datasets/movies/.gitignore").unlink()
    arguments = [word for path in SOURCES for word in ("--deps", path)]
    added = repository.dvc(
        "stage", "add", "--name", "movies", *arguments, "--outs", DATA, "--outs-no-cache", SUMMARY, spec.cmd
    )
    assert added.exit_code == 0, added
    assert native.startswith(repository.read("dvc.yaml"))
    assert repository.read("datasets/movies/.gitignore") == ignored


def test_other_stages_and_comments_stay(tmp_path: Path) -> None:
    repository = dvc_repository(tmp_path / "r", {"dvc.yaml": FOREIGN_YAML})
    assert repository.dvc("repro", "train").exit_code == 0
    before = repository.read("dvc.lock")
    built(repository)
    assert repository.read("dvc.yaml").startswith(FOREIGN_YAML)
    assert repository.read("dvc.lock").startswith(before)
    assert repository.dvc("status").stdout == "Data and pipelines are up to date.\n"


def test_nothing_is_written_when_nothing_changes(tmp_path: Path) -> None:
    repository = dvc_repository(tmp_path / "r")
    stage = built(repository)
    inodes = [(repository.root / name).stat().st_ino for name in ("dvc.yaml", "dvc.lock")]
    assert not pipeline.write_stage(repository.root, stage)
    assert not pipeline.ensure_stage(repository.root, stage_spec())
    assert inodes == [(repository.root / name).stat().st_ino for name in ("dvc.yaml", "dvc.lock")]


def test_ensure_stage_keeps_deps_in_step_and_foreign_keys(tmp_path: Path) -> None:
    repository = dvc_repository(tmp_path / "r")
    pipeline.ensure_stage(repository.root, stage_spec())
    text = repository.read("dvc.yaml").replace(
        "    outs:\n", "    frozen: false # not now\n    outs:\n    - extra.txt\n"
    )
    repository.write({"dvc.yaml": text})
    spec = StageSpec("movies", "tdv build movies", (SOURCES[0], "app.py"), DATA, (SUMMARY,))
    assert pipeline.ensure_stage(repository.root, spec)
    assert pipeline.stage_deps(repository.root, "movies") == ("app.py", SOURCES[0])
    now = repository.read("dvc.yaml")
    assert "frozen: false # not now" in now
    assert "- extra.txt" in now
    assert not pipeline.ensure_stage(repository.root, spec)


def test_template_marks_survive_dvc(tmp_path: Path) -> None:
    repository = dvc_repository(tmp_path / "r", {"a ${b}.txt": "x"})
    spec = StageSpec("aa", "echo '${HOME}' > out.txt", ("a ${b}.txt",), "out.txt")
    pipeline.ensure_stage(repository.root, spec)
    assert pipeline.stage_deps(repository.root, "aa") == spec.deps
    assert pipeline.stage_command(repository.root, "aa") == spec.cmd
    reproduced = repository.dvc("repro")
    assert reproduced.exit_code == 0, reproduced
    lock = pipeline.read_stage(repository.root, "aa")
    assert lock is not None
    assert lock.cmd == spec.cmd
    assert [entry.path for entry in lock.deps] == list(spec.deps)


@pytest.mark.parametrize("name", ["no", "on", "12e34", "null", "0x10"])
def test_names_that_yaml_readers_differ_about_survive(tmp_path: Path, name: str) -> None:
    repository = dvc_repository(tmp_path / "r")
    stage = built(repository, name=name)
    assert pipeline.read_stage(repository.root, name) == stage
    assert pipeline.stage_names(repository.root) == (name,)


def test_an_md5_that_looks_like_a_number_survives(tmp_path: Path) -> None:
    repository = dvc_repository(tmp_path / "r")
    entry = Entry("x", "12e34567890123456789012345678901", 1)
    stage = StageLock("aa", "true", (entry,), (Entry("y", "0" * 32, 1),))
    pipeline.write_stage(repository.root, stage)
    assert pipeline.read_stage(repository.root, "aa") == stage


def test_entries_are_sorted_by_path(tmp_path: Path) -> None:
    repository = dvc_repository(tmp_path / "r")
    entries = (Entry("b", "1" * 32, 1), Entry("a", "2" * 32, 2))
    pipeline.write_stage(repository.root, StageLock("aa", "true", entries, ()))
    lock = pipeline.read_stage(repository.root, "aa")
    assert lock is not None
    assert [entry.path for entry in lock.deps] == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("<<<<<<< HEAD\nschema: '2.0'\n=======\n>>>>>>> other\n", "in conflict, lines 1-4"),
        ("schema: '1.0'\n", "'1.0'"),
        ("- a\n", "no mapping"),
        ("schema: '2.0'\nstages:\n  a: 7\n", "no lock of DVC"),
        ("a: [\n", "expected node content"),
    ],
)
def test_a_damaged_lock_is_named_with_its_line(tmp_path: Path, content: str, words: str) -> None:
    repository = dvc_repository(tmp_path / "r", {"dvc.lock": content})
    with pytest.raises(DocumentError, match=words) as caught:
        pipeline.read_lock(repository.root)
    assert caught.value.problems[0].file == "dvc.lock"


def test_a_stage_that_makes_the_same_output_is_refused(tmp_path: Path) -> None:
    repository = dvc_repository(tmp_path / "r")
    pipeline.ensure_stage(repository.root, stage_spec())
    with pytest.raises(ConfigError, match=r"The stage movies of dvc\.yaml makes"):
        pipeline.ensure_stage(repository.root, stage_spec("other"))


def test_write_waits_for_the_lock_of_dvc(tmp_path: Path) -> None:
    repository = dvc_repository(tmp_path / "r")
    program = (
        "import sys, zc.lockfile\n"
        "lock = zc.lockfile.LockFile(sys.argv[1])\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    (repository.root / ".dvc/tmp").mkdir()
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(repository.root / repository_lock.FILE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Refused, match=f"in use by process {holder.pid}"):
            pipeline.write_stage(repository.root, StageLock("aa", "true", (), ()), wait=0)
        holder.communicate()
    assert pipeline.write_stage(repository.root, StageLock("aa", "true", (), ()))


def test_dvc_waits_for_the_lock_of_tdv(tmp_path: Path) -> None:
    repository = dvc_repository(tmp_path / "r")
    built(repository)
    import zc.lockfile

    with repository_lock.repository_lock(repository.root), pytest.raises(zc.lockfile.LockError):
        zc.lockfile.LockFile(str(repository.root / repository_lock.FILE))


def test_a_hardlink_lock_is_taken_as_dvc_takes_it(tmp_path: Path) -> None:
    from dvc.lock import HardlinkLock

    repository = dvc_repository(tmp_path / "r", {".dvc/config": "[core]\n    hardlink_lock = true\n"})
    built(repository)
    assert repository.dvc("status").stdout == "Data and pipelines are up to date.\n"
    file = repository.root / repository_lock.FILE
    with (
        HardlinkLock(str(file), tmp_dir=str(file.parent)),
        pytest.raises(Refused, match="in use"),
        repository_lock.repository_lock(repository.root, wait=0),
    ):
        raise AssertionError("never held twice")
    with repository_lock.repository_lock(repository.root):
        assert file.exists()
    assert not file.exists()

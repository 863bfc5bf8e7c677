"""Remotes through DVC: by md5, without a dvc.lock that names them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tdv.errors import IntegrityError, PluginMissing, RemoteError
from tdv.store import dvc
from tdv.store.cache import Cache, DirEntry
from tdv.store.settings import DvcSettings
from tests.repository import Repository
from tests.store.dvc_repository import DATA, built, dvc_repository, settings

CONFIG = "[core]\n    remote = storage\n['remote \"storage\"']\n    url = ../../storage\n"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return dvc_repository(tmp_path / "r", {".dvc/config": CONFIG})


def _emptied(configured: DvcSettings) -> DvcSettings:
    shutil.rmtree(configured.cache_dir)
    return configured


def _object(directory: Path, md5: str) -> Path:
    return directory / "files/md5" / md5[:2] / md5[2:]


def test_an_artifact_that_no_dvc_lock_names_travels_by_md5(repository: Repository, tmp_path: Path) -> None:
    configured = settings(repository)
    old = built(repository, "old").outs[0].md5
    built(repository, "new")
    files = {entry.md5 for entry in configured.cache.read_dir(old)}
    assert dvc.missing(configured, [old]) == {old, *files}
    sent = dvc.push(configured, [old])
    assert sent.objects == len(files) + 1
    assert sent.size > 0
    assert dvc.missing(configured, [old]) == set()
    assert dvc.push(configured, [old]).objects == 0

    got = dvc.fetch(_emptied(configured), [old])
    assert got == sent
    configured.cache.verify(old)
    assert all(path.stat().st_mode & 0o777 == 0o444 for path in configured.cache_dir.rglob("*") if path.is_file())
    shutil.rmtree(tmp_path / "storage")
    assert dvc.fetch(configured, [old]).objects == 0, "what is here needs no remote"


def test_plain_dvc_pulls_what_was_pushed_natively(repository: Repository) -> None:
    configured = settings(repository)
    stage = built(repository)
    dvc.push(configured, [stage.outs[0].md5])
    _emptied(configured)
    shutil.rmtree(repository.root / DATA)
    pulled = repository.dvc("pull", DATA)
    assert pulled.exit_code == 0, pulled
    assert repository.dvc("status").stdout == "Data and pipelines are up to date.\n"


def test_plain_dvc_gets_a_tagged_version(repository: Repository, tmp_path: Path) -> None:
    from tests.store.dvc_repository import git

    configured = settings(repository)
    for version in ("1.0.0", "1.1.0"):
        dvc.push(configured, [built(repository, version).outs[0].md5])
        repository.commit(version)
        git(repository).create_tag(f"movies@v{version}", "HEAD", f"{version}\n\nTdv-Digest: tdv1:aa\n")
    for version in ("1.0.0", "1.1.0"):
        out = tmp_path / version
        got = repository.dvc("artifacts", "get", ".", "movies", "--rev", f"v{version}", "--out", str(out))
        assert got.exit_code == 0, got
        assert (out / "users/0.parquet").read_text() == version


def test_the_list_of_a_directory_stands_for_its_files_when_it_is_nowhere(repository: Repository) -> None:
    absent = "0" * 32 + ".dir"
    assert dvc.missing(settings(repository), [absent]) == {absent}


def test_a_remote_that_has_the_list_but_not_the_files_is_mended(repository: Repository, tmp_path: Path) -> None:
    configured = settings(repository)
    md5 = built(repository).outs[0].md5
    dvc.push(configured, [md5])
    lost = configured.cache.read_dir(md5)[0].md5
    _object(tmp_path / "storage", lost).unlink()
    assert dvc.missing(configured, [md5]) == {lost}
    assert dvc.push(configured, [md5]).objects == 1
    _object(tmp_path / "storage", lost).unlink()
    with pytest.raises(RemoteError, match=f"lacks 1 object, first {lost}"):
        dvc.fetch(_emptied(configured), [md5])
    with pytest.raises(RemoteError, match="neither in the cache nor on the remote") as caught:
        dvc.push(configured, [md5])
    assert caught.value.facts["missing"] == [lost]


def test_a_remote_that_delivers_other_bytes_is_found_out(
    repository: Repository, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    configured = settings(repository)
    md5 = built(repository).outs[0].md5
    dvc.push(configured, [md5])
    damaged = configured.cache.read_dir(md5)[1].md5
    path = _object(tmp_path / "storage", damaged)
    path.chmod(0o644)
    path.write_bytes(b"others")
    with pytest.raises(IntegrityError, match=f"other bytes than the name of {damaged}"):
        dvc.fetch(_emptied(configured), [md5])
    assert path.read_bytes() == b"others", "the evidence stays"
    assert not configured.cache.has(damaged)
    assert capfd.readouterr() == ("", "")


def test_a_remote_that_is_gone(repository: Repository) -> None:
    configured = settings(repository)
    with pytest.raises(RemoteError, match="storage is gone"):
        dvc.fetch(configured, ["0" * 32])


def test_no_remote_at_all(tmp_path: Path) -> None:
    configured = settings(dvc_repository(tmp_path / "r"))
    with pytest.raises(RemoteError, match="exists on this machine only") as caught:
        dvc.push(configured, ["0" * 32])
    assert "dvc remote add" in str(caught.value.hint)


def test_a_remote_whose_support_is_not_installed(tmp_path: Path) -> None:
    config = "[core]\nremote = s3\n['remote \"s3\"']\nurl = s3://bucket/x\n"
    configured = settings(dvc_repository(tmp_path / "r", {".dvc/config": config}))
    with pytest.raises(PluginMissing) as caught:
        dvc.missing(configured, ["0" * 32])
    assert caught.value.hint == 'pip install "dvc[s3]"'


def test_a_remote_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    config = f"[core]\nremote = x\n['remote \"x\"']\nurl = {tmp_path}/file\n"
    repository = dvc_repository(tmp_path / "r", {".dvc/config": config})
    md5 = built(repository).outs[0].md5
    with pytest.raises(RemoteError, match="The DVC remote x cannot be used"):
        dvc.push(settings(repository), [md5])


def test_a_cache_and_a_remote_configured_elsewhere(tmp_path: Path) -> None:
    local = f"[cache]\n    dir = {tmp_path}/shared\n['remote \"storage\"']\n    url = {tmp_path}/other\n"
    repository = dvc_repository(tmp_path / "r", {".dvc/config": CONFIG, ".dvc/config.local": local})
    md5 = built(repository).outs[0].md5
    dvc.push(settings(repository), [md5])
    assert _object(tmp_path / "other", md5).exists()
    assert not (tmp_path / "storage").exists()
    assert not (repository.root / ".dvc/cache").exists()
    assert repository.dvc("status").stdout == "Data and pipelines are up to date.\n"


def test_a_remote_inside_the_repository_travels_with_a_shallow_clone(tmp_path: Path) -> None:
    config = "[core]\n    remote = in\n['remote \"in\"']\n    url = ../.remote\n"
    repository = dvc_repository(tmp_path / "r", {".dvc/config": config})
    configured = settings(repository)
    md5 = built(repository).outs[0].md5
    dvc.push(configured, [md5])
    repository.commit("data and all")
    repository.write({"README.md": "x"}).commit()
    clone = repository.clone(tmp_path / "clone", "--depth=1")
    elsewhere = settings(clone)
    assert dvc.fetch(elsewhere, [md5]).objects == 4
    elsewhere.cache.verify(md5)
    assert clone.git("status", "--porcelain") == ""


def test_sweep_removes_only_what_is_not_kept(repository: Repository, tmp_path: Path) -> None:
    configured = settings(repository)
    kept = built(repository, "kept").outs[0].md5
    waste = configured.cache.write_dir([DirEntry("x", configured.cache.add_bytes(b"waste").md5)])
    dvc.push(configured, [kept, waste])
    keep = {kept, *(entry.md5 for entry in configured.cache.read_dir(kept))}
    surplus = {waste, configured.cache.read_dir(waste)[0].md5}
    assert set(dvc.sweep(configured, keep, dry_run=True)) == surplus
    assert dvc.missing(configured, [waste]) == set()
    assert set(dvc.sweep(configured, keep)) == surplus
    assert dvc.missing(configured, [kept]) == set()
    Cache(tmp_path / "storage").verify(kept)


def test_nothing_is_left_behind(repository: Repository) -> None:
    import os
    import tempfile

    before = set(os.listdir(tempfile.gettempdir()))
    md5 = built(repository).outs[0].md5
    dvc.push(settings(repository), [md5])
    left = {name for name in set(os.listdir(tempfile.gettempdir())) - before if name.startswith("tdv-dvc-")}
    assert left == set()
    site = Path(os.environ["DVC_SITE_CACHE_DIR"])
    assert not list((site / "repo").glob("*")) if site.exists() else True

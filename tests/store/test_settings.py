"""DVC's configuration read natively, with DVC's own reader as the judge."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tdv.errors import ConfigError, RemoteError
from tdv.store.settings import load, read
from tests.repository import Repository
from tests.store.dvc_repository import dvc_repository, settings

CONFIG = """\
# comment
[core]
    remote = storage
    Autostage = true
['remote "storage"']
    url = ../remote dir
    jobs = 4
['remote "s3"']
    url = s3://bucket/path#1
    credentialpath = keys/id
['remote "web"']
    url = https://host/data
[remote "bare"]
    url = "/abs/with # hash"  # comment
[cache]
    dir = ../../shared
    type = "reflink,hardlink"
    shared = group
"""


def _dvc_config(repository: Repository) -> dict[str, dict[str, object]]:
    from dvc.config import Config

    return dict(Config(str(repository.root / ".dvc")))


def test_settings_agree_with_dvc(tmp_path: Path) -> None:
    local = "['remote \"web\"']\n    user = ada\n    password = secret\n[cache]\n    dir = local-cache\n"
    repository = dvc_repository(tmp_path / "r", {".dvc/config": CONFIG, ".dvc/config.local": local})
    found, judge = settings(repository), _dvc_config(repository)
    assert str(found.cache_dir) == judge["cache"]["dir"] == str(repository.root / ".dvc/local-cache")
    assert list(found.links) == judge["cache"]["type"] == ["reflink", "hardlink"]
    assert found.shared
    assert found.default_remote == judge["core"]["remote"] == "storage"
    assert {name: remote.url for name, remote in found.remotes.items()} == {
        name: remote["url"]
        for name, remote in judge["remote"].items()  # type: ignore[attr-defined]
    }
    assert found.remotes["s3"].options["credentialpath"] == str(repository.root / ".dvc/keys/id")
    assert found.remotes["storage"].options == {"jobs": "4"}
    assert found.remotes["web"].options == {"user": "ada", "password": "secret"}
    assert "secret" not in repr(found)


def test_files_of_user_and_system_come_first(tmp_path: Path) -> None:
    repository = dvc_repository(tmp_path / "r")
    for variable, text in (
        ("DVC_SYSTEM_CONFIG_DIR", "[core]\n    remote = system\n[cache]\n    type = copy\n"),
        ("DVC_GLOBAL_CONFIG_DIR", "[core]\n    remote = user\n[cache]\n    dir = ~/cache\n"),
    ):
        Path(os.environ[variable]).mkdir(parents=True)
        (Path(os.environ[variable]) / "config").write_text(text)
    found, judge = settings(repository), _dvc_config(repository)
    assert found.default_remote == judge["core"]["remote"] == "user"
    assert str(found.cache_dir) == judge["cache"]["dir"] == f"{os.environ['HOME']}/cache"
    assert found.links == ("copy",)
    elsewhere = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "x")}
    (tmp_path / "x/dvc").mkdir(parents=True)
    (tmp_path / "x/dvc/config").write_text("[core]\nremote=xdg\n")
    assert load(repository.root, elsewhere).default_remote == "xdg"


def test_defaults_are_those_of_dvc(tmp_path: Path) -> None:
    found = settings(dvc_repository(tmp_path / "r"))
    assert found.cache_dir == found.root / ".dvc/cache"
    assert found.links == ("reflink", "copy")
    assert (found.default_remote, found.remotes, found.shared, found.owns_cache) == (None, {}, False, True)
    with pytest.raises(RemoteError, match="no DVC remote"):
        found.remote()


def test_a_remote_inside_the_repository_is_known_as_such(tmp_path: Path) -> None:
    config = "[core]\nremote = in\n['remote \"in\"']\nurl = ../.remote\n['remote \"out\"']\nurl = ../../out\n"
    config += "['remote \"file\"']\nurl = file:///srv/data\n['remote \"s3\"']\nurl = s3://b/x\n"
    found = settings(dvc_repository(tmp_path / "r", {".dvc/config": config}))
    assert found.inside() == ".remote"
    assert found.inside("out") is None
    assert found.inside("s3") is None
    assert found.remote("file").directory == Path("/srv/data")
    assert found.remote("s3").directory is None
    with pytest.raises(RemoteError, match="no DVC remote 'nope'") as caught:
        found.remote("nope")
    assert "file, in, out, s3" in str(caught.value.hint)


def test_a_cache_elsewhere_is_not_owned(tmp_path: Path) -> None:
    repository = dvc_repository(tmp_path / "r", {".dvc/config": f"[cache]\ndir = {tmp_path}/shared\n"})
    assert not settings(repository).owns_cache


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("[core\nremote = x\n", "config:1"),
        ("remote = x\n", "config:1"),
        ("[core]\nwhat\n", "config:2"),
        ("[cache]\ntype = magic\n", r"cache\.type is 'magic'"),
    ],
)
def test_a_damaged_configuration_names_file_and_line(tmp_path: Path, config: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        settings(dvc_repository(tmp_path / "r", {".dvc/config": config}))


def test_no_dvc_and_no_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no \.dvc directory") as caught:
        load(tmp_path, {})
    assert caught.value.hint == "tdv init"
    (tmp_path / "config").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigError, match="cannot be read"):
        read(tmp_path / "config")

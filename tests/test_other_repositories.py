"""Datasets of another repository: resolved, locked with its commit, fetched from its remote, and used without it."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tdv import config
from tdv.errors import NotFound, TdvError
from tdv.store import settings as dvc_settings
from tdv.store.cache import Cache
from tdv.store.mirror import Mirror
from tests.released import record, released, with_rows
from tests.repository import Repository, run, tdv_in_process

SETTINGS = """
    repositories: {{catalog: {{git: {url}}}}}
    datasets: {{"catalog:shop": "^1.0"}}
"""
LOCK = "tdv.lock"


@pytest.fixture
def data(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The work tree of the other repository; ``origin.git`` and ``storage`` are beside it."""
    return released(tmp_path, tmp_path_factory.getbasetemp())


@pytest.fixture
def service(tmp_path: Path, data: Repository) -> Repository:
    """A repository without data of its own, and without DVC."""
    return Repository.create(tmp_path / "service", {"tdv.yaml": SETTINGS.format(url="../origin.git")})


def rows(repository: Repository, file: str = ".tdv/local.db") -> int:
    with closing(sqlite3.connect(repository.root / file)) as database:
        (found,) = database.execute("SELECT count(*) FROM users").fetchone()
        return int(found)


def mirrors() -> list[Path]:
    return sorted((config.cache_home(config.process_environment()) / "repositories").iterdir())


def lose(tmp_path: Path) -> None:
    """Neither the other repository nor its remote can be reached any more."""
    for name in ("origin.git", "storage"):
        (tmp_path / name).rename(tmp_path / f"lost-{name}")


def release(data: Repository, users: int, version: str) -> Repository:
    """One more release of the other repository, pushed and tagged."""
    with_rows(data, users)
    data.tdv("release", "shop", version, "-m", f"Release {version}", expect=0)
    data.git("push", "--quiet", "origin", "main")
    data.tdv("tag", "--push", expect=0)
    return data


# -- resolve, lock, use


def test_lock_pins_repository_and_commit(service: Repository, data: Repository) -> None:
    assert service.tdv("resolve", expect=0).stdout == "catalog:shop@v1.2.0  ^1.0 (tdv.yaml)  fits anything\n"
    assert service.tdv("lock", expect=0).stdout == "catalog:shop@v1.2.0\n"
    lock = service.read(LOCK)
    assert "  catalog:shop:\n    version: 1.2.0\n" in lock
    assert 'repository: "../origin.git"' in lock
    assert f"commit: {data.git('rev-parse', 'origin/main')}\n" in lock.replace('"', "")
    assert service.tdv("lock", "--check", expect=0).stderr == ""
    assert service.tdv("lock", "--json", expect=0).json()["written"] is False


def test_what_is_locked_and_cached_needs_no_repository(service: Repository, tmp_path: Path) -> None:
    service.tdv("lock", expect=0)
    assert service.tdv("checkout", expect=0).stdout.endswith("  shop@v1.2.0  6 rows in 1 table\n")
    lose(tmp_path)
    shutil.rmtree(service.root / ".tdv")
    service.tdv("checkout", expect=0)
    assert rows(service) == 6
    for command in (["lock", "--check"], ["lock"], ["checkout", "--locked"], ["show", "catalog:shop"], ["verify"]):
        service.tdv(*command, expect=0)
    resolved = service.tdv("resolve", expect=0)
    assert resolved.stdout.startswith("catalog:shop@v1.2.0  ")
    assert "What was read last is used: commit" in resolved.stderr
    assert "What was read last is used" in service.tdv("resolve", "--json", expect=0).json()["notes"][0]
    assert "cannot be read" in service.tdv("lock", "--upgrade", expect=14).stderr


def test_lock_moves_to_a_newer_release_when_it_is_upgraded(service: Repository, data: Repository) -> None:
    service.tdv("lock", expect=0)
    before = service.read(LOCK)
    release(data, 9, "1.3.0")
    assert service.tdv("lock", "--check", expect=0)
    service.tdv("lock", expect=0)
    assert service.read(LOCK) == before
    assert service.tdv("resolve", expect=0).stdout.startswith("catalog:shop@v1.3.0")
    outcome = service.tdv("lock", "--upgrade", "catalog:shop", expect=0)
    assert outcome.stdout == "catalog:shop@v1.3.0  was v1.2.0\n"
    assert data.git("rev-parse", "HEAD") in service.read(LOCK)
    service.tdv("checkout", expect=0)
    assert rows(service) == 11


def test_lock_follows_a_range_that_changed(service: Repository) -> None:
    service.tdv("lock", expect=0)
    service.write({"tdv.yaml": SETTINGS.format(url="../origin.git").replace("^1.0", "~1.1")})
    assert service.tdv("lock", "--check", expect=1).stderr == (
        "stale: catalog:shop@v1.2.0 is not in ~1.1, which tdv.yaml asks for\n"
    )
    assert service.tdv("lock", expect=0).stdout == "catalog:shop@v1.1.0  was v1.2.0\n"


def test_yank_is_known_once_the_lock_moves(service: Repository, data: Repository) -> None:
    service.tdv("lock", expect=0)
    data.tdv("yank", "shop@v1.2.0", "-m", "wrong", expect=0)
    data.commit("Withdraw").git("push", "--quiet", "origin", "main")
    assert service.tdv("lock", "--check", expect=0)
    assert service.tdv("lock", "--upgrade", expect=0).stdout == "catalog:shop@v1.1.0  was v1.2.0\n"


def test_branch_and_tag_say_which_commit_counts(service: Repository, data: Repository) -> None:
    settings = "repositories: {catalog: {git: ../origin.git, ref: REF}}\ndatasets: {'catalog:shop': '*'}\n"
    data.git("push", "--quiet", "origin", f"{data.git('log', '--format=%H', '-1', record('1.0.0'))}:refs/heads/old")
    service.write({"tdv.yaml": settings.replace("REF", "old")})
    assert service.tdv("lock", expect=0).stdout == "catalog:shop@v1.0.0\n"
    service.write({"tdv.yaml": settings.replace("REF", "shop@v1.1.0")})
    assert service.tdv("lock", "--upgrade", expect=0).stdout == "catalog:shop@v1.1.0  was v1.0.0\n"
    service.write({"tdv.yaml": settings.replace("REF", "nowhere")})
    assert "has no branch or tag 'nowhere'" in service.tdv("lock", "--upgrade", expect=10).stderr


def test_references_on_the_command_line(service: Repository) -> None:
    service.tdv("checkout", "catalog:shop@v1.0.0", expect=0)
    assert rows(service) == 4
    assert service.tdv("show", "catalog:shop@~1.1", "--json", expect=0).json()["version"] == "1.1.0"
    assert "There are 1.2.0" not in service.tdv("checkout", "catalog:shop@v9.0.0", expect=10).stderr
    assert "has no release of 'shpo'; did you mean" in service.tdv("checkout", "catalog:shpo", expect=10).stderr
    assert "no repository 'katalog'" in service.tdv("checkout", "katalog:shop", expect=10).stderr
    assert "only releases can be read" in service.tdv("checkout", "catalog:shop@workspace", expect=2).stderr
    assert "only releases can be read" in service.tdv("yank", "catalog:shop@v1.0.0", "-m", "x", expect=2).stderr


def test_exec_and_log_and_diff(service: Repository, data: Repository) -> None:
    service.tdv("lock", expect=0)
    code = "import os; print(os.environ['TDV_RELEASES'])"
    assert service.tdv_process("exec", "--", sys.executable, "-c", code, expect=0).stdout == "shop@1.2.0\n"
    log = service.tdv("log", "catalog:shop", "--json", expect=0).json()
    assert [(item["dataset"], item["version"], item["tagged"]) for item in log["releases"]] == [
        ("catalog:shop", version, True) for version in ("1.2.0", "1.1.0", "1.0.0")
    ]
    data.write({"tdv.yaml": "repositories: {catalog: {git: ../origin.git}}\n"})
    names = [item["dataset"] for item in data.tdv("log", "--json", expect=0).json()["releases"]]
    assert names == ["shop"] * 3
    names = [item["dataset"] for item in data.tdv("log", "catalog:shop", "shop", "--json", expect=0).json()["releases"]]
    assert names == ["shop"] * 3 + ["catalog:shop"] * 3
    diff = service.tdv("diff", "catalog:shop@v1.1.0", "catalog:shop@v1.2.0", "--json", expect=0).json()
    assert diff["bump"] == "minor"


def test_matrix_has_the_datasets_that_the_code_wants_of_others(service: Repository) -> None:
    service.tdv("lock", expect=0)
    plain = service.tdv("matrix", "--json", expect=0).json()
    assert list(plain["datasets"]) == ["catalog:shop"]
    assert service.tdv("matrix", "catalog:shop", "--json", expect=0).json() == plain
    assert "no release of 'shpo'" in service.tdv("matrix", "catalog:shpo", expect=10).stderr


def test_verify_looks_at_record_tag_data_and_target(service: Repository) -> None:
    service.tdv("lock", expect=0)
    service.tdv("checkout", expect=0)
    found = service.tdv("verify", "--json", expect=0).json()
    promises = {(item["dataset"], item["promise"]) for item in found["subjects"]}
    assert {("catalog:shop", "record"), ("catalog:shop", "tag"), ("catalog:shop", "manifest")} <= promises
    assert any(promise.startswith("rows in sqlite:") for _, promise in promises)
    rebuilt = service.tdv("verify", "catalog:shop@v1.0.0", "--rebuild", expect=14)
    assert "is built in its own repository only" in rebuilt.stdout


def test_checkout_of_what_a_tag_of_the_app_was_pinned_to(service: Repository, data: Repository) -> None:
    service.tdv("lock", expect=0)
    service.commit("Pin").git("tag", "v1.0.0")
    release(data, 9, "1.3.0")
    service.write({"tdv.yaml": "datasets: {}\n"}).commit("Use no data")
    service.tdv("checkout", "--app-tag", "v1.0.0", expect=0)
    assert rows(service) == 6


def test_two_datasets_of_one_name_are_refused(service: Repository, data: Repository) -> None:
    data.tdv("pull", expect=0)
    data.write({"tdv.yaml": "repositories: {catalog: {git: ../origin.git}}\n"})
    outcome = data.tdv("checkout", "shop@v1.0.0", "catalog:shop@v1.1.0", expect=11)
    assert "catalog:shop and shop are two datasets of one name" in outcome.stderr


def test_environment_names_what_it_may_hold(service: Repository) -> None:
    more = "targets: {local: {url: app.db}}\nenvironments: {ci: {target: local, datasets: [shop]}}\n"
    service.write({"tdv.yaml": service.read("tdv.yaml") + more})
    outcome = service.tdv("checkout", "--target", "ci", expect=11)
    assert "The environment ci may not hold catalog:shop" in outcome.stderr
    service.write({"tdv.yaml": service.read("tdv.yaml").replace("[shop]", "[]")})
    assert "lists what it may: nothing.\n" in service.tdv("checkout", "--target", "ci", expect=11).stderr
    service.write({"tdv.yaml": service.read("tdv.yaml").replace("[]", "['catalog:shop']")})
    service.tdv("checkout", "--target", "ci", expect=0)


def test_tests_get_databases_with_data_of_another_repository(service: Repository) -> None:
    service.tdv("lock", expect=0)
    service.write(
        {
            "test_it.py": """
            import pytest

            def test_locked(tdv_database):
                assert (tdv_database.version, tdv_database.asked) == ("1.2.0", ("shop",))

            @pytest.mark.tdv("catalog:shop@v1.0.0")
            def test_named(tdv_database):
                assert tdv_database.connection.execute("SELECT count(*) FROM users").fetchone() == (4,)
            """
        }
    )
    outcome = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=service.root)
    assert outcome.exit_code == 0, outcome
    assert "2 passed" in outcome.stdout


# -- one-off


def test_one_off_checkout_needs_no_project(tmp_path: Path, data: Repository) -> None:
    place = tmp_path / "elsewhere"
    place.mkdir()
    words = ("checkout", "--repo", "../origin.git", "shop@^1.1")
    assert "Which target is meant?" in tdv_in_process(*words, cwd=place).stderr
    outcome = tdv_in_process(*words, "--target", "app.db", cwd=place)
    assert (outcome.exit_code, [path.name for path in place.iterdir()]) == (0, ["app.db"])
    assert rows(Repository(place), "app.db") == 6
    lose(tmp_path)
    again = tdv_in_process("checkout", "--repo", "../origin.git", "shop@v1.2.0", "--target", "b.db", cwd=place)
    assert again.exit_code == 0, again
    assert "What was read last is used" in again.stderr


def test_one_off_checkout_in_a_project(service: Repository, data: Repository) -> None:
    service.tdv("checkout", "--repo", "catalog", "shop@v1.0.0", expect=0)
    service.tdv("checkout", "--repo", (data.root.parent / "origin.git").as_uri(), "shop@v1.0.0", expect=0)
    assert "no repository 'katalog'" in service.tdv("checkout", "--repo", "katalog", "shop", expect=10).stderr
    assert "Name a release of it" in service.tdv("checkout", "--repo", "catalog", expect=2).stderr
    assert "names no dataset" in service.tdv("checkout", "--repo", "catalog", "v1.0.0", expect=2).stderr


# -- the copy of the repository


def test_files_of_the_repository_are_fetched_when_they_are_read(service: Repository, tmp_path: Path) -> None:
    run("git", "config", "uploadpack.allowFilter", "true", cwd=tmp_path / "origin.git")
    service.tdv("lock", expect=0)
    service.tdv("checkout", expect=0)
    (mirror,) = mirrors()
    listed = run("git", "rev-list", "--objects", "--missing=print", "refs/tdv/HEAD", cwd=mirror / "git").stdout
    missing = [line for line in listed.splitlines() if line.startswith("?")]
    assert len(missing) > 10
    assert list((mirror / "tree").iterdir()) == []


def test_half_made_copies_are_never_used(service: Repository, tmp_path: Path) -> None:
    service.tdv("lock", expect=0)
    (mirror,) = mirrors()
    commits = mirror / "commits"
    (commit,) = commits.iterdir()
    # What a run leaves that is killed while it clones, while it reads a commit, and inside of git.
    commit.rename(commits / f".{commit.name}.0123456789ab.tmp")
    (mirror / "git").rename(mirror / ".git.0123456789ab.tmp")
    service.tdv("checkout", expect=0)
    assert sorted(path.name for path in mirror.iterdir()) == ["commits", "git", "lock", "tree"]
    assert [path.name for path in commits.iterdir()] == [commit.name]
    (mirror / "git/packed-refs.lock").touch()
    (mirror / "git/refs/heads/main.lock").touch()
    service.tdv("lock", "--upgrade", expect=0)


def test_two_processes_read_a_repository_at_once(service: Repository) -> None:
    words = [sys.executable, "-m", "tdv", "checkout"]
    asked = [subprocess.Popen([*words, "--target", f"{n}.db"], cwd=service.root) for n in range(2)]
    assert [process.wait() for process in asked] == [0, 0]


def test_pinned_commit_that_no_branch_holds_any_more(service: Repository, data: Repository) -> None:
    service.tdv("lock", expect=0)
    data.git("push", "--quiet", "--force", "origin", f"{data.git('rev-list', '--max-parents=0', 'HEAD')}:main")
    service.tdv("checkout", expect=0)
    gone = "a" * 40
    lock = service.read(LOCK)
    commit = lock.partition("commit: ")[2].strip().strip('"')
    service.write({LOCK: lock.replace(commit, gone)})
    outcome = service.tdv("checkout", expect=14)
    assert "has no commit aaaaaaaaaaaa any more, which tdv.lock pins" in outcome.stderr


def test_remote_inside_of_the_repository(tmp_path: Path, service: Repository, data: Repository) -> None:
    shutil.copytree(tmp_path / "storage", data.root / "store")
    assert data.dvc("remote", "modify", "storage", "url", "store").exit_code == 0
    data.git("add", "--force", "store", ".dvc/config")
    data.git("commit", "--quiet", "--message", "Keep the data in Git")
    data.git("push", "--quiet", "origin", "main")
    run("git", "config", "uploadpack.allowFilter", "true", cwd=tmp_path / "origin.git")
    service.tdv("lock", expect=0)
    shutil.rmtree(tmp_path / "storage")
    service.tdv("checkout", expect=0)
    assert rows(service) == 6
    service.tdv("verify", expect=0)
    victim = next(path for path in (data.root / "store").rglob("*") if path.is_file() and path.suffix != ".dir")
    victim.chmod(0o644)
    victim.write_bytes(b"other")
    data.commit("Damage").git("push", "--quiet", "origin", "main")
    shutil.rmtree(config.cache_home(config.process_environment()) / "objects")
    service.tdv("lock", "--upgrade", expect=0)
    service.write({"tdv.yaml": service.read("tdv.yaml").replace("^1.0", "*")})
    found = [service.tdv("verify", f"catalog:shop@v1.{minor}.0") for minor in range(3)]
    assert any("holds other bytes than the name of" in outcome.stdout for outcome in found)


def test_remote_that_is_gone_is_not_rebuilt_from_factories(service: Repository, tmp_path: Path) -> None:
    service.tdv("lock", expect=0)
    shutil.rmtree(tmp_path / "storage")
    assert "is gone" in service.tdv("checkout", expect=14).stderr


# -- what is not trusted


def test_tag_that_disagrees_with_its_record_is_refused(service: Repository, data: Repository) -> None:
    data.git("tag", "--delete", "shop@v1.2.0")
    data.git("tag", "--annotate", "--message", "forged", "shop@v1.2.0", "shop@v1.1.0^{}")
    data.git("push", "--quiet", "--force", "origin", "shop@v1.2.0")
    outcome = service.tdv("lock", expect=13)
    assert "the tag shop@v1.2.0 was moved to" in outcome.stderr
    assert not (service.root / LOCK).exists()
    assert "was moved to" in service.tdv("checkout", expect=13).stderr


def test_lock_altered_by_hand_is_refused(service: Repository) -> None:
    service.tdv("lock", expect=0)
    lock = service.read(LOCK)
    service.write({LOCK: lock.replace(lock.partition("digest: tdv1:")[2][:64], "0" * 64)})
    assert "the digest of catalog:shop@v1.2.0 is not the one" in service.tdv("checkout", expect=13).stderr
    service.write({LOCK: lock.replace("../origin.git", "../other.git")})
    assert "is pinned in ../other.git, not in ../origin.git" in service.tdv("lock", "--check", expect=1).stderr
    service.write({LOCK: "".join(line for line in lock.splitlines(True) if "commit:" not in line)})
    assert "tdv.lock names no commit for catalog:shop" in service.tdv("lock", "--check", expect=1).stderr
    service.write({LOCK: lock.replace("../origin.git", "ext::touch owned")}).commit().git("tag", "v1")
    assert "would run a command" in service.tdv("checkout", "--app-tag", "v1", expect=2).stderr
    assert not (service.root / "owned").exists()


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("ext::sh -c 'touch owned'", "would run a command"),
        ("--upload-pack=touch owned", "is no URL of a Git repository"),
        ("ftp://host/data.git", "has the scheme 'ftp'"),
        ("https://ada:hush@host.test/data.git", "holds credentials"),
        ("https://hush@host.test/data.git", "holds credentials"),
        ("ssh://git:hush@host.test/data.git", "holds credentials"),
        ("https://host.test/data.git?private_token=hush", "holds credentials"),
    ],
)
def test_urls_that_are_never_given_to_git(service: Repository, url: str, problem: str) -> None:
    service.write({"tdv.yaml": f'repositories: {{catalog: {{git: "{url}"}}}}\n'})
    for words in (["resolve"], ["checkout", f"--repo={url}", "shop@v1.0.0"]):
        outcome = service.tdv(*words)
        assert outcome.exit_code in (2, 3), outcome
        assert problem in outcome.stderr
        assert "hush" not in outcome.stderr
    assert not (service.root / "owned").exists()


def test_paths_and_users_of_ssh_are_no_credentials() -> None:
    from tdv.config.repositories import fault, location

    for url in ("git@host.test:data.git", "ssh://git@host.test/data.git", "../data", "file:///srv/data.git"):
        assert fault(url) == ""
    assert location("../data", Path("/srv/app")) == "/srv/data"
    assert location("git@host.test:data.git", Path("/srv/app")) == "git@host.test:data.git"


def test_links_in_the_repository_lead_nowhere(tmp_path: Path, data: Repository) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text("secret: 1\n")
    (data.root / record("1.2.0")).unlink()
    (data.root / record("1.2.0")).symlink_to(secret)
    data.commit("Link")
    mirror = Mirror(str(data.root), tmp_path / "mirror", config.process_environment())
    mirror.fetch()
    files = mirror.files(mirror.commit(None))
    assert sorted(path.name for path in files.rglob("*.yaml")) == ["1.0.0.yaml", "1.1.0.yaml"]
    assert [path for path in files.rglob("*") if path.is_symlink()] == []
    assert mirror.read(mirror.commit(None), [record("1.2.0")]) == {}


def test_artifact_that_leads_out_of_its_directory_is_refused(tmp_path: Path, service: Repository) -> None:
    import hashlib

    from tests.repository import Repository as Other

    listing = b'[{"md5": "d41d8cd98f00b204e9800998ecf8427e", "relpath": "../../owned"}]'
    md5 = hashlib.md5(listing).hexdigest()
    evil = Other(tmp_path / "repo")
    text = evil.read(record("1.2.0"))
    before = text.partition("artifact: {md5: ")[2][:32]
    files = {record("1.2.0"): text.replace(before, md5), f"store/files/md5/{md5[:2]}/{md5[2:]}.dir": listing}
    config_file = "[core]\n    remote = inside\n['remote \"inside\"']\n    url = ../store\n"
    evil.write({**files, ".dvc/config": config_file}).git("add", "--force", "--all")
    evil.git("commit", "--quiet", "--message", "Evil")
    service.write({"tdv.yaml": SETTINGS.format(url="../repo")})
    evil.git("tag", "--delete", "shop@v1.2.0")
    outcome = service.tdv("checkout", expect=13)
    assert "lists the path '../../owned'" in outcome.stderr
    assert list(tmp_path.rglob("owned")) == []


def test_only_addresses_are_taken_from_the_configuration_of_another_repository(tmp_path: Path) -> None:
    theirs = """
    [core]
        remote = storage
    ['remote "storage"']
        url = webdavs://host.test/data
        bearer_token_command = touch owned
        password = theirs
        timeout = 10
    ['remote "beside"']
        url = ../../beside
    """
    mine = "['remote \"storage\"']\n    password = mine\n"
    (tmp_path / "files/.dvc").mkdir(parents=True)
    (tmp_path / "files/.dvc/config").write_text(theirs)
    (tmp_path / "user").mkdir()
    (tmp_path / "user/config").write_text(mine)
    environ = {"DVC_GLOBAL_CONFIG_DIR": str(tmp_path / "user"), "DVC_SYSTEM_CONFIG_DIR": str(tmp_path / "none")}
    cache = Cache(tmp_path / "cache")
    found = dvc_settings.of_commit(tmp_path / "files", Path("/srv/data.git"), cache, environ)
    assert found.remote().options == {"timeout": "10", "password": "mine"}
    assert found.remote("beside").url == "/srv/beside"
    assert "beside" not in dvc_settings.of_commit(tmp_path / "files", None, cache, environ).remotes
    assert found.cache_dir == cache.directory


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda mirror: mirror.commit("main"), NotFound),
        (lambda mirror: mirror.fetch(), TdvError),
        (lambda mirror: mirror.files("0" * 40), TdvError),
    ],
)
def test_repository_that_is_not_there(tmp_path: Path, call: Callable[[Mirror], object], error: type[TdvError]) -> None:
    mirror = Mirror(str(tmp_path / "nowhere"), tmp_path / "mirror", config.process_environment())
    with pytest.raises(error):
        call(mirror)
    assert not mirror.exists


def test_scenario_of_another_repository_counts_with_its_own_rows(service: Repository) -> None:
    more = "targets: {local: {url: app.db}}\nenvironments: {ci: {target: local, limits: {rows: 1, size: 1}}}\n"
    service.write({"tdv.yaml": service.read("tdv.yaml") + more})
    said = "catalog:shop would bring 6 rows into the environment ci, which takes 1 at most"
    assert said in service.tdv("checkout", "--target", "app.db", expect=11).stderr
    service.tdv("checkout", "--target", "ci", "--scenario", "vip", expect=0)

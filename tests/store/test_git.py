"""The git command as tdv uses it, in real repositories."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tdv.errors import GitError, NotFound, Refused
from tdv.store.git import Change, Git
from tdv.store.process import environment, last_line
from tests.repository import Repository, run

MESSAGE = "movies 1.1.0\n\nEdge cases.\n\nTdv-Digest: tdv1:ab\nTdv-App: >=1.2,<3\nTdv-Migration: 0003..\n"
HOSTILE = ("a b.txt", "-rf", "*.txt", ":(top)x", "ü\n.txt", '"q".txt', "blob 3", "missing")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / "r", {"a.txt": "one\n", "d/b.txt": "two\n"})


def _git(root: Path) -> Git:
    return Git(root, os.environ)


def _bare(repository: Repository, path: Path) -> str:
    repository.git("clone", "--quiet", "--bare", ".", str(path))
    repository.git("remote", "add", "origin", str(path))
    repository.git("fetch", "--quiet", "origin")
    return str(path)


def _hook(repository: Repository, name: str, script: str) -> None:
    hook = repository.root / ".git/hooks" / name
    hook.write_text(f"#!/bin/sh\n{script}\n")
    hook.chmod(0o755)


# -- reading


def test_head_branch_author_and_revisions(repository: Repository) -> None:
    git = _git(repository.root)
    assert git.is_repository()
    assert git.head() == repository.git("rev-parse", "HEAD") == git.resolve("main")
    assert git.branch() == "main"
    assert git.author() == "Ada Tester <ada@example.test>"
    repository.git("checkout", "--quiet", "--detach")
    assert git.branch() is None
    for unknown in ("nothing", "--all", "HEAD~9", ""):
        with pytest.raises(NotFound):
            git.resolve(unknown)


def test_a_repository_without_commits_and_none_at_all(tmp_path: Path) -> None:
    empty = Repository.create(tmp_path / "empty")
    with pytest.raises(GitError, match="no commit yet"):
        _git(empty.root).head()
    assert _git(empty.root).tips() == ()
    (tmp_path / "plain").mkdir()
    plain = Git(tmp_path / "plain", {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path)})
    assert not plain.is_repository()
    with pytest.raises(GitError, match="not a git repository") as caught:
        plain.tags()
    assert caught.value.hint is not None
    assert "git init" in caught.value.hint
    with pytest.raises(NotFound, match="no directory"):
        _git(tmp_path / "gone").tags()


def test_show_read_many_and_ls_tree(repository: Repository) -> None:
    git = _git(repository.root)
    assert git.show("HEAD", "d/b.txt") == b"two\n"
    assert git.read_many("HEAD", ["d", "d/b.txt", "no blob 3", "a.txt"]) == {"d/b.txt": b"two\n", "a.txt": b"one\n"}
    assert git.ls_tree("HEAD") == ("a.txt", "d/b.txt")
    assert git.ls_tree("HEAD", "d") == ("d/b.txt",)
    assert git.ls_tree("HEAD", "nowhere") == ()
    with pytest.raises(NotFound, match="There is no x at HEAD"):
        git.show("HEAD", "x")


def test_commit_is_looked_up_once(repository: Repository, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    git = Git(repository.root, {**os.environ, "GIT_TRACE": str(trace)})
    commit = git.resolve("HEAD")
    assert git.show(commit, "a.txt") == git.show(commit, "a.txt") == b"one\n"
    asked = [line.rpartition("trace: built-in: git ")[2].split()[0] for line in trace.read_text().splitlines()]
    assert asked == ["rev-parse", "cat-file", "cat-file"]
    repository.write({"a.txt": "new\n"}).commit()
    assert git.show("HEAD", "a.txt") == b"new\n"
    with pytest.raises(NotFound, match="no commit"):
        git.read_many("1" * 40, ["a.txt"])


def test_paths_count_from_a_root_below_the_top(repository: Repository) -> None:
    git = _git(repository.root / "d")
    assert git.show("HEAD", "b.txt") == b"two\n"
    assert git.ls_tree("HEAD") == ("b.txt",)
    repository.write({"d/b.txt": "three\n", "a.txt": "other\n"})
    assert git.changes() == (Change("b.txt", " ", "M"),)
    commit = git.commit_only(["b.txt"], "below", git.head())
    assert repository.git("show", "--format=", "--name-only", commit) == "d/b.txt"
    assert git.top() == repository.root


def test_hostile_names_are_taken_literally(repository: Repository) -> None:
    git = _git(repository.root)
    repository.write({name: f"content of {name}" for name in HOSTILE})
    assert {change.path for change in git.changes(HOSTILE)} == set(HOSTILE)
    commit = git.commit_only(HOSTILE[:-1], "hostile", git.head())
    assert git.changes(["missing"])
    assert set(git.ls_tree(commit)) == {*HOSTILE[:-1], "a.txt", "d/b.txt"}
    for name in HOSTILE[:-1]:
        if "\n" not in name:
            assert git.show(commit, name) == f"content of {name}".encode(), name


def test_changes_tell_staged_from_untracked(repository: Repository) -> None:
    git = _git(repository.root)
    assert not git.changes()
    repository.write({"a.txt": "changed", "new/n.txt": "new", "d/b.txt": "staged"})
    repository.git("add", "d/b.txt")
    assert git.changes() == (Change("a.txt", " ", "M"), Change("d/b.txt", "M", " "), Change("new/n.txt", "?", "?"))
    assert git.changes(["new"])[0].untracked


def test_environment_of_a_hook_does_not_lead_elsewhere(repository: Repository, tmp_path: Path) -> None:
    other = Repository.create(tmp_path / "other", {"x": "1"})
    misled = {**os.environ, "GIT_DIR": str(other.root / ".git"), "GIT_INDEX_FILE": "/nowhere", "LC_ALL": "de_DE"}
    assert Git(repository.root, misled).head() == repository.git("rev-parse", "HEAD")
    assert environment({"A": "1", "GIT_DIR": "x"}).get("GIT_DIR") is None


def test_worktrees_and_git_files(repository: Repository, tmp_path: Path) -> None:
    repository.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    side = Repository(tmp_path / "side")
    assert (side.root / ".git").is_file()
    git = _git(side.root)
    side.write({"a.txt": "side\n"})
    commit = git.commit_only(["a.txt"], "on the side", git.head())
    assert git.branch() == "side"
    assert commit in _git(repository.root).tips()

    repository.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(tmp_path / "side"), "sub")
    inner = _git(repository.root / "sub")
    assert inner.head() == commit
    assert inner.top() == repository.root / "sub"


# -- history


def test_first_parent_commits_follow_the_main_line(repository: Repository) -> None:
    git = _git(repository.root)
    first = git.head()
    repository.git("checkout", "--quiet", "-b", "topic")
    topic = git.resolve(repository.write({"a.txt": "topic\n"}).commit("topic").git("rev-parse", "HEAD"))
    repository.git("checkout", "--quiet", "main")
    repository.write({"c.txt": "c"}).commit("main")
    repository.git("merge", "--quiet", "--no-ff", "-m", "merge", "topic")
    merge = git.head()
    assert next(git.first_parent_commits()) == merge
    assert first in list(git.first_parent_commits())
    assert topic not in list(git.first_parent_commits())
    assert git.history("a.txt") == (topic, first)
    assert git.is_ancestor(first, merge)
    assert not git.is_ancestor(merge, first)
    assert git.merge_base("topic", f"{merge}^1") == first


def test_blobs_of_all_history(repository: Repository) -> None:
    git = _git(repository.root)
    repository.write({"x/dvc.lock": "one"}).commit()
    repository.git("checkout", "--quiet", "-b", "topic")
    repository.write({"x/dvc.lock": "topic"}).commit()
    repository.git("checkout", "--quiet", "main")
    repository.git("merge", "--quiet", "--no-ff", "--strategy=ours", "-m", "merge", "topic")
    repository.git("branch", "-D", "topic")
    repository.git("checkout", "--quiet", "--orphan", "other")
    repository.write({"x/dvc.lock": "other", "dvc.lock": "top"}).commit()
    repository.git("rm", "--quiet", "dvc.lock")
    repository.commit()
    repository.git("tag", "-a", "-m", "m", "t")
    repository.git("checkout", "--quiet", "main")
    found = git.blobs(["**/dvc.lock"])
    assert set(found) == {"x/dvc.lock", "dvc.lock"}
    assert sorted(git.objects(found["x/dvc.lock"])) == [b"one", b"other", b"topic"]
    assert list(git.objects(found["dvc.lock"])) == [b"top"]


def test_a_shallow_clone_deepens(repository: Repository, tmp_path: Path) -> None:
    first = repository.git("rev-parse", "HEAD")
    for number in range(3):
        repository.write({"a.txt": f"{number}\n"}).commit(f"change {number}")
    repository.git("tag", "-a", "-m", MESSAGE, "movies@v1.1.0", first)
    clone = repository.clone(tmp_path / "clone", "--depth=1")
    git = _git(clone.root)
    assert git.is_shallow()
    assert git.tags() == ()
    with pytest.raises(NotFound):
        git.resolve(first)
    assert git.remote_tags()["movies@v1.1.0"].commit == first
    git.fetch_tags(["movies@v1.1.0"])
    assert git.tags("movies")[0].commit == first
    assert git.merge_base(first, "HEAD") is None
    git.fetch_deepen(10)
    assert not git.is_shallow()
    assert git.is_ancestor(first, "HEAD")
    assert git.default_remote_branch() == "origin/main"


# -- tags


def test_tags_with_trailers(repository: Repository) -> None:
    git = _git(repository.root)
    head = git.head()
    git.create_tag("movies@v1.1.0", head, MESSAGE)
    git.create_tag("movies@v1.1.0!", head, "withdrawn\n")
    git.create_tag("movies#staging#1", head, "staging\n")
    git.create_tag("movies#staging!#2", head, "no more\n")
    git.create_tag("movies-old@v0.1.0-rc.1", head, "other\n\nTdv-Digest: tdv1:no\nTdv-Digest: tdv1:yes\n")
    repository.git("commit", "--quiet", "--allow-empty", "-m", "x\n\nTdv-Digest: tdv1:commit")
    repository.git("tag", "movies@v9.9.9")
    repository.git("tag", "v1.0")
    found = {tag.name: tag for tag in git.tags("movies")}
    assert {name: tag.kind for name, tag in found.items()} == {
        "movies@v1.1.0": "version",
        "movies@v1.1.0!": "yank",
        "movies#staging#1": "stage",
        "movies#staging!#2": "unstage",
        "movies@v9.9.9": "version",
    }
    tag = found["movies@v1.1.0"]
    assert (tag.version, tag.digest, tag.app, tag.migration) == ("1.1.0", "tdv1:ab", ">=1.2,<3", "0003..")
    assert (tag.commit, tag.annotated, tag.object != head) == (head, True, True)
    assert (found["movies@v9.9.9"].annotated, found["movies@v9.9.9"].digest) == (False, "")
    assert (found["movies#staging#1"].stage, found["movies#staging#1"].counter) == ("staging", 1)
    assert {t.digest for t in git.tags() if t.dataset == "movies-old"} == {"tdv1:yes"}
    with pytest.raises(Refused, match="exists already"):
        git.create_tag("movies@v1.1.0", head, "again\n")


def test_gto_sees_the_tags(repository: Repository) -> None:
    git = _git(repository.root)
    repository.write({"dvc.yaml": "artifacts:\n  movies:\n    path: d\n    type: dataset\n"}).commit()
    git.create_tag("movies@v1.0.0", git.head(), MESSAGE)
    git.create_tag("movies#staging#1", git.head(), "staging\n")
    repository.write({"a.txt": "next\n"}).commit()
    git.create_tag("movies@v1.1.0", git.head(), MESSAGE)
    git.create_tag("movies@v1.1.0!", git.head(), "withdrawn\n")
    shown = run(Path(sys.executable).with_name("gto"), "show", "movies", cwd=repository.root)
    assert shown.exit_code == 0, shown
    assert "v1.0.0" in shown.stdout
    assert "staging" in shown.stdout
    assert "v1.1.0" not in shown.stdout


SIGNER = """
cat > /dev/null
echo '[GNUPG:] SIG_CREATED ' >&2
printf -- '-----BEGIN PGP SIGNATURE-----\\n\\nTdv-Digest: tdv1:forged\\n-----END PGP SIGNATURE-----\\n'
"""


def test_tags_are_signed_where_git_is_told_so(repository: Repository, tmp_path: Path) -> None:
    signer = tmp_path / "signer"
    signer.write_text(f"#!/bin/sh{SIGNER}")
    signer.chmod(0o755)
    repository.git("config", "gpg.program", str(signer))
    repository.git("config", "tag.gpgSign", "true")
    git = _git(repository.root)
    git.create_tag("movies@v1.0.0", git.head(), MESSAGE)
    assert "BEGIN PGP SIGNATURE" in repository.git("cat-file", "tag", "movies@v1.0.0")
    assert git.tags("movies")[0].digest == "tdv1:ab"
    signer.write_text("#!/bin/sh\nexit 2\n")
    with pytest.raises(GitError, match="unable to sign the tag"):
        git.create_tag("movies@v1.1.0", git.head(), MESSAGE)


def test_push_tags_is_all_or_nothing(repository: Repository, tmp_path: Path) -> None:
    git = _git(repository.root)
    _bare(repository, tmp_path / "bare.git")
    git.create_tag("movies@v1.0.0", git.head(), MESSAGE)
    git.push_tags(["movies@v1.0.0"])
    git.push_tags(["movies@v1.0.0"])
    remote = git.remote_tags("movies")
    assert remote["movies@v1.0.0"].commit == git.head()
    assert remote["movies@v1.0.0"].object == git.tags("movies")[0].object

    repository.git("tag", "-d", "movies@v1.0.0")
    git.create_tag("movies@v1.0.0", git.head(), "another\n")
    git.create_tag("movies@v1.1.0", git.head(), MESSAGE)
    with pytest.raises(Refused, match="another tag"):
        git.push_tags(["movies@v1.1.0", "movies@v1.0.0"])
    assert set(git.remote_tags()) == {"movies@v1.0.0"}


def test_a_remote_that_is_gone(repository: Repository, tmp_path: Path) -> None:
    git = _git(repository.root)
    assert git.remote_tags() == {}
    assert git.default_remote_branch() is None
    with pytest.raises(GitError, match="no Git remote"):
        git.push_tags(["x"])
    repository.git("remote", "add", "origin", f"file://user:secret@{tmp_path}/gone.git")
    with pytest.raises(GitError) as caught:
        git.remote_tags()
    assert "secret" not in caught.value.message
    assert "git remote -v" in str(caught.value.hint)


def test_credentials_never_leave() -> None:
    line = last_line(b"remote: no\nfatal: unable to access 'https://me:secret@host/x.git/': failed\nhint: y\n")
    assert line == "unable to access 'https://***@host/x.git/': failed"


# -- commits


def test_commit_only_leaves_what_the_user_staged(repository: Repository) -> None:
    git = _git(repository.root)
    repository.write({"a.txt": "mine\n", "staged.txt": "user's\n", "d/b.txt": "user's\n", "new.txt": "n"})
    repository.git("add", "staged.txt", "d/b.txt")
    before = git.head()
    commit = git.commit_only(["a.txt", "new.txt"], "Release\n\n# not a comment\n", before)
    assert repository.git("show", "--format=", "--name-only", commit).split() == ["a.txt", "new.txt"]
    assert repository.git("log", "-1", "--format=%B", commit).strip() == "Release\n\n# not a comment"
    assert repository.git("diff", "--cached", "--name-only").split() == ["d/b.txt", "staged.txt"]
    assert git.commit_only(["a.txt"], "again", commit) == commit


def test_commit_only_refuses_a_moved_head(repository: Repository) -> None:
    git = _git(repository.root)
    before = git.head()
    repository.write({"a.txt": "meanwhile\n"}).commit("somebody")
    repository.write({"d/b.txt": "release\n"})
    with pytest.raises(Refused, match="HEAD moved") as caught:
        git.commit_only(["d/b.txt"], "Release", before)
    assert caught.value.exit_code == 11
    assert git.changes(["d/b.txt"])


def test_a_hook_that_refuses_leaves_the_files_and_prints_the_command(repository: Repository) -> None:
    git = _git(repository.root)
    _hook(repository, "pre-commit", "echo 'no release on a Friday' >&2; exit 1")
    repository.write({"it's.txt": "x", "a.txt": "y"})
    repository.git("add", "a.txt")
    before = git.head()
    with pytest.raises(GitError, match="no release on a Friday") as caught:
        git.commit_only(["it's.txt"], "Release it's", before)
    assert git.head() == before
    assert (repository.root / "it's.txt").read_text() == "x"
    command = str(caught.value.facts["command"])
    (repository.root / ".git/hooks/pre-commit").unlink()
    repository.write({"run.sh": command})
    subprocess.run(["sh", "run.sh"], cwd=repository.root, check=True, capture_output=True)
    assert repository.git("show", "--format=%s", "--name-only").split("\n\n") == ["Release it's", "it's.txt"]


def test_hooks_run_on_commit(repository: Repository) -> None:
    _hook(repository, "commit-msg", 'echo "Signed-off-by: Hook" >> "$1"')
    git = _git(repository.root)
    repository.write({"a.txt": "y"})
    git.commit_only(["a.txt"], "Release\n", git.head())
    assert "Signed-off-by: Hook" in repository.git("log", "-1", "--format=%B")


def test_a_path_that_git_ignores_is_not_silently_left_out(repository: Repository) -> None:
    git = _git(repository.root)
    repository.write({".gitignore": "releases/\n"}).commit()
    repository.write({"releases/1.0.0.yaml": "x", "a.txt": "y"})
    with pytest.raises(GitError, match="Git ignores it"):
        git.commit_only(["a.txt", "releases/1.0.0.yaml"], "Release", git.head())


def test_a_partial_commit_during_a_merge_is_an_error(repository: Repository) -> None:
    git = _git(repository.root)
    repository.git("checkout", "--quiet", "-b", "topic")
    repository.write({"a.txt": "topic\n"}).commit()
    repository.git("checkout", "--quiet", "main")
    repository.write({"c.txt": "c"}).commit()
    repository.git("merge", "--no-commit", "--no-ff", "topic")
    repository.write({"d/b.txt": "release"})
    with pytest.raises(GitError, match="cannot do a partial commit during a merge"):
        git.commit_only(["d/b.txt"], "Release", git.head())


def test_a_lock_that_was_left_behind_is_named(repository: Repository) -> None:
    git = Git(repository.root, os.environ)
    repository.write({"a.txt": "changed\n"})
    lock = repository.root / ".git/index.lock"
    lock.touch()
    with pytest.raises(GitError, match=r"\.git/index\.lock is in the way") as caught:
        git.commit_only(["a.txt"], "Change", None)
    assert caught.value.hint == f"Wait for the Git process that works here; if there is none: rm {lock}"
    lock.unlink()
    git.commit_only(["a.txt"], "Change", None)


def test_tag_of_a_project_below_the_top_has_the_name_that_git_is_told(repository: Repository) -> None:
    repository.write({"data/web/a.txt": "a"})
    assert Git(repository.root / "data" / "web", os.environ).tag_name("shop@v1.0.0") == "data/web=shop@v1.0.0"
    assert Git(repository.root, os.environ).tag_name("shop@v1.0.0") == "shop@v1.0.0"

"""Git, by the ``git`` command: what history says, and the few writes that tdv makes to it.

In: the directory of tdv.yaml and the environment to run ``git`` in. Out: text, bytes and object names. Always
holds: paths are taken literally and count from that directory, also when it lies below the top of the work
tree; nothing of the user's index, configuration or stash is changed beyond the paths that were named; a
failure of ``git`` is a `GitError` with its last line.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from tdv.errors import GitError, NotFound, Refused
from tdv.store import git_batch as batch
from tdv.store import tags as gto
from tdv.store.git_process import GitProcess, locked, moved
from tdv.store.process import environment, last_line

_ANCESTOR: Final = re.compile(r"[~^@]")
_RAW: Final = re.compile(rb":[0-7]+ [0-7]+ [0-9a-f]+ (?P<new>[0-9a-f]+) [A-Z]\0(?P<path>[^\0]+)")


@dataclass(frozen=True, slots=True)
class Change:
    """A path that differs from HEAD: `index` and `tree` are the letters of ``git status --short``."""

    path: str
    index: str
    tree: str

    @property
    def untracked(self) -> bool:
        """True for a file that Git does not know."""
        return self.index == "?"

    @property
    def unmerged(self) -> bool:
        """True for a file that a merge left in conflict."""
        return "U" in (self.index, self.tree) or self.index + self.tree in ("AA", "DD")


class Git:
    """The repository that `root` is in. `environ` is the environment to start from.

    With `directory`, the repository that is there, whose work tree is `root`.
    """

    def __init__(self, root: Path, environ: Mapping[str, str], directory: Path | None = None) -> None:
        self.root = root
        place = {} if directory is None else {"GIT_DIR": str(directory), "GIT_WORK_TREE": str(root)}
        self._git = GitProcess(root, {**environment(environ), **place})
        self._commits: set[str] = set()

    # -- what there is

    def is_repository(self) -> bool:
        """True if `root` is inside a work tree of Git."""
        done = self._git.start("rev-parse", "--is-inside-work-tree")
        return done.returncode == 0 and done.stdout.strip() == b"true"

    def top(self) -> Path:
        """The top directory of the work tree."""
        return Path(self._git.text("rev-parse", "--show-toplevel"))

    def head(self) -> str:
        """The commit at HEAD; raises `GitError` in a repository without commits."""
        done = self._git.start("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        if done.returncode:
            raise GitError("This repository has no commit yet", hint="git commit the sources first.")
        return done.stdout.decode().strip()

    def branch(self) -> str | None:
        """The name of the current branch, or None when HEAD is detached."""
        done = self._git.start("symbolic-ref", "--quiet", "--short", "HEAD")
        return done.stdout.decode().strip() or None

    def resolve(self, revision: str) -> str:
        """The commit that `revision` names; raises `NotFound`."""
        if revision in self._commits:  # a commit names itself for ever, and asking costs 5 ms
            return revision
        if not revision.startswith("-"):
            done = self._git.start("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
            if done.returncode == 0:
                commit = done.stdout.decode().strip()
                self._commits.add(commit)
                return commit
        hint = "`git fetch` brings what the remote has; `git log` and `git tag` list what is here."
        if self.is_shallow():
            name = _ANCESTOR.split(revision)[0]
            hint = "This clone is shallow: `git fetch --unshallow` brings its history"
            hint += f", `git fetch --depth=1 origin tag {name}` a tag." if name == revision else "."
        raise NotFound(f"There is no commit {revision!r}", hint=hint, revision=revision)

    def author(self) -> str:
        """``Name <mail>`` as Git would write it into a commit now."""
        identity = self._git.text("var", "GIT_AUTHOR_IDENT")
        return identity[: identity.rindex(">") + 1]

    def changes(self, paths: Iterable[str] = ()) -> tuple[Change, ...]:
        """What differs from HEAD at or below `paths` (all of `root` without), untracked files one by one."""
        asked = list(paths) or ["."]
        output = self._git.run("status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", "--", *asked)
        prefix = self._git.text("rev-parse", "--show-prefix")
        entries = [entry for entry in output.decode("utf-8", "surrogateescape").split("\0") if entry]
        return tuple(Change(entry[3:].removeprefix(prefix), entry[0], entry[1]) for entry in entries)

    # -- reading history

    def show(self, revision: str, path: str) -> bytes:
        """The bytes of `path` at `revision`; raises `NotFound`."""
        found = self.read_many(revision, (path,)).get(path)
        if found is None:
            hint = f"git ls-tree {revision} lists what is there."
            raise NotFound(f"There is no {path} at {revision}", hint=hint, path=path, revision=revision)
        return found

    def read_many(self, revision: str, paths: Sequence[str]) -> dict[str, bytes]:
        """The bytes of those `paths` that are files at `revision`, read by one process."""
        commit = f"{revision}^{{commit}}"
        found, *objects = self._read([commit, *(f"{commit}:./{path}" for path in paths)])
        if found is None or "\n" in revision:
            self.resolve(revision)  # says that there is none
        return {path: data for path, data in zip(paths, map(batch.blob, objects), strict=True) if data is not None}

    def objects(self, names: Iterable[str]) -> Iterator[bytes | None]:
        """The bytes of each blob that `names` names, None where there is none; one process for all."""
        return map(batch.blob, self._read(names))

    def _read(self, names: Iterable[str]) -> Iterator[batch.Object | None]:
        """The type and the bytes of each object that `names` names, None where there is none."""
        return batch.objects(self._git.run("cat-file", "--batch", stdin=batch.lines(names)))

    def blob_names(self, names: Iterable[str]) -> list[str | None]:
        """The object name of each blob that `names` names, None where there is none; nothing is read."""
        output = self._git.run("cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=batch.lines(names))
        lines = output.decode().splitlines()
        return [line.removeprefix("blob ") if line.startswith("blob ") else None for line in lines]

    def ls_tree(self, revision: str, directory: str = "") -> tuple[str, ...]:
        """The files at or below `directory` at `revision`, sorted, as paths from the root; () if there are none."""
        commit = self.resolve(revision)
        arguments = ["ls-tree", "-r", "-z", "--name-only", commit]
        output = self._git.run(*arguments, *(["--", directory] if directory else []))
        return tuple(sorted(name for name in output.decode("utf-8", "surrogateescape").split("\0") if name))

    def first_parent_commits(self) -> Iterator[str]:
        """The commits of the main line, newest first."""
        yield from self._git.text("rev-list", "--first-parent", self.head()).split()

    def history(self, path: str, revision: str = "HEAD") -> tuple[str, ...]:
        """Every commit reachable from `revision` that changed `path`, newest first."""
        return tuple(self._git.text("rev-list", self.resolve(revision), "--", path).split())

    def tips(self) -> tuple[str, ...]:
        """The commits at HEAD and at the end of every branch and tag, local and remote, each once."""
        output = self._git.text("for-each-ref", "--format=%(objectname) %(objecttype) %(*objectname)")
        tips = dict.fromkeys(_commit_of(line) for line in output.splitlines())
        done = self._git.start("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        tips.update(dict.fromkeys(done.stdout.decode().split()))
        return tuple(tip for tip in tips if tip)

    def blobs(self, patterns: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Path → every version (object name) of the files that match the glob `patterns`, in any commit that a
        branch, tag or HEAD reaches. Paths count from the top of the work tree."""
        globs = [f":(top,glob){pattern}" for pattern in patterns]
        asked = "".join(f"{line}\n" for line in (*self.tips(), "--", *globs)).encode()
        commits = self._git.run("rev-list", "--full-history", "--stdin", stdin=asked, literal=False)
        options = ("-r", "-m", "--root", "--no-commit-id", "--raw", "-z", "--no-renames")
        changes = self._git.run("diff-tree", "--stdin", *options, "--", *globs, stdin=commits, literal=False)
        found: dict[str, dict[str, None]] = {}
        for match in _RAW.finditer(changes):
            found.setdefault(match["path"].decode("utf-8", "surrogateescape"), {})[match["new"].decode()] = None
        return {path: tuple(oid for oid in oids if oid.strip("0")) for path, oids in found.items()}

    def work_files(self, patterns: Sequence[str]) -> tuple[str, ...]:
        """The files of the work tree, ignored ones left out, that match the glob `patterns`; paths from the root."""
        globs = [f":(glob){pattern}" for pattern in patterns]
        arguments = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *globs)
        listed = self._git.run(*arguments, literal=False).decode("utf-8", "surrogateescape")
        return tuple(sorted({name for name in listed.split("\0") if name}))

    def is_ancestor(self, older: str, newer: str) -> bool:
        """True if `newer` contains `older`."""
        done = self._git.start("merge-base", "--is-ancestor", self.resolve(older), self.resolve(newer))
        if done.returncode > 1:
            raise self._git.error("merge-base", done)
        return done.returncode == 0

    def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor, or None when there is none (or it is beyond a shallow clone)."""
        done = self._git.start("merge-base", self.resolve(one), self.resolve(other))
        return done.stdout.decode().strip() or None

    def is_shallow(self) -> bool:
        """True in a clone whose history was cut."""
        return self._git.text("rev-parse", "--is-shallow-repository") == "true"

    # -- tags and remotes

    def tags(self, dataset: str | None = None) -> tuple[gto.Tag, ...]:
        """The GTO tags of `dataset`, or of all datasets of this project, read by one process."""
        patterns = gto.patterns(dataset, self._place)
        return gto.parse_refs(self._git.run("for-each-ref", f"--format={gto.FORMAT}", *patterns), self._place)

    @cached_property
    def _place(self) -> str:
        """What stands before the names of its tags where the project is not at the top, as GTO has it: ``data/web=``.

        Callers name tags as they are called within the project.
        """
        done = self._git.start("rev-parse", "--show-prefix")
        prefix = done.stdout.decode("utf-8", "surrogateescape").rstrip("\n").rstrip("/")
        return f"{prefix}=" if prefix and done.returncode == 0 else ""

    def remotes(self) -> tuple[str, ...]:
        """The names of the configured remotes."""
        return tuple(self._git.text("remote").split())

    def default_remote(self) -> str | None:
        """The remote that the current branch follows, else ``origin``, else the only one, else None."""
        remotes = self.remotes()
        branch = self.branch()
        if branch:
            followed = self._git.start("config", f"branch.{branch}.remote").stdout.decode().strip()
            if followed in remotes:
                return followed
        if "origin" in remotes:
            return "origin"
        return remotes[0] if len(remotes) == 1 else None

    def default_remote_branch(self, remote: str | None = None) -> str | None:
        """``origin/main``: the remote's main branch as this clone last saw it, or None."""
        remote = remote or self.default_remote()
        if remote is None:
            return None
        done = self._git.start("symbolic-ref", "--quiet", "--short", f"refs/remotes/{remote}/HEAD")
        named = done.stdout.decode().strip()
        for candidate in filter(None, (named, f"{remote}/main", f"{remote}/master")):
            if self._git.start("rev-parse", "--verify", "--quiet", f"refs/remotes/{candidate}").returncode == 0:
                return candidate
        return None

    def remote_tags(self, dataset: str | None = None, remote: str | None = None) -> dict[str, gto.RemoteTag]:
        """Asks the remote for its tags: name → where it is; {} when no remote is configured."""
        remote = remote or self.default_remote()
        if remote is None:
            return {}
        asked = gto.patterns(dataset, self._place) if dataset else ()
        # A pattern would leave out the peeled lines, which carry the suffix ^{}: the * covers them.
        return gto.parse_listing(self._git.run("ls-remote", "--tags", "--", remote, *asked), self._place)

    def tag_name(self, name: str) -> str:
        """A tag of this project as ``git`` itself is told it: ``sub=movies@v1.1.0`` below the top of the work tree."""
        return f"{self._place}{name}"

    def fetch_tags(self, names: Sequence[str], remote: str | None = None) -> None:
        """Brings tags of the remote, in a shallow clone with their commits only; an existing tag is not moved."""
        if not names:
            return
        depth = ["--depth=1"] if self.is_shallow() else []
        refs = [f"refs/tags/{self._place}{name}:refs/tags/{self._place}{name}" for name in names]
        self._git.run("fetch", "--quiet", "--no-tags", *depth, "--", self._remote(remote), *refs)

    def fetch_deepen(self, commits: int, remote: str | None = None) -> None:
        """Brings `commits` more commits of history into a shallow clone."""
        self._git.run("fetch", "--quiet", f"--deepen={commits}", "--", self._remote(remote))

    def fetch(self, remote: str | None = None) -> None:
        """Brings the branches and tags of the remote."""
        self._git.run("fetch", "--quiet", "--tags", "--", self._remote(remote))

    def create_tag(self, name: str, commit: str, message: str) -> None:
        """Creates an annotated tag, signed when ``tag.gpgSign`` is set; raises `Refused` when it exists."""
        name = f"{self._place}{name}"
        arguments = ("tag", "--annotate", "--cleanup=whitespace", "--file=-", name, self.resolve(commit))
        done = self._git.start(*arguments, stdin=message.encode())
        if done.returncode == 0:
            return
        if b"already exists" in done.stderr:
            raise Refused(f"The tag {name} exists already", hint=f"git show {name!r} shows what it holds.", tag=name)
        raise self._git.error("tag", done)

    def delete_tag(self, name: str) -> None:
        """Removes a tag of this clone."""
        self._git.run("tag", "--delete", f"{self._place}{name}")

    def delete_remote_tag(self, name: str, remote: str | None = None) -> None:
        """Removes a tag of the remote."""
        self._git.run("push", "--quiet", "--", self._remote(remote), f":refs/tags/{self._place}{name}")

    def push_tags(self, names: Sequence[str], remote: str | None = None) -> None:
        """Pushes all of the tags or none; raises `Refused` when the remote has another tag of that name."""
        if not names:
            return
        refs = [f"refs/tags/{self._place}{name}" for name in names]
        done = self._git.start("push", "--atomic", "--quiet", "--", self._remote(remote), *refs)
        if done.returncode == 0:
            return
        if b"already exists" in done.stderr or b"would clobber" in done.stderr:
            hint = "`git ls-remote --tags` shows what the remote holds; no tag was pushed."
            raise Refused("The remote holds another tag of one of these names", hint=hint, tags=list(names))
        raise self._git.error("push", done)

    # -- commits

    def commit_only(self, paths: Sequence[str], message: str, expected_head: str | None) -> str:
        """Commits exactly `paths` as they are in the work tree and returns the new commit.

        What else the user has staged stays staged; hooks run. Nothing to commit returns HEAD. Raises
        `Refused` when HEAD is not `expected_head` (None: not asked), `GitError` when a hook or Git refuses:
        the files stay as they are and the hint is the command that commits them.
        """
        if expected_head is not None and self.head() != expected_head:
            raise moved(expected_head, self.head())
        self._refuse_ignored(paths)
        changes = self.changes(paths)
        if not changes:
            return self.head()
        untracked = [change.path for change in changes if change.untracked]
        if untracked:
            self._git.run("add", "--intent-to-add", "--", *untracked)
        changed = [change.path for change in changes]
        done = self._git.start("commit", "--quiet", "--only", "--file=-", "--", *changed, stdin=message.encode())
        if done.returncode:
            if locked(done.stderr):
                raise self._git.error("commit", done)
            command = shlex.join(["git", "commit", "--only", "-m", message.strip(), "--", *changed])
            reason = last_line(done.stderr or done.stdout)
            raise GitError(f"Git refused the commit: {reason}", hint=f"Mend that, then run: {command}", command=command)
        commit = self.head()
        parent = self._git.text("rev-list", "--parents", "-n", "1", commit).split()[1:]
        if expected_head is not None and parent != [expected_head]:
            raise moved(expected_head, " ".join(parent))
        return commit

    def _refuse_ignored(self, paths: Sequence[str]) -> None:
        listed = self._git.text("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--", *paths)
        ignored = [path for path in listed.split("\0") if path]
        if ignored:
            hint = f"git check-ignore -v {shlex.quote(ignored[0])} names the line of the ignore file; remove it."
            raise GitError(f"{ignored[0]} belongs into the commit, but Git ignores it", hint=hint, paths=ignored)

    # -- running git

    def colours(self, setting: str, *, is_terminal: bool) -> bool:
        """Whether the user wants colour there; Git knows of its pager."""
        word = "true" if is_terminal else "false"
        return self.answer("config", "--get-colorbool", setting, word, accept=(0, 1)).strip() == b"true"

    def answer(self, *arguments: str, stdin: bytes = b"", accept: Sequence[int] = (0,)) -> bytes:
        """The stdout of a command for which this class has no method; an exit code beyond `accept` is a `GitError`."""
        done = self._git.start(*arguments, stdin=stdin)
        if done.returncode not in accept:
            raise self._git.error(arguments[0], done)
        return done.stdout

    def _remote(self, remote: str | None) -> str:
        found = remote or self.default_remote()
        if found is None:
            raise GitError("This repository has no Git remote", hint="git remote add origin URL")
        return found


def _commit_of(line: str) -> str:
    """The commit of one line of for-each-ref; a tag of something else than a commit has none."""
    oid, kind, *peeled = line.split()
    return oid if kind == "commit" else (peeled[0] if peeled else "")

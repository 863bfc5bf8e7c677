"""What is done in a directory that may hold no project: beginning one, CI files, comments, Git's drivers.

In: a directory and the call's words. Out: what the verb gives. Always holds: a project is looked for where it helps,
and nothing fails for the lack of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tdv import config
from tdv.errors import TdvError
from tdv.project.project import Project

if TYPE_CHECKING:
    from tdv.ci import Written
    from tdv.comment import Commented
    from tdv.config.forge import ForgeName
    from tdv.init import Prepared
    from tdv.project.comments import CommentWish
    from tdv.project.file_diffs import FileDiff


def prepare(directory: Path) -> Prepared:
    """Makes `directory` ready to be a project; raises `GitError` outside a Git repository."""
    from tdv import init
    from tdv.store.git import Git

    environ = config.process_environment()
    return init.prepare(Git(directory.resolve(), environ), environ)


def write_ci(directory: Path, forge: ForgeName) -> Written:
    """Writes what a forge needs to review pull requests, at the top of the repository that `directory` is in.

    In a clone of a repository with a project it registers Git's drivers, too, as `prepare` does.
    """
    from tdv import ci
    from tdv.init import GIT_CONFIG, TDV_YAML
    from tdv.store import drivers
    from tdv.store.git import Git

    environ = config.process_environment()
    git = Git(Git(directory.resolve(), environ).top(), environ)
    main = git.default_remote_branch()
    branch = main.partition("/")[2] if main else git.branch()
    written = ci.write(git.root, forge, branch or "main")
    if git.work_files((f"**/{TDV_YAML}",)) and drivers.register(git):
        return replace(written, changed=(GIT_CONFIG,))
    return written


def comment(wish: CommentWish) -> Commented:
    """Keeps one comment on a pull request up to date; needs no repository."""
    from tdv.project import comments

    return comments.comment(config.process_environment(), wish)


def readable(directory: Path, file: Path) -> str:
    """A file of test data as text; `directory` is where the project is looked for, whose cache it may need."""
    from tdv import textconv

    try:
        cache = Project.find(directory).ports.cache
    except TdvError:
        cache = None
    return textconv.text_of(file.read_bytes(), cache)


def file_diff(directory: Path, words: Sequence[str]) -> FileDiff:
    """How a file changed, from the arguments of Git's diff driver; the project is looked for where the file lies."""
    from tdv.project import file_diffs

    change = file_diffs.FileChange.of(words, config.process_environment())
    if change is None:
        return file_diffs.FileDiff((f"* Unmerged path {words[0]}",), ())
    try:
        ports = Project.find((directory / change.new_path).parent).ports
    except TdvError:
        ports = None
    return file_diffs.compare(ports, change)


def git_colours(directory: Path, *, is_terminal: bool) -> bool:
    """Whether Git would show a difference in colour, also through its pager."""
    from tdv.store.git import Git

    return Git(directory.resolve(), config.process_environment()).colours("color.diff", is_terminal=is_terminal)


def drive_merge(directory: Path, files: tuple[Path, Path, Path], size: int, path: str) -> tuple[str, ...]:
    """Merges base, ours and theirs into the file of ours, as Git's merge driver; returns what clashes."""
    from tdv.project import merges
    from tdv.store.git import Git

    git = Git(directory.resolve(), config.process_environment())
    return merges.drive(git, files, size, path)

"""Makes a directory of a Git repository ready for tdv.

In: a directory inside a Git work tree, with or without DVC. Out: the files of DVC, ``tdv.yaml``, ``dvc.yaml``, the
ignore and attribute files, and Git's drivers for test data in the configuration of this clone. Always holds: what
exists is kept, lines are only added; a second run changes nothing; a repository without a commit, and a directory
below the top of its repository, are served as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tdv import config, durable
from tdv.errors import ConfigError, GitError
from tdv.store import drivers, tag_place
from tdv.store import settings as dvc
from tdv.store.git import Git

FORMAT: Final = "tdv.init/v1"
TDV_YAML: Final = "tdv.yaml"

_SETTINGS: Final = """\
# Settings of tdv for this directory; every key may be left out.

targets:
  # Where `tdv checkout` restores to when it is told nothing else. tdv may drop and replace this database whole.
  local: {url: "sqlite:///.tdv/local.db", owns: database}
default: {target: local}

# The version of the application, to which releases of test data are matched:
# app: {version: {from: pyproject.toml}}     # or {json: package.json}, {file: VERSION}, {command: [git, describe]}

# The releases that this code needs; without it the newest that fits of every dataset:
# datasets: {shop: "^1.0"}
"""
# What `dvc init` writes (`dvc.repo.init`, `dvc.config.Config.init`).
_DVC_FILES: Final[Mapping[str, str]] = {".dvc/config": "", ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n"}
_DVC_YAML: Final = "stages: {}\n"
# The second one is what the jobs of `tdv init --ci` write, which people run at home as well.
_IGNORED_BY_GIT: Final = ("/.tdv/", "/tdv-review/")
# DVC hashes whole directories: what editors and Python leave there must not look like a change of the sources.
_IGNORED_BY_DVC: Final = ("__pycache__/", "*.pyc", "*~", "*.swp", ".DS_Store", "/.tdv/")
# Sources are hashed by their bytes, so that line ends must be the same on every machine.
_ATTRIBUTES: Final = ("datasets/** text eol=lf", "CHANGELOG.md merge=union", *drivers.ATTRIBUTES)
GIT_CONFIG: Final = ".git/config"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was done in `root`: files that are new, and files that got lines added; paths are POSIX, from `root`.

    `within` is the project that `root` lies in, None where it lies in none; `datasets` is whether there is one already,
    as in a clone; `untaggable` says why no release can be tagged there.
    """

    root: Path
    created: tuple[str, ...]
    changed: tuple[str, ...]
    within: Path | None = None
    datasets: bool = False
    untaggable: str = ""

    def to_plain(self) -> dict[str, object]:
        """The JSON form."""
        return {
            "format": FORMAT,
            "root": str(self.root),
            "created": list(self.created),
            "changed": list(self.changed),
            "within": str(self.within) if self.within else None,
        }


def prepare(git: Git, environ: Mapping[str, str]) -> Prepared:
    """Writes what is missing into the directory `git.root`.

    `environ` says where DVC's configuration of the user and the system is. Raises `GitError` outside a work tree,
    `ConfigError` for a file that cannot be read or written.
    """
    if not git.is_repository():
        raise GitError(f"{git.root} is not in a Git repository", hint="git init", path=str(git.root))
    files = _Files(git.root)
    for name, text in _DVC_FILES.items():
        files.create(name, text)
    remotes = _remotes_inside(git.root, environ)
    files.create(TDV_YAML, _SETTINGS)
    files.create("dvc.yaml", _DVC_YAML)
    files.add_lines(".gitignore", _IGNORED_BY_GIT)
    files.add_lines(".dvcignore", (*_IGNORED_BY_DVC, *(f"/{path}/" for path in remotes)))
    files.add_lines(".gitattributes", (*_ATTRIBUTES, *(f"{path}/** -text -diff" for path in remotes)))
    if drivers.register(git):
        files.changed.append(GIT_CONFIG)
    datasets = any(git.root.glob("datasets/*/dataset.yaml"))
    return Prepared(
        git.root, tuple(files.created), tuple(files.changed), _around(git.root), datasets, tag_place.warning(git)
    )


def _around(root: Path) -> Path | None:
    """The project of the same repository that the directory lies in."""
    if (root / ".git").exists():
        return None
    with suppress(ConfigError):
        return config.find_root(root.parent)
    return None


def _remotes_inside(root: Path, environ: Mapping[str, str]) -> list[str]:
    """The directories of remotes that are kept in the repository itself."""
    settings = dvc.load(root, environ)
    inside = (settings.inside(name) for name in sorted(settings.remotes))
    return [path for path in inside if path is not None]


@dataclass(frozen=True, slots=True)
class _Files:
    """Writes files below `root` and remembers which."""

    root: Path
    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    def create(self, name: str, text: str) -> None:
        """Writes the file unless there is one."""
        if not (self.root / name).exists():
            self._write(name, text)
            self.created.append(name)

    def add_lines(self, name: str, wanted: Sequence[str]) -> None:
        """Adds the lines that the file lacks at its end."""
        text = self._read(name)
        known = {line.strip() for line in (text or "").splitlines()}
        missing = [line for line in wanted if line not in known]
        if not missing:
            return
        begin = text if not text or text.endswith("\n") else f"{text}\n"
        self._write(name, (begin or "") + "".join(f"{line}\n" for line in missing))
        (self.created if text is None else self.changed).append(name)

    def _read(self, name: str) -> str | None:
        try:
            return (self.root / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as exc:
            hint = "It must be UTF-8 text that you may read."
            raise ConfigError(f"{name} cannot be read", hint=hint, path=name) from exc

    def _write(self, name: str, text: str) -> None:
        try:
            durable.write_text(self.root / name, text)
        except OSError as exc:
            hint = "Make the directory writable, then run `tdv init` again."
            raise ConfigError(f"{name} cannot be written: {exc.strerror}", hint=hint, path=name) from exc

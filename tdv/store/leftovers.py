"""What DVC's files still say of datasets whose spec is gone.

In: Git at the root of a project. Out: dataset → `Leftover`. Always holds: stages and artifacts that tdv did not write
are not looked at; nothing is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tdv.store import pipeline
from tdv.store.artifacts import data_path
from tdv.store.git import Git

_SAID: Final = {
    "stage": "its stage in dvc.yaml",
    "artifact": "its artifact in dvc.yaml",
    "lock": "its entry in dvc.lock",
}
_MEND: Final = {
    "stage": "dvc remove {0} --outs",
    "artifact": "take {0} out of `artifacts:` in dvc.yaml",
    "lock": "take {0} out of dvc.lock",
}


@dataclass(frozen=True, slots=True)
class Leftover:
    """A dataset without a spec; `places` are ``stage``, ``artifact`` and ``lock``, where it still stands; `commit` has
    its spec, None where no commit does."""

    dataset: str
    places: tuple[str, ...]
    commit: str | None

    @property
    def message(self) -> str:
        """``datasets/movies/dataset.yaml is not there, and still there is its stage in dvc.yaml``"""
        still = " and ".join(_SAID[place] for place in self.places)
        return f"{_spec(self.dataset)} is not there, and still there is {still}"

    @property
    def hint(self) -> str:
        """What takes it out, or brings the dataset back."""
        # With the stage, DVC removes what it locked.
        places = [place for place in self.places if place != "lock" or "stage" not in self.places]
        out = " and ".join(_MEND[place].format(self.dataset) for place in places)
        return f"git checkout {self.commit} -- datasets/{self.dataset}, or {out}" if self.commit else out


def leftovers(git: Git) -> dict[str, Leftover]:
    """Every dataset that DVC's files name and that has no spec any more."""
    root = git.root
    found = {
        "stage": [name for name in pipeline.stage_names(root) if _spec(name) in pipeline.stage_deps(root, name)],
        "artifact": list(_artifacts(root)),
        "lock": [name for name, stage in pipeline.read_lock(root).items() if stage.out(data_path(name))],
    }
    names = dict.fromkeys(name for place in found.values() for name in place)
    gone = (name for name in names if not has_spec(root, name))
    return {name: Leftover(name, _places(found, name), _last_commit(git, name)) for name in gone}


def has_spec(root: Path, dataset: str) -> bool:
    """False for a dataset that was taken away, or retired: then only its releases are left."""
    return (root / _spec(dataset)).is_file()


def _last_commit(git: Git, dataset: str) -> str | None:
    """``HEAD`` while nobody committed that the spec is gone, else the commit before that."""
    if git.read_many("HEAD", (_spec(dataset),)):
        return "HEAD"
    removed = git.answer("rev-list", "-1", "HEAD", "--", _spec(dataset)).decode().strip()
    return f"{removed[:12]}^" if removed else None


def _spec(dataset: str) -> str:
    return f"datasets/{dataset}/dataset.yaml"


def _artifacts(root: Path) -> Iterator[str]:
    file = root / pipeline.DVC_YAML
    paths = pipeline.artifact_paths(file.read_bytes()) if file.is_file() else {}
    return (name for name, path in paths.items() if path == data_path(name))


def _places(found: dict[str, list[str]], name: str) -> tuple[str, ...]:
    return tuple(place for place, names in found.items() if name in names)

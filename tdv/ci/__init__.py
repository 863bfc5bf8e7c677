"""What a forge needs to review test data in pull requests: the files that ``tdv init --ci`` writes.

In: the root of a repository, the forge, its main branch. Out: the files written. Always holds: a file that somebody
changed is kept; the version of tdv that wrote the files is the one that they install.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal

from tdv import __version__, durable

FORMAT: Final = "tdv.ci/v1"
Forge = Literal["github", "gitlab"]

_GITLAB: Final = ".gitlab-ci.yml"
_INCLUDE: Final = "include:\n  - local: ci/tdv.gitlab-ci.yml\n"
_INCLUDED: Final = re.compile(r"ci/tdv\.gitlab-ci\.yml")
_FILES: Final[Mapping[Forge, Mapping[str, str]]] = {
    "github": {
        "ci/tdv/action.yml": "action.yml",
        "ci/tdv/review.sh": "review.sh",
        "ci/tdv/projects.sh": "projects.sh",
        ".github/workflows/test-data.yml": "test-data.yml",
        ".github/workflows/test-data-comment.yml": "test-data-comment.yml",
    },
    "gitlab": {
        "ci/tdv/review.sh": "review.sh",
        "ci/tdv/projects.sh": "projects.sh",
        "ci/tdv.gitlab-ci.yml": "tdv.gitlab-ci.yml",
    },
}


@dataclass(frozen=True, slots=True)
class Written:
    """Paths that are new, paths that were there with another content and were kept, and what is left to do.

    `changed` are files that got lines added.
    """

    created: tuple[str, ...]
    kept: tuple[str, ...]
    notes: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "created": list(self.created),
            "changed": list(self.changed),
            "kept": list(self.kept),
            "notes": list(self.notes),
        }


def write(root: Path, forge: Forge, branch: str) -> Written:
    """Writes the files of one forge at the top of a repository whose main branch is `branch`."""
    created, kept, notes = [], [], []
    for path, name in _FILES[forge].items():
        text = _template(name, branch)
        if not (root / path).exists():
            durable.write_text(root / path, text)
            created.append(path)
        elif (root / path).read_text(encoding="utf-8", errors="replace") != text:
            kept.append(path)
    if forge == "gitlab":
        pipeline = root / _GITLAB
        if not pipeline.exists():
            durable.write_text(pipeline, _INCLUDE)
            created.append(_GITLAB)
        elif not _INCLUDED.search(pipeline.read_text(encoding="utf-8", errors="replace")):
            notes.append(f"Add to {_GITLAB}: include: [{{local: ci/tdv.gitlab-ci.yml}}]")
    return Written(tuple(created), tuple(kept), tuple(notes))


def _template(name: str, branch: str) -> str:
    text = resources.files("tdv.ci").joinpath("templates", name).read_text(encoding="utf-8")
    return text.replace("@VERSION@", __version__).replace("@BRANCH@", branch)

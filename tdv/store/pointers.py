"""``.dvc`` files: what DVC tracks without a stage, such as a seed that is too large for Git.

In: the ``.dvc`` files of a work tree. Out: `Entry` values whose paths count from the root. Always holds: a path
stays inside the repository.
"""

from __future__ import annotations

import posixpath
from pathlib import PurePosixPath
from typing import Any, Final

from tdv.errors import DocumentError, Problem
from tdv.store import dvc_files
from tdv.store.git import Git
from tdv.store.pipeline import Entry

PATTERN: Final = "**/*.dvc"


def tracked(git: Git) -> tuple[Entry, ...]:
    """What the ``.dvc`` files of the work tree name, sorted by path; raises `DocumentError`."""
    files = [name for name in git.work_files((PATTERN,)) if (git.root / name).is_file()]
    entries = [entry for name in files for entry in parse_pointer((git.root / name).read_bytes(), name)]
    return tuple(sorted(entries, key=lambda entry: entry.path))


def parse_pointer(data: bytes, file: str) -> tuple[Entry, ...]:
    """What one ``.dvc`` file at the path `file` names; outputs that were never stored are left out."""
    content = dvc_files.load(data, file)
    try:
        directory = PurePosixPath(file).parent / (content.get("wdir") or ".")
        outs = [out for out in content.get("outs") or () if out.get("md5")]
        return tuple(Entry.from_text({**out, "path": _inside(directory, out["path"])}) for out in outs)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        hint = "Take the file back from Git, or run `dvc add` again."
        raise DocumentError([Problem(file, 1, "outs", f"this is no file of DVC: {exc}")], hint=hint) from exc


def _inside(directory: PurePosixPath, path: Any) -> str:
    joined: str = posixpath.normpath(str(directory / path))
    if joined.startswith(("../", "/")) or joined == "..":
        raise ValueError(f"{path!r} lies outside of the repository")
    return joined

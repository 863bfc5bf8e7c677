"""The environment that other programs run in, and what is kept of their complaints.

In: an environment, stderr bytes. Out: an environment in which Git speaks English, asks nothing and looks at
the directory it is started in; one line of text without credentials. Always holds: no password of a URL gets out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

# Git sets these for its hooks and aliases; inherited, they would turn tdv to another repository or index.
_ELSEWHERE: Final = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
)
_QUIET: Final = {"LC_ALL": "C", "LANGUAGE": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/@\s]+@")
_PREFIX: Final = re.compile(r"^(fatal|error|hint|warning|remote):\s*")


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` without what would send git elsewhere, in the C locale, without questions on the terminal."""
    kept = {name: value for name, value in environ.items() if name not in _ELSEWHERE}
    return {**kept, **_QUIET}


def last_line(output: bytes) -> str:
    """The last line that says something, without ``fatal:`` and without credentials of URLs."""
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines()]
    said = [line for line in lines if line and not line.startswith(("hint:", "Please make sure", "and the repository"))]
    return redacted(_PREFIX.sub("", said[-1])) if said else ""


def redacted(text: str) -> str:
    """`text` with the user and password of every URL replaced by ``***``."""
    return _CREDENTIALS.sub("***@", text)

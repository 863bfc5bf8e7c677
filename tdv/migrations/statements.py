"""The statement of a migration that a problem speaks of, found in its file.

In: the file, and the problem as a sentence with names in quotes. Out: one line of the file, or "". Always holds: what
takes a migration back is not looked at; it is a help for the reader, and nothing is decided by it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

_BACK: Final = re.compile(
    r"^\s*(?:def downgrade\b|def down\b|--\s*(?:\+goose Down|migrate:down|rollback)\b)", re.MULTILINE
)
_QUOTED: Final = re.compile(r"'([^']+)'")
_DOTTED: Final = re.compile(r"\b(\w+)\.(\w+)\b")
_COMMENT: Final = ("#", "--", '"""')
_WIDTH: Final = 200


def statement_of(directory: Path, file: str, problem: str) -> str:
    """The line of `file`, which is somewhere under `directory`, that names most of what `problem` names."""
    names = {*_QUOTED.findall(problem), *(word for pair in _DOTTED.findall(problem) for word in pair)}
    best, most = "", 0
    for line in _lines(directory, file):
        count = sum(1 for name in names if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", line))
        if count > most:
            best, most = line[:_WIDTH], count
    return best


def _lines(directory: Path, file: str) -> list[str]:
    top = directory if directory.is_dir() else directory.parent
    found = next(iter(sorted(top.rglob(Path(file).name))), None)
    if found is None or not found.is_file():
        return []
    text = found.read_text(encoding="utf-8", errors="replace")
    back = _BACK.search(text)
    lines = (line.strip() for line in text[: back.start() if back else None].splitlines())
    return [line for line in lines if line and not line.startswith(_COMMENT)]

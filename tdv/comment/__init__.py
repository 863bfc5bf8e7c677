"""One comment on a pull request, kept up to date in its place.

In: Markdown, a `Forge`, the number of the pull request. Out: a `Commented`. Always holds: a pull request gets one such
comment, however often this runs; text that did not change is not written again, so that nobody is notified twice; a
token that may not write, as that of a fork, is no failure: the text goes to the summary of the step.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from tdv.comment.forges import Forge, GitHub, GitLab, Note
from tdv.errors import ForgeError

__all__ = ["Commented", "Forge", "GitHub", "GitLab", "body_of", "comment", "denied", "into_summary", "marker"]

FORMAT: Final = "tdv.comment/v1"
Action = Literal["created", "updated", "unchanged", "summary", "nothing"]

_DENIED: Final = (401, 403, 404)
_DETAILS: Final = re.compile(r"<(/?)details\b")
_SUMMARY_LIMIT: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Commented:
    """What was done; `reason` says why there is no comment."""

    action: Action
    number: int | None
    url: str = ""
    reason: str = ""

    def to_plain(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "action": self.action,
            "number": self.number,
            "url": self.url,
            "reason": self.reason,
        }


def marker(name: str) -> str:
    """The invisible first line by which the comment is found again."""
    return f"<!-- tdv-comment: {re.sub(r'[^A-Za-z0-9_.]+', '-', name)} -->"


def body_of(name: str, text: str, limit: int) -> str:
    """The comment: the marker, then `text`, cut at the end of a line where it is longer than the forge takes.

    `limit` counts characters and bytes.
    """
    head = f"{marker(name)}\n"
    if len((head + text).encode()) <= limit:
        return head + text
    notice = "\n\n*The rest is too long for a comment; the report of the job has all of it.*\n"
    left = limit - len((head + notice).encode()) - 200
    kept = text.encode()[: max(left, 0)].decode("utf-8", "ignore").rpartition("\n")[0]
    depth = sum(-1 if found[1] else 1 for found in _DETAILS.finditer(kept))
    return head + kept + "\n\n" + "</details>" * max(min(depth, 10), 0) + notice


def comment(forge: Forge, number: int, name: str, text: str) -> Commented:
    """Writes or updates the comment `name`; raises `ForgeError`."""
    body = body_of(name, text, forge.limit)
    found = _own(forge, number, name)
    if found is None:
        return Commented("created", number, forge.create(number, body).url)
    if _same(found.body, body):
        return Commented("unchanged", number, found.url)
    return Commented("updated", number, forge.update(number, found, body).url)


def into_summary(text: str, summary: Path | None, number: int | None, problem: str) -> Commented:
    """Puts the text where the forge shows it without a token: the summary of the step, as far as that goes."""
    if summary is None:
        return Commented("nothing", number, reason=problem)
    try:
        with summary.open("a", encoding="utf-8") as file:
            file.write(body_of("summary", text, _SUMMARY_LIMIT) + "\n")
    except OSError as exc:
        return Commented("nothing", number, reason=f"{problem}; {summary} cannot be written: {exc.strerror}")
    return Commented("summary", number, reason=problem)


def denied(problem: ForgeError) -> bool:
    """True where the token may not comment, as that of a pull request from a fork; not where the forge is busy."""
    return problem.facts.get("status") in _DENIED and not problem.facts.get("busy")


def _own(forge: Forge, number: int, name: str) -> Note | None:
    """The comment that begins with the marker: a quotation of it in somebody's answer does not, and what another
    account put under it is that account's, which could alter it later."""
    head = marker(name)
    marked = (note for note in forge.notes(number) if note.body.lstrip().startswith(head))
    return next((note for note in marked if forge.is_own(note)), None)


def _same(there: str, body: str) -> bool:
    return there.replace("\r\n", "\n").rstrip() == body.rstrip()

"""Wires the comment: the job that this process runs in, options that say more, the files with the text.

In: a `CommentWish`. Out: a `Commented`. Always holds: no repository is needed; the files are read as text only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tdv import comment as verb
from tdv.config.forge import ForgeJob, ForgeName, comment_token, forge_job
from tdv.errors import ForgeError, NotFound, UsageError

_APIS: Final[Mapping[ForgeName, str]] = {"github": "https://api.github.com", "gitlab": "https://gitlab.com/api/v4"}
_GITHUB_PROJECT: Final = re.compile(r"\w[\w.-]*/[\w.-]*\w[\w.-]*")


@dataclass(frozen=True, slots=True)
class CommentWish:
    """`files` hold the Markdown, one after the other; what is None comes from the environment of the job. `head` is
    ``owner:branch`` for a job that knows no pull request."""

    files: tuple[Path, ...]
    name: str = "review"
    forge: ForgeName | None = None
    api: str | None = None
    project: str | None = None
    number: int | None = None
    head: str | None = None


def comment(environ: Mapping[str, str], wish: CommentWish) -> verb.Commented:
    """Keeps the comment up to date; raises `UsageError` where nobody says which forge or pull request is meant."""
    text = "\n\n".join(_read(path) for path in wish.files)
    job = _job(environ, wish)
    try:
        forge = (verb.GitHub if job.forge == "github" else verb.GitLab)(job.api, job.project, job.token)
        number = job.number if wish.head is None else forge.find_pull(wish.head)
        if wish.head is not None and number is None:
            return verb.into_summary(text, job.summary, None, f"no open pull request comes from {wish.head}")
        if number is None:
            raise UsageError("Which pull request is meant?", hint="Name it: tdv comment FILE --number 12")
        return verb.comment(forge, number, wish.name, text)
    except ForgeError as problem:
        if not verb.denied(problem):
            raise
        return verb.into_summary(text, job.summary, job.number, problem.message)


def _job(environ: Mapping[str, str], wish: CommentWish) -> ForgeJob:
    job = forge_job(environ)
    forge = wish.forge or job.forge
    if forge is None:
        raise UsageError("Which forge is meant?", hint="Run it in a CI job, or name it: --forge github or gitlab")
    known = job if job.forge == forge else ForgeJob(forge, token=comment_token(environ, forge))
    found = replace(
        known,
        api=wish.api or known.api or _APIS[forge],
        project=wish.project or known.project,
        number=wish.number if wish.number is not None else known.number,
    )
    if not found.project:
        raise UsageError("Which project is meant?", hint="Name it: --project owner/name, or its number on GitLab")
    if forge == "github" and not _GITHUB_PROJECT.fullmatch(found.project):
        raise UsageError(f"{found.project!r} is no project of GitHub", hint="Write --project owner/name.")
    if not found.api.startswith(("https://", "http://")):
        raise UsageError(f"--api {found.api} is no address", hint=f"Write it as in --api {_APIS[forge]}.")
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as exc:
        hint = "tdv diff --markdown > FILE"
        raise NotFound(f"{path} cannot be read: {exc.strerror}", hint=hint, path=str(path)) from exc

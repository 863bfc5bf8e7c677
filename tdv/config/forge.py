"""What a forge's CI job says of itself in its environment.

In: an environment. Out: `ForgeJob`. Always holds: the token is in no ``repr``; where the environment names no forge or
no pull request, the fields are empty, and whoever needs them says which option gives them.
Variables: https://docs.github.com/actions/reference/workflows-and-actions/variables,
https://docs.gitlab.com/ci/variables/predefined_variables/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

ForgeName = Literal["github", "gitlab"]

_PULL: Final = re.compile(r"refs/pull/([0-9]+)/")


@dataclass(frozen=True, slots=True)
class ForgeJob:
    """`api` is the root of the REST interface, `project` is ``owner/name`` on GitHub and the project's id on GitLab,
    `number` that of the pull request; `summary` is the file that the forge shows as the result of the step."""

    forge: ForgeName | None = None
    api: str = ""
    project: str = ""
    number: int | None = None
    token: str = field(default="", repr=False)
    summary: Path | None = None


def forge_job(environ: Mapping[str, str]) -> ForgeJob:
    """The job that this process runs in."""
    if environ.get("GITLAB_CI") == "true":
        return ForgeJob(
            forge="gitlab",
            api=environ.get("CI_API_V4_URL", ""),
            project=environ.get("CI_MERGE_REQUEST_PROJECT_ID") or environ.get("CI_PROJECT_ID", ""),
            number=_number(environ.get("CI_MERGE_REQUEST_IID", "")),
            token=comment_token(environ, "gitlab"),
        )
    if environ.get("GITHUB_ACTIONS") == "true":
        pull = _PULL.match(environ.get("GITHUB_REF", ""))
        return ForgeJob(
            forge="github",
            api=environ.get("GITHUB_API_URL", ""),
            project=environ.get("GITHUB_REPOSITORY", ""),
            number=int(pull[1]) if pull else None,
            token=comment_token(environ, "github"),
            summary=Path(environ["GITHUB_STEP_SUMMARY"]) if environ.get("GITHUB_STEP_SUMMARY") else None,
        )
    return ForgeJob()


def comment_token(environ: Mapping[str, str], forge: ForgeName) -> str:
    """The token for comments at `forge`; that of the other one stays at home."""
    return environ.get("TDV_COMMENT_TOKEN") or environ.get(f"{forge.upper()}_TOKEN", "")


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None

"""The comments of GitHub and GitLab behind one protocol.

In: a `Client`, a project, a pull request. Out: `Note` values. Always holds: every page of comments is read before one
is taken for absent; what another account wrote is nobody's own; paths are those of the forges' REST interfaces:
https://docs.github.com/rest/issues/comments, https://docs.gitlab.com/api/notes/, ``/user`` on both
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

from tdv.comment.http import Client
from tdv.errors import ForgeError

_PAGE: Final = 100
_MOST_PAGES: Final = 100
_NEXT: Final = re.compile(r'<([^>]+)>;\s*rel="next"')


@dataclass(frozen=True, slots=True)
class Note:
    """One comment; `author` is the number of the account, None where the forge does not say."""

    id: int
    body: str
    url: str = ""
    author: int | None = None
    is_bots: bool = False


class Forge(Protocol):
    """The comments of pull requests of one project; every method raises `ForgeError`."""

    limit: int

    def notes(self, number: int) -> Iterator[Note]:
        """All comments of a pull request, page by page."""

    def is_own(self, note: Note) -> bool:
        """Whether the account of the token wrote the comment."""

    def create(self, number: int, body: str) -> Note:
        """Writes a comment."""

    def update(self, number: int, note: Note, body: str) -> Note:
        """Replaces the text of a comment."""

    def find_pull(self, head: str) -> int | None:
        """The open pull request from ``owner:branch``, None where there is none."""


class GitHub:
    """`project` is ``owner/name``."""

    limit = 60_000

    def __init__(self, api: str, project: str, token: str) -> None:
        owner, _, name = project.partition("/")
        self._base = f"repos/{urllib.parse.quote(owner, safe='')}/{urllib.parse.quote(name, safe='')}"
        versions = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
        self._client = Client(api, {**versions, "Authorization": f"Bearer {token}"} if token else versions)

    def notes(self, number: int) -> Iterator[Note]:
        """All comments of a pull request, page by page."""
        path: str | None = f"{self._base}/issues/{number}/comments?per_page={_PAGE}"
        for _ in range(_MOST_PAGES):
            if path is None:
                return
            answer = self._client.call("GET", path)
            yield from map(_github_note, _listed(answer.body))
            found = _NEXT.search(answer.headers.get("link", ""))
            path = found[1] if found else None

    def is_own(self, note: Note) -> bool:
        """Whether the account of the token wrote the comment. The token of a job belongs to an app, which may not ask
        who it is: to it, what a bot wrote is its own."""
        account = _account(self._client) if note.author is not None else None
        return note.author == account if account is not None else note.is_bots or note.author is None

    def create(self, number: int, body: str) -> Note:
        """Writes a comment."""
        return _github_note(self._client.call("POST", f"{self._base}/issues/{number}/comments", {"body": body}).body)

    def update(self, number: int, note: Note, body: str) -> Note:
        """Replaces the text of a comment."""
        path = f"{self._base}/issues/comments/{note.id}"
        return _github_note(self._client.call("PATCH", path, {"body": body}).body)

    def find_pull(self, head: str) -> int | None:
        """The open pull request from ``owner:branch``; the forge lists the newest first."""
        query = urllib.parse.urlencode({"state": "open", "head": head})
        found = _listed(self._client.call("GET", f"{self._base}/pulls?{query}").body)
        return int(found[0]["number"]) if found else None


class GitLab:
    """`project` is the number of the project, or its path."""

    limit = 900_000

    def __init__(self, api: str, project: str, token: str) -> None:
        self._base = f"projects/{urllib.parse.quote(project, safe='')}/merge_requests"
        self._client = Client(api, {"PRIVATE-TOKEN": token} if token else {})

    def notes(self, number: int) -> Iterator[Note]:
        """All comments of a merge request, page by page."""
        page = "1"
        for _ in range(_MOST_PAGES):
            path = f"{self._base}/{number}/notes?per_page={_PAGE}&sort=asc&order_by=created_at&page={page}"
            answer = self._client.call("GET", path)
            yield from (_gitlab_note(item) for item in _listed(answer.body) if not item.get("system"))
            page = answer.headers.get("x-next-page", "").strip()
            if not page:
                return

    def is_own(self, note: Note) -> bool:
        """Whether the account of the token wrote the comment."""
        account = _account(self._client) if note.author is not None else None
        return account is None or note.author == account

    def create(self, number: int, body: str) -> Note:
        """Writes a comment."""
        return _gitlab_note(self._client.call("POST", f"{self._base}/{number}/notes", {"body": body}).body)

    def update(self, number: int, note: Note, body: str) -> Note:
        """Replaces the text of a comment."""
        return _gitlab_note(self._client.call("PUT", f"{self._base}/{number}/notes/{note.id}", {"body": body}).body)

    def find_pull(self, head: str) -> int | None:
        """The open merge request from a branch; the owner before the colon is not asked for."""
        query = urllib.parse.urlencode({"state": "opened", "source_branch": head.rpartition(":")[2]})
        found = _listed(self._client.call("GET", f"{self._base}?{query}").body)
        return int(found[0]["iid"]) if found else None


def _listed(body: Any) -> list[dict[str, Any]]:
    if isinstance(body, list) and all(isinstance(item, dict) for item in body):
        return body
    raise ForgeError("The forge's answer is no list", hint="Is this the address of the interface?")


def _account(client: Client) -> int | None:
    """The number of the account whose token is used; None for one that may not know. Raises `ForgeError`."""
    try:
        found = client.call("GET", "user").body
    except ForgeError as problem:
        if problem.facts.get("status") in (401, 403, 404):
            return None
        raise
    number = found.get("id") if isinstance(found, dict) else None
    return number if isinstance(number, int) else None


def _github_note(item: Any) -> Note:
    return _note(item, "html_url", "user")


def _gitlab_note(item: Any) -> Note:
    return _note(item, "", "author")


def _note(item: Any, address: str, author: str) -> Note:
    try:
        account = item.get(author) or {}
        number, is_bots = account.get("id"), account.get("type") == "Bot"
        return Note(int(item["id"]), str(item.get("body") or ""), str(item.get(address, "")), number, is_bots)
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise ForgeError("The forge's answer is no comment", hint="Is this the address of the interface?") from exc

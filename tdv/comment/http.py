"""JSON over HTTP with the standard library, as far as the forges need it.

In: a method, an address, a JSON body. Out: the status, headers and JSON of the answer. Always holds: the token is sent
to the host of the forge's own address only, never along a redirection and never into an error; a call ends after a
minute, and is sent again a few times where the forge refused it for now and said for how long.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Final

from tdv import __version__
from tdv.errors import ForgeError

_SECONDS: Final = 60
_MOST_BYTES: Final = 32 * 1024 * 1024
_TRIES: Final = 4
_LONGEST_PAUSE: Final = 120
# GitHub answers 403 or 429 to who writes too fast, GitLab 429. A refusal with Retry-After did nothing, so that a
# comment that is sent again is not there twice.
_FOR_NOW: Final = (403, 429, 503)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `body` is None for an empty answer."""

    status: int
    headers: Mapping[str, str]
    body: Any


class _Still(urllib.request.HTTPRedirectHandler):
    """Follows nothing: an interface of a forge that redirects has moved, and a token stays at home."""

    def redirect_request(self, *_args: Any, **_named: Any) -> None:
        return None


@dataclass(frozen=True)
class Client:
    """Calls below `api`, with `headers` that may hold the token."""

    api: str
    headers: Mapping[str, str] = field(repr=False)

    def call(self, method: str, path: str, body: object = None) -> Answer:
        """One call; `path` is below `api`, or an address at the same host as the forge gave it for the next page.

        Raises `ForgeError` for any status from 300 on, and where nobody answers.
        """
        address = self._address(path)
        data = None if body is None else json.dumps(body).encode()
        headers = {"User-Agent": f"tdv/{__version__}", "Accept": "application/json", **self.headers}
        if data is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(address, data, headers, method=method)
        place = f"{method} {urllib.parse.urlsplit(address).path}"
        for _ in range(_TRIES - 1):
            try:
                return self._sent(request, place)
            except ForgeError as problem:
                pause = problem.facts.get("pause")
                if not isinstance(pause, int) or pause > _LONGEST_PAUSE:
                    raise
            time.sleep(pause)
        return self._sent(request, place)

    def _sent(self, request: urllib.request.Request, place: str) -> Answer:
        try:
            with urllib.request.build_opener(_Still).open(request, timeout=_SECONDS) as answer:
                found = {name.lower(): value for name, value in answer.headers.items()}
                return Answer(answer.status, found, _parsed(answer.read(_MOST_BYTES), place))
        except urllib.error.HTTPError as exc:
            with exc:
                raise _refused(exc, place) from exc
        except (OSError, ValueError) as exc:
            reason = getattr(exc, "reason", None) or exc
            raise ForgeError(f"{place}: {reason}", hint=f"Is {self._host(self.api)} the right address?") from exc

    def _address(self, path: str) -> str:
        if "://" not in path:
            return f"{self.api.rstrip('/')}/{path.lstrip('/')}"
        if self._host(path) != self._host(self.api):
            raise ForgeError(f"The forge names the next page on another host: {self._host(path)}", hint="Report it.")
        return path

    @staticmethod
    def _host(address: str) -> str:
        parts = urllib.parse.urlsplit(address)
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"


def _parsed(data: bytes, place: str) -> Any:
    if not data:
        return None
    try:
        return json.loads(data)
    except ValueError as exc:
        raise ForgeError(f"{place}: the answer is no JSON", hint="Is this the address of the interface?") from exc


def _refused(problem: urllib.error.HTTPError, place: str) -> ForgeError:
    try:
        said = json.loads(problem.read(4096))
    except (OSError, ValueError):
        said = {}
    text = said.get("message") or said.get("error") if isinstance(said, dict) else None
    reason = str(text or problem.reason or "refused").splitlines()[0]
    pause = _pause(problem)
    if pause is not None:
        hint = f"The forge is busy and asks to wait {pause} s: run it again after that."
        return ForgeError(f"{place}: {problem.code} {reason}", hint=hint, status=problem.code, pause=pause, busy=True)
    hints = {401: "The token is missing, wrong or has expired.", 403: "The token may not write comments."}
    hint = hints.get(problem.code, "Check the project, the number of the pull request and the token.")
    # GitHub's 403 for too many calls in an hour says so in a header, that for too many at once in its words only.
    too_many = problem.headers.get("X-RateLimit-Remaining") == "0" or "rate limit" in reason.lower()
    busy = problem.code in (403, 429) and too_many
    if busy or problem.code == 429 or problem.code >= 500:
        hint = "The forge is busy or has a problem: run it again later."
    return ForgeError(f"{place}: {problem.code} {reason}", hint=hint, status=problem.code, busy=busy)


def _pause(problem: urllib.error.HTTPError) -> int | None:
    """The seconds after which the forge takes the call; None where it refuses for another reason, or does not say."""
    said = problem.headers.get("Retry-After", "").strip()
    if problem.code not in _FOR_NOW:
        return None
    if said.isdecimal():
        return int(said)
    try:
        # A moment, counted from the forge's own clock.
        wait = parsedate_to_datetime(said) - parsedate_to_datetime(problem.headers.get("Date", ""))
    except (TypeError, ValueError):
        return None
    return max(0, int(wait.total_seconds()))

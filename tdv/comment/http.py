"""JSON over HTTP with the standard library, as far as the forges need it.

In: a method, an address, a JSON body. Out: the status, headers and JSON of the answer. Always holds: the token is sent
to the host of the forge's own address only, never along a redirection and never into an error; a call ends after a
minute.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tdv import __version__
from tdv.errors import ForgeError

_SECONDS: Final = 60
_MOST_BYTES: Final = 32 * 1024 * 1024


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
    hints = {401: "The token is missing, wrong or has expired.", 403: "The token may not write comments."}
    hint = hints.get(problem.code, "Check the project, the number of the pull request and the token.")
    return ForgeError(f"{place}: {problem.code} {reason}", hint=hint, status=problem.code)

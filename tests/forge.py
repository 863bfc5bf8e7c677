"""A server on this machine that has the comments of GitHub and GitLab, with their real paths and pages."""

from __future__ import annotations

import json
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PER_PAGE = 100
Notes = list[dict[str, Any]]


@dataclass
class FakeForge:
    """The comments of one pull request; `refuse` maps a method to the status that it gets; `busy` holds the
    refusals that come first, each a status and its Retry-After, as many as there are; `account` is whose token is used,
    None for an app, which may not ask; `limited` is the message and the headers of a 403 for too many calls."""

    notes: Notes = field(default_factory=list)
    pulls: Notes = field(default_factory=list)
    refuse: dict[str, int] = field(default_factory=dict)
    busy: list[tuple[int, str]] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    account: int | None = None
    limited: tuple[str, dict[str, str]] | None = None
    elsewhere: str = ""
    address: str = ""

    def note(self, body: str, **more: Any) -> None:
        self.notes.append({"id": 1000 + len(self.notes), "body": body, **more})

    @property
    def writes(self) -> list[tuple[str, str]]:
        return [call for call in self.calls if call[0] != "GET"]


class Handler(BaseHTTPRequestHandler):
    """The paths of both forges; GitLab's lie below ``/api/v4/``."""

    @property
    def forge(self) -> FakeForge:
        assert isinstance(self.server, Server)
        return self.server.forge

    def log_message(self, *_: Any) -> None:
        pass

    def answer(self, status: int, body: Any, **headers: str) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def handle_call(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        sent = json.loads(self.rfile.read(size)) if size else {}
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        self.forge.calls.append((self.command, url.path))
        self.forge.tokens.add(self.headers.get("Authorization") or self.headers.get("PRIVATE-TOKEN") or "")
        if self.forge.busy and self.command != "GET":
            status, pause = self.forge.busy.pop(0)
            self.answer(status, {"message": "Slow down"}, **({"Retry-After": pause} if pause else {}))
        elif self.forge.limited is not None:
            self.answer(403, {"message": self.forge.limited[0]}, **self.forge.limited[1])
        elif self.command in self.forge.refuse:
            self.answer(self.forge.refuse[self.command], {"message": "Resource not accessible by integration"})
        elif url.path.removeprefix("/api/v4") == "/user":
            account = self.forge.account
            self.answer(*((403, {"message": "Resource not accessible"}) if account is None else (200, {"id": account})))
        elif url.path.startswith("/api/v4/"):
            self.gitlab(url.path.removeprefix("/api/v4/"), query, sent)
        else:
            self.github(url.path, query, sent)

    do_GET = do_POST = do_PATCH = do_PUT = handle_call

    def github(self, path: str, query: dict[str, str], sent: dict[str, str]) -> None:
        listing = "/repos/me/app/issues/12/comments"
        if path == "/repos/me/app/pulls":
            assert query["state"] == "open"
            self.answer(200, [pull for pull in self.forge.pulls if pull["head"] == query["head"]])
        elif path == listing and self.command == "GET":
            page, size = int(query.get("page", "1")), int(query["per_page"])
            link = (
                f'<{self.forge.elsewhere or self.forge.address}{listing}?per_page={size}&page={page + 1}>; rel="next"'
            )
            more = {"Link": link} if page * size < len(self.forge.notes) else {}
            self.answer(200, self.forge.notes[(page - 1) * size : page * size], **more)
        elif path == listing and self.command == "POST":
            self.forge.note(sent["body"], html_url="https://github.test/me/app/pull/12#1")
            self.answer(201, self.forge.notes[-1])
        else:
            self.change("PATCH", path.removeprefix("/repos/me/app/issues/comments/"), sent)

    def gitlab(self, path: str, query: dict[str, str], sent: dict[str, str]) -> None:
        listing = "projects/me%2Fapp/merge_requests/12/notes"
        if path == listing and self.command == "GET":
            page, size = int(query["page"]), int(query["per_page"])
            following = str(page + 1) if page * size < len(self.forge.notes) else ""
            self.answer(200, self.forge.notes[(page - 1) * size : page * size], X_Next_Page=following)
        elif path == listing and self.command == "POST":
            self.forge.note(sent["body"])
            self.answer(201, self.forge.notes[-1])
        else:
            self.change("PUT", path.removeprefix(f"{listing}/"), sent)

    def change(self, method: str, number: str, sent: dict[str, str]) -> None:
        found = [note for note in self.forge.notes if str(note["id"]) == number]
        if self.command != method or not found:
            self.answer(404, {"message": "Not Found"})
            return
        found[0]["body"] = sent["body"]
        self.answer(200, found[0])


class Server(ThreadingHTTPServer):
    """Serves one `FakeForge` on a free port of this machine."""

    def __init__(self, forge: FakeForge) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.forge = forge
        forge.address = f"http://127.0.0.1:{self.server_port}"


@contextmanager
def serving() -> Iterator[FakeForge]:
    """A forge that answers while the block runs."""
    made = FakeForge()
    with Server(made) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()

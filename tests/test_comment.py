"""`tdv comment`, against a local server that has the forges' real paths, pages and refusals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tdv.comment import body_of, marker
from tests.forge import FakeForge, serving
from tests.repository import Outcome, tdv_in_process

PER_PAGE = 100


@pytest.fixture
def forge() -> Iterator[FakeForge]:
    with serving() as made:
        yield made


@pytest.fixture(params=["github", "gitlab"])
def job(request: pytest.FixtureRequest, forge: FakeForge, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The environment of a CI job of each forge."""
    github = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_API_URL": forge.address,
        "GITHUB_REPOSITORY": "me/app",
        "GITHUB_REF": "refs/pull/12/merge",
        "GITHUB_TOKEN": "secret",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }
    gitlab = {
        "GITLAB_CI": "true",
        "CI_API_V4_URL": f"{forge.address}/api/v4",
        "CI_PROJECT_ID": "7",
        "CI_MERGE_REQUEST_PROJECT_ID": "me/app",
        "CI_MERGE_REQUEST_IID": "12",
        "GITLAB_TOKEN": "secret",
    }
    for name in {*github, *gitlab}:
        monkeypatch.delenv(name, raising=False)
    for name, value in (github if request.param == "github" else gitlab).items():
        monkeypatch.setenv(name, value)
    return str(request.param)


def comment(tmp_path: Path, text: str = "# Review\n", *options: str) -> Outcome:
    (tmp_path / "review.md").write_text(text)
    return tdv_in_process("comment", "review.md", *options, cwd=tmp_path)


def test_one_comment_is_created_updated_and_left_alone(job: str, forge: FakeForge, tmp_path: Path) -> None:
    assert comment(tmp_path).stdout.startswith("created on #12")
    assert comment(tmp_path).stdout.startswith("unchanged on #12")
    assert comment(tmp_path, "# Other\n").stdout.startswith("updated on #12")
    assert [note["body"] for note in forge.notes] == [f"{marker('review')}\n# Other\n"]
    assert [method for method, _ in forge.writes] == ["POST", "PATCH" if job == "github" else "PUT"]
    assert forge.tokens == {"Bearer secret" if job == "github" else "secret"}


def test_comment_on_a_later_page_is_found(job: str, forge: FakeForge, tmp_path: Path) -> None:
    for number in range(2 * PER_PAGE + 5):
        forge.note(f"Talk {number}")
    forge.note(f"{marker('review')}\r\nOld")
    comment(tmp_path)
    assert forge.notes[-1]["body"].endswith("# Review\n")
    assert len(forge.writes) == 1
    assert len(forge.calls) == 4


def test_quotation_of_the_comment_is_somebody_elses(job: str, forge: FakeForge, tmp_path: Path) -> None:
    forge.note(f"> {marker('review')}\n> # Review\n\nI do not agree.")
    assert comment(tmp_path).stdout.startswith("created")
    assert "I do not agree." in forge.notes[0]["body"]


def test_comment_under_the_marker_of_another_account_is_left_alone(job: str, forge: FakeForge, tmp_path: Path) -> None:
    who = "user" if job == "github" else "author"
    forge.note(f"{marker('review')}\nAll is well", **{who: {"id": 666, "type": "User"}})
    forge.account = 7
    assert comment(tmp_path).stdout.startswith("created on #12")
    assert forge.notes[0]["body"].endswith("All is well")
    forge.notes[1][who] = {"id": 7, "type": "User"}
    assert comment(tmp_path).stdout.startswith("unchanged on #12")
    assert len(forge.notes) == 2


@pytest.mark.parametrize("job", ["github"], indirect=True)
def test_app_that_may_not_ask_who_it_is_takes_what_bots_wrote(job: str, forge: FakeForge, tmp_path: Path) -> None:
    for number, kind in ((666, "User"), (7, "Bot")):
        forge.note(f"{marker('review')}\n{kind}", user={"id": number, "type": kind})
    assert comment(tmp_path).stdout.startswith("updated on #12")
    assert [note["body"].endswith("User") for note in forge.notes] == [True, False]


def test_names_tell_comments_apart(job: str, forge: FakeForge, tmp_path: Path) -> None:
    comment(tmp_path)
    assert comment(tmp_path, "x", "--name", "nightly -->").stdout.startswith("created")
    assert len(forge.notes) == 2
    assert forge.notes[1]["body"].startswith("<!-- tdv-comment: nightly- -->\n")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_fork_may_not_write_and_gets_the_summary(job: str, forge: FakeForge, tmp_path: Path, status: int) -> None:
    forge.refuse = {"POST": status}
    outcome = comment(tmp_path, "# Review\n", "--json")
    assert outcome.exit_code == 0, outcome
    answer = outcome.json()
    assert answer["action"] == ("summary" if job == "github" else "nothing")
    assert str(status) in answer["reason"]
    if job == "github":
        assert "# Review" in (tmp_path / "summary.md").read_text()


def test_broken_forge_is_an_error_without_the_token(job: str, forge: FakeForge, tmp_path: Path) -> None:
    forge.refuse = {"GET": 502}
    outcome = comment(tmp_path)
    assert outcome.exit_code == 14
    assert "502" in outcome.stderr
    assert "secret" not in outcome.stderr
    forge.refuse = {}
    outcome = comment(tmp_path, "x", "--api", "http://127.0.0.1:9")
    assert outcome.exit_code == 14, outcome


THEN = "Thu, 01 Jan 1970 00:00:00 GMT"


@pytest.mark.parametrize("busy", [[(429, "0")], [(503, "0"), (429, "0"), (403, "0")], [(429, THEN)]])
def test_busy_forge_is_asked_again(job: str, forge: FakeForge, tmp_path: Path, busy: list[tuple[int, str]]) -> None:
    forge.busy = [*busy]
    assert comment(tmp_path).stdout.startswith("created on #12")
    assert len(forge.notes) == 1
    assert len(forge.writes) == len(busy) + 1


@pytest.mark.parametrize(
    ("busy", "tries", "hint"),
    [
        ([(429, "0")] * 9, 4, "asks to wait 0 s"),
        ([(503, "3600")] * 9, 1, "asks to wait 3600 s: run it again after that."),
        ([(503, "")] * 9, 1, "The forge is busy or has a problem: run it again later."),
        ([(403, "3600")] * 9, 1, "asks to wait 3600 s: run it again after that."),
    ],
)
def test_forge_that_stays_busy_is_one_sentence(
    job: str, forge: FakeForge, tmp_path: Path, busy: list[tuple[int, str]], tries: int, hint: str
) -> None:
    forge.busy = busy
    outcome = comment(tmp_path)
    assert outcome.exit_code != 0
    assert f"{busy[0][0]} Slow down" in outcome.stderr
    assert hint in outcome.stderr
    assert len(forge.writes) == tries


@pytest.mark.parametrize(
    ("message", "headers"),
    [("API limit", {"X-RateLimit-Remaining": "0"}), ("You have exceeded a secondary rate limit", {})],
)
def test_too_many_calls_are_no_refusal(
    job: str, forge: FakeForge, tmp_path: Path, message: str, headers: dict[str, str]
) -> None:
    forge.limited = (message, headers)
    outcome = comment(tmp_path)
    assert outcome.exit_code == 14, outcome
    assert "run it again later" in outcome.stderr


def test_summary_that_cannot_be_written_is_said(
    forge: FakeForge, tmp_path: Path, job: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "nowhere/summary.md"))
    forge.refuse = {"POST": 403}
    outcome = comment(tmp_path)
    assert (outcome.exit_code, outcome.stdout) == (0, "nothing on #12\n")
    assert ("cannot be written" in outcome.stderr) == (job == "github")


def test_token_of_each_forge_goes_to_it_alone(
    forge: FakeForge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "TDV_COMMENT_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GITHUB_TOKEN", "hub")
    monkeypatch.setenv("GITLAB_TOKEN", "lab")
    where = ("--project", "me/app", "--number", "12")
    comment(tmp_path, "x", "--forge", "github", *where, "--api", forge.address)
    assert forge.tokens == {"Bearer hub"}
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    forge.tokens.clear()
    comment(tmp_path, "x", "--forge", "gitlab", *where, "--api", f"{forge.address}/api/v4")
    assert forge.tokens == {"lab"}


def test_next_page_on_another_host_gets_no_token(forge: FakeForge, tmp_path: Path) -> None:
    for number in range(PER_PAGE + 1):
        forge.note(f"Talk {number}")
    forge.elsewhere = "http://localhost:1"
    options = ("--forge", "github", "--project", "me/app", "--number", "12", "--api", forge.address)
    outcome = comment(tmp_path, "x", *options)
    assert outcome.exit_code == 14
    assert "another host" in outcome.stderr


def test_long_text_is_cut_at_a_line_and_closed(job: str, forge: FakeForge, tmp_path: Path) -> None:
    text = "<details><summary>Rows</summary>\n\n" + "| é | cell |\n" * 100_000 + "</details>\n"
    comment(tmp_path, text)
    body = forge.notes[0]["body"]
    assert len(body.encode()) <= (60_000 if job == "github" else 900_000)
    assert body.count("<details>") == body.count("</details>") == 1
    assert "too long" in body[-120:]


def test_body_of_short_text_is_whole() -> None:
    assert body_of("a", "text", 100) == "<!-- tdv-comment: a -->\ntext"


def test_pull_request_is_found_by_its_head(forge: FakeForge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forge.pulls = [{"number": 12, "head": "you:work"}]
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    options = ("--project", "me/app", "--api", forge.address, "--json")
    assert comment(tmp_path, "x", *options, "--head", "you:work").json()["action"] == "created"
    assert comment(tmp_path, "x", *options, "--head", "you:other").json()["action"] == "summary"


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--forge", "github"),
        ("--forge", "gitlab", "--project", "me/app"),
        ("--forge", "bitbucket"),
        ("--forge", "github", "--project", "me/app", "--number", "0"),
        ("--forge", "github", "--project", "app", "--number", "12"),
        ("--forge", "github", "--project", "../app", "--number", "12"),
        ("--forge", "github", "--project", "me/app", "--number", "12", "--api", "127.0.0.1:9"),
    ],
)
def test_call_that_does_not_say_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    for name in ("GITHUB_ACTIONS", "GITLAB_CI"):
        monkeypatch.delenv(name, raising=False)
    assert comment(tmp_path, "x", *options).exit_code == 2


def test_file_that_is_not_there(job: str, tmp_path: Path) -> None:
    assert tdv_in_process("comment", "nothing.md", cwd=tmp_path).exit_code == 10

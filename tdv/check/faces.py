"""The answer of the gate as text: lines, Markdown, and the annotations of the forges.

In: a `Checked`. Out: text. Always holds: what comes from files and branches is escaped for where it is shown; a
Markdown face stays far below the limits of the forges' comments.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, Literal

from tdv.check.ports import RULES, Checked, Verdict

Forge = Literal["github", "gitlab"]

# GitHub shows ten errors per step and drops the others.
_GITHUB_MOST: Final = 10
_MARKDOWN_MOST: Final = 20
_RULES_MOST: Final = 100
_LONGEST: Final = 300
_MARKUP: Final = re.compile(r"([\\`*_\[\]<>#|~&@!])")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def lines(checked: Checked) -> list[str]:
    """One line per rule and subject, aligned: ``ok    movies@v1.1.0  bump  minor since v1.0.1``."""
    subjects = max((len(verdict.subject) for verdict in checked.verdicts), default=0)
    rules = max((len(verdict.rule) for verdict in checked.verdicts), default=0)
    found = []
    for verdict in checked.verdicts:
        word = "ok  " if verdict.ok else "-   " if verdict.unknown else "FAIL"
        text = f"{word}  {verdict.subject:<{subjects}}  {verdict.rule:<{rules}}  {_plain(verdict.message)}"
        found.append(text.rstrip())
        if verdict.hint and not verdict.ok:
            found.append(f"      {'':<{subjects}}  {'':<{rules}}  → {_plain(verdict.hint)}")
    return found


def markdown(checked: Checked) -> str:
    """A heading with the verdict, the broken rules as a table, and all rules folded away."""
    failed = checked.failed
    if not checked.verdicts:
        return f"### ✅ Test data: nothing changed\n\nCompared with `{_code(checked.base)}`.\n"
    if checked.ok:
        title = f"### ✅ Test data: all {len(checked.verdicts)} rules hold"
    else:
        title = f"### ❌ Test data: {len(failed)} of {len(checked.verdicts)} rules broken"
    parts = [title, "", f"Compared with `{_code(checked.base)}`.", ""]
    if failed:
        parts += [*_table(failed[:_MARKDOWN_MOST]), ""]
    if len(failed) > _MARKDOWN_MOST:
        parts += [f"And {len(failed) - _MARKDOWN_MOST} more; `tdv check` shows them all.", ""]
    parts += ["<details><summary>Every rule</summary>", "", *_every_rule(checked), "", "</details>", ""]
    return "\n".join(parts)


def annotated(checked: Checked, forge: Forge) -> str:
    """What the forge shows beside the files of a pull request; it counts their paths from the top of the repository."""
    verdicts = (
        replace(verdict, file=f"{checked.place}{verdict.file}") if verdict.file else verdict
        for verdict in checked.verdicts
    )
    makers: Mapping[Forge, Callable[[Checked], str]] = {"github": _github, "gitlab": _gitlab}
    return makers[forge](replace(checked, verdicts=tuple(verdicts)))


def _table(failed: tuple[Verdict, ...]) -> Iterator[str]:
    yield "| | rule | what is wrong | what mends it |"
    yield "| --- | --- | --- | --- |"
    for verdict in failed:
        cells = (verdict.subject, f"`{verdict.rule}`", _marked(verdict.message), _marked(verdict.hint))
        yield f"| {' | '.join(cells)} |"


def _every_rule(checked: Checked) -> Iterator[str]:
    yield "| | rule | |"
    yield "| --- | --- | --- |"
    for verdict in checked.verdicts[:_RULES_MOST]:
        sign = "✅" if verdict.ok else "⬜" if verdict.unknown else "❌"
        said = verdict.message if verdict.unknown else RULES[verdict.rule]
        yield f"| {sign} {verdict.subject} | `{verdict.rule}` | {said} |"
    if len(checked.verdicts) > _RULES_MOST:
        yield f"| | | and {len(checked.verdicts) - _RULES_MOST} more |"


def _github(checked: Checked) -> str:
    """Workflow commands: https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands"""
    failed = checked.failed
    shown = failed if len(failed) <= _GITHUB_MOST else failed[: _GITHUB_MOST - 1]
    found = [_command(verdict) for verdict in shown]
    if len(shown) < len(failed):
        text = f"{len(failed) - len(shown)} more rules are broken; the log of this step lists them."
        found.append(f"::error title=tdv check::{_data(text)}")
    return "".join(f"{line}\n" for line in found)


def _command(verdict: Verdict) -> str:
    place = f"file={_property(verdict.file)},line={verdict.line}," if verdict.file else ""
    title = _property(f"tdv check: {verdict.rule} ({verdict.subject})")
    text = f"{verdict.message}\n→ {verdict.hint}" if verdict.hint else verdict.message
    return f"::error {place}title={title}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _gitlab(checked: Checked) -> str:
    """A Code Quality report: https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format"""
    report = [_issue(verdict) for verdict in checked.failed]
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def _issue(verdict: Verdict) -> dict[str, Any]:
    identity = "\0".join((verdict.rule, verdict.subject, verdict.file))
    return {
        "description": f"{verdict.subject}: {verdict.message}" + (f" → {verdict.hint}" if verdict.hint else ""),
        "check_name": f"tdv-{verdict.rule}",
        "fingerprint": hashlib.sha256(identity.encode()).hexdigest()[:32],
        "severity": "blocker",
        "location": {"path": verdict.file or "tdv.yaml", "lines": {"begin": verdict.line}},
    }


def _plain(text: str) -> str:
    return _CONTROL.sub(" ", text)


def _marked(text: str) -> str:
    """Text that Markdown shows as it is and that fits a cell."""
    text = _plain(text)
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return _MARKUP.sub(r"\\\1", text)


def _code(text: str) -> str:
    return _plain(text).replace("`", "'")

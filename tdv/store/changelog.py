"""The changelog of the data: one section per release.

In: the text of CHANGELOG.md, a record and its findings, or a section out of another CHANGELOG.md. Out: the text
with that section written, replaced or removed. Always holds: all other lines stay as they are; sections of one
dataset stand newest version first; names and messages are shown by Markdown and do nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from tdv.model.diff import LEVELS, Finding
from tdv.model.reference import DATASET
from tdv.model.release import Record
from tdv.model.version import Version, parse_version

FILE: Final = "CHANGELOG.md"
TITLE: Final = "# Changelog of the test data\n\nOne section per release of a dataset, written by `tdv release`.\n"

_HEADING: Final = re.compile(rf"^## ({DATASET.pattern}) v(\S+)(?: .*)?$", re.MULTILINE)
_SECTION: Final = re.compile(r"^## ", re.MULTILINE)
_MARKUP: Final = re.compile(r"([\\`*_\[\]<>#|~&])")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
_MOST: Final = 50


def written(text: str, record: Record, findings: Sequence[Finding]) -> str:
    """`text` with the section of `record`, in its place by version, replacing one that is there."""
    return placed(text, record.dataset, record.version, _section(record, findings))


def section_of(text: str, dataset: str, version: str) -> str:
    """The section of that release as it stands in `text`, or ""."""
    for _, match in _sections(text):
        if match.group(1) == dataset and match.group(2) == version:
            return text[match.start() : _end(text, match)].rstrip("\n") + "\n"
    return ""


def placed(text: str, dataset: str, version: str, section: str) -> str:
    """`text` with `section` in its place by version, replacing one of that release that is there."""
    text = removed(text or TITLE, dataset, version)
    same = [(found, match) for found, match in _sections(text) if match.group(1) == dataset]
    lower = [match for found, match in same if found < parse_version(version)]
    if same and len(lower) < len(same):
        at = lower[0].start() if lower else _end(text, same[-1][1])
    else:
        first = _SECTION.search(text)
        at = first.start() if first else len(text)
    before, after = text[:at].rstrip("\n"), text[at:].lstrip("\n")
    return f"{before}\n\n{section}" + (f"\n{after}" if after else "")


def removed(text: str, dataset: str, version: str) -> str:
    """`text` without the section of that release."""
    for _, match in _sections(text):
        if match.group(1) == dataset and match.group(2) == version:
            rest = text[_end(text, match) :].lstrip("\n")
            before = text[: match.start()].rstrip("\n") + "\n"
            return f"{before}\n{rest}" if rest else before
    return text


def _sections(text: str) -> list[tuple[Version, re.Match[str]]]:
    found = []
    for match in _HEADING.finditer(text):
        try:
            found.append((parse_version(match.group(2)), match))
        except ValueError:
            continue
    return found


def _end(text: str, heading: re.Match[str]) -> int:
    following = _SECTION.search(text, heading.end())
    return following.start() if following else len(text)


def _section(record: Record, findings: Sequence[Finding]) -> str:
    lines = [f"## {record.dataset} v{record.version} ({record.released[:10]})", ""]
    if record.notes:
        lines += [*map(_notes_line, record.notes.strip().splitlines()), ""]
    lines += [_summary(record, findings), ""]
    ordered = sorted(findings, key=lambda finding: -LEVELS.index(finding.level))
    lines += [_item(finding) for finding in ordered[:_MOST]]
    if len(ordered) > _MOST:
        lines.append(f"- and {len(ordered) - _MOST} more findings")
    return "\n".join(lines).rstrip("\n") + "\n"


def _summary(record: Record, findings: Sequence[Finding]) -> str:
    rows = sum(table.rows for table in record.tables.values())
    holds = f"{_count(rows, 'row')} in {_count(len(record.tables), 'table')}, digest `{record.digest[:17]}…`."
    change = record.change
    if change.since is None:
        return f"First release: {holds}"
    if not findings and not (change.added or change.removed or change.changed):
        # As of a release candidate that turned out right.
        return f"The same data as v{change.since}: {holds}"
    counts = f"rows: {change.added} added, {change.removed} removed, {change.changed} changed"
    word = "Change without a level" if change.bump == "none" else f"{change.bump.capitalize()} change"
    return f"{word} since v{change.since}; {counts}. {holds[0].upper()}{holds[1:]}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _item(finding: Finding) -> str:
    place = ".".join(_escaped(name) for name in (finding.table, finding.column) if name)
    where = f" in {place}" if place else ""
    return f"- {finding.level}: {finding.rule}{where}: {_escaped(finding.message)}"


def _notes_line(line: str) -> str:
    """A line of the notes: the author's Markdown, except that it makes no heading and no HTML."""
    line = _CONTROL.sub(" ", line).replace("<", "&lt;").rstrip()
    return f"\\{line}" if line.startswith("#") else line


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\1", _CONTROL.sub(" ", text).replace("\n", " "))

"""The difference as Markdown for a comment of a pull request.

In: `DiffReport`s. Out: one text of GitHub- and GitLab-flavoured Markdown. Always holds: at most `LIMIT` bytes, and so
characters, whatever is in the data; what does not fit is named at the end; no value is markup, mention or link.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from tdv.diff.visible import brief, place_of
from tdv.faces.cells import cell_text, fact_texts, key_text, sides, value_texts
from tdv.faces.keys import rows_told_apart
from tdv.faces.markdown import WIDEST, code, plain
from tdv.model.diff import LEVELS
from tdv.model.diff_report import (
    CELLS,
    DiffReport,
    KeptRows,
    RowChange,
    ScenarioChange,
    SchemaChange,
    TableReport,
)

LIMIT: Final = 60_000
"""Bytes; forges take 65,536 characters, and a reader of the comment adds to it."""
MARKER: Final = "<!-- tdv diff -->"
_RESERVE: Final = 1_500
"""Kept for saying what was left out."""
_COLUMNS: Final = 20
_LISTED: Final = 25
_FACTS: Final = ("nulls", "distinct", "nan", "min", "max", "mean")
_FACT: Final = 30
"""Letters of a fact."""
_CELL_HEAD: Final = ("| key | column | before | after |", "| :-- | :-- | :-- | :-- |")
_SIGNS: Final = {"added": "<b>+</b>", "removed": "<b>−</b>", "changed": "<b>~</b>"}  # noqa: RUF001 - as wide as the plus


def markdown(reports: Sequence[DiffReport], limit: int = LIMIT) -> str:
    """The comment; `limit` is its greatest size in bytes."""
    page = _Page(limit - _RESERVE)
    bump = max((report.bump for report in reports), key=LEVELS.index, default="none")
    page.add("", [MARKER, f"### Test data: {_verdict(bump, reports)}", ""])
    equal = [report for report in reports if report.is_equal and not report.notes]
    told = [report for report in reports if report not in equal] or reports
    for report in told:
        page.add(f"the summary of {report.dataset}", _summary(report))
    if len(told) < len(reports):
        page.add("what does not differ", [f"No difference: {', '.join(code(report.dataset) for report in equal)}", ""])
    for report in told:
        of = f"{code(report.dataset)}: " if len(told) > 1 else ""
        for table in report.tables:
            if table.is_told:
                _table(page, table, of)
        for scenario in report.scenarios:
            page.add(f"the scenario {scenario.name}", list(_scenario(scenario, of)))
    return page.text(told)


def _verdict(bump: str, reports: Sequence[DiffReport]) -> str:
    if not any(report.differs or report.findings for report in reports):
        return "not built" if any(report.stale for report in reports) else "no difference"
    return "changed, no new version needed" if bump == "none" else f"needs a **{bump}** version"


@dataclass(slots=True)
class _Page:
    """Takes blocks as long as they fit, and remembers what did not."""

    limit: int
    lines: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    size: int = 0

    def fits(self, lines: Iterable[str], more: int = 0) -> bool:
        """Whether these lines and `more` bytes still fit."""
        return self.size + more + _size(lines) <= self.limit

    def add(self, name: str, lines: Sequence[str]) -> bool:
        """Adds a block whole, or notes that it was left out."""
        if not self.fits(lines):
            self.dropped.append(name)
            return False
        self.lines += lines
        self.size += _size(lines)
        return True

    def text(self, reports: Sequence[DiffReport]) -> str:
        """All that fitted, and what did not."""
        lines = list(self.lines)
        if self.dropped:
            names = "; ".join(code(name, 60) for name in self.dropped[:10])
            more = f"; and {len(self.dropped) - 10:,} more" if len(self.dropped) > 10 else ""
            lines += ["", f"*Left out for length: {names}{more}.*"]
            if reports:
                command = f"tdv diff {reports[0].old} {reports[0].new}"
                lines.append(f"*See all of it with* {code(command, 200)}")
        return "\n".join(lines).rstrip() + "\n"


def _size(lines: Iterable[str]) -> int:
    return sum(len(line.encode("utf-8")) + 1 for line in lines)


def _summary(report: DiffReport) -> list[str]:
    about = f" ({plain(report.about)})" if report.about else ""
    lines = [f"{code(report.old)}{about} → {code(report.new)}", ""]
    for note in report.notes:
        lines += [f"> {plain(note, 300)}", ""]
    changed = [table for table in report.tables if table.total]
    if changed:
        lines += ["| table | rows | added | removed | changed |", "| :-- | --: | --: | --: | --: |"]
        for table in changed[:_LISTED]:
            change = table.change
            counts = " | ".join(
                f"{count:,}" if count else "" for count in (change.added, change.removed, change.changed)
            )
            lines.append(f"| {code(table.name)} | {_sizes(table)} | {counts} |")
        lines += [*_more(changed, "tables"), ""]
    if report.findings:
        lines += ["| level | rule | where | what |", "| :-- | :-- | :-- | :-- |"]
        ordered = sorted(report.findings, key=lambda finding: -LEVELS.index(finding.level))
        for finding in ordered[:_LISTED]:
            place = ".".join(part for part in (finding.table, finding.column) if part)
            where = code(place) if place else ""
            lines.append(f"| {finding.level} | {finding.rule} | {where} | {plain(finding.message)} |")
        lines += [*_more(ordered, "findings"), ""]
    if report.schema:
        lines += ["**Schema**", ""]
        lines += [f"- {_schema(change)}" for change in report.schema[:_LISTED]]
        lines += [*_more(report.schema, "changes of the schema"), ""]
    return lines


def _more(items: Sequence[object], what: str) -> list[str]:
    return ["", f"*… and {len(items) - _LISTED:,} more {what}*"] if len(items) > _LISTED else []


def _sizes(table: TableReport) -> str:
    if table.before is None or table.after is None:
        return f"{table.after or table.before or 0:,}"
    return f"{table.before:,}" if table.before == table.after else f"{table.before:,} → {table.after:,}"


def _schema(change: SchemaChange) -> str:
    guess = f" *({change.doubt})*" if change.doubt else ""
    values = [code(brief(value)) for value in (change.before, change.after) if value is not None]
    return f"{code(place_of(change))}: {change.kind.replace('-', ' ')} {' → '.join(values)}{guess}"


def _table(page: _Page, table: TableReport, of: str) -> None:
    """A folded block with as many rows as fit, whole if possible; `of` names the dataset where there are several."""
    change = table.change
    counts = (("added", change.added), ("removed", change.removed), ("changed", change.changed))
    said = ", ".join(f"{count:,} {kind}" for kind, count in counts if count) or "same rows"
    head = ["<details>", f"<summary>{of}<b>{code(table.name)}</b>: {said}</summary>", ""]
    tail = ["", "</details>", ""]
    room = _size(tail) + 200
    if not page.fits(head, room):
        page.dropped.append(f"the table {table.name}")
        return
    page.add("", head)
    statistics = ["<details><summary>statistics</summary>", "", *_statistics(table), "", "</details>", ""]
    if not table.statistics:
        statistics = []
    if page.fits(statistics, room):
        page.add("", statistics)
    shown = _fill(page, _blocks(table), room)
    if shown.whole < table.total:
        _note(page, f"*{shown.of(table.total, 'rows')}*")
    if table.kept is not None:
        shown = _fill(page, _kept(table.kept), room)
        if shown.whole < table.kept.count:
            _note(page, f"*{shown.of(table.kept.count, 'rows of both states')}*")
    page.lines += tail
    page.size += _size(tail)


@dataclass(frozen=True, slots=True)
class _Filled:
    """How many rows are shown whole, and whether one more is shown in part."""

    whole: int
    in_part: bool = False

    def of(self, total: int, rows: str) -> str:
        """In words; `rows` says what they are."""
        if self.in_part and self.whole == 0:
            return f"part of 1 of {total:,} {rows} shown"
        return f"{self.whole:,} of {total:,} {rows} shown{', and part of the next' if self.in_part else ''}"


def _fill(page: _Page, blocks: Iterable[tuple[list[str], int]], room: int) -> _Filled:
    """Adds lines as long as they fit."""
    shown = 0
    for lines, rows in blocks:
        for number, line in enumerate(lines):
            if not page.fits([line], room):
                return _Filled(shown, in_part=bool(rows and number))
            page.add("", [line])
        shown += rows
    return _Filled(shown)


def _note(page: _Page, text: str) -> None:
    """Adds a line for which room was kept."""
    page.lines += ["", text, ""]
    page.size += _size(["", text, ""])


def _blocks(table: TableReport) -> Iterator[tuple[list[str], int]]:
    """Lines that belong together, and how many rows they show."""
    rows = rows_told_apart(table.rows, WIDEST)
    whole = [row for row in rows if row.kind != "changed"]
    if whole:
        names = list(dict.fromkeys(name for row in whole for name in (row.after or row.before or {})))
        shown = names[:_COLUMNS]
        head = "| | " + " | ".join(code(name) for name in shown) + " |"
        if len(names) > _COLUMNS:
            yield [f"*The first {_COLUMNS} of {len(names):,} columns*", ""], 0
        yield [head, "| :-- |" + "".join(" --: |" if table.is_numeric(name) else " :-- |" for name in shown)], 0
        for row in whole:
            yield [_whole_row(row, shown)], 1
        yield [""], 0
    changed = [row for row in rows if row.kind == "changed"]
    if changed:
        yield list(_CELL_HEAD), 0
        for row in changed:
            yield list(_cells(row, {name: (name, name) for name in row.before or ()})), 1


def _kept(kept: KeptRows) -> Iterator[tuple[list[str], int]]:
    """The rows that stay in the columns that are not the same, then the values that a guessed rename changed."""
    if kept.rows:
        told = list(kept.told_by(kept.rows[0]))
        columns = dict(list(kept.columns.items())[:_COLUMNS])
        yield ["", f"I{kept.title[1:]}:", ""], 0
        yield ["| " + " | ".join(code(name) for name in (*told, *columns)) + " |"], 0
        yield ["|" + " :-- |" * (len(told) + len(columns))], 0
        for row in kept.rows:
            values = [_value(value) for value in kept.told_by(row).values()]
            yield [f"| {' | '.join([*values, *(_sides(row.values(*names)) for names in columns.values())])} |"], 1
    for rename in kept.renamed:
        if rename.rows:
            yield ["", *_CELL_HEAD], 0
        for row in rename.rows:
            names = {rename.title: (rename.before, rename.after)}
            yield list(_cells(row, names)), 0
        if rename.left_out:
            yield ["", f"*… and {rename.left_out:,} more values of {code(rename.title)} that differ*"], 0


def _sides(values: Sequence[Any]) -> str:
    return " → ".join(map(code, value_texts(values, WIDEST)))


def _whole_row(row: RowChange, names: Sequence[str]) -> str:
    values = row.after or row.before or {}
    cells = " | ".join(_value(values[name]) if name in values else "" for name in names)
    return f"| {_SIGNS[row.kind]} | {cells} |"


def _cells(row: RowChange, columns: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """A line per cell of the first ones; `columns` are their names before and after by what is shown of them."""
    before, after = row.before or {}, row.after or {}
    for number, (title, (old_name, new_name)) in enumerate(islice(columns.items(), CELLS)):
        place = code(key_text(row.key, WIDEST)) if number == 0 else ""
        old, *new = map(code, sides(before[old_name], after[new_name], WIDEST))
        yield f"| {place} | {code(title)} | {old} | {new[0] if new else '*(changed)*'} |"
    if len(columns) > CELLS:
        yield f"| | {_more_values(len(columns) - CELLS)} | | |"


def _more_values(count: int) -> str:
    return f"*… and {count:,} more {'value' if count == 1 else 'values'}*"


def _statistics(table: TableReport) -> Iterator[str]:
    shifts = table.statistics
    rows = [{name: fact_texts(table.facts(shift), name, _FACT) for name in _FACTS} for shift in shifts]
    facts = [name for name in _FACTS if any(row[name] for row in rows)]
    yield f"| column | {' | '.join(facts)} | shift |"
    yield "|" + " :-- |" * (len(facts) + 2)
    for shift, row in zip(shifts[:_COLUMNS], rows, strict=False):
        moved = "" if shift.shift is None else f"{shift.shift:.1%}"
        told = " | ".join(" → ".join(code(text, _FACT) for text in row[name]) for name in facts)
        yield f"| {code(shift.column)} | {told} | {moved} |"
    if len(shifts) > _COLUMNS:
        yield ""
        yield f"*… and {len(shifts) - _COLUMNS:,} more columns*"


def _scenario(scenario: ScenarioChange, of: str) -> Iterator[str]:
    yield "<details>"
    title = f": {plain(scenario.title)}" if scenario.title else ""
    yield f"<summary>{_SIGNS[scenario.kind]} {of}scenario <b>{code(scenario.name)}</b>{title}</summary>"
    yield ""
    if scenario.rows:
        yield "| | table | label | values |"
        yield "| :-- | :-- | :-- | :-- |"
        for row in scenario.rows:
            before, after = row.change.before or {}, row.change.after or {}
            names = list({**after, **before})
            cells = [f"{code(name)} {_change(row.change, name)}" for name in names[:CELLS]]
            cells += [_more_values(len(names) - CELLS)] if len(names) > CELLS else []
            sign = _SIGNS[row.change.kind]
            yield f"| {sign} | {code(row.table)} | {code(row.label)} | {', '.join(cells)} |"
    yield ""
    yield "</details>"
    yield ""


def _change(row: RowChange, name: str) -> str:
    values = [side[name] for side in (row.before, row.after) if side is not None and name in side]
    shown = value_texts(values, WIDEST)
    return " → ".join(map(code, shown)) + (" *(changed)*" if len(shown) < len(values) else "")


def _value(value: Any) -> str:
    return code(cell_text(value))

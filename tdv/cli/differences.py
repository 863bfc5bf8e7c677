"""How the difference of two states reads in the terminal, and which face of it is printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tdv.cli import terminal
from tdv.cli.text import cell_text, counted
from tdv.errors import UsageError
from tdv.faces.text import told_apart
from tdv.model.diff_report import (
    ColumnShift,
    DiffReport,
    RowChange,
    ScenarioChange,
    SchemaChange,
    TableReport,
    plain_reports,
)

if TYPE_CHECKING:
    from tdv.project.comparisons import DiffStream

_WIDEST: Final = 40
_SIGNS: Final = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}
_LEVELS: Final = {"major": "red", "minor": "yellow", "patch": "green", "none": "dim"}
_FACTS: Final = ("count", "nulls", "distinct", "nan", "min", "max", "mean")


@dataclass(frozen=True, slots=True)
class Face:
    """Where a difference goes to: its name, how many rows of each kind it shows, and whether it has statistics."""

    name: str
    limit: int | None = None
    statistics: bool = False
    file: Path | None = None

    @classmethod
    def chosen(cls, *, html: Path | None, **wanted: bool) -> Face:
        """The face that the options ask for; raises `UsageError` for two."""
        names = [name for name, is_wanted in wanted.items() if is_wanted] + (["html"] if html else [])
        if len(names) > 1:
            raise UsageError(
                f"--{names[0]} and --{names[1]} are two faces of one difference", hint="Ask for one of them."
            )
        faces = {
            "text": cls("text", 10),
            "stat": cls("stat", 0, statistics=True),
            "markdown": cls("markdown", 50, statistics=True),
            "html": cls("html", 500, statistics=True, file=html),
        }
        name = names[0] if names else "text"
        return faces.get(name) or cls(name)


def show_lines(streams: Iterator[DiffStream], limit: int | None) -> bool:
    """Prints JSON Lines as they are found: of each dataset all but the rows, then its rows; returns whether any
    differs."""
    differs = False
    for stream in streams:
        _print_notes((stream.report,))
        terminal.json_line(stream.report.head(limit))
        for table, row in stream.rows:
            terminal.json_line({"dataset": stream.report.dataset, "table": table, **row.to_plain()})
        differs |= stream.report.differs
    return differs


def _print_notes(reports: tuple[DiffReport, ...]) -> None:
    for note in (note for report in reports for note in report.notes):
        terminal.note(terminal.clean(note))


def show(face: Face, reports: tuple[DiffReport, ...]) -> None:
    """Prints the reports, or writes the page."""
    _print_notes(reports)
    if face.name == "json":
        terminal.json(plain_reports(reports))
    elif face.name == "markdown":
        from tdv.diff.markdown import markdown

        terminal.out(markdown(reports))
    elif face.file is not None:
        from tdv.diff.page import write_page

        write_page(reports, face.file)
        terminal.note(f"Wrote {face.file}")
    else:
        for number, report in enumerate(reports):
            if number:
                terminal.out()
            print_report(report)


def print_report(report: DiffReport) -> None:
    """Prints one dataset's difference as text."""
    bump = terminal.styled(report.bump, _LEVELS[report.bump])
    terminal.out(f"{terminal.styled(f'{terminal.clean(report.old)} → {terminal.clean(report.new)}', 'bold')}")
    for change in report.schema:
        terminal.out(f"  {_schema_line(change)}")
    for table in report.tables:
        if table.total or table.statistics:
            _print_table(table)
    for scenario in report.scenarios:
        _print_scenario(scenario)
    if not (report.differs or report.findings):
        terminal.out("  no difference")
        return
    if report.findings:
        terminal.out(f"needs {bump}: {', '.join(_reasons(report)) or 'nothing that users would notice'}")


def _reasons(report: DiffReport) -> Iterator[str]:
    """The rules that decide the bump, each with its places."""
    places: dict[str, list[str]] = {}
    for finding in report.findings:
        if finding.level == report.bump:
            place = ".".join(part for part in (finding.table, finding.column) if part)
            rows = "; ".join(_key(key) for key in report.causes(finding))
            places.setdefault(finding.rule, []).append(f"{place}: {rows}" if rows else place)
    for rule, found in places.items():
        named = [place for place in found if place]
        more = f" and {len(named) - 3} more" if len(named) > 3 else ""
        yield terminal.clean(f"{rule} ({', '.join(named[:3])}{more})" if named else rule)


def _schema_line(change: SchemaChange) -> str:
    place = ".".join(part for part in (change.table, change.column) if part) or "dataset"
    kind = change.kind.replace("-", " ")
    guess = " (a guess from the values)" if change.guess else ""
    values = f"{_brief(change.before)} → {_brief(change.after)}"
    if change.before is None or change.after is None:
        values = _brief(change.after if change.before is None else change.before)
    if kind.startswith("column renamed"):
        place = change.table
    return terminal.clean(f"{place}: {kind}: {values}{guess}")


def _brief(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(map(str, value))
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def _print_table(table: TableReport) -> None:
    counts = [f"{count:,} {kind}" for kind, count in _counts(table) if count]
    sizes = "" if table.before is None or table.after is None else f"  {table.before:,} → {table.after:,} rows"
    name = terminal.styled(terminal.clean(table.name), "cyan")
    terminal.out()
    terminal.out(f"{name}  {', '.join(counts) or 'same rows'}{sizes}")
    if table.statistics:
        _print_statistics(table.statistics)
        return
    _print_whole(table)
    _print_cells(table)
    if table.left_out and table.rows:
        terminal.out(terminal.styled(f"  … {counted(table.left_out, 'more row')}", "dim"))


def _counts(table: TableReport) -> tuple[tuple[str, int], ...]:
    change = table.change
    return ("added", change.added), ("removed", change.removed), ("changed", change.changed)


def _print_whole(table: TableReport) -> None:
    """Added and removed rows under the names of the columns."""
    rows = [row for row in table.rows if row.kind != "changed"]
    if not rows:
        return
    names = list(dict.fromkeys(name for row in rows for name in (row.after or row.before or {})))
    lines = [("  " + _SIGNS[row.kind][0], *(_value(row, name) for name in names)) for row in rows]
    styles = [_SIGNS[row.kind][1] for row in rows]
    right = [index for index, name in enumerate(names, 1) if table.is_numeric(name)]
    terminal.table(("", *map(terminal.clean, names)), lines, right, styles)


def _value(row: RowChange, name: str) -> str:
    values = row.after or row.before or {}
    return _shown(values[name]) if name in values else ""


def _print_cells(table: TableReport) -> None:
    """Changed rows: one line per cell, the key where it begins."""
    lines = []
    for row in table.rows:
        if row.kind == "changed" and row.before is not None and row.after is not None:
            for number, name in enumerate(row.before):
                values = _both(row, name)
                lines.append(("  ~" if number == 0 else "", _cut(_key(row.key)) if number == 0 else "", name, values))
    terminal.table(("", "", "", ""), lines, styles=["yellow"] * len(lines))


def _both(row: RowChange, name: str) -> str:
    """A cell of a changed row: ``old → new``."""
    assert row.before is not None
    assert row.after is not None
    return " → ".join(map(_shown, told_apart(row.before[name], row.after[name])))


def _key(key: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={_shown(value)}" for name, value in key.items())


def _shown(value: Any) -> str:
    """A value, in quotes where it could be taken for nothing or for NULL."""
    if isinstance(value, str) and (value != value.strip() or value in ("", "NULL")):
        return _cut(f"'{value}'")
    return _cut(cell_text(value))


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def _print_statistics(shifts: tuple[ColumnShift, ...]) -> None:
    lines = []
    for shift in shifts:
        cells = [_fact(shift, name) for name in _FACTS]
        lines.append((f"  {shift.column}", *cells, "" if shift.shift is None else f"{shift.shift:.1%}"))
    used = [index for index in range(len(_FACTS) + 2) if any(line[index] for line in lines)]
    header = ("  column", *_FACTS, "shift")
    terminal.table([header[index] for index in used], [[line[index] for index in used] for line in lines])


def _fact(shift: ColumnShift, name: str) -> str:
    old, new = shift.before.get(name), shift.after.get(name)
    if old is None and new is None:
        return ""
    if old == new:
        return _shown(new)
    return f"{'-' if old is None else _shown(old)} → {'-' if new is None else _shown(new)}"


def _print_scenario(scenario: ScenarioChange) -> None:
    sign, style = _SIGNS[scenario.kind]
    terminal.out()
    title = f"{sign} scenario {scenario.name}  {scenario.title}"
    terminal.out(terminal.styled(terminal.clean(title), style))
    lines = []
    for row in scenario.rows:
        values = row.change.after or row.change.before or {}
        shown = " ".join(f"{name}={_shown(value)}" for name, value in values.items())
        if row.change.kind == "changed" and row.change.before is not None:
            shown = ", ".join(f"{name} {_both(row.change, name)}" for name in values)
        lines.append((f"  {_SIGNS[row.change.kind][0]}", row.table, row.label, shown))
    terminal.table(("", "", "", ""), lines)

"""How the difference of two states reads in the terminal, and which face of it is printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, Final

from tdv.cli import terminal
from tdv.cli.difference_rows import print_scenario, print_table
from tdv.errors import UsageError
from tdv.faces.cells import key_text
from tdv.faces.text import named
from tdv.model.diff_report import DiffReport, SchemaChange, plain_reports

if TYPE_CHECKING:
    from tdv.project.comparisons import DiffStream

_LEVELS: Final = {"major": "red", "minor": "yellow", "patch": "green", "none": "dim"}
_HELD: Final = 1 << 20
"""Bytes of a script that are held in memory; a longer one waits in a file."""


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
    differs, or is not known to be equal."""
    differs = False
    for stream in streams:
        _print_notes((stream.report,))
        terminal.json_line(stream.report.head(limit))
        for table, row in stream.rows:
            terminal.json_line({"dataset": stream.report.dataset, "table": table, **row.to_plain()})
        differs |= stream.report.differs or stream.report.stale
    return differs


def show_script(lines: Iterator[str]) -> None:
    """Prints statements once all of them are known: an engine at the end of a pipe runs each as it comes, and would be
    left with half a script where a later value cannot be written."""
    with SpooledTemporaryFile(_HELD, "w+", encoding="utf-8", newline="\n") as script:
        with terminal.waiting("comparing"):
            for line in lines:
                script.write(f"{line}\n")
        script.seek(0)
        for line in script:
            terminal.out_exact(line.removesuffix("\n"))


def _print_notes(reports: tuple[DiffReport, ...]) -> None:
    for note in (note for report in reports for note in report.notes):
        terminal.note(terminal.clean(note))


def show(face: Face, reports: tuple[DiffReport, ...]) -> None:
    """Prints the reports, or writes the page."""
    if face.name not in ("text", "stat"):
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
    terminal.paragraph(terminal.clean(report.title), "bold")
    for note in report.notes:
        terminal.paragraph(f"  {terminal.clean(note)}", "yellow")
    for change in report.schema:
        terminal.paragraph(f"  {_schema_line(change)}")
    for table in report.tables:
        if table.is_told:
            print_table(table)
    for scenario in report.scenarios:
        print_scenario(scenario)
    if report.is_equal:
        terminal.out("  no difference")
    elif report.findings and not report.differs:
        terminal.out("  no difference in the rows shown")
    if report.findings:
        reasons = ", ".join(_reasons(report)) or "nothing that users would notice"
        terminal.paragraph(f"needs {report.bump}: {reasons}", marked=(report.bump, _LEVELS[report.bump]))


def _reasons(report: DiffReport) -> Iterator[str]:
    """The rules that decide the bump, each with its places."""
    places: dict[str, list[str]] = {}
    for finding in report.findings:
        if finding.level == report.bump:
            place = named(".".join(part for part in (finding.table, finding.column) if part))
            rows = "; ".join(key_text(key) for key in report.causes(finding))
            places.setdefault(finding.rule, []).append(f"{place}: {rows}" if rows else place)
    for rule, found in places.items():
        told = [place for place in found if place]
        more = f" and {len(told) - 3} more" if len(told) > 3 else ""
        yield f"{rule} ({', '.join(told[:3])}{more})" if told else rule


def _schema_line(change: SchemaChange) -> str:
    place = ".".join(part for part in (change.table, change.column) if part) or "dataset"
    kind = change.kind.replace("-", " ")
    guess = f" ({change.doubt})" if change.doubt else ""
    values = f"{_brief(change.before)} → {_brief(change.after)}"
    if change.before is None or change.after is None:
        values = _brief(change.after if change.before is None else change.before)
    if kind.startswith("column renamed"):
        place = change.table
    return f"{named(place)}: {kind}: {named(values)}{guess}"


def _brief(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(map(str, value))
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)

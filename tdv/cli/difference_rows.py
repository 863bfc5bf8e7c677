"""How the rows, statistics and scenarios of a difference read in the terminal.

In: what a report tells of one table or scenario. Out: lines. Always holds: on a terminal no line is longer than it is
wide; elsewhere no column is left out, but of a row with very many changed cells all but the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, Final

from tdv.cli import terminal
from tdv.cli.layout import Sides
from tdv.cli.text import counted
from tdv.faces.cells import cell_text, fact_texts, key_text, sides
from tdv.faces.keys import rows_told_apart
from tdv.faces.text import cut, named
from tdv.model.diff_report import CELLS, KeptRows, RowChange, ScenarioChange, TableReport

_WIDEST: Final = 40
_SIGNS: Final = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}
_FACTS: Final = ("count", "nulls", "distinct", "nan", "min", "max", "mean")


def print_table(table: TableReport) -> None:
    """Prints one table: counts, then statistics or rows."""
    counts = [f"{count:,} {kind}" for kind, count in _counts(table) if count]
    sizes = "" if table.before is None or table.after is None else f"  {table.before:,} → {table.after:,} rows"
    name = named(table.name)
    terminal.out()
    terminal.paragraph(f"{name}  {', '.join(counts) or 'same rows'}{sizes}", marked=(name, "cyan"))
    if table.statistics:
        _print_statistics(table)
        return
    rows = rows_told_apart(table.rows, _WIDEST)
    _print_whole(table, [row for row in rows if row.kind != "changed"])
    _print_cells([(row, {name: (name, name) for name in row.before or ()}) for row in rows if row.kind == "changed"])
    _print_left_out(table.left_out, "more row" if rows else "row")
    if table.kept is not None:
        _print_kept(table.kept)


def _counts(table: TableReport) -> tuple[tuple[str, int], ...]:
    change = table.change
    return ("added", change.added), ("removed", change.removed), ("changed", change.changed)


def _print_left_out(count: int, what: str) -> None:
    if count:
        terminal.out(terminal.styled(f"  … {counted(count, what)}", "dim"))


def _print_whole(table: TableReport, rows: list[RowChange]) -> None:
    """Added and removed rows under the names of the columns."""
    if not rows:
        return
    names = list(dict.fromkeys(name for row in rows for name in (row.after or row.before or {})))
    lines = [("  " + _SIGNS[row.kind][0], *(_value(row, name) for name in names)) for row in rows]
    styles = [_SIGNS[row.kind][1] for row in rows]
    right = [index for index, name in enumerate(names, 1) if table.is_numeric(name)]
    terminal.table(("", *map(named, names)), lines, right, styles, terminal.width())


def _value(row: RowChange, name: str) -> str:
    values = row.after or row.before or {}
    return _shown(values[name]) if name in values else ""


def _print_cells(rows: list[tuple[RowChange, Mapping[str, tuple[str, str]]]]) -> None:
    """Changed rows: one line per cell, the key where it begins; each with the names of its columns before and after.

    Rows of very many changed cells are cut.
    """
    lines = []
    for row, columns in rows:
        for number, (title, (before, after)) in enumerate(islice(columns.items(), CELLS)):
            first = ("  ~", key_text(row.key, _WIDEST)) if number == 0 else ("", "")
            lines.append((*first, named(title), _both((row.before or {})[before], (row.after or {})[after])))
        if len(columns) > CELLS:
            lines.append(("", "", f"… {counted(len(columns) - CELLS, 'more value')}", ""))
    terminal.table(("", "", "", ""), lines, styles=["yellow"] * len(lines), widest=terminal.width())


def _both(before: Any, after: Any) -> Sides | str:
    """A changed cell: ``old → new``, of hidden values that it changed."""
    texts = [cut(text, _WIDEST) for text in sides(before, after, _WIDEST)]
    return Sides(*texts) if len(texts) > 1 else f"{texts[0]} (changed)"


def _print_kept(kept: KeptRows) -> None:
    """Rows that stay, under the names of the columns that came or went."""
    if kept.count:
        terminal.paragraph(f"  {kept.title}:", "dim")
    columns = kept.columns
    lines = [
        (
            "   ",
            *map(_shown, kept.told_by(row).values()),
            *(_one_or_both(row.values(*names)) for names in columns.values()),
        )
        for row in kept.rows
    ]
    told = list(kept.told_by(kept.rows[0])) if kept.rows else []
    terminal.table(("", *map(named, (*told, *columns))), lines, widest=terminal.width())
    _print_left_out(kept.left_out, "more row")
    for rename in kept.renamed:
        _print_cells([(row, {rename.title: (rename.before, rename.after)}) for row in rename.rows])
        _print_left_out(rename.left_out, f"more value of {named(rename.title)} that differs")


def _one_or_both(values: tuple[Any, ...]) -> Sides | str:
    """Nothing of a value of another type that is equal."""
    return _both(*values) if len(values) > 1 else "".join(map(_shown, values))


def _shown(value: Any) -> str:
    return cut(cell_text(value), _WIDEST)


def _print_statistics(table: TableReport) -> None:
    lines = []
    for shift in table.statistics:
        cells = [_fact(fact_texts(table.facts(shift), name, _WIDEST)) for name in _FACTS]
        lines.append((f"  {named(shift.column)}", *cells, "" if shift.shift is None else f"{shift.shift:.1%}"))
    used = [index for index in range(len(_FACTS) + 2) if any(line[index] for line in lines)]
    header = ("  column", *_FACTS, "shift")
    rows = [[line[index] for index in used] for line in lines]
    terminal.table([header[index] for index in used], rows, widest=terminal.width())


def _fact(texts: Sequence[str]) -> Sides | str:
    """A fact of both states, or of the only one that has the table."""
    shown = [cut(text, _WIDEST) for text in texts]
    return Sides(*shown) if len(shown) > 1 else "".join(shown)


def print_scenario(scenario: ScenarioChange) -> None:
    """Prints what became of a scenario and of its labelled rows."""
    sign, style = _SIGNS[scenario.kind]
    terminal.out()
    title = f"{sign} scenario {scenario.name}  {scenario.title}"
    terminal.paragraph(named(title), style)
    lines = []
    for row in scenario.rows:
        values = row.change.after or row.change.before or {}
        shown: str = key_text(values)
        if row.change.kind == "changed" and row.change.before is not None:
            before = row.change.before
            shown = ", ".join(f"{named(name)} {_both(before[name], value)}" for name, value in values.items())
        lines.append((f"  {_SIGNS[row.change.kind][0]}", named(row.table), named(row.label), shown))
    terminal.table(("", "", "", ""), lines, widest=terminal.width())

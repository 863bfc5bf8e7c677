"""The difference as a page to look at.

In: `DiffReport`s. Out: one HTML file that needs no other. Always holds: whatever is in the data is text on the page,
never markup or script: the page's policy lets nothing run or load but its own script.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Final

from tdv.diff.visible import brief, place_of
from tdv.durable import write_text
from tdv.faces.cells import NULL, cell_text, fact_texts, sides, value_texts
from tdv.faces.html import WIDEST, document, escaped
from tdv.faces.keys import rows_told_apart
from tdv.model.diff import LEVELS
from tdv.model.diff_report import (
    KINDS,
    Bar,
    ColumnShift,
    DiffReport,
    KeptRows,
    Rename,
    RowChange,
    ScenarioChange,
    SchemaChange,
    TableReport,
)

_SIGNS: Final = {"added": "+", "removed": "−", "changed": "~"}  # noqa: RUF001 - as wide as the plus
_COLUMNS: Final = 60
_FACTS: Final = ("count", "nulls", "distinct", "nan", "min", "max", "mean")


def write_page(reports: Sequence[DiffReport], file: Path) -> None:
    """Writes the page, whole or not at all; raises `StoreError` when the disk does not take it."""
    write_text(file, page(reports))


def page(reports: Sequence[DiffReport]) -> str:
    """The text of the page."""
    script = resources.files(__package__).joinpath("page.js").read_text("utf-8")
    title = ", ".join(dict.fromkeys(report.dataset for report in reports)) or "no dataset"
    return document(f"{title}: what changed", (line for report in reports for line in _report(report)), script)


def _report(report: DiffReport) -> Iterator[str]:
    yield f"<h1>{escaped(report.dataset)} <span class='badge {report.bump}'>{report.bump}</span></h1>"
    yield f"<p class='states'>{escaped(report.title)}</p>"
    yield from (f"<p class='badge changed'>{escaped(note)}</p>" for note in report.notes)
    if not (report.differs or report.findings):
        yield from ("<p>No difference.</p>",) if report.is_equal else ()
        return
    yield from _overview(report)
    yield from _findings(report)
    if report.schema:
        yield "<h2>Schema</h2><div class='scroll'><table><thead>"
        yield "<tr><th>where<th>what<th>before<th>after</tr></thead><tbody>"
        yield from (_schema(change) for change in report.schema)
        yield "</tbody></table></div>"
    if report.scenarios:
        yield "<h2>Scenarios</h2><div class='cards'>"
        for scenario in report.scenarios:
            yield from _scenario(scenario)
        yield "</div>"
    for number, table in enumerate(report.tables):
        if table.is_told:
            yield from _table(table, f"{report.dataset}-{number}")


def _overview(report: DiffReport) -> Iterator[str]:
    yield "<div class='scroll'><table><thead><tr><th>table<th class='number'>rows<th class='number'>added"
    yield "<th class='number'>removed<th class='number'>changed</tr></thead><tbody>"
    for number, table in enumerate(report.tables):
        change = table.change
        counts = (change.added, change.removed, change.changed)
        cells = "".join(f"<td class='number'>{count:,}" if count else "<td class='number'>" for count in counts)
        name = (
            f"<a href='#{escaped(report.dataset)}-{number}'>{escaped(table.name)}</a>"
            if table.is_told
            else escaped(table.name)
        )
        yield f"<tr><td>{name}<td class='number'>{_sizes(table)}{cells}</tr>"
    yield "</tbody></table></div>"


def _sizes(table: TableReport) -> str:
    if table.before is None or table.after is None:
        return f"{table.after or table.before or 0:,}"
    return f"{table.before:,}" if table.before == table.after else f"{table.before:,} → {table.after:,}"


def _findings(report: DiffReport) -> Iterator[str]:
    if not report.findings:
        return
    yield "<h2>Why this version</h2><div class='scroll reasons'><table><tbody>"
    for finding in sorted(report.findings, key=lambda finding: -LEVELS.index(finding.level)):
        place = ".".join(part for part in (finding.table, finding.column) if part)
        yield (
            f"<tr><td><span class='badge {finding.level}'>{finding.level}</span><td>{escaped(finding.rule)}"
            f"<td>{escaped(place)}<td>{escaped(finding.message)}</tr>"
        )
    yield "</tbody></table></div>"


def _schema(change: SchemaChange) -> str:
    guess = f" <small>{escaped(change.doubt)}</small>" if change.doubt else ""
    before, after = ("" if value is None else escaped(brief(value)) for value in (change.before, change.after))
    what = change.kind.replace("-", " ")
    return f"<tr><td>{escaped(place_of(change))}<td>{escaped(what)}{guess}<td>{before}<td>{after}</tr>"


def _scenario(scenario: ScenarioChange) -> Iterator[str]:
    badge = f"<span class='badge {scenario.kind}'>{scenario.kind}</span>"
    yield f"<div class='card'><h3>{badge} {escaped(scenario.name)}</h3><p>{escaped(scenario.title)}</p><dl>"
    for table, (old, new) in scenario.tables.items():
        size = f"{old:,}" if old == new else f"{old:,} → {new:,}"
        yield f"<dt>{escaped(table)}<dd>{size} {'row' if new == 1 else 'rows'}"
    yield "</dl>"
    for row in scenario.rows:
        yield f"<p><b>{escaped(row.label)}</b> <small>{escaped(row.table)}</small></p><dl>"
        for name in {**(row.change.after or {}), **(row.change.before or {})}:
            yield f"<dt>{escaped(name)}<dd>{_cell(row.change, name)}"
        yield "</dl>"
    yield "</div>"


def _table(table: TableReport, anchor: str) -> Iterator[str]:
    change = table.change
    counts = {"added": change.added, "removed": change.removed, "changed": change.changed}
    said = ", ".join(f"{count:,} {kind}" for kind, count in counts.items() if count) or "same rows"
    yield f"<section data-table id='{escaped(anchor)}'>"
    yield f"<header><h2>{escaped(table.name)}</h2><span>{said}</span></header>"
    if table.rows:
        yield from _tools(table, counts)
        yield from _rows(table)
    if table.left_out:
        yield _left_out(table.left_out, "rows")
    if table.kept is not None:
        yield from _kept(table.kept)
    if table.statistics:
        yield "<p class='key faint'>Columns whose values shifted <span><i></i>before</span> "
        yield "<span><i class='after'></i>after</span></p>"
        yield "<div class='cards'>"
        for shift in table.statistics:
            yield from _shift(shift, table.facts(shift))
        yield "</div>"
    yield "</section>"


def _left_out(count: int, what: str) -> str:
    return f"<p class='faint'>{count:,} more {what} are not on this page.</p>"


def _kept(kept: KeptRows) -> Iterator[str]:
    """The rows that stay in the columns that are not the same, then the values that a guessed rename changed."""
    if kept.rows:
        told, columns = list(kept.told_by(kept.rows[0])), dict(list(kept.columns.items())[:_COLUMNS])
        yield f"<p class='faint'>I{kept.title[1:]}</p>"
        yield "<div class='scroll'><table class='kept'><thead><tr>"
        yield "".join(f"<th>{escaped(name)}" for name in (*told, *columns)) + "</tr></thead><tbody>"
        for row in kept.rows:
            cells = [_value(value) for value in kept.told_by(row).values()]
            cells += [_sides(row.values(*names)) for names in columns.values()]
            yield f"<tr><td>{'<td>'.join(cells)}</tr>"
        yield "</tbody></table></div>"
    if kept.left_out:
        yield _left_out(kept.left_out, "rows")
    for rename in kept.renamed:
        if rename.rows:
            yield from _renamed(rename)
        if rename.left_out:
            yield _left_out(rename.left_out, "values that differ")


def _renamed(rename: Rename) -> Iterator[str]:
    yield f"<p class='faint'>{escaped(rename.title)}: {rename.differ:,} of {rename.among:,} values differ</p>"
    yield "<div class='scroll'><table class='kept'><tbody>"
    for row in rename.rows:
        key = "".join(f"<td>{escaped(name)} {_value(value)}" for name, value in row.key.items())
        values = (row.before or {})[rename.before], (row.after or {})[rename.after]
        yield f"<tr>{key}<td>{_changed(*values)}</tr>"
    yield "</tbody></table></div>"


def _sides(values: Sequence[Any]) -> str:
    return " → ".join(map(_text, value_texts(values, WIDEST)))


def _changed(before: Any, after: Any) -> str:
    """A changed cell; of a hidden one that it changed."""
    old, *new = map(_text, sides(before, after, WIDEST))
    return f"<del>{old}</del> → <ins>{new[0]}</ins>" if new else f"{old} <i>(changed)</i>"


def _tools(table: TableReport, counts: Mapping[str, int]) -> Iterator[str]:
    yield "<div class='tools'><input type='search' placeholder='Filter rows' aria-label='Filter rows'>"
    for kind in KINDS:
        if counts[kind]:
            yield f"<label><input type='checkbox' value='{kind}' checked> {kind}</label>"
    yield "<output class='faint'></output></div>"


def _rows(table: TableReport) -> Iterator[str]:
    names = _names(table)
    shown = {name: " class='number'" if table.is_numeric(name) else "" for name in names[:_COLUMNS]}
    yield "<div class='scroll'><table class='rows'><thead><tr><th class='sign'>"
    yield "".join(f"<th{style}>{escaped(name)}" for name, style in shown.items()) + "</tr></thead><tbody>"
    for row in rows_told_apart(table.rows, WIDEST):
        cells = "".join(f"<td{style}>{_cell(row, name)}" for name, style in shown.items())
        yield f"<tr data-kind='{row.kind}'><td class='sign {row.kind}'>{_SIGNS[row.kind]}{cells}</tr>"
    yield "</tbody></table></div>"
    if len(names) > len(shown):
        yield f"<p class='faint'>The first {len(shown)} of {len(names):,} columns.</p>"


def _names(table: TableReport) -> list[str]:
    """The columns that any row shows: the key, then those of changed cells, in the table's order, then others."""
    used = dict.fromkeys(name for row in table.rows for side in (row.key, row.before, row.after) for name in side or ())
    changed = {name for row in table.rows if row.kind == "changed" for name in row.before or ()}
    ordered = [*table.key, *(name for name in table.columns if name in used), *used]
    if len(used) > _COLUMNS:
        ordered = [*table.key, *(name for name in ordered if name in changed), *ordered]
    return list(dict.fromkeys(ordered))


def _cell(row: RowChange, name: str) -> str:
    before, after = row.before or {}, row.after or {}
    if row.kind == "changed":
        if name in before and name in after:
            return _changed(before[name], after[name])
        return _value(row.key[name]) if name in row.key else "<i>·</i>"
    values = after if row.kind == "added" else before
    return _value(values[name]) if name in values else ""


def _shift(shift: ColumnShift, facts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield f"<div class='card'><h3>{escaped(shift.column)} <small>{escaped(shift.type)}</small></h3><dl>"
    for name in _FACTS:
        texts = [f"<span>{_text(text)}</span>" for text in fact_texts(facts, name, WIDEST)]
        if texts:
            yield f"<dt>{name}<dd>{' → '.join(texts)}"
    if shift.shift is not None:
        yield f"<dt>moved<dd>{shift.shift:.1%} of the values"
    yield "</dl>"
    if shift.bars:
        yield from _bars(shift.bars)
    yield "</div>"


def _bars(bars: Sequence[Bar]) -> Iterator[str]:
    """Two bars per class, as shares of their own state, so that states of different sizes can be compared."""
    old, new = (max(1, sum(counts)) for counts in zip(*((bar.before, bar.after) for bar in bars), strict=True))
    highest = max(max(bar.before / old, bar.after / new) for bar in bars) or 1
    yield "<div class='bars' role='img' aria-label='histogram before and after'>"
    for bar in bars:
        heights = (bar.before / old / highest, bar.after / new / highest)
        pair = "".join(f"<i style='height:{height:.1%}'></i>" for height in heights)
        label = " to ".join(_label(end, 60) for end in (bar.label, bar.until)[: 2 if bar.until else 1])
        yield f"<span title='{label}: {bar.before:,} → {bar.after:,}'>{pair}</span>"
    yield "</div>"
    last = bars[-1].until or bars[-1].label
    yield f"<div class='axis'><span>{_label(bars[0].label, 24)}</span><span>{_label(last, 24)}</span></div>"


def _label(text: str, widest: int) -> str:
    return escaped(cell_text(text), widest)


def _value(value: Any) -> str:
    return _text(cell_text(value))


def _text(shown: str) -> str:
    return f"<i>{NULL}</i>" if shown == NULL else escaped(shown)

"""What a reader is told about the difference between two states: rows, schema, scenarios, statistics, the bump.

In: what `tdv.diff` found. Out: frozen values that every face (terminal, Markdown, HTML, JSON) is made from. Always
holds: values are cells (`tdv.model.cell`), and those of private columns are hidden already unless they were asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Literal

from tdv.model.cell import is_same, json_form
from tdv.model.diff import FORMAT, LEVELS, Finding, Level, TableChange

MANY: Final = "tdv.diffs/v1"
CELLS: Final = 20
"""Changed cells of one row that a face with a line for each shows."""
Kind = Literal["added", "removed", "changed"]
KINDS: Final[tuple[Kind, ...]] = ("added", "removed", "changed")
_CAUSED_BY: Final[Mapping[str, Kind]] = {"row-added": "added", "row-removed": "removed", "cell-changed": "changed"}
_CAUSES: Final = 3


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What is shown: `tables` and `columns` (all when empty) without `ignore`, rows that `where` is true of, at most
    `limit` rows of each kind and table (None: all). Numbers may differ by `tolerance` times the larger of 1 and
    their absolute values. `reveal` shows private values. `levels` are the project's levels of rules."""

    tables: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    where: str | None = None
    limit: int | None = None
    tolerance: float = 0.0
    statistics: bool = False
    reveal: bool = False
    levels: Mapping[str, Level] = field(default_factory=dict)

    @property
    def narrows(self) -> bool:
        """Whether a part of the change is asked for."""
        return bool(self.names_something or self.tolerance)

    @property
    def names_something(self) -> bool:
        """Whether tables or columns are named, which have to exist."""
        return bool(self.tables or self.columns or self.ignore or self.where is not None)


@dataclass(frozen=True, slots=True)
class RowChange:
    """One row. `key` is {} in a table without a key; of a changed row, `before` and `after` hold the changed cells."""

    kind: Kind
    key: Mapping[str, Any]
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None

    def to_plain(self) -> dict[str, Any]:
        return json_form({"key": self.key, "kind": self.kind, "before": self.before, "after": self.after})

    def values(self, before: str, after: str) -> tuple[Any, ...]:
        """The different values of a column that has those names before and after; none where the row has neither."""
        sides = ((self.before, before), (self.after, after))
        found = [side[name] for side, name in sides if side is not None and name in side]
        return tuple(found[:1] if len(found) > 1 and is_same(*found) else found)


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """A difference of the schema: `kind` is ``column-added``, ``key-changed`` …; a `guess` is inferred from content.

    Of a column that is guessed to be renamed, `differ` values of `rows` that both states have are not the same.
    """

    kind: str
    table: str
    column: str = ""
    before: Any = None
    after: Any = None
    guess: bool = False
    rows: int | None = None
    differ: int | None = None

    @property
    def doubt(self) -> str:
        """What a reader has to know of a guess; "" of what is certain."""
        if not self.guess:
            return ""
        if not self.differ:
            return "a guess from the values"
        return (
            f"a guess from the values: {self.differ:,} of {self.rows:,} {'differs' if self.differ == 1 else 'differ'}"
        )

    def to_plain(self) -> dict[str, Any]:
        plain = {
            "kind": self.kind,
            "table": self.table,
            "column": self.column,
            "before": self.before,
            "after": self.after,
            "guess": self.guess,
        }
        if self.rows is not None:
            plain |= {"rows": self.rows, "differ": self.differ}
        return plain


@dataclass(frozen=True, slots=True)
class Bar:
    """How many values fall into one class of a histogram: `label`, or from `label` to `until` where that is not ""."""

    label: str
    before: int
    after: int
    until: str = ""

    def to_plain(self) -> dict[str, Any]:
        return {"label": self.label, "until": self.until or self.label, "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True)
class ColumnShift:
    """One column before and after: facts by name, a histogram, and the share of rows (0 to 1) that moved in it.

    `before` or `after` is {} where the column is not in that state; a private column has counts only.
    """

    column: str
    type: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    bars: tuple[Bar, ...] = ()
    shift: float | None = None

    def to_plain(self) -> dict[str, Any]:
        return {
            "type": self.type,
            "before": dict(self.before),
            "after": dict(self.after),
            "histogram": [bar.to_plain() for bar in self.bars],
            "shift": self.shift,
        }


@dataclass(frozen=True, slots=True)
class Rename:
    """A column that is guessed to be renamed: `differ` values `among` all rows that stay are not the same; `rows` are
    the first of them."""

    before: str
    after: str
    among: int
    differ: int = 0
    rows: tuple[RowChange, ...] = ()

    @property
    def title(self) -> str:
        """``name → nick``"""
        return f"{self.before} → {self.after}"

    @property
    def left_out(self) -> int:
        """Values that differ in rows that are not among `rows`."""
        return self.differ - len(self.rows)

    def to_plain(self) -> dict[str, Any]:
        return {
            "before": self.before,
            "after": self.after,
            "differ": self.differ,
            "rows": [row.to_plain() for row in self.rows],
            "left_out": self.left_out,
        }


@dataclass(frozen=True, slots=True)
class KeptRows:
    """The `count` rows that stay, in the columns that only one state has, or that have types that cannot be compared.

    `rows` are the first of them: `before` holds columns that went, `after` those that came, and of `retyped` ones both
    hold the values that are not equal; where there are only such columns, only rows with such values count. Without a
    key, both hold the other columns, too. None of this is counted as changed: the bump comes from the schema.
    """

    count: int
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    retyped: tuple[str, ...] = ()
    renamed: tuple[Rename, ...] = ()
    rows: tuple[RowChange, ...] = ()

    @property
    def title(self) -> str:
        """``in the 3 rows of both states``"""
        rows = f"in the {self.count:,} {'row' if self.count == 1 else 'rows'} of both states"
        return rows if self.added or self.removed or self.renamed else f"{rows} with other values"

    @property
    def left_out(self) -> int:
        """Rows that stay and are not among `rows`."""
        return self.count - len(self.rows)

    @property
    def columns(self) -> Mapping[str, tuple[str, str]]:
        """Names before and after, by what stands above a column: ``+ tier``, ``- level``, ``name → nick``."""
        names = {f"+ {name}": ("", name) for name in self.added} | {f"- {name}": (name, "") for name in self.removed}
        same = {name: (name, name) for name in self.retyped}
        return names | same | {rename.title: (rename.before, rename.after) for rename in self.renamed}

    def told_by(self, row: RowChange) -> Mapping[str, Any]:
        """What tells a row apart: its key, without one its other columns."""
        own = {name for names in self.columns.values() for name in names}
        return row.key or {name: value for name, value in (row.after or {}).items() if name not in own}

    def to_plain(self) -> dict[str, Any]:
        return {
            "count": self.count,
            "added": list(self.added),
            "removed": list(self.removed),
            "retyped": list(self.retyped),
            "renamed": [rename.to_plain() for rename in self.renamed],
            "rows": [row.to_plain() for row in self.rows],
            "left_out": self.left_out,
        }


@dataclass(frozen=True, slots=True)
class TableReport:
    """One table: all counts, its size in each state (None where it is not), and the first rows of each kind."""

    name: str
    change: TableChange
    before: int | None
    after: int | None
    key: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[RowChange, ...] = ()
    statistics: tuple[ColumnShift, ...] = ()
    kept: KeptRows | None = None

    @property
    def is_told(self) -> bool:
        """Whether there is anything to say of the table but its size."""
        return bool(self.total or self.statistics or (self.kept and (self.kept.count or self.kept.renamed)))

    @property
    def total(self) -> int:
        """Rows added, removed and changed."""
        return self.change.added + self.change.removed + self.change.changed

    def facts(self, shift: ColumnShift) -> tuple[Mapping[str, Any], ...]:
        """The facts of a column before and after; of a table that only one state has, those of that state."""
        is_one_sided = self.before is None or self.after is None
        return (shift.before or shift.after,) if is_one_sided else (shift.before, shift.after)

    @property
    def left_out(self) -> int:
        """Rows that differ and are not among `rows`."""
        return self.total - len(self.rows)

    def is_numeric(self, name: str) -> bool:
        """Whether the rows show nothing but numbers in a column, so that it is aligned to the right."""
        sides = (side for row in self.rows for side in (row.key, row.before, row.after) if side is not None)
        values = [side[name] for side in sides if side.get(name) is not None]
        return bool(values) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)

    def to_plain(self) -> dict[str, Any]:
        plain = {
            **self.change.to_plain(),
            "total": {"before": self.before, "after": self.after},
            "rows": [row.to_plain() for row in self.rows],
            "left_out": self.left_out,
        }
        if self.kept is not None:
            plain["kept"] = self.kept.to_plain()
        if self.statistics:
            plain["statistics"] = {shift.column: shift.to_plain() for shift in self.statistics}
        return plain


@dataclass(frozen=True, slots=True)
class ScenarioRow:
    """One labelled row of a scenario and what became of it."""

    table: str
    label: str
    change: RowChange

    def to_plain(self) -> dict[str, Any]:
        return {"table": self.table, "label": self.label, **self.change.to_plain()}


@dataclass(frozen=True, slots=True)
class ScenarioChange:
    """A scenario that is new, gone or has other rows; `tables` gives its rows per table, (before, after)."""

    name: str
    kind: Kind
    title: str
    tables: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    rows: tuple[ScenarioRow, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind,
            "title": self.title,
            "tables": {table: {"before": old, "after": new} for table, (old, new) in self.tables.items()},
            "rows": [row.to_plain() for row in self.rows],
        }


@dataclass(frozen=True, slots=True)
class DiffReport:
    """The difference of one dataset. `old` and `new` name the states, as in ``movies@v1.0.0``.

    `findings` and the bump are those of the whole change, also where the reader asked to see a part of it; `notes`
    say what limits the comparison: `stale`, that the sources of the work tree are not those that it was built from.
    `about` says what else is known of the older state.
    """

    dataset: str
    old: str
    new: str
    findings: tuple[Finding, ...] = ()
    schema: tuple[SchemaChange, ...] = ()
    tables: tuple[TableReport, ...] = ()
    scenarios: tuple[ScenarioChange, ...] = ()
    notes: tuple[str, ...] = ()
    stale: bool = False
    about: str = ""

    @property
    def title(self) -> str:
        """``movies@v1.0.0 → movies@v1.1.0``"""
        return f"{self.old}{f' ({self.about})' if self.about else ''} → {self.new}"

    @property
    def is_equal(self) -> bool:
        """Whether the states are the same, as far as that is known."""
        return not (self.differs or self.findings or self.stale)

    @property
    def bump(self) -> Level:
        """The highest level that fired."""
        return max((finding.level for finding in self.findings), key=LEVELS.index, default="none")

    @property
    def differs(self) -> bool:
        """Whether anything is left to show."""
        return bool(self.schema or self.scenarios or any(table.total for table in self.tables))

    def causes(self, finding: Finding) -> tuple[Mapping[str, Any], ...]:
        """The keys of the first rows that made a rule fire, among those that are shown."""
        kind = _CAUSED_BY.get(finding.rule)
        rows = (row for table in self.tables if table.name == finding.table for row in table.rows if row.kind == kind)
        found = (row.key for row in rows if row.key and (not finding.column or finding.column in (row.after or ())))
        return tuple(islice(found, _CAUSES))

    def to_plain(self) -> dict[str, Any]:
        """The JSON form, ``tdv.diff/v1``."""
        return {
            "format": FORMAT,
            "dataset": self.dataset,
            "from": self.old,
            "to": self.new,
            "bump": self.bump,
            "rules": [
                {**finding.to_plain(), "rows": [dict(key) for key in self.causes(finding)]} for finding in self.findings
            ],
            "schema": [change.to_plain() for change in self.schema],
            "tables": {table.name: table.to_plain() for table in self.tables},
            "scenarios": [scenario.to_plain() for scenario in self.scenarios],
            "stale": self.stale,
            "notes": list(self.notes),
        }

    def head(self, limit: int | None) -> dict[str, Any]:
        """The JSON form without rows, of which at most `limit` of each kind and table follow."""
        plain = self.to_plain()
        for table in self.tables:
            del plain["tables"][table.name]["rows"]
            plain["tables"][table.name]["left_out"] = table.change.beyond(limit)
        return plain


def plain_reports(reports: tuple[DiffReport, ...]) -> dict[str, Any]:
    """The JSON form of several reports: that of a single one is its own."""
    if len(reports) == 1:
        return reports[0].to_plain()
    bump = max((report.bump for report in reports), key=LEVELS.index, default="none")
    return {"format": MANY, "bump": bump, "diffs": [report.to_plain() for report in reports]}

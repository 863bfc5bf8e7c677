"""The text of a scenario after migrations.

In: the text and the scenario that it is, and where its rows went. Out: the new text. Always holds: labels, comments
and mentions of labels stay; a value is written out only where what stands there does not mean it any more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tdv.documents.edit import Change, YamlEdits
from tdv.documents.yaml_text import scalar
from tdv.model.types import LogicalType
from tdv.seeds import Scenario, generated_key
from tdv.seeds.expect import bind
from tdv.seeds.labels import LABEL
from tdv.spec.text import flow
from tdv.upgrade.capture import Capture, Table
from tdv.upgrade.cells import RowRules, cells
from tdv.upgrade.moves import GONE, Move
from tdv.upgrade.origins import Origins
from tdv.upgrade.statements import OF_GONE, Statements

_MENTION: Final = re.compile(rf"""["']?\$(?:(?P<table>{LABEL.pattern})\.)?(?P<label>{LABEL.pattern})["']?""")


@dataclass(frozen=True, slots=True)
class Arrived:
    """A row of a new table that belongs to a scenario: its place there, its label, and the columns that mention
    another row, with its label."""

    place: int
    label: str
    mentions: Mapping[str, str]


@dataclass(frozen=True)
class ScenarioEdits:
    """The rewriting of the scenarios of one dataset. `moves` and `origins` are by the tables' names before; `arrived`
    is by scenario and new table; `notes` takes down what was taken out."""

    dataset: str
    capture: Capture
    moves: Mapping[str, Move]
    origins: Mapping[str, Origins]
    arrived: Mapping[tuple[str, str], Sequence[Arrived]]
    statements: Statements
    notes: list[str] = field(default_factory=list)

    def rewritten(self, scenario: Scenario, text: str) -> str:
        """The new text of a scenario."""
        edits = YamlEdits(text, scenario.file)
        gone = set(scenario.rows) - self.moves.keys()
        self.notes.extend(f"the rows of {table} in {scenario.file}" for table in sorted(gone))
        for table in scenario.rows:
            if table in self.moves:
                self._table(edits, scenario, self.moves[table])
        names = self.capture.names.tables
        renamed: dict[str | int, str] = {table: flow(names[table]) for table in scenario.rows if table in names}
        added = self._arrivals(edits, scenario)
        edits.change(("rows",), Change(removed=frozenset(gone), renamed=renamed, added=added))
        self._expectations(edits, scenario)
        return edits.text()

    # -- rows

    def _table(self, edits: YamlEdits, scenario: Scenario, move: Move) -> None:
        table = move.before.name
        gone = set()
        filled: dict[str | int, str] = {}
        for label in scenario.labels[table]:
            row = self.origins[table].labels[scenario.name, label]
            path = ("rows", table, label)
            if move.to[row] == GONE:
                gone.add(label)
                self.notes.append(f"the row {label} of {table} in {scenario.file}, which the migrations deleted")
                continue
            names = [str(step) for step in edits.steps(path)]
            change = cells(move, row, names, self._rules(edits, scenario, move, label)).change()
            if names:
                edits.change(path, change)
            elif change.added:
                filled[label] = "{" + ", ".join(f"{key}: {value}" for key, value in change.added) + "}"
        edits.change(("rows", table), Change(removed=frozenset(gone), replaced=filled))

    def _rules(self, edits: YamlEdits, scenario: Scenario, move: Move, label: str) -> RowRules:
        table = move.before.name
        place = move.to[self.origins[table].labels[scenario.name, label]]

        def stands(column: str, name: str) -> bool:
            mention = _MENTION.fullmatch(edits.source(("rows", table, label, name)).strip())
            if mention is None:
                return False
            return self._key(scenario, mention["table"], mention["label"]) == move.text(column, place)

        def implied(column: str) -> bool:
            schema = move.after.schema
            if column not in schema.key:
                return False
            try:
                key = generated_key((self.dataset, scenario.name, schema.name, label), schema, schema.column(column))
            except ValueError:
                return False
            return bool(key == move.plain(column, place))

        return RowRules(stands, implied)

    def _key(self, scenario: Scenario, table: str | None, label: str) -> str | None:
        """The key, of one column, that a label stands for after the migrations."""
        tables = [name for name in ([table] if table else scenario.labels) if label in scenario.labels.get(name, {})]
        if len(tables) != 1 or tables[0] not in self.moves:
            return None
        move = self.moves[tables[0]]
        place = move.to[self.origins[tables[0]].labels[scenario.name, label]]
        key = move.after.schema.key
        return move.text(key[0], place) if len(key) == 1 and place != GONE else None

    def _arrivals(self, edits: YamlEdits, scenario: Scenario) -> list[tuple[str, str]]:
        added = []
        indent = edits.indent(("rows",))
        for table in self.capture.tables:
            rows = self.arrived.get((scenario.name, table.name), ())
            if not rows:
                continue
            written = [(row.label, self._arrival(scenario, table, row)) for row in rows]
            if indent is None:
                text = "{" + ", ".join(f"{label}: {row}" for label, row in written) + "}"
            else:
                text = "".join(f"\n{' ' * (indent + 2)}{label}: {row}" for label, row in written)
            added.append((flow(table.name), text))
        return added

    def _arrival(self, scenario: Scenario, table: Table, row: Arrived) -> str:
        move = Move(table.schema, table.rows.slice(0, 0), table)
        parts = []
        for column in table.schema.column_names:
            value = move.plain(column, row.place)
            if column in row.mentions:
                parts.append(f"{flow(column)}: ${row.mentions[column]}")
            elif value is not None and not self._is_made_up(scenario, table, row.label, (column, value)):
                parts.append(f"{flow(column)}: {flow(value)}")
        return "{" + ", ".join(parts) + "}"

    def _is_made_up(self, scenario: Scenario, table: Table, label: str, cell: tuple[str, Any]) -> bool:
        column, value = cell
        if column not in table.schema.key:
            return False
        try:
            place = (self.dataset, scenario.name, table.name, label)
            return bool(generated_key(place, table.schema, table.schema.column(column)) == value)
        except ValueError:
            return False

    # -- expectations

    def _expectations(self, edits: YamlEdits, scenario: Scenario) -> None:
        write = flow if edits.indent(("expect",)) is None else scalar
        gone = set()
        replaced: dict[str | int, str] = {}
        for index, expectation in enumerate(scenario.expect):
            text = self.capture.names.anywhere(expectation.text)
            reason = self._against(scenario, text)
            if reason is not None:
                gone.add(index)
                self.notes.append(f"an expectation of {scenario.file}: {expectation.text}, {reason}")
            elif text != expectation.text:
                replaced[index] = write(text)
        if gone and len(gone) == len(scenario.expect):
            edits.change((), Change(removed=frozenset({"expect"})))
        elif gone or replaced:
            edits.change(("expect",), Change(frozenset(gone), replaced))

    def _against(self, scenario: Scenario, text: str) -> str | None:
        """Why an expectation cannot stay."""

        def lookup(label: str, table: str | None) -> list[tuple[Any, LogicalType]]:
            old = {new: name for name, new in self.capture.names.tables.items()}
            wanted = [old.get(table, table)] if table else list(scenario.labels)
            name = next(name for name in wanted if label in scenario.labels.get(name, {}))
            if name not in self.moves:
                raise ValueError(name)
            schema = self.moves[name].before
            values = scenario.labels[name][label]
            return [(value, schema.column(key).type) for key, value in zip(schema.key, values, strict=True)]

        try:
            sql = bind(text, lookup)
        except ValueError:
            return OF_GONE
        return self.statements.against_expectation(sql, scenario.name, text)


def arrivals(
    capture: Capture, moves: Mapping[str, Move], origins: Mapping[str, Origins]
) -> dict[tuple[str, str], list[Arrived]]:
    """The rows of new tables that reference a row of one scenario: they tell its story, too."""
    owners = _owners(capture, moves, origins)
    found: dict[tuple[str, str], list[Arrived]] = {}
    taken: dict[str, set[str]] = {}
    for known in origins.values():
        for scenario, label in known.labels:
            taken.setdefault(scenario, set()).add(label)
    for table in capture.tables:
        for place in range(table.rows.num_rows) if table.old is None else ():
            mentions = _mentions(table, place, owners)
            scenarios = {scenario for scenario, _ in mentions.values()}
            if len(scenarios) == 1:
                scenario = scenarios.pop()
                labels = {column: label for column, (_, label) in mentions.items()}
                label = _free(f"{next(iter(labels.values()))}_{table.name}", taken.setdefault(scenario, set()))
                found.setdefault((scenario, table.name), []).append(Arrived(place, label, labels))
    return found


Owners = Mapping[tuple[str, str], Mapping[str | None, tuple[str, str]]]
"""Table and key column → key → scenario and label."""


def _owners(capture: Capture, moves: Mapping[str, Move], origins: Mapping[str, Origins]) -> Owners:
    owners: dict[tuple[str, str], dict[str | None, tuple[str, str]]] = {}
    for old, move in moves.items():
        key = move.after.schema.key
        if len(key) == 1:
            known = ((label, move.to[row]) for label, row in origins[old].labels.items())
            owners[move.after.name, key[0]] = {
                move.text(key[0], place): label for label, place in known if place != GONE
            }
    return owners


def _mentions(table: Table, place: int, owners: Owners) -> dict[str, tuple[str, str]]:
    move = Move(table.schema, table.rows.slice(0, 0), table)
    found = {}
    for reference in table.schema.references:
        if len(reference.columns) == 1 and reference.dataset is None:
            owner = owners.get((reference.table, reference.to[0]), {}).get(move.text(reference.columns[0], place))
            if owner is not None:
                found[reference.columns[0]] = owner
    return found


def _free(wanted: str, taken: set[str]) -> str:
    """A label that no row of the scenario has, which is taken then."""
    label = word = re.sub(r"\W", "_", wanted, flags=re.ASCII)
    number = 2
    while label in taken:
        label, number = f"{word}_{number}", number + 1
    taken.add(label)
    return label

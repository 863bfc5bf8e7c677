"""Scenarios: named bundles of rows across tables, with a purpose.

In: ``scenarios/*.yaml`` of a dataset, and its spec. Out: `Scenario` values. Always holds: every label is resolved
and every row has its key; scenarios that are loaded together hold no key twice; the mistakes of all files are raised
together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

import pyarrow as pa

from tdv.content.arrow import canonical
from tdv.content.keys import Key, keys_of
from tdv.content.redact import shown_key
from tdv.content.text import from_plain
from tdv.documents import Document, Mistakes, did_you_mean, parse, quoted, validate
from tdv.errors import DocumentError, Problem
from tdv.model.scenario import Expectation
from tdv.model.spec import DatasetSpec, TableSpec
from tdv.model.types import LogicalType
from tdv.seeds.expect import bind
from tdv.seeds.labels import Labels
from tdv.seeds.places import content, listed
from tdv.seeds.rows import Rows, typed

DIRECTORY: Final = "scenarios"
_SUFFIXES: Final = (".yaml", ".yml")
_NULL: Final = "Give the column a value in this row."


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario. `rows` are canonical and stand in the order of the file; `labels` maps table → label → key as
    JSON values, () in a table without a key; `file` is the path as errors name it."""

    name: str
    title: str
    owner: str
    tests: tuple[str, ...]
    rows: Mapping[str, pa.Table]
    labels: Mapping[str, Mapping[str, Key]]
    expect: tuple[Expectation, ...]
    standalone: bool
    file: str


def load_scenarios(spec: DatasetSpec, directory: Path) -> tuple[Scenario, ...]:
    """The scenarios of the dataset in `directory`, sorted by name.

    Raises `DocumentError` with every mistake in every file, `ConfigError` for a file that cannot be read,
    `DataError` for a value with no canonical form.
    """
    mistakes = Mistakes()
    found = []
    for path in listed(directory / DIRECTORY):
        file = str(PurePosixPath(spec.path).parent.parent / directory.name / DIRECTORY / path.name)
        if path.suffix not in _SUFFIXES or path.is_dir():
            mistakes.add(
                Problem(file, 1, "", "this is no scenario"), "Scenarios end with .yaml; move others elsewhere."
            )
        elif (document := _document(path, file, mistakes)) is not None:
            found.append(_Reading(spec, document, mistakes).scenario())
    mistakes.raise_if_any()
    together = [item for item in found if not item[0].standalone]
    for group in (together, *([item] for item in found if item[0].standalone)):
        _no_key_twice(spec, group, mistakes)
    mistakes.raise_if_any()
    return tuple(sorted((scenario for scenario, _ in found), key=lambda scenario: scenario.name))


def _document(path: Path, file: str, mistakes: Mistakes) -> Document | None:
    try:
        document = parse(content(path, file), file, exact=True)
        validate(document, "scenario")
    except DocumentError as exc:
        for problem in exc.problems:
            mistakes.add(problem, exc.hint)
        return None
    if document.data["scenario"] != path.stem:
        message = f"the file of this scenario is {path.name}; both must have one name"
        mistakes.add(document.problem(("scenario",), message), f"Write scenario: {path.stem}, or rename the file.")
        return None
    return document


Place = Callable[[str, str], int]
"""Table and label → line of the row."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """One scenario's file on its way to a `Scenario`."""

    spec: DatasetSpec
    document: Document
    mistakes: Mistakes
    typed: dict[str, pa.Table] = field(default_factory=dict)
    keys: dict[str, dict[str, Key]] = field(default_factory=dict)

    def scenario(self) -> tuple[Scenario, Place]:
        """The scenario, which means nothing when mistakes were noted, and where its rows stand."""
        data = self.document.data
        rows = self._known_rows(data.get("rows") or {})
        labels = Labels(self.spec, data["scenario"], rows)
        for name in rows:
            self._table(self.spec.table(name), labels)
        scenario = Scenario(
            name=data["scenario"],
            title=data["title"],
            owner=data.get("owner") or "",
            tests=tuple(data.get("tests") or ()),
            rows=self.typed,
            labels=self.keys,
            expect=tuple(self._expectations(data.get("expect") or (), labels)),
            standalone=bool(data.get("standalone", False)),
            file=self.document.file,
        )
        return scenario, lambda table, label: self.document.place(("rows", table, label))[0]

    def _known_rows(self, rows: Mapping[str, Any]) -> dict[str, Mapping[str, Mapping[str, Any]]]:
        """The rows of tables that exist."""
        names = [table.name for table in self.spec.tables]
        known: dict[str, Mapping[str, Mapping[str, Any]]] = {}
        for table, labelled in rows.items():
            if table not in names:
                message = f"the dataset {self.spec.name} has no such table{did_you_mean(table, names)}"
                self._wrong(("rows", table), message)
                continue
            known[table] = {label: row or {} for label, row in (labelled or {}).items()}
        return known

    def _table(self, table: TableSpec, labels: Labels) -> None:
        order = list(labels.rows[table.name])
        cells, noted = self._cells(table, labels, order)

        def line(row: int, name: str) -> int:
            return self._line(table.name, order[row], name)

        rows = Rows(
            file=self.document.file,
            count=len(order),
            names=self._names(table, labels, order),
            read=lambda name, kind: from_plain(cells[name], kind),
            line=line,
            null=_NULL,
            derived=bool(table.schema.key) and not self.document.data.get("standalone", False),
            noted=noted,
        )
        arrow = typed(rows, table, self.mistakes)
        if not self.mistakes:
            arrow = canonical(arrow, table.schema)
            keys = keys_of(arrow, table.schema) if table.schema.key else [()] * len(order)
            self.keys[table.name] = dict(zip(order, keys, strict=True))
        self.typed[table.name] = arrow

    def _names(self, table: TableSpec, labels: Labels, order: Sequence[str]) -> dict[str, int]:
        """The columns that have values, each with its first line; the key always has."""
        names = {name: self._line(table.name, order[0], name) for name in table.schema.key if order}
        for label in order:
            for name in labels.rows[table.name][label]:
                names.setdefault(name, self._line(table.name, label, name))
        return names

    def _cells(
        self, table: TableSpec, labels: Labels, order: Sequence[str]
    ) -> tuple[dict[str, list[Any]], frozenset[str]]:
        """The values of each column, and the columns in which one could not be resolved."""
        cells: dict[str, list[Any]] = {name: [] for name in table.schema.column_names}
        noted = set()
        for label in order:
            for name, values in cells.items():
                try:
                    values.append(labels.value(table.name, label, name))
                except ValueError as exc:
                    noted.add(name)
                    self._wrong(("rows", table.name, label, name), str(exc))
        return cells, frozenset(noted)

    def _expectations(self, statements: Sequence[str], labels: Labels) -> list[Expectation]:
        def lookup(label: str, table: str | None) -> list[tuple[Any, LogicalType]]:
            found = labels.find(label, table)
            schema = self.spec.table(found).schema
            if not schema.key:
                raise ValueError(f"the table {found!r} has no key that ${label} could stand for")
            key = self.keys.get(found, {}).get(label, (None,) * len(schema.key))
            return [(value, schema.column(name).type) for name, value in zip(schema.key, key, strict=True)]

        made = []
        for index, text in enumerate(statements):
            try:
                line = self.document.place(("expect", index))[0]
                made.append(Expectation(labels.scenario, bind(text, lookup), text, self.document.file, line))
            except ValueError as exc:
                self._wrong(("expect", index), str(exc))
        return made

    def _line(self, table: str, label: str, column: str) -> int:
        return self.document.place(("rows", table, label, column))[0]

    def _wrong(self, path: tuple[str | int, ...], message: str) -> None:
        self.mistakes.add(self.document.problem(path, message))


def _no_key_twice(spec: DatasetSpec, found: Sequence[tuple[Scenario, Place]], mistakes: Mistakes) -> None:
    first: dict[tuple[str, Key], tuple[str, str]] = {}
    for scenario, line in found:
        for name, labels in scenario.labels.items():
            schema = spec.table(name).schema
            for label, key in labels.items() if schema.key else ():
                here = (f"{scenario.file}:{line(name, label)}", label)
                there = first.setdefault((name, key), here)
                if there != here:
                    message = f"the key {shown_key(schema, schema.key, key)} stands already in {there[0]} ({there[1]})"
                    hint = "Give one of the two rows another key, or make the scenario standalone: true."
                    mistakes.add(Problem(scenario.file, line(name, label), quoted(label), message), hint)

"""How a dataset, a table and a scenario read in the terminal."""

from __future__ import annotations

from functools import singledispatch

from tdv.cli import terminal
from tdv.cli.text import counted
from tdv.faces.cells import cell_text
from tdv.faces.text import named
from tdv.model.schema import Column
from tdv.show import DatasetView, ScenarioView, TableView


@singledispatch
def print_view(view: object) -> None:
    """Prints one of the views of `tdv.show`."""
    raise TypeError(type(view).__name__)


@print_view.register
def _(view: DatasetView) -> None:
    manifest, release = view.manifest, view.release
    name = release.record.reference if release else f"{manifest.dataset}@{view.version}"
    terminal.out(terminal.styled(name, "bold"))
    facts = [("digest", manifest.digest), ("as of", manifest.as_of), ("seed", str(manifest.seed))]
    if release:
        record = release.record
        facts += [("released", f"{record.released} by {record.author}"), ("fits", str(release.compat))]
        facts += [("notes", record.notes)] if record.notes else []
        facts += [("yanked", "yes")] if release.yanked else []
    terminal.table(("", ""), [(f"  {key}", value) for key, value in facts])
    tables = [
        (f"  {named(table.name)}", counted(table.rows, "row"), named(", ".join(table.schema.column_names)))
        for table in manifest.tables
    ]
    terminal.table(("", "", ""), tables, right=(1,))
    terminal.table(("", ""), [(f"  {s.name}", s.title) for s in manifest.scenarios])


@print_view.register
def _(view: TableView) -> None:
    schema = view.table.schema
    terminal.out(terminal.styled(f"{view.dataset}.{named(schema.name)}", "bold"))
    columns = [(f"  {named(c.name)}", str(c.type), _column_note(c, schema.key)) for c in schema.columns]
    terminal.table(("", "", ""), columns)
    terminal.out()
    header = list(map(named, schema.column_names))
    terminal.table(header, [[cell_text(row[name]) for name in schema.column_names] for row in view.rows])
    if view.table.rows > len(view.rows):
        terminal.note(f"{counted(len(view.rows), 'row')} of {view.table.rows:,}")


@print_view.register
def _(view: ScenarioView) -> None:
    scenario = view.scenario
    terminal.out(f"{terminal.styled(scenario.name, 'bold')}  {terminal.clean(scenario.title)}")
    terminal.table(
        ("", "", ""),
        [
            (f"  {named(table)}", named(label), ", ".join(cell_text(part) for part in key))
            for table, labels in scenario.labels.items()
            for label, key in labels.items()
        ],
    )
    rows = sum(len(keys) for keys in scenario.rows.values())
    terminal.note(f"{counted(rows, 'row')} in {counted(len(scenario.rows), 'table')} with all that it references")


def _column_note(column: Column, key: tuple[str, ...]) -> str:
    words = ["key"] if column.name in key else []
    words += ["nullable"] if column.nullable else []
    words += [f"private: {column.privacy}"] if column.privacy else []
    return ", ".join([*words, column.description] if column.description else words)

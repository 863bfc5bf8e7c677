"""The text of ``dataset.yaml`` after migrations.

In: the text, the spec that it is, and what the migrations made of the dataset. Out: the new text. Always holds:
comments, order and layout of all that stays are as people wrote them; `tdv.spec.load` reads the text back as the
captured schema.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tdv.documents.edit import Change, YamlEdits
from tdv.documents.yaml_text import scalar
from tdv.model.schema import Column, Reference, TableSchema
from tdv.model.spec import DatasetSpec, TableSpec
from tdv.spec.text import column_plain, flow, reference_place, reference_plain, table_lines
from tdv.upgrade.capture import Capture, Table
from tdv.upgrade.columns import moved_reference
from tdv.upgrade.fates import Fates
from tdv.upgrade.statements import Statements

_KEEPS_TEXT: Final = ("template", "derive")


@dataclass(frozen=True, slots=True)
class _Statement:
    """SQL of the spec as it is written, with the names of now, and why it cannot stay."""

    old: str
    new: str
    against: str | None


@dataclass(frozen=True)
class SpecEdits:
    """One rewriting. `fates` and `frozen` are by the tables' names now; `notes` takes down what was taken out;
    `span` is what the migrations of the spec's ``compat:`` are to be, None to leave them out."""

    spec: DatasetSpec
    capture: Capture
    fates: Mapping[str, Fates]
    frozen: Collection[str]
    statements: Statements
    span: Mapping[str, str] | None
    notes: list[str] = field(default_factory=list)

    def rewritten(self, text: str) -> str:
        """The new text of the spec."""
        edits = YamlEdits(text, self.spec.path)
        for table in self.capture.tables:
            if table.old is not None:
                self._table(edits, table)
        edits.change(("tables",), self._tables(edits))
        gone = self._invariants(edits)
        edits.change((), Change(removed=frozenset(gone), added=self._compat(edits)))
        return edits.text()

    def _tables(self, edits: YamlEdits) -> Change:
        indent = edits.indent(("tables",)) or 0
        added = []
        for table in self.capture.tables:
            if table.old is None:
                head, *lines = table_lines(table.schema)
                block = "".join(f"\n{' ' * indent}{line}" for line in lines)
                added.append((head.rpartition(":")[0], block))
        return Change(
            removed=frozenset(self.capture.removed),
            renamed={old: flow(new) for old, new in self.capture.names.tables.items()},
            added=added,
        )

    # -- one table

    def _table(self, edits: YamlEdits, table: Table) -> None:
        old = self.spec.table(str(table.old))
        path = ("tables", old.name)
        inline = set(self._inline(edits, old, table))
        for name, before in table.columns.items():
            self._column(edits, old, table, (before, name))
        edits.change((*path, "columns"), self._columns(edits, old, table, inline))
        change = self._lists(edits, old, table, inline)
        checks = self._checks(edits, old, table)
        removed = set(change.removed) | checks
        if table.name in self.frozen:
            removed |= {word for word in ("rows", "factory") if edits.has((*path, word))}
        edits.change(path, Change(frozenset(removed), change.replaced, {}, change.added))

    def _columns(self, edits: YamlEdits, old: TableSpec, table: Table, inline: set[Reference]) -> Change:
        alone = {unique[0] for unique in table.schema.uniques if len(unique) == 1}
        places = {reference.columns[0]: reference for reference in inline}
        made = self.fates.get(table.name, Fates())
        added = []
        for column in table.schema.columns:
            if column.name not in table.columns:
                plain = column_plain(column, column.name in alone, places.get(column.name))
                if column.name in made.constants and table.name not in self.frozen:
                    plain["generate"] = {"constant": made.constants[column.name]}
                added.append((flow(column.name), flow(plain)))
        stayed = set(table.columns.values())
        return Change(
            removed=frozenset(name for name in old.schema.column_names if name not in stayed),
            renamed={before: flow(name) for name, before in table.columns.items() if before != name},
            added=added,
        )

    def _column(self, edits: YamlEdits, old: TableSpec, table: Table, names: tuple[str, str]) -> None:
        before, name = names
        path = ("tables", old.name, "columns", before)
        was, now = (_words(schema, column) for schema, column in ((old.schema, before), (table.schema, name)))
        if edits.has((*path, "references")):
            was["references"] = reference_place(_first(old.schema, before))
            reference = self._successor(old.schema, table, before)
            if reference is not None:
                now["references"] = reference_place(reference)
        elif (reference := self._new_inline(edits, old, table).get(name)) is not None:
            now["references"] = reference_place(reference)
        was |= {"generate": True} if edits.has((*path, "generate")) else {}
        now |= self._generate(edits, path, table.name, name)
        edits.change(path, _difference(edits, path, was, now))

    def _generate(self, edits: YamlEdits, path: tuple[str, ...], table: str, name: str) -> dict[str, Any]:
        """The column's ``generate``: True where what stands there stays."""
        made = self.fates.get(table, Fates())
        has = edits.has((*path, "generate"))
        if table in self.frozen or name in made.dropped:
            return {}
        if name in made.constants:
            return {"generate": {"constant": made.constants[name]}}
        if has:
            self._rename_in_generator(edits, path)
        return {"generate": True} if has else {}

    def _rename_in_generator(self, edits: YamlEdits, path: tuple[str, ...]) -> None:
        _, table, _, column = path
        generator = self.spec.table(table).generators[column]
        if generator.kind not in _KEEPS_TEXT or not isinstance(generator.options, str):
            return
        names = self.capture.names
        renamed: Callable[[str, str], str] = names.in_template if generator.kind == "template" else names.in_table
        text = renamed(generator.options, table)
        if text != generator.options:
            edits.replace((*path, "generate", generator.kind), flow(text))

    # -- keys, unique sets, references

    def _lists(self, edits: YamlEdits, old: TableSpec, table: Table, inline: set[Reference]) -> Change:
        path = ("tables", old.name)
        further = [item for item in old.schema.references if not self._stands_inline(edits, old, item)]
        was = {
            "key": list(old.schema.key),
            "unique": [list(unique) for unique in old.schema.uniques if len(unique) > 1],
            "references": [reference_plain(item) for item in further],
        }
        now = {
            "key": list(table.schema.key),
            "unique": [list(unique) for unique in table.schema.uniques if len(unique) > 1],
            "references": [reference_plain(item) for item in table.schema.references if item not in inline],
        }
        return _difference(edits, path, was, {word: value for word, value in now.items() if value})

    def _inline(self, edits: YamlEdits, old: TableSpec, table: Table) -> Iterator[Reference]:
        """The references that stand at their columns afterwards."""
        for before in table.columns.values():
            if edits.has(("tables", old.name, "columns", before, "references")):
                successor = self._successor(old.schema, table, before)
                if successor is not None:
                    yield successor
        yield from self._new_inline(edits, old, table).values()

    def _new_inline(self, edits: YamlEdits, old: TableSpec, table: Table) -> dict[str, Reference]:
        """New references of one column to whose column none stands yet."""
        known = {moved_reference(item, old.name, self.capture.names) for item in old.schema.references}
        found: dict[str, Reference] = {}
        for reference in table.schema.references:
            name = reference.columns[0]
            place = ("tables", old.name, "columns", table.columns.get(name, name), "references")
            if len(reference.columns) == 1 and reference not in known and not edits.has(place):
                found.setdefault(name, reference)
        return found

    def _successor(self, old: TableSchema, table: Table, column: str) -> Reference | None:
        """What became of the reference that stands at a column."""
        moved = moved_reference(_first(old, column), old.name, self.capture.names)
        return moved if moved in table.schema.references else None

    def _stands_inline(self, edits: YamlEdits, old: TableSpec, item: Reference) -> bool:
        name = item.columns[0]
        place = ("tables", old.name, "columns", name, "references")
        return len(item.columns) == 1 and edits.has(place) and _first(old.schema, name) == item

    # -- statements

    def _checks(self, edits: YamlEdits, old: TableSpec, table: Table) -> set[str]:
        """Changes the checks; returns the key where none is left."""
        found = []
        for check in old.schema.checks:
            text = self.capture.names.in_table(check, old.name)
            found.append(_Statement(check, text, self.statements.against_check(text, table.name)))
        return self._change_list(edits, ("tables", old.name, "checks"), f"the check of {table.name}", found)

    def _invariants(self, edits: YamlEdits) -> set[str]:
        """Changes the invariants; returns the key where none is left."""
        found = []
        for invariant in self.spec.invariants:
            text = self.capture.names.anywhere(invariant)
            found.append(_Statement(invariant, text, self.statements.against_invariant(text)))
        return self._change_list(edits, ("invariants",), "the invariant", found)

    def _change_list(self, edits: YamlEdits, path: tuple[str, ...], what: str, found: Sequence[_Statement]) -> set[str]:
        """Changes a list of statements; returns its key if no item is left."""
        self.notes.extend(f"{what}: {item.old}, {item.against}" for item in found if item.against)
        if found and all(item.against for item in found):
            return {path[-1]}
        write = flow if edits.indent(path) is None else scalar
        stay = [(index, item) for index, item in enumerate(found) if item.against is None]
        replaced: dict[str | int, str] = {index: write(item.new) for index, item in stay if item.new != item.old}
        removed = frozenset(range(len(found))) - {index for index, _ in stay}
        if replaced or removed:
            edits.change(path, Change(removed, replaced))
        return set()

    def _compat(self, edits: YamlEdits) -> list[tuple[str, str]]:
        """Changes the span of migrations; returns the key to add where the spec says nothing of it."""
        if self.span is None:
            return []
        span = flow(dict(self.span))
        if edits.has(("compat", "migration")):
            edits.replace(("compat", "migration"), span)
        elif edits.steps(("compat",)):
            edits.change(("compat",), Change(added=[("migration", span)]))
        else:
            return [("compat", f"{{migration: {span}}}")]
        return []


def _first(table: TableSchema, column: str) -> Reference:
    return next(item for item in table.references if item.columns == (column,))


def _words(table: TableSchema, name: str) -> dict[str, Any]:
    """A column as the spec has it, without what is presentation, a reference or a generator."""
    column: Column = table.column(name)
    plain = column_plain(column, (name,) in table.uniques, None)
    return {word: value for word, value in plain.items() if word not in ("privacy", "description")}


def _difference(edits: YamlEdits, path: tuple[str, ...], was: Mapping[str, Any], now: Mapping[str, Any]) -> Change:
    """What turns the words that were at `path` into those that are to be."""
    gone = [word for word in was if word not in now and edits.has((*path, word))]
    differing = {word: flow(value) for word, value in now.items() if was.get(word) != value}
    return Change(
        removed=frozenset(gone),
        replaced={word: text for word, text in differing.items() if edits.has((*path, word))},
        added=[(word, text) for word, text in differing.items() if not edits.has((*path, word))],
    )

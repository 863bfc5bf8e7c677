"""Generators: one per column, fit for its type, and speaking of columns that are there.

In: a table. Out: mistakes. Always holds: a column without a mistake has a value for every generated row: from a
generator, from the factory, or NULL. What the options mean in detail is decided in `tdv.factories`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from tdv.documents import Path, did_you_mean, quoted
from tdv.model.spec import GeneratorSpec
from tdv.model.types import LogicalType
from tdv.spec.columns import check_pattern
from tdv.spec.sheet import Notes, Sheet
from tdv.spec.types import INTEGERS, MOMENTS, NUMBERS, fits, number

KINDS: Final = (
    "sequence", "constant", "choice", "template", "faker", "uniform", "normal", "lognormal", "exponential", "poisson",
    "datetime", "pick", "derive", "uuid", "pattern", "list", "struct",
)  # fmt: skip
_TYPES: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(("uniform", "normal", "lognormal", "exponential", "poisson"), NUMBERS),
    "sequence": INTEGERS | {"decimal", "string"},
    "datetime": MOMENTS,
    "uuid": frozenset({"uuid", "string"}),
    "list": frozenset({"list"}),
    "struct": frozenset({"struct"}),
}
_NULL_UNITS: Final = 10_000
_DEPTH: Final = len(("tables", "t", "columns", "c", "generate"))
_FIELD: Final = re.compile(r"\{\{|\}\}|\{([^{}:!]*)(?:[:!][^{}]*)?\}")


def read_generator(written: str | Mapping[str, Any]) -> GeneratorSpec:
    """A generator as the schema allows it; without options it has an empty mapping."""
    if isinstance(written, str):
        return GeneratorSpec(written, {})
    kind = next(word for word in written if word != "null")
    options = written[kind]
    share = number(written.get("null", 0)) or Decimal(0)
    return GeneratorSpec(kind, {} if options is None and kind != "constant" else options, int(share * _NULL_UNITS))


def check_generators(notes: Notes, sheet: Sheet) -> None:
    """Notes what is wrong with the generators of `sheet`, and columns that no generated row would fill."""
    referring = {column for item in sheet.data.get("references", ()) for column in item["columns"]}
    referring |= {name for name, column in sheet.columns.items() if "references" in column}
    for name, column in sheet.columns.items():
        path = (*sheet.path, "columns", name)
        if "generate" not in column:
            _check_source(notes, path, sheet, name)
            continue
        generator = _Check(notes, sheet, (*path, "generate")).one(column["generate"], sheet.types.get(name))
        if generator is None:
            continue
        if generator.kind == "pick" and name not in referring:
            hint = "Add 'references: table.column' to the column."
            notes.add((*path, "generate", "pick"), "pick needs a reference to pick from", hint)
        if generator.null_share and not column.get("nullable"):
            text = "a share of nulls needs 'nullable: true'"
            notes.add((*path, "generate", "null"), text, f"Add 'nullable: true' to {name}, or remove null.")


def _check_source(notes: Notes, path: Path, sheet: Sheet, name: str) -> None:
    """A generated row needs a value in every column."""
    column = sheet.columns[name]
    if notes.has((*path, "generate")):
        return
    if sheet.data.get("rows", 0) and "factory" not in sheet.data and not column.get("nullable"):
        near = "pick" if "references" in column else "{sequence: {start: 1}}" if sheet.key == (name,) else "{...}"
        hint = f"Add 'generate: {near}', a factory to the table, or 'nullable: true'."
        notes.add(path, "generated rows need a value here, but there is no generator", hint)


class _Check:
    """Checks one generator and those nested in it."""

    def __init__(self, notes: Notes, sheet: Sheet, path: Path) -> None:
        self._notes = notes
        self._sheet = sheet
        self._path = path

    def one(self, written: str | Mapping[str, Any], kind: LogicalType | None) -> GeneratorSpec | None:
        """The generator for a value of type `kind` (None: unreadable), if exactly one is named."""
        words = [written] if isinstance(written, str) else [word for word in written if word != "null"]
        if not words and self._notes.has(self._path):
            return None
        if len(words) != 1:
            found = ", ".join(words) or "none"
            hint = "Keep one of them." if words else "Add one, such as {faker: name}."
            self._notes.add(self._path, f"expected exactly one generator, found {found}", hint)
            return None
        written_share = 0 if isinstance(written, str) else written.get("null", 0)
        share = number(written_share)
        if share is None or share * _NULL_UNITS % 1:
            text = f"expected a share of at most four decimals, found {written_share}"
            self._notes.add((*self._path, "null"), text, "Round it.")
        generator = read_generator(written)
        if kind is not None:
            self._check_kind(generator, kind)
        return generator

    def _check_kind(self, generator: GeneratorSpec, kind: LogicalType) -> None:
        path = (*self._path, generator.kind)
        allowed = _TYPES.get(generator.kind)
        if allowed is not None and kind.name not in allowed:
            text = f"{generator.kind} makes {' or '.join(sorted(allowed))}, but the column is {kind}"
            self._notes.add(path, text, "Use another generator, or change the type.")
        elif generator.kind == "uniform":
            self._check_bounds(path, generator.options)
        elif generator.kind == "template":
            self._check_template(path, generator.options)
        elif generator.kind == "pattern":
            check_pattern(self._notes, path, generator.options)
        elif generator.kind in ("constant", "choice"):
            self._check_values(path, generator, kind)
        elif generator.kind == "list" and kind.element is not None:
            self._check_list(path, generator.options, kind.element)
        elif generator.kind == "struct":
            self._check_struct(path, generator.options, dict(kind.fields))

    def _check_bounds(self, path: Path, options: Mapping[str, Any]) -> None:
        """``uniform`` draws between its own bounds or those of its column."""
        is_nested = len(self._path) != _DEPTH
        column = {} if is_nested else self._sheet.columns[str(self._path[_DEPTH - 2])]
        low, high = (options.get(own, column.get(rule)) for own, rule in (("min", "minimum"), ("max", "maximum")))
        if low is None or high is None:
            word = "min" if low is None else "max"
            self._notes.add(path, f"uniform needs {word!r}", f"Add '{word}:' there, or '{word}imum:' to the column.")
        elif (number(low) or 0) > (number(high) or 0):
            self._notes.add(path, f"expected at most the upper bound, {high}, found {low}", "Exchange the two.")

    def _check_template(self, path: Path, text: str) -> None:
        """``{column}`` and ``{index}``; a format may follow the name, ``{{`` stands for a brace."""
        own = self._path[3] if len(self._path) > 3 else ""
        known = [name for name in self._sheet.names if name != own]
        for match in _FIELD.finditer(text):
            name = match.group(1)
            if name is not None and name not in known and name != "index":
                words = [*known, "index"]
                message = f"there is no column {quoted(name)} to put in{did_you_mean(name, words)}"
                self._notes.add(path, message, f"Use {{index}} or another column: {', '.join(known)}.")
        if re.search(r"[{}]", _FIELD.sub("", text)):
            self._notes.add(path, f"a brace in {quoted(text)} stands alone", "Write {{ or }} for a brace.")

    def _check_values(self, path: Path, generator: GeneratorSpec, kind: LogicalType) -> None:
        if isinstance(generator.options, Mapping):  # weights: the values are keys, which factories convert
            return
        listed = generator.kind == "choice"
        for index, value in enumerate(generator.options if listed else [generator.options]):
            is_clock = isinstance(value, str) and value.startswith("as_of") and kind.name in MOMENTS
            expected = None if is_clock or kind.name in ("list", "struct", "json", "binary") else fits(value, kind)
            if expected is not None and not (value is None and not listed):
                self._notes.add((*path, index) if listed else path, f"expected {expected}, found {quoted(value)}")

    def _check_list(self, path: Path, options: Mapping[str, Any], element: LogicalType) -> None:
        _Check(self._notes, self._sheet, (*path, "of")).one(options["of"], element)
        if options.get("min", 0) > options.get("max", float("inf")):
            text = f"expected at most max, {options['max']}, found {options['min']}"
            self._notes.add((*path, "min"), text, "Exchange the two.")

    def _check_struct(self, path: Path, options: Mapping[str, Any], fields: Mapping[str, LogicalType]) -> None:
        for name, written in options.items():
            if name not in fields:
                hint = f"Fields of the type: {', '.join(fields)}."
                self._notes.add(
                    (*path, name), f"the type has no field {quoted(name)}{did_you_mean(name, fields)}", hint
                )
                continue
            _Check(self._notes, self._sheet, (*path, name)).one(written, fields[name])
        for name in fields:
            if name not in options:
                self._notes.add(path, f"the field {quoted(name)} of the type has no generator", f"Add '{name}:' there.")

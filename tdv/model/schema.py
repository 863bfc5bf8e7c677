"""The schema of a dataset: what its tables, columns, keys, references and rules are.

In: a parsed spec or a manifest. Out: frozen values, and their plain form for JSON. Always holds:
``TableSchema.from_plain(t.to_plain()) == t``; columns keep the order in which they were declared,
which is presentation and not content.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, fields
from typing import Any, Final

from tdv.frozen import dataclass
from tdv.model.types import LogicalType

_RULE_WORDS: Final = {
    "minimum": "minimum",
    "maximum": "maximum",
    "pattern": "pattern",
    "format": "format",
    "enum": "enum",
    "min_length": "minLength",
    "max_length": "maxLength",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """Column rules in JSON Schema's words; bounds are as written in the spec (number, or ISO text)."""

    minimum: int | float | str | None = None
    maximum: int | float | str | None = None
    pattern: str | None = None
    format: str | None = None
    enum: tuple[str | int | float | bool, ...] | None = None
    min_length: int | None = None
    max_length: int | None = None

    def to_plain(self) -> dict[str, Any]:
        """Only the rules that are set, under their JSON Schema names."""
        plain: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if value is not None:
                plain[_RULE_WORDS[item.name]] = list(value) if item.name == "enum" else value
        return plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Rules:
        """Takes the JSON Schema words out of a column's mapping and ignores all others."""
        found = {name: plain[word] for name, word in _RULE_WORDS.items() if word in plain}
        if "enum" in found:
            found["enum"] = tuple(found["enum"])
        return cls(**found)


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key; `dataset` names another dataset, None this one."""

    columns: tuple[str, ...]
    table: str
    to: tuple[str, ...]
    dataset: str | None = None

    def to_plain(self) -> dict[str, Any]:
        plain: dict[str, Any] = {"columns": list(self.columns), "table": self.table, "to": list(self.to)}
        if self.dataset is not None:
            plain["dataset"] = self.dataset
        return plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Reference:
        return cls(tuple(plain["columns"]), plain["table"], tuple(plain["to"]), plain.get("dataset"))

    def __str__(self) -> str:
        place = f"{self.dataset}:{self.table}" if self.dataset else self.table
        return f"({', '.join(self.columns)}) → {place}({', '.join(self.to)})"


@dataclass(frozen=True, slots=True)
class Column:
    """One column; `privacy` names the kind of personal data it holds, is "" where somebody decided that it holds
    none, and None where nobody did."""

    name: str
    type: LogicalType
    nullable: bool = False
    rules: Rules = field(default_factory=Rules)
    privacy: str | None = None
    description: str = ""

    def to_plain(self) -> dict[str, Any]:
        plain: dict[str, Any] = {"name": self.name, "type": str(self.type)}
        if self.nullable:
            plain["nullable"] = True
        plain.update(self.rules.to_plain())
        if self.privacy:
            plain["privacy"] = self.privacy
        if self.description:
            plain["description"] = self.description
        return plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Column:
        return cls(
            name=plain["name"],
            type=LogicalType.parse(plain["type"]),
            nullable=plain.get("nullable", False),
            rules=Rules.from_plain(plain),
            privacy=plain.get("privacy"),
            description=plain.get("description", ""),
        )


@dataclass(frozen=True, slots=True)
class TableSchema:
    """One table. `key` is the primary key, () for none; `uniques` are further unique column sets."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    uniques: tuple[tuple[str, ...], ...] = ()
    references: tuple[Reference, ...] = ()
    checks: tuple[str, ...] = ()
    description: str = ""

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names in declared order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column of that name; raises `KeyError`."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def has(self, names: Iterable[str]) -> bool:
        """Whether all of these are columns of the table."""
        return set(names) <= set(self.column_names)

    def to_plain(self) -> dict[str, Any]:
        plain: dict[str, Any] = {"columns": [column.to_plain() for column in self.columns], "key": list(self.key)}
        if self.uniques:
            plain["uniques"] = [list(unique) for unique in self.uniques]
        if self.references:
            plain["references"] = [reference.to_plain() for reference in self.references]
        if self.checks:
            plain["checks"] = list(self.checks)
        if self.description:
            plain["description"] = self.description
        return plain

    @classmethod
    def from_plain(cls, name: str, plain: Mapping[str, Any]) -> TableSchema:
        return cls(
            name=name,
            columns=tuple(Column.from_plain(column) for column in plain["columns"]),
            key=tuple(plain["key"]),
            uniques=tuple(tuple(unique) for unique in plain.get("uniques", ())),
            references=tuple(Reference.from_plain(item) for item in plain.get("references", ())),
            checks=tuple(plain.get("checks", ())),
            description=plain.get("description", ""),
        )


@dataclass(frozen=True, slots=True)
class DatasetSchema:
    """The tables of a dataset in declared order, and SQL that must return no row."""

    tables: tuple[TableSchema, ...]
    invariants: tuple[str, ...] = ()

    def table(self, name: str) -> TableSchema:
        """The table of that name; raises `KeyError`."""
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(name)

    def identity(self, scenarios: tuple[str, ...] = ()) -> dict[str, Any]:
        """What the schema digest covers: all but descriptions and privacy, each list in a fixed order."""
        return {
            "tables": {table.name: _table_identity(table) for table in self.tables},
            "invariants": sorted(self.invariants),
            "scenarios": sorted(scenarios),
        }


def _table_identity(table: TableSchema) -> dict[str, Any]:
    columns = {}
    for column in table.columns:
        plain = column.to_plain()
        for presentation in ("name", "description", "privacy"):
            plain.pop(presentation, None)
        columns[column.name] = plain
    return {
        "columns": columns,
        "key": list(table.key),
        "uniques": sorted(list(unique) for unique in table.uniques),
        "references": sorted((reference.to_plain() for reference in table.references), key=repr),
        "checks": sorted(table.checks),
    }

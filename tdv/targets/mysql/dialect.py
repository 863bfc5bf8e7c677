"""SQL for MySQL and MariaDB that somebody else runs.

In: schemas and canonical columns. Out: statements and literals. Always holds: they are read in the adapter's own SQL
modes, which the session gets back at the end; what the two servers write in another way stands in comments that only
one of them reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tdv.errors import Refused
from tdv.model.schema import Column, DatasetSchema, TableSchema
from tdv.model.types import LogicalType
from tdv.targets import sql
from tdv.targets.dialect import Outline, Place, Rebuilds, Reshape, follow, holds, text_literal
from tdv.targets.losses import refuse_types
from tdv.targets.mysql.codec import NUMBERS, UUID_TYPES, UuidForm, stored, uuids_as
from tdv.targets.mysql.ddl import MODES, Making, create_table, refuse_columns, types_of
from tdv.targets.mysql.theirs import Theirs
from tdv.targets.mysql.types import LOSSES
from tdv.targets.sql import quote

_COLLATION: Final = "/*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */"
_DOUBLE: Final = "double"
_SETTINGS: Final = ("sql_mode", "time_zone", "autocommit", "foreign_key_checks")


@dataclass(frozen=True, slots=True)
class MysqlDialect(Rebuilds):
    """See `tdv.targets.dialect.Dialect`; `uuids` are the columns, each with its table, that have no room for the
    hyphens of a uuid, `theirs` are all of a database, and `exact` is how those that round are declared not to."""

    name: str = "mysql"
    uuids: Mapping[Place, UuidForm] = field(default_factory=dict)
    theirs: Mapping[Place, Theirs] = field(default_factory=dict)
    exact: Mapping[Place, str] = field(default_factory=dict)

    def notes(self, outline: Outline) -> list[str]:
        note = "MySQL ends a transaction wherever a table is made or dropped: after an error, part of this is done."
        return ["For MySQL and MariaDB.", note] if outline.declares else ["For MySQL and MariaDB."]

    def refuse(self, tables: Iterable[TableSchema]) -> None:
        tables = list(tables)
        refuse_columns(tables)
        refuse_types(tables, LOSSES, "MySQL")

    def literals(self, array: pa.Array, column: Column, table: str) -> list[str]:
        self._refuse_outside(array, column, table)
        form = self.uuids.get((table, column.name)) if column.type.name == "uuid" else None
        if form is not None:
            array = uuids_as(form, array)
            column = replace(column, type=UUID_TYPES[form])
        texts = stored(array, column, table).to_pylist()
        if column.type.name in NUMBERS:
            return ["NULL" if text is None else text for text in texts]
        if column.type.name == "binary":
            return ["NULL" if text is None else f"x'{text}'" for text in texts]
        return ["NULL" if text is None else _text(text) for text in texts]

    def equal(self, column: Column, literal: str, table: str) -> str:
        if column.type.name == "json" or column.type.is_nested:
            # MySQL compares documents with documents; in MariaDB they are text.
            literal = f"/*!80000 CAST( */ {literal} /*!80000 AS JSON) */"
        return f"{quote(column.name)} = {literal}"

    def cast(self, name: str, old: LogicalType, new: LogicalType) -> str | None:
        return None if old.is_nested or new.is_nested else quote(name)

    def holds(self, found: LogicalType, wanted: LogicalType) -> bool:
        as_bytes = (found.name, wanted.name) == ("binary", "uuid") and "bytes" in self.uuids.values()
        return as_bytes or holds(self, found, wanted)

    def delete_one(self, table: TableSchema, condition: str) -> str | None:
        return f"DELETE FROM {quote(table.name)} WHERE {condition} LIMIT 1"

    def create(self, table: TableSchema, known: frozenset[str]) -> list[str]:
        names = {name: name for name in known | {table.name}}
        # The same script each time, and other names than those of the table that this one is to replace.
        making = Making(names, _COLLATION, types=self._kept_types(table, known), token=repr(table))
        return [create_table(table, making)]

    def unround(self, table: TableSchema, names: Iterable[str]) -> list[str]:
        place = quote(table.name)
        found = []
        for name in names:
            if self.exact[table.name, name].startswith(_DOUBLE):
                # A float is read as the shortest number that it stands for, and widened to another one.
                found.append(f"ALTER TABLE {place} MODIFY {quote(name)} varchar(40)")
            found.append(f"ALTER TABLE {place} MODIFY {quote(name)} {self.exact[table.name, name]}")
        return found

    def loosen(self, reshape: Reshape) -> list[str]:
        # Bytes of a uuid wait as bytes.
        kept = {
            (reshape.loose.name, name): form
            for (table, name), form in self.uuids.items()
            if table == reshape.name and form == "bytes"
        }
        theirs = {place: self.theirs[reshape.name, place[1]] for place in kept}
        return Rebuilds.loosen(replace(self, uuids={**self.uuids, **kept}, theirs={**self.theirs, **theirs}), reshape)

    def begin(self, outline: Outline) -> list[str]:
        kept = ", ".join(f"@tdv_{name} = @@{name}" for name in _SETTINGS)
        checks = ", foreign_key_checks = 0" if outline.aside else ""
        return [
            f"SET {kept}",
            "SET NAMES utf8mb4",
            f"SET sql_mode = '{MODES}', time_zone = '+00:00', autocommit = 0{checks}",
        ]

    def end(self, outline: Outline) -> list[str]:
        return ["COMMIT", f"SET {', '.join(f'{name} = @tdv_{name}' for name in _SETTINGS)}"]

    def beside(self, wanted: DatasetSchema) -> MysqlDialect:
        theirs, uuids = dict(self.theirs), dict(self.uuids)
        for place, parent in follow(wanted, theirs):
            theirs[place] = theirs[parent]
            uuids |= {place: uuids[parent]} if parent in uuids else {}
        return replace(self, theirs=theirs, uuids=uuids)

    def _kept_types(self, table: TableSchema, known: frozenset[str]) -> dict[Place, str]:
        """What the database declares columns of keys as, and what they reference: both ends have to be alike."""
        keyed = {name: (table.name, name) for key in (table.key, *table.uniques) for name in key}
        referring = {
            name: (reference.table, to)
            for reference in table.references
            if reference.table in known
            for name, to in zip(reference.columns, reference.to, strict=True)
        }
        in_bytes = {
            name: (table.name, name) for name in table.column_names if self._is_bytes(table.column(name), table)
        }
        found = {name: self.theirs.get(place) for name, place in (keyed | referring | in_bytes).items()}
        plain = types_of(table, known)
        return {
            (table.name, name): their.declaration
            for name, their in found.items()
            if their and their.holds(table.column(name).type, plain[name])
        }

    def _is_bytes(self, column: Column, table: TableSchema) -> bool:
        return column.type.name == "uuid" and self.uuids.get((table.name, column.name)) == "bytes"

    def _refuse_outside(self, array: pa.Array, column: Column, table: str) -> None:
        """Raises `Refused` for a whole number that the database's column, which stays, does not take."""
        their = self.theirs.get((table, column.name))
        if their is None or their.limits is None or not their.holds(column.type, ""):
            return
        ends = pc.min_max(array)
        least, most = ends["min"].as_py(), ends["max"].as_py()
        if least is not None and not their.limits[0] <= least <= most <= their.limits[1]:
            raise Refused(
                f"{table}.{column.name} is {their.type} and takes whole numbers from {their.limits[0]} "
                f"to {their.limits[1]} only",
                hint="Widen the column of the target, then run the command again.",
                table=table,
                column=column.name,
            )


def _text(value: str) -> str:
    parts = text_literal(value, sql.text, lambda part: f"_utf8mb4 x'{part.encode().hex()}'")
    return parts[0] if len(parts) == 1 else f"CONCAT({', '.join(parts)})"


DIALECT: Final = MysqlDialect()

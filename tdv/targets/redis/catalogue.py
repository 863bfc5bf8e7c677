"""What a database of Redis holds: tdv's state, the schemas of its tables, and which tables have rows.

In: sessions. Out: a `Survey`, `Held`, schemas. Always holds: ``_tdv_state`` has one field per dataset and
``_tdv_schema`` one per table, both JSON; they are written in one step with the rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tdv.errors import TargetError, UsageError
from tdv.model.schema import DatasetSchema, TableSchema
from tdv.targets.protocol import STATE_TABLE, Content, Held
from tdv.targets.redis.names import OWN, rows_of
from tdv.targets.redis.rows import counts
from tdv.targets.redis.session import Session
from tdv.targets.survey import Survey

SCHEMA: Final = f"{OWN}schema"


@dataclass(frozen=True, slots=True)
class Marks:
    """What is written with the rows, as JSON texts: per dataset its state, per table its schema."""

    state: Mapping[str, str]
    schemas: Mapping[str, str]

    @classmethod
    def of(cls, held: Iterable[Held], schemas: Mapping[str, str]) -> Marks:
        """The marks of these datasets, whose tables have these schemas."""
        return cls({item.dataset: _text(item.to_plain()) for item in held}, schemas)

    def to_plain(self) -> dict[str, Any]:
        return {"state": dict(self.state), "schemas": dict(self.schemas)}


def schemas_of(contents: Iterable[Content]) -> dict[str, str]:
    """The schemas of all tables as texts."""
    return {table.name: _text(table.schema.to_plain()) for content in contents for table in content.tables}


def held_in(session: Session) -> tuple[Held, ...]:
    """What ``_tdv_state`` says; raises `TargetError` for one that is damaged."""
    try:
        found = [Held.from_plain(json.loads(text)) for text in _hash(session, STATE_TABLE).values()]
    except (ValueError, KeyError, TypeError) as exc:
        raise _damaged(STATE_TABLE) from exc
    return tuple(sorted(found, key=lambda item: item.dataset))


def schemas_in(session: Session) -> dict[str, TableSchema]:
    """The schemas of the tables that tdv loaded; raises `TargetError` for one that is damaged."""
    try:
        plain = {name: json.loads(text) for name, text in _hash(session, SCHEMA).items()}
        return {name: TableSchema.from_plain(name, words) for name, words in plain.items()}
    except (ValueError, KeyError, TypeError) as exc:
        raise _damaged(SCHEMA) from exc


def inspect(session: Session, shown: str) -> DatasetSchema:
    """The tables that tdv loaded, in their order; raises `UsageError` where it loaded none."""
    held = held_in(session)
    if not held:
        raise UsageError(
            f"{shown} holds nothing of tdv's, and Redis does not tell tables, types and keys",
            hint="`tdv checkout` fills it; to begin a dataset, write its spec by hand: tdv new NAME.",
        )
    known = schemas_in(session)
    return DatasetSchema(tuple(known[name] for item in held for name in item.tables if name in known))


def survey(session: Session, tables: Iterable[TableSchema]) -> Survey:
    """The state, and which of `tables` have rows that it does not explain."""
    held = held_in(session)
    owned = {name.lower() for item in held for name in item.tables}
    unknown = [table for table in tables if table.name.lower() not in owned]
    found = counts(session, [rows_of(table) for table in unknown])
    filled = frozenset(table.name for table, count in zip(unknown, found, strict=True) if count)
    return Survey(objects={"keys": ""} if _strangers(session) else {}, held=held, filled=filled)


def _strangers(session: Session) -> bool:
    """True if there is any key but tdv's own."""
    return bool(session.call("DBSIZE") - session.call("EXISTS", STATE_TABLE, SCHEMA, f"{OWN}lock"))


def _hash(session: Session, name: str) -> dict[str, str]:
    found = session.call("HGETALL", name)
    return {field.decode(): value.decode() for field, value in found.items()}


def _text(plain: dict[str, Any]) -> str:
    return json.dumps(plain, ensure_ascii=False)


def _damaged(name: str) -> TargetError:
    return TargetError(
        f"the key {name} cannot be read", hint=f"Delete it (DEL {name}) and run the checkout with --replace."
    )

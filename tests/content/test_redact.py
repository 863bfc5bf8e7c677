from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from tdv.content.redact import is_private, redacted, shown, shown_key
from tdv.model.schema import Column, TableSchema
from tdv.model.types import LogicalType

EMAIL = Column("email", LogicalType("string"), privacy="email")
NAME = Column("name", LogicalType("string"))
SCHEMA = TableSchema("users", (EMAIL, NAME))


def test_private_value_is_a_mark() -> None:
    assert shown(EMAIL, "ada@example.test") == "<private: email>"
    assert shown_key(SCHEMA, ["name", "email"], ["Ada", "ada@example.test"]) == "name='Ada', email=<private: email>"
    assert is_private(SCHEMA, ["name", "email"])
    assert not is_private(SCHEMA, ["name"])


def test_rows_keep_nulls_and_unknown_columns() -> None:
    assert redacted(SCHEMA, {"email": "a@b", "name": "x", "n": 1}) == {"email": "<private: email>", "name": "x", "n": 1}
    assert redacted(SCHEMA, {"email": None}) == {"email": None}


def test_shown_value_is_short_and_harmless() -> None:
    assert shown(NAME, None) == "NULL"
    assert shown(NAME, b"\x00") == "b'\\x00'"
    assert shown(NAME, Decimal("1E-9")) == "0.000000001"
    assert shown(NAME, date(2026, 1, 31)) == "2026-01-31"
    assert shown(NAME, datetime(2026, 1, 31, 12, tzinfo=UTC)) == "2026-01-31T12:00:00Z"
    assert len(shown(NAME, "x" * 1000)) == 80
    assert shown(NAME, "a\x1b[2J\u202e\n") == "'a\\x1b[2J\\u202e\\n'"
    assert shown(NAME, "a\\n") == "'a\\\\n'", "which is no line break"


def test_column_that_was_found_to_hold_nothing_private_is_shown() -> None:
    looked_at = Column("kind", LogicalType("string"), privacy="")
    schema = TableSchema("users", (looked_at,))
    assert not is_private(schema, ["kind"])
    assert shown(looked_at, "a") == "'a'"
    assert redacted(schema, {"kind": "a"}) == {"kind": "a"}

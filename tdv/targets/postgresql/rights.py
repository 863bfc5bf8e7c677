"""What a user must be allowed to do for a load, asked before anything is written.

In: a connection, and the tables that a load makes, drops or fills. Out: nothing, or the `TargetError` that names the
first right that is missing. Always holds: the server is asked for its answer to each question, and nothing is tried.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tdv.errors import TargetError
from tdv.frozen import dataclass
from tdv.targets.postgresql.catalogue import has_state, no_state_schema
from tdv.targets.postgresql.ddl import STATE, STATE_SCHEMA
from tdv.targets.postgresql.session import HINTS, Connection
from tdv.targets.postgresql.statements import NOT_ALLOWED, READ_ONLY, execute
from tdv.targets.postgresql.tables import foreign_keys, sequences

_OWNS: Final = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = %s::regclass"
_ON_TABLE: Final = {
    "DELETE": "SELECT has_table_privilege(%s, 'DELETE')",
    "TRUNCATE": "SELECT has_table_privilege(%s, 'TRUNCATE')",
    "INSERT": "SELECT has_any_column_privilege(%s, 'INSERT')",
    "SELECT": "SELECT has_any_column_privilege(%s, 'SELECT')",
}
_ON_SCHEMA: Final = "SELECT has_schema_privilege(%s, 'CREATE')"


@dataclass(frozen=True, slots=True)
class Places:
    """Tables, ready for SQL: those that are dropped, emptied and filled; tables are made in `schema` unless it is "".
    `truncates` says that nothing else references those that are emptied."""

    schema: str
    dropped: tuple[str, ...]
    emptied: tuple[str, ...]
    filled: tuple[str, ...]
    truncates: bool


def require_rights(connection: Connection, places: Places) -> None:
    """Raises `TargetError` where the session only reads, or the user lacks a right."""
    if execute(connection, "SHOW transaction_read_only") == [("on",)]:
        raise TargetError(
            "nothing can be written in a read-only transaction, as each of this user is here", hint=HINTS[READ_ONLY]
        )
    if places.schema:
        _require(connection, _ON_SCHEMA, places.schema, "to make tables in the schema")
    owned = [*places.dropped, *(key.place for key in foreign_keys(connection, places.emptied))]
    owned += [name for place in places.filled for name, *_ in sequences(connection, place)]
    for place in dict.fromkeys(owned):
        _require(connection, _OWNS, place, "which only its owner may change:")
    _require_on(connection, places.emptied, ["TRUNCATE" if places.truncates else "DELETE"])
    _require_on(connection, places.filled, ["INSERT", "SELECT"])
    _require_state(connection)


def _require_state(connection: Connection) -> None:
    if has_state(connection):
        _require_on(connection, [STATE], ["DELETE", "INSERT"])
    elif execute(connection, "SELECT 1 FROM pg_namespace WHERE nspname = %s", STATE_SCHEMA):
        _require(connection, _ON_SCHEMA, STATE_SCHEMA, "to make tables in the schema")
    elif execute(connection, "SELECT has_database_privilege(current_database(), 'CREATE')") == [(False,)]:
        raise no_state_schema()


def _require_on(connection: Connection, places: Iterable[str], rights: Iterable[str]) -> None:
    wanted = list(rights)
    for place in places:
        for right in wanted:
            _require(connection, _ON_TABLE[right], place, f"to {right} rows of")


def _require(connection: Connection, question: str, name: str, lack: str) -> None:
    if execute(connection, question, name) == [(False,)]:
        ((user,),) = execute(connection, "SELECT current_user::text")
        raise TargetError(f"permission denied for the user {user!r} {lack} {name}", hint=HINTS[NOT_ALLOWED], place=name)

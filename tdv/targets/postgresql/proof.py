"""Whether a database changed since tdv loaded it, without reading a row.

In: a connection, or a URL. Out: a JSON value that is another one after any write to the datasets' tables, or None where
the server cannot tell. Always holds: what counts are the server's own counters of written rows, which grow even for
transactions that were rolled back; they are trusted only where every other session has handed its counts in. Importing
this module imports no driver.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from tdv.targets.postgresql import wire
from tdv.targets.postgresql.authentication import Unsupported
from tdv.targets.postgresql.ddl import STATE
from tdv.targets.postgresql.settings import USUAL

if TYPE_CHECKING:
    from tdv.targets.postgresql.statements import Speaking

SINCE: Final = 150_000
"""The first version that hands counts in before a session that asks for it answers, and after ten idle seconds."""
_HANDED_IN: Final = "12 seconds"
_MADE_ANEW: Final = ("XX000", "42P01", "42703")
"""What the server says of tables that somebody makes anew at this moment."""
_IS_THERE: Final = f"SELECT to_regclass('{STATE}') IS NOT NULL"
_THIS: Final = "(SELECT oid FROM pg_database WHERE datname = current_database())"
_PROOF: Final = f"""
WITH held AS (
  SELECT to_regclass(quote_ident(current_schema()) || '.' || quote_ident(t)) AS oid, t
    FROM {STATE}, json_object_keys(tables::json) AS t),
others AS (
  SELECT 1 FROM pg_stat_get_activity(NULL)
    WHERE datid = {_THIS} AND pid <> pg_backend_pid() AND application_name <> 'tdv'
      AND coalesce(backend_type, '') <> 'autovacuum worker'
      AND NOT (coalesce(state, '') = 'idle' AND state_change < now() - interval '{_HANDED_IN}'))
SELECT json_build_array(
    pg_postmaster_start_time(),
    {_THIS},
    pg_stat_get_db_stat_reset_time({_THIS}),
    (SELECT md5(string_agg(s::text, chr(10) ORDER BY dataset)) FROM {STATE} s),
    (SELECT json_agg(json_build_array(c.oid, c.relfilenode, c.xmin,
        pg_stat_get_tuples_inserted(c.oid), pg_stat_get_tuples_updated(c.oid), pg_stat_get_tuples_deleted(c.oid),
        (SELECT md5(string_agg(concat_ws(' ', a.attname, a.atttypid, a.attisdropped), chr(10) ORDER BY a.attnum))
          FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0),
        (SELECT json_agg(pg_sequence_last_value(d.objid) ORDER BY d.objid) FROM pg_depend d JOIN pg_sequence q
          ON q.seqrelid = d.objid WHERE d.classid = 'pg_class'::regclass AND d.refobjid = c.oid))
      ORDER BY c.oid) FROM held JOIN pg_class c USING (oid)))::text
  WHERE current_setting('track_counts')::boolean
    AND NOT EXISTS (SELECT 1 FROM others)
    AND NOT EXISTS (SELECT 1 FROM pg_prepared_xact() WHERE dbid = {_THIS})
    AND NOT EXISTS (SELECT 1 FROM held LEFT JOIN pg_class c USING (oid)
      WHERE c.oid IS NULL OR c.relkind <> 'r' OR c.relhassubclass)
"""


def proof_without_driver(url: str, environ: Mapping[str, str]) -> Any | None:
    """What `proof` gives, in a third of the time it takes to load the driver.

    Raises `Unsupported` for whatever goes wrong, so that the driver says it, or knows how.
    """
    try:
        with wire.session(wire.Address.of(url, environ)) as session:
            if session.version * 10_000 < SINCE:
                return None
            session.query(USUAL)
            ((there,),) = session.query(_IS_THERE)
            rows = session.query(_PROOF) if there == "t" else []
    except (wire.Refusal, OSError, ValueError, LookupError) as exc:
        raise Unsupported from exc
    return rows[0][0] if rows else None


def proof(connection: Speaking) -> Any | None:
    """What `Target.proof` promises; None for a database without tdv's state, for one in use, and before version 15."""
    from tdv.targets.postgresql.statements import execute, tolerating

    rows: list[tuple[Any, ...]] = []
    if connection.info.server_version >= SINCE:
        with tolerating(*_MADE_ANEW):
            ((there,),) = execute(connection, _IS_THERE)
            rows = execute(connection, _PROOF) if there else []
    return rows[0][0] if rows else None


def hand_in(connection: Speaking) -> None:
    """Makes the counts of this session part of every later proof."""
    from tdv.targets.postgresql.statements import execute

    if connection.info.server_version >= SINCE:
        execute(connection, "SELECT pg_stat_force_next_flush()")

"""How tdv's sessions on a PostgreSQL server are set, whatever client opens them.

In: nothing. Out: a statement. Always holds: it sets what the text of values depends on, and a statement never waits for
a lock without end.
"""

from __future__ import annotations

from typing import Final

from tdv.durable import LOCK_WAIT

APPLICATION: Final = "tdv"
"""What the server shows of tdv's sessions."""
_SETTINGS: Final = (
    ("TimeZone", "UTC"),
    ("DateStyle", "ISO, YMD"),
    ("bytea_output", "hex"),
    ("extra_float_digits", "1"),
    ("standard_conforming_strings", "on"),
    ("statement_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("synchronize_seqscans", "off"),
    ("quote_all_identifiers", "off"),
    ("array_nulls", "on"),
    ("jit", "off"),
    ("row_security", "off"),
    ("maintenance_work_mem", "256MB"),
)
_KNOWN: Final = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in _SETTINGS)
_WAITS: Final = (
    f"CASE current_setting('lock_timeout') WHEN '0' THEN '{int(LOCK_WAIT)}s' ELSE current_setting('lock_timeout') END"
)
USUAL: Final = f"SELECT {_KNOWN}, set_config('lock_timeout', {_WAITS}, false)"
"""The first statement of every session."""

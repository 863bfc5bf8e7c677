"""What an SQL statement mentions, found without running it.

In: SQL of a spec or a scenario. Out: names in lower case. Always holds: what stands within text literals and
comments does not count.
"""

from __future__ import annotations

import re
from typing import Final

_TEXTS: Final = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
_QUOTED: Final = re.compile(r'"((?:[^"]|"")*)"')
_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_CALL: Final = re.compile(r'([A-Za-z_]\w*)"?\s*\(')
_CHANGING_FUNCTIONS: Final = frozenset({
    "random", "setseed", "uuid", "gen_random_uuid", "uuidv4", "uuidv7", "now", "get_current_timestamp",
    "get_current_time", "current_date", "transaction_timestamp", "today", "txid_current", "nextval", "currval",
    "getenv", "getvariable", "current_setting", "version",
})  # fmt: skip
_CHANGING_WORDS: Final = frozenset({
    "current_timestamp", "current_date", "current_time", "localtime", "localtimestamp",
})  # fmt: skip


def bare(sql: str) -> str:
    """The statement without text literals and comments."""
    return _TEXTS.sub(" ", sql)


def words(sql: str) -> frozenset[str]:
    """The words that stand there without quotes: keywords, and names of columns, tables and functions."""
    return frozenset(word.lower() for word in _WORD.findall(_QUOTED.sub(" ", bare(sql))))


def quoted_names(sql: str) -> frozenset[str]:
    """The names in double quotes."""
    return frozenset(name.replace('""', '"').lower() for name in _QUOTED.findall(bare(sql)))


def called(sql: str) -> frozenset[str]:
    """The functions that are called."""
    return frozenset(word.lower() for word in _CALL.findall(bare(sql)))


def changing(sql: str) -> frozenset[str]:
    """What gives another answer tomorrow, on another machine or by chance."""
    return (words(sql) & _CHANGING_WORDS) | (called(sql) & _CHANGING_FUNCTIONS)

"""Old names in SQL and in templates, replaced by new ones.

In: a statement, and what its tables and columns are called now. Out: the statement. Always holds: text, comments and
labels stay; a column is renamed only where the statement cannot mean another one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

_TOKEN: Final = re.compile(
    r"""(?P<skip>
        [eE]?'(?:[^']|'')*'                 # text
      | --[^\n]*                            # a comment to the end of the line
      | /\*.*?\*/                           # a comment
      | \$\w*                               # a label
    )
    | "(?P<quoted>(?:[^"]|"")*)" | (?P<word>[^\W\d]\w*) | (?P<dot>\.)""",
    re.VERBOSE | re.DOTALL,
)
_FIELD: Final = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}:!]*)(?P<rest>[^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Names:
    """What is called otherwise now: `tables` old → new; `columns` old → new, by the old name of their table;
    `kept` are the names of columns that some table still has."""

    tables: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()

    def in_table(self, sql: str, table: str) -> str:
        """A statement about the columns of one table."""
        columns = self.columns.get(table, {})
        return _replaced(sql, lambda qualifier, name: columns.get(name, name) if qualifier in ("", table) else name)

    def anywhere(self, sql: str) -> str:
        """A statement about several tables."""
        free = {old: new for columns in self.columns.values() for old, new in columns.items() if old not in self.kept}

        def renamed(qualifier: str, name: str) -> str:
            if qualifier in self.columns:
                return self.columns[qualifier].get(name, name)
            return self.tables.get(name, free.get(name, name))

        return _replaced(sql, renamed)

    def in_template(self, text: str, table: str) -> str:
        """The text of a template, with columns in braces."""
        columns = self.columns.get(table, {})

        def put(match: re.Match[str]) -> str:
            name = match["name"]
            return match[0] if name is None else f"{{{columns.get(name, name)}{match['rest']}}}"

        return _FIELD.sub(put, text)


def _replaced(sql: str, renamed: Callable[[str, str], str]) -> str:
    """`renamed` is asked for each name, with what stands before its dot, "" without one."""
    parts: list[str] = []
    end = 0
    last = ""
    qualifier = ""
    for token in _TOKEN.finditer(sql):
        parts.append(sql[end : token.start()])
        end = token.end()
        name = token["word"] if token["quoted"] is None else token["quoted"].replace('""', '"')
        if token["dot"] is not None:
            qualifier = last
        elif name is not None:
            new = renamed(qualifier, name)
            parts.append(token[0] if new == name else _written(new, token["quoted"] is not None))
            last, qualifier = name, ""
            continue
        parts.append(token[0])
        last = ""
    return "".join((*parts, sql[end:]))


def _written(name: str, quoted: bool) -> str:
    plain = re.fullmatch(r"[^\W\d]\w*", name)
    return name if plain and not quoted else '"' + name.replace('"', '""') + '"'

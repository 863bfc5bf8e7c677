"""Columns that may hold personal data although nobody decided whether they do.

In: the spec of a table. Out: names of columns. Always holds: only names are looked at, never values; a column that
something generates is no concern, since nobody's data is in it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Final

from tdv.model.spec import TableSpec

_WORDS: Final = frozenset(
    {
        *(
            "address",
            "birth",
            "birthday",
            "birthdate",
            "dob",
            "email",
            "fax",
            "firstname",
            "fullname",
            "gender",
            "iban",
        ),
        *("ip", "lastname", "mail", "mobile", "nationality", "passport", "password", "phone", "postcode", "salary"),
        *("sex", "ssn", "street", "surname", "telephone", "username", "zip", "zipcode"),
    }
)
_PAIRS: Final = frozenset((first, "name") for first in ("family", "first", "full", "given", "last", "middle", "user"))
_TEXTUAL: Final = frozenset({"string", "binary", "date", "json", "timestamp", "timestamptz"})
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def undecided(table: TableSpec) -> Iterator[str]:
    """The columns of a private name without ``privacy:`` whose values are written by hand or taken from elsewhere."""
    if table.factory is not None:
        return
    for column in table.schema.columns:
        made = column.name in table.generators
        if column.privacy is None and not made and column.type.name in _TEXTUAL and sounds_private(column.name):
            yield column.name


def sounds_private(name: str) -> bool:
    """Whether a column of that name may well hold personal data: ``contact_email``, ``FirstName``, ``birthDate``."""
    words = [word.lower() for word in _WORD.findall(name)]
    return bool(_WORDS & set(words)) or any(pair in _PAIRS for pair in itertools.pairwise(words))

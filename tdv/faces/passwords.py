"""Errors without the passwords and tokens of URLs.

In: what an error says, which may repeat a word that was typed where no URL belongs. Out: the same as it may be printed.
Always holds: text without a URL stays as it is. Code that knows a URL prints it without credentials in the first place;
this is the net below.
"""

from __future__ import annotations

import re
from typing import Final

_USER: Final = re.compile(r"://[^\s/@:]*:(?!\d+/)[^\s@]*@")
"""User and password before the host; a port and a path before an ``@`` are neither."""
_TOKEN: Final = re.compile(r"(?i)((?:https?|webdavs?)://)[^\s/@?#]+@")
"""A user of the web without a password, who is a token more often than not; that of a database or of SSH is a name."""
_OPTION: Final = re.compile(r"(?i)([?&][^\s=&]*(?:password|passwd|pwd|secret|token)[^\s=&]*=)[^\s&'\"`]+")


def without_passwords(text: str) -> str:
    """`text` with every URL in it as it may be printed."""
    if "://" not in text:
        return text
    return _OPTION.sub(r"\1…", _TOKEN.sub(r"\1", _USER.sub("://", text)))

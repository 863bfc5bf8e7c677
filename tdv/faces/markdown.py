"""Text of the data in Markdown of GitHub and GitLab, so that it stays text.

In: any text. Out: the same without a meaning. Always holds: no value becomes markup, mention, reference or link.
"""

from __future__ import annotations

import re
from typing import Final

from tdv.faces.text import spelled, visible

WIDEST: Final = 80
_MARKUP: Final = re.compile(r"[&<>*_`\[\]{}~|\\#@!$^%]|:(?=//)|(?<=www)\.", re.IGNORECASE)
_COLLAPSED: Final = re.compile(" (?= )")
"""Of several blanks a browser shows one."""


def code(text: str, widest: int = WIDEST) -> str:
    """A text of the data as code: forges look for no mention, reference or emoji in it."""
    return f"<code>{plain(text, widest)}</code>"


def plain(text: str, widest: int = WIDEST) -> str:
    """Every character that may be markup or begin a link as a character reference."""
    shown = _MARKUP.sub(lambda match: f"&#{ord(match[0])};", visible(spelled(text), widest))
    return _COLLAPSED.sub("&nbsp;", shown)

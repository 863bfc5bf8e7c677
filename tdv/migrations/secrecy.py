"""What others print, without the secrets of a URL that they were given.

In: their text, the URL, and the URL as it may be printed. Out: the text with ``***`` for secrets, in every spelling.
Always holds: a secret of six letters or more is nowhere in it. A shorter one may be part of any word, and ordinary text
stays: it is not in the places of a password, and one of three letters or more is no word of the text either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, quote_plus, unquote, urlsplit

_LONG: Final = 6
_WORD: Final = 3
_HIDDEN: Final = "***"
_OPTION: Final = re.compile(r"(?i)(?:password|passwd|pwd|secret|token|key)[^&=]*=([^&]+)")
_KEY: Final = r"(?i:password|passwd|pwd|secret|token|key|identified\s+by)\w*"
_PLACES: Final = (
    (r"://[^\s/@:]*:", r"(?=@)"),
    (_KEY + r"['\"]?(?:\s*[=:]\s*|\s+)[bru]?['\"]?", r"(?!\w)"),
    (r"(?:^|(?<=\s))-p\s*", r"(?!\w)"),
    (r"['\"`]", r"(?=['\"`])"),
)
"""What is before and after a password: in a URL, beside its name, in a command line, alone in quotes."""


def without_secrets(text: str, url: str, shown: str) -> str:
    """`text` with `shown` in the place of `url`, and without what is secret in it."""
    if url != shown:
        text = text.replace(url, shown)
    for secret in sorted(_secrets(url), key=len, reverse=True):
        text = _without(text, secret)
    return text


def _secrets(url: str) -> set[str]:
    parts = urlsplit(url)
    written = parts.netloc.rpartition("@")[0].partition(":")[2]
    return {spelling for secret in (written, *_OPTION.findall(parts.query)) for spelling in _spellings(secret)} - {""}


def _spellings(secret: str) -> Iterator[str]:
    """As it is written, as it is, and as a driver may write it anew, or quote it."""
    plain = unquote(secret)
    return iter((secret, plain, quote(plain, safe=""), quote_plus(plain), repr(plain)[1:-1]))


def _without(text: str, secret: str) -> str:
    if len(secret) >= _LONG:
        return text.replace(secret, _HIDDEN)
    found = re.escape(secret)
    for before, after in _PLACES:
        text = re.sub(f"({before}){found}{after}", rf"\1{_HIDDEN}", text)
    return re.sub(rf"(?<!\w){found}(?!\w)", _HIDDEN, text) if len(secret) >= _WORD else text

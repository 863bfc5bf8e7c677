"""One HTML file that needs no other, for a browser, a phone, or the attachments of a CI job.

In: a title, lines of markup, a script. Out: the text of a page. Always holds: the page's policy lets nothing run or
load but that script; what `escaped` gives back is text, never markup.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html import escape
from importlib import resources
from typing import Final

from tdv.faces.text import spelled, visible

WIDEST: Final = 2_000


def document(title: str, body: Iterable[str], script: str = "") -> str:
    """The whole page; `title` is escaped here."""
    style = resources.files(__package__).joinpath("page.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = f"'sha256-{digest}'" if script else "'none'"
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src {allowed}; base-uri 'none'"
    ending = f"<script>{script}</script>\n" if script else ""
    lines = "\n".join(body)
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escaped(title)}</title>\n<style>\n{style}</style></head>\n"
        f"<body>\n{lines}\n{ending}</body></html>\n"
    )


def escaped(text: str, widest: int = WIDEST) -> str:
    """A text of the data as text of the page."""
    return escape(visible(spelled(text), widest))

"""The options behind the ``?`` of a URL whose target is a file or a directory.

In: the settings of a target. Out: what the options say. Always holds: an option that would have no effect is refused,
unless it tells Python's driver in the application that shares the URL how to connect.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlsplit

from tdv.config import TargetSettings
from tdv.documents.words import did_you_mean
from tdv.errors import UsageError

FORMAT: Final = "format"
_TAKES: Final = "only format= says anything."
_TAKES_NONE: Final = "tdv opens the file by its path. A ? in the path is written %3F."


def format_of(settings: TargetSettings) -> str:
    """The format that the URL of a directory asks for, "" where it leaves that open; raises `UsageError`."""
    return _options(settings, (FORMAT,)).get(FORMAT, "")


def refuse_options(settings: TargetSettings, of_applications: tuple[str, ...]) -> None:
    """Raises `UsageError` for the URL of a database file that has other options than those `of_applications`."""
    _options(settings, of_applications)


def _options(settings: TargetSettings, known: tuple[str, ...]) -> dict[str, str]:
    given = dict(parse_qsl(urlsplit(settings.url).query, keep_blank_values=True))
    for name in given:
        if name not in known:
            engine = settings.url.partition(":")[0]
            raise UsageError(
                f"{engine} targets have no option {name!r}, as in {settings.shown}{did_you_mean(name, known)}",
                hint=f"Leave {name}= out of the URL: {_TAKES if FORMAT in known else _TAKES_NONE}",
                option=name,
            )
    return given

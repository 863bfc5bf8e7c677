"""The only module that prints: results on stdout, everything else on stderr.

Always holds: control characters in data never reach the terminal; colour only where a terminal shows it and
``NO_COLOR`` is not set; text for pipes has neither colour nor cursor movements.
"""

from __future__ import annotations

import json as _json
import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TextIO

from tdv.cli import layout
from tdv.config import colour_wanted
from tdv.faces.text import safe, visible

if TYPE_CHECKING:
    from threading import Event

_STEERING: Final = re.compile(r"[\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_STYLES: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def clean(text: str) -> str:
    """Escapes control and bidirectional characters, so that data cannot steer the terminal; line breaks stay."""
    return safe(text)


def styled(text: str, style: str, stream: TextIO | None = None) -> str:
    """`text` in a colour or weight, if `stream` (stdout) is a terminal that wants it."""
    stream = stream or sys.stdout
    is_shown = stream.isatty() and colour_wanted() if _Volume.colour is None else _Volume.colour
    if not is_shown or style not in _STYLES:
        return text
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"


class _Volume:
    """How much is said: -1 results and errors only, 0 normal, 1 causes of errors too; and whether in colour, where
    something else than the terminal decides that."""

    level = 0
    colour: bool | None = None


def set_volume(level: int) -> None:
    """Sets how much this call says."""
    _Volume.level = level


def use_colour(wanted: bool | None) -> None:
    """Decides about colour, for whoever writes to a pager that shows it; None leaves it to the terminal."""
    _Volume.colour = wanted


def is_terminal() -> bool:
    """Whether results go to a terminal."""
    return sys.stdout.isatty()


def is_verbose() -> bool:
    """True after ``-v``."""
    return _Volume.level > 0


def out(text: str = "") -> None:
    """Prints one result line."""
    sys.stdout.write(text + "\n")


def out_exact(text: str) -> None:
    """Prints a result line that somebody may run: to the byte, but for a terminal, which data must not steer."""
    out(clean(text) if is_terminal() else text)


def out_now(text: str) -> None:
    """Prints one result line that a reader waits for."""
    out(text)
    sys.stdout.flush()


def note(text: str) -> None:
    """Prints a line that is not the result; ``-q`` silences it."""
    if _Volume.level >= 0:
        say(text)


def say(text: str) -> None:
    """Prints a line on stderr, whatever the volume; where that cannot be written, nobody is told, and all goes on."""
    sys.stdout.flush()
    try:
        sys.stderr.write(text + "\n")
    except OSError:
        drop(sys.stderr)


def drop(stream: TextIO) -> None:
    """Lets what is printed on `stream` go nowhere: what is not yet written would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def error(message: str) -> None:
    """Prints the sentence of an error."""
    say(f"{styled('error:', 'red', sys.stderr)} {clean(message)}")


def hint(message: str) -> None:
    """Prints what mends an error."""
    say(f"{styled('hint:', 'cyan', sys.stderr)} {clean_lines(message)}")


def clean_lines(text: str) -> str:
    """`clean` for text of several lines."""
    return "\n".join(clean(line) for line in text.split("\n"))


def json(value: object) -> None:
    """Prints the stable JSON form, UTF-8, two spaces deep."""
    out(_as_escapes(_json.dumps(value, indent=2, ensure_ascii=False)))


def json_line(value: object) -> None:
    """Prints one line of JSON Lines."""
    out(_as_escapes(_json.dumps(value, ensure_ascii=False)))


def _as_escapes(text: str) -> str:
    """JSON whose strings hold nothing that steers a terminal; it means the same."""
    return _STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[object]],
    right: Sequence[int] = (),
    styles: Sequence[str] = (),
    widest: int | None = None,
) -> None:
    """Prints aligned columns; `right` are the indices of columns to align right, `styles` that of each row.

    A line break or tab in a cell is shown as ⏎ or ⇥. No rows print nothing. Where lines may not be longer
    than `widest`, cells are cut, and a last line says how many columns found no room.
    """
    from rich.cells import cell_len

    texts = [[_cell(cell) for cell in row] for row in rows]
    if not texts:
        return
    titles = [_cell(title) for title in header]
    lines = [titles, *texts] if any(titles) else texts
    widths = [max(cell_len(str(line[index])) for line in lines) for index in range(len(titles))]
    shown = widths if widest is None else layout.fitted(widths, widest)
    for number, line in enumerate(lines):
        cells = []
        for index, width in enumerate(shown):
            cell = layout.cut(line[index], width)
            space = " " * (width - cell_len(cell))
            cells.append(space + cell if index in right else cell + space)
        text = layout.GAP.join(cells).rstrip()
        if number == 0 and any(titles):
            out(styled(text, "dim"))
        else:
            row = number - any(titles)
            out(styled(text, styles[row]) if styles else text)
    if left := len(widths) - len(shown):
        out(styled(f"  … {left:,} more {'column' if left == 1 else 'columns'}", "dim"))


def _cell(cell: object) -> str | layout.Sides:
    if isinstance(cell, layout.Sides):
        return layout.Sides(*map(visible, cell))
    return visible(str(cell))


def width() -> int | None:
    """The columns of the terminal; None where results go elsewhere, and stay complete."""
    return shutil.get_terminal_size().columns if is_terminal() else None


def paragraph(text: str, style: str = "", marked: tuple[str, str] = ("", "")) -> None:
    """Prints a result line, on a terminal in lines that fit; `marked` is a part of it with a style of its own."""
    room = width()
    word, its_style = marked
    for number, line in enumerate([text] if room is None else layout.wrapped(text, room, "    ")):
        is_marked = number == 0 and bool(word)
        out(line.replace(word, styled(word, its_style), 1) if is_marked else styled(line, style))


@contextmanager
def progress(title: str) -> Iterator[Any]:
    """A progress line on stderr of a terminal, shown when the work takes longer than a second.

    Yields ``advance(done, total)``; elsewhere than on a terminal it does nothing.
    """
    if _Volume.level < 0 or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from tqdm import tqdm

    with tqdm(
        total=1, desc=title, delay=1.0, leave=False, file=sys.stderr, bar_format="{desc} {bar} {percentage:3.0f}%"
    ) as bar:

        def advance(done: float, total: float) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield advance


@contextmanager
def waiting(title: str) -> Iterator[None]:
    """A line on stderr of a terminal with the seconds so far, for work that takes longer than one and has no steps."""
    if _Volume.level < 0 or not sys.stderr.isatty():
        yield
        return
    import threading

    done = threading.Event()
    ticking = threading.Thread(target=_tick, args=(title, done), daemon=True)
    ticking.start()
    try:
        yield
    finally:
        done.set()
        ticking.join()


def _tick(title: str, done: Event) -> None:
    seconds = 0
    while not done.wait(1.0):
        seconds += 1
        sys.stderr.write(f"\r{title} … {seconds} s")
        sys.stderr.flush()
    if seconds:
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()

"""How the matrix reads in the terminal, and which face of it is printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tdv.cli import terminal
from tdv.cli.text import counted
from tdv.errors import UsageError

if TYPE_CHECKING:
    from tdv.matrix.value import Band, DatasetMatrix, Matrix


def show(found: Matrix, *, markdown: bool, html: Path | None, json: bool) -> None:
    """Prints the matrix, or writes the page; raises `UsageError` where two faces are asked for."""
    if markdown + json + (html is not None) > 1:
        raise UsageError("A matrix is printed in one way at a time", hint="Ask for --markdown, --json or --html.")
    if json:
        terminal.json(found.to_plain())
    elif markdown:
        from tdv.matrix.markdown import markdown as text_of

        terminal.out(text_of(found))
    elif html is not None:
        from tdv.matrix.page import write_page

        write_page(found, html)
        terminal.note(f"Wrote {html}")
    else:
        _print(found)


def _print(found: Matrix) -> None:
    for number, dataset in enumerate(found.datasets.values()):
        if number:
            terminal.out()
        _dataset(dataset)
    for note in found.notes:
        terminal.note(terminal.clean(note))
    if not found.datasets:
        terminal.note("No release yet: `tdv release NAME 1.0.0` makes the first one.")


def _dataset(found: DatasetMatrix) -> None:
    terminal.out(f"{terminal.styled(found.dataset, 'bold')}  {counted(len(found.releases), 'release')}")
    terminal.table(("  app", "pinned", *map(str, found.stretches)), [_line(band) for band in found.bands()])
    for hole in found.holes:
        terminal.out(f"  {terminal.styled('none:', 'red')} {terminal.clean(hole.message)}")
    lines = []
    for release in found.releases:
        apps, migrations = f"{release.apps} of {len(found.rows)}", f"{release.migrations} of {found.migrations}"
        lines.append((f"  v{release.version}", release.compat, apps, migrations, "yanked" if release.yanked else ""))
    terminal.table(("  release", "fits", "app versions", "migrations", ""), lines, right=(2, 3))


def _line(band: Band) -> tuple[str, ...]:
    """One row; the crossing at which the code stands is in brackets."""
    row = band.first
    cells = [f"v{version}" if version else "-" for version in row.cells]
    if row.at is not None:
        cells[row.at] = f"[{cells[row.at]}]"
    return (f"  {band.name}", f"v{row.pinned}" if row.pinned else "", *cells)

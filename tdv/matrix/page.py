"""The matrix as a page to look at.

In: a `Matrix`. Out: one HTML file that needs no other and runs nothing. Always holds: every name is text on the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tdv.durable import write_text
from tdv.faces.html import document, escaped
from tdv.matrix.value import Band, DatasetMatrix, Matrix, Served

_KEY: Final = (
    "<p class='key'><span><i class='added'></i>the newest release</span> "
    "<span><i class='changed'></i>an older release</span> "
    "<span><i class='removed'></i>no release, where this app version needs one</span> "
    "<span><i class='none'></i>no release</span> "
    "<span><i class='here'></i>where the code itself stands</span></p>"
)


def write_page(found: Matrix, file: Path) -> None:
    """Writes the page, whole or not at all; raises `StoreError` when the disk does not take it."""
    write_text(file, page(found))


def page(found: Matrix) -> str:
    """The text of the page."""
    title = ", ".join(found.datasets) or "no dataset"
    notes = (f"<p class='faint'>{escaped(note)}</p>" for note in found.notes)
    lines = (line for dataset in found.datasets.values() for line in _dataset(dataset))
    return document(f"{title}: which release serves which app and schema", (*lines, *notes))


def _dataset(found: DatasetMatrix) -> Iterator[str]:
    holes = sum(1 for row in found.rows if row.is_hole)
    badge = f"<span class='badge removed'>{holes} without data</span>" if holes else ""
    yield f"<section><header><h1>{escaped(found.dataset)}</h1>{badge}</header>"
    yield "<p class='faint'>The newest release that serves an app version (row) at migrations (column). "
    yield "<b>pinned</b> is what the lock of that app version holds.</p>"
    yield _KEY
    yield "<div class='scroll'><table class='crossings'><thead><tr><th>app<th>pinned"
    yield "".join(f"<th>{escaped(str(stretch))}{_size(len(stretch.revisions))}" for stretch in found.stretches)
    yield "</tr></thead><tbody>"
    yield from (_band(band, found.releases) for band in found.bands())
    yield "</tbody></table></div>"
    if found.holes:
        yield "<h2>Without a release</h2><ul>"
        yield from (f"<li>{escaped(hole.message)}<br><code>{escaped(hole.hint)}</code>" for hole in found.holes)
        yield "</ul>"
    yield "<h2>What each release serves</h2><div class='scroll'><table><thead>"
    yield "<tr><th>release<th>fits<th class='number'>app versions<th class='number'>migrations</tr></thead><tbody>"
    yield from (_served(release, found) for release in found.releases)
    yield "</tbody></table></div></section>"


def _size(number: int) -> str:
    return f" <small>{number:,}</small>" if number > 1 else ""


def _band(band: Band, releases: tuple[Served, ...]) -> str:
    row = band.first
    newest = next((release.version for release in releases if not release.yanked), "")
    cells = []
    for index, version in enumerate(row.cells):
        empty = "removed" if row.is_hole and row.at in (index, None) else "faint"
        kind = "added" if version == newest else "changed" if version else empty
        framed = " here" if index == row.at else ""
        cells.append(f"<td class='{kind}{framed}'>{f'v{escaped(version)}' if version else '-'}")
    pinned = f"v{escaped(row.pinned)}" if row.pinned else ""
    return f"<tr><th scope='row'>{escaped(band.name)}{_size(len(band.rows))}<td>{pinned}{''.join(cells)}</tr>"


def _served(release: Served, found: DatasetMatrix) -> str:
    name = f"v{escaped(release.version)}"
    if release.yanked:
        name = f"<del>{name}</del> <span class='badge'>yanked</span>"
    apps, migrations = f"{release.apps} of {len(found.rows)}", f"{release.migrations} of {found.migrations}"
    counts = f"<td class='number'>{apps}<td class='number'>{migrations}"
    return f"<tr><td>{name}<td class='fits'>{escaped(release.compat)}{counts}</tr>"

"""The matrix as Markdown for a comment, a page or a wiki.

In: a `Matrix`. Out: one text of GitHub- and GitLab-flavoured Markdown. Always holds: no name is markup, mention or
link; the crossing at which the code itself stands is bold.
"""

from __future__ import annotations

from collections.abc import Iterator

from tdv.faces.markdown import code, plain
from tdv.matrix.value import Band, DatasetMatrix, Matrix


def markdown(found: Matrix) -> str:
    """The whole text."""
    lines = [line for dataset in found.datasets.values() for line in _dataset(dataset)]
    lines += [f"*{plain(note)}*" for note in found.notes]
    return "\n".join(lines).rstrip()


def _dataset(found: DatasetMatrix) -> Iterator[str]:
    yield f"### {plain(found.dataset)}: which release serves which app and schema"
    yield ""
    yield "| app | pinned | " + " | ".join(code(str(stretch)) for stretch in found.stretches) + " |"
    yield "| :-- | :-- |" + " :-- |" * len(found.stretches)
    yield from (_band(band) for band in found.bands())
    yield ""
    if found.holes:
        yield from (f"- {plain(hole.message, 400)}: {code(hole.hint, 400)}" for hole in found.holes)
        yield ""
    yield "| release | fits | app versions | migrations |"
    yield "| :-- | :-- | --: | --: |"
    for release in found.releases:
        name = f"~~v{release.version}~~ yanked" if release.yanked else f"v{release.version}"
        of_apps, of_migrations = f"{release.apps} of {len(found.rows)}", f"{release.migrations} of {found.migrations}"
        yield f"| {name} | {code(release.compat)} | {of_apps} | {of_migrations} |"
    yield ""


def _band(band: Band) -> str:
    row = band.first
    cells = [f"v{version}" if version else "-" for version in row.cells]
    if row.at is not None:
        cells[row.at] = f"**{cells[row.at]}**" if row.cells[row.at] else "**none**"
    pinned = f"v{row.pinned}" if row.pinned else ""
    return f"| {plain(band.name)} | {pinned} | {' | '.join(cells)} |"

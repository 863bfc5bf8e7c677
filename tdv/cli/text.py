"""How counts, durations and rows read in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from tdv.cli.terminal import clean
from tdv.faces.text import named

if TYPE_CHECKING:
    from tdv.model.diff import Finding
    from tdv.model.receipt import Receipt
    from tdv.model.resolution import Choice
    from tdv.status import Standing


def counted(number: int, noun: str) -> str:
    """``1 row``, ``1,004 rows``"""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def size(number: int) -> str:
    """Bytes in steps of a thousand: ``812 B``, ``3.4 MB``"""
    amount, units = float(number), iter(("B", "kB", "MB", "GB"))
    unit = next(units)
    while amount >= 1000 and unit != "GB":
        amount, unit = amount / 1000, next(units)
    return f"{number} B" if unit == "B" else f"{amount:.1f} {unit}"


def duration(seconds: float) -> str:
    """``38 ms``, ``1.2 s``, ``3 min 5 s``"""
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {round(seconds % 60)} s"


def receipt_lines(receipt: Receipt) -> Iterator[str]:
    """What a checkout did, and a line per release."""
    yield f"{receipt.action} {clean(receipt.target)} in {duration(receipt.seconds)}"
    for release in receipt.releases:
        version = f"v{release.version}" if release.version[:1].isdigit() else release.version
        rows = counted(sum(release.tables.values()), "row")
        held = f"  {rows} in {counted(len(release.tables), 'table')}" if release.tables else ""
        yield f"  {release.dataset}@{version}{held}"


def finding_lines(findings: Iterable[Finding]) -> Iterator[str]:
    """``  minor  row-added  users  3 rows added``"""
    found = list(findings)
    places = [named(".".join(filter(None, (finding.table, finding.column)))) for finding in found]
    rules = max((len(finding.rule) for finding in found), default=0)
    width = max(map(len, places), default=0)
    for finding, place in zip(found, places, strict=True):
        yield f"  {finding.level:<5}  {finding.rule:<{rules}}  {place:<{width}}  {named(finding.message)}"


def choice_lines(choice: Choice, *, explain: bool) -> Iterator[str]:
    """``shop@v1.1.0  ^1 (tdv.yaml)  fits app >=1.2,<3``; with `explain`, a line for each release not chosen."""
    asked = ", ".join(f"{item.range} ({item.by})" for item in choice.asked)
    kept = "  kept by tdv.lock" if choice.kept else ""
    reference = choice.release.reference
    yield f"{reference}  {clean(asked)}  fits {clean(str(choice.release.compat))}{kept}"
    if explain:
        dataset = choice.release.dataset
        yield from (f"  {dataset}@v{item.version} {clean(item.reason)}" for item in choice.rejected)


def standing_lines(standings: Iterable[Standing]) -> Iterator[tuple[str, str, str, str]]:
    """``tdv.lock``, ``shop@v1.1.0``, ``2 releases behind v1.3.0, and the code has 3 more migrations than b2``"""
    for item in standings:
        said = [f"{counted(item.behind, 'release')} behind v{item.newest}"] if item.behind else []
        if item.migrations:
            said.append(f"the code has {counted(item.migrations, 'more migration')} than {item.migration}")
        said += [f"v{item.promoted} is promoted"] if item.promoted else []
        said += [] if item.fits else ["no longer fits"]
        reference = (
            f"{item.dataset}@v{item.version}" if item.version[:1].isdigit() else f"{item.dataset}@{item.version}"
        )
        yield item.place, reference if item.dataset else "", item.problem or ", ".join(said) or "up to date", item.hint


def need_text(app: str | None, migration: str | None) -> str:
    """``app 2.3.1 and migration 0042``, "" when neither matters."""
    parts = [f"app {clean(app)}"] if app else []
    parts += [f"migration {clean(migration)}"] if migration else []
    return " and ".join(parts)


def pin_lines(pins: Mapping[str, str], before: Mapping[str, str]) -> Iterator[str]:
    """``shop@v1.1.0  was v1.0.0``, and a line for each dataset that is no longer locked."""
    for name, version in pins.items():
        was = before.get(name)
        yield f"{name}@v{version}" + (f"  was v{was}" if was not in (None, version) else "")
    yield from (f"{name}  no longer locked" for name in before if name not in pins)

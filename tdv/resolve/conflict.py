"""Says why nothing fits, and what would mend it.

In: the trial that left something open, and the candidates. Out: an `Incompatible` whose sentence names the whole chain
from who asked to what clashes, and whose hint is a command or a key to change. Always holds: the hint would work: a
release that it names fits everything else.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from tdv.errors import Incompatible
from tdv.model.compat import Span
from tdv.model.fit import Fault, Need, version_of
from tdv.model.history import Unplaced
from tdv.model.reference import repository_of
from tdv.model.release import Release
from tdv.model.resolution import Asked
from tdv.resolve.candidates import Candidates
from tdv.resolve.trial import Trial

if TYPE_CHECKING:
    from tdv.resolve import Reasons

SHOWN = 4


def conflict(trial: Trial, candidates: Candidates, reasons: Reasons) -> Incompatible:
    """The error for a trial that left something open which no other choice mends; with the reasons "all" it names each
    release, one per line."""
    dataset, items = next(iter(trial.open.items()))
    asked = list(dict.fromkeys(items))
    ranges = [item.range for item in asked]
    found = [(version, candidates.faults(dataset, version, ranges)) for version in candidates.versions(dataset)]
    if len(asked) == 1 and asked[0].by not in trial.references:
        return _nothing_fits(dataset, asked[0], found, candidates, reasons)
    return _clash(trial, asked, found, candidates, reasons)


Found = Sequence[tuple[str, tuple[Fault, ...]]]


def _nothing_fits(dataset: str, asked: Asked, found: Found, candidates: Candidates, reasons: Reasons) -> Incompatible:
    inside = [item for item in found if not any(fault.kind == "range" for fault in item[1])]
    listed = _all(found) if reasons == "all" else f" {_first(inside or found)}"
    sought = "" if asked.range in ("*", "latest") else f" in {asked.range}"
    return Incompatible(
        f"No release of {dataset}{sought} fits{_needed(candidates.need)}:{listed}",
        hint=_nearest(dataset, asked, found, candidates),
        dataset=dataset,
        rejected=[{"version": version, "reason": _reasons(faults)} for version, faults in found],
    )


def _first(found: Found) -> str:
    listed = "; ".join(f"v{version} {_reasons(faults)}" for version, faults in found[:SHOWN])
    more = len(found) - SHOWN
    return f"{listed}; and {more} more" if more > 0 else listed


def _all(found: Found) -> str:
    return "".join(f"\n  v{version} {_reasons(faults)}" for version, faults in found if faults)


def _nearest(dataset: str, asked: Asked, found: Found, candidates: Candidates) -> str:
    """What is newest and fits but for the range, and what would make the release in it fit that misses least."""
    outside = [version for version, faults in found if [fault.kind for fault in faults] == ["range"]]
    # A pre-release is proposed only where there is nothing else.
    outside.sort(key=lambda version: bool(version_of(version).prerelease))
    inside = [item for item in found if not any(fault.kind == "range" for fault in item[1])]
    ways = []
    if outside:
        ways.append(f"{_allow(candidates.release(dataset, outside[0]), asked)}, which fits")
    if inside:
        version, faults = min(inside, key=_distance)
        release = candidates.release(dataset, version)
        mends = [_mend(fault, release, asked, candidates.need) for fault in faults]
        ways.append(f"the nearest is {release.reference}: {', and '.join(mends)}{_carried(release, candidates)}")
    return _sentence(", or ".join(ways)) if ways else f"Release one that fits: `tdv release {dataset}`."


def _distance(item: tuple[str, tuple[Fault, ...]]) -> tuple[int, bool]:
    """An app version may be allowed by a word; rows of another schema fit for no word."""
    faults = item[1]
    return len(faults), any(fault.kind == "migration" for fault in faults)


def _carried(release: Release, candidates: Candidates) -> str:
    """The other way, where the newest release ends before the place: its rows go through the migrations."""
    place, span, dataset = candidates.need.place, release.compat.migration, release.dataset
    if place is None or span is None or isinstance(place, Unplaced) or not place.misfit(span):
        return ""
    is_own = repository_of(dataset) is None and release.version == candidates.versions(dataset)[0]
    if not is_own or place.misfit(Span(span.start)):
        return ""
    return f"; else `tdv upgrade {dataset} --to {shlex.quote(place.text)}` carries its rows there"


def _mend(fault: Fault, release: Release, asked: Asked, need: Need) -> str:
    reference = release.reference
    if fault.kind == "app" and need.app is not None:
        app = f"{release.compat.app} || {_allowing(str(need.app.version))}"
        return f"if it serves app {need.app} too, `tdv compat {reference} --app '{app}' -m WHY`"
    if fault.kind == "migration" and need.place is not None:
        options = _wider(release.compat.migration or Span(), need)
        return f"if it fits {need.migration} too, `tdv compat {reference} {options} -m WHY`"
    return _allow(release, asked)


def _allow(release: Release, asked: Asked) -> str:
    if asked.by == "the command line":
        return f"name {release.reference}"
    if "@" in asked.by:
        return f'release {asked.by.partition("@")[0]} with `requires: {{{release.dataset}: "{release.version}"}}`'
    return f'allow v{release.version} in {asked.by} with `{release.dataset}: "{release.version}"`'


def _wider(span: Span, need: Need) -> str:
    assert need.place is not None
    if not need.place.misfit(Span(span.start)):
        return "--until ''"
    ends = " --until ''" if need.place.misfit(Span(None, span.until)) else ""
    return f"--from {need.migration}{ends}"


def _clash(
    trial: Trial, asked: Sequence[Asked], found: Found, candidates: Candidates, reasons: Reasons
) -> Incompatible:
    dataset = next(iter(trial.open))
    chains = [_chain(trial, dataset, item) for item in asked]
    suits = "that suits them all" if len(asked) > 1 else "that suits"
    whose = f"has no release {suits}" if found else "has no release"
    inside = [(version, faults) for version, faults in found if not any(fault.kind == "range" for fault in faults)]
    brief = f"; {_first(inside)}" if inside else ""
    why = _all(found) if reasons == "all" else brief
    return Incompatible(
        f"{'; '.join(chains)}: {dataset} {whose}{why}",
        hint=_way_out(dataset, asked, inside, candidates),
        dataset=dataset,
        rejected=[{"version": version, "reason": _reasons(faults)} for version, faults in found],
    )


def _way_out(dataset: str, asked: Sequence[Asked], inside: Found, candidates: Candidates) -> str:
    for version, faults in inside:
        release = candidates.release(dataset, version)
        return _sentence(", and ".join(_mend(fault, release, asked[0], candidates.need) for fault in faults))
    ways = list(_loosened(dataset, asked, candidates))
    if ways:
        return _sentence(", or ".join(ways))
    return f"Release a version of {dataset} that is in {' and '.join(item.range for item in asked)}."


def _loosened(dataset: str, asked: Sequence[Asked], candidates: Candidates) -> Iterator[str]:
    """For each who asks: what they would have to allow so that everybody else is content."""
    for item in asked:
        others = [other.range for other in asked if other is not item]
        version = next(candidates.fitting(dataset, others), None)
        if version is None:
            continue
        if "@" in item.by:
            name = item.by.partition("@")[0]
            yield f'release {name} with `requires: {{{dataset}: "{_allowing(version)}"}}`'
        else:
            yield f"allow {dataset} v{version} in {item.by} (now {item.range})"


def _chain(trial: Trial, dataset: str, asked: Asked) -> str:
    """``tdv.yaml asks for shop ^3, shop@v3.1.0 requires movies ^2``"""
    links = [(asked.by, dataset, asked.range)]
    seen = {dataset}
    releases = trial.references
    while links[0][0] in releases and releases[links[0][0]] not in seen:
        above = releases[links[0][0]]
        seen.add(above)
        # Whoever asked first: at the root, if anybody there did.
        first = min(trial.asked[above], key=lambda item: item.by in releases)
        links.insert(0, (first.by, above, first.range))
    return ", ".join(f"{by} {'requires' if by in releases else 'asks for'} {name} {text}" for by, name, text in links)


def _reasons(faults: Iterable[Fault]) -> str:
    return " and ".join(fault.reason for fault in faults)


def _needed(need: Need) -> str:
    parts = [f"app {need.app}"] if need.app is not None else []
    parts += [f"migration {need.migration}"] if need.place is not None else []
    return f" {' and '.join(parts)}" if parts else ""


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _allowing(version: str) -> str:
    return f"^{version}"

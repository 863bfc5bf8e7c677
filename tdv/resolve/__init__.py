"""Which release of each dataset fits: ranges, application version, migration, and what datasets require.

In: a `Wish` and a book of releases. Out: a `Resolution` with one release per dataset and the reason against every
other. Pure: nothing is read but through the book. Always holds: the newest release wins that fits all ranges, its
own range of app versions and its span of migrations; yanked releases and pre-releases only where they are asked
for exactly; datasets that a chosen release requires are chosen with it; a kept choice stays while it fits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Final, Literal

from tdv.errors import NotFound
from tdv.frozen import dataclass
from tdv.model.fit import Need, range_of
from tdv.model.resolution import Asked, Choice, Rejected, Resolution
from tdv.resolve.candidates import Candidates, Releases
from tdv.resolve.trial import attempt, ranks, required

__all__ = ["Reasons", "Releases", "Wish", "resolve"]


Reasons = Literal["none", "short", "all"]
_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class Wish:
    """`asked` says for each dataset which ranges hold and who asks; `keep` maps datasets to the versions that a
    lock holds; `reasons` says how much is wanted about the releases that are not chosen: "none" leaves them out,
    "all" reads older ones too, to say what else speaks against them."""

    asked: Mapping[str, tuple[Asked, ...]]
    need: Need = Need()
    keep: Mapping[str, str] = field(default_factory=dict)
    reasons: Reasons = "short"


def resolve(wish: Wish, book: Releases) -> Resolution:
    """Chooses releases.

    Raises `NotFound` for a dataset without releases, `UsageError` for text that is no range, `Incompatible` with
    the chain that clashes and what would mend it when nothing fits.
    """
    candidates = Candidates(book, wish.need, wish.keep)
    _check(wish, candidates)
    chosen = _chosen(wish, candidates)
    asked = {dataset: list(wish.asked.get(dataset, ())) for dataset in sorted(chosen)}
    for dataset in sorted(chosen):
        for need in required(candidates, dataset, chosen[dataset]):
            asked[need.dataset].append(need.asked)
    answer = _Answer(wish, candidates, chosen, {dataset: tuple(items) for dataset, items in asked.items()})
    app = wish.need.app
    return Resolution(
        app.text if app is not None else None,
        wish.need.migration,
        {dataset: answer.choice(dataset) for dataset in asked},
    )


def _check(wish: Wish, candidates: Candidates) -> None:
    for dataset, asked in wish.asked.items():
        exact = [version for item in asked if (version := range_of(item.range).exact)]
        missing = [version for version in exact if str(version) not in candidates.versions(dataset)]
        if missing and candidates.versions(dataset):
            known = ", ".join(f"v{version}" for version in candidates.versions(dataset)[:_SHOWN])
            raise NotFound(
                f"There is no release {dataset}@v{missing[0]}",
                hint=f"Releases of {dataset}: {known}; `tdv log {dataset}` shows all.",
                dataset=dataset,
                version=str(missing[0]),
            )
        if not candidates.versions(dataset):
            raise NotFound(
                f"The dataset {dataset} has no release",
                hint=f"Release it with `tdv release {dataset} 1.0.0`, or correct the name.",
                dataset=dataset,
            )


def _chosen(wish: Wish, candidates: Candidates) -> Mapping[str, str]:
    order = ranks(wish.asked, candidates)
    trial = attempt(wish.asked, candidates, order)
    if not trial.open:
        return trial.chosen
    # Imported here: most repositories have an answer before anything has to be solved.
    from tdv.resolve.conflict import conflict
    from tdv.resolve.solver import solve

    chosen = solve(wish.asked, trial, candidates, order)
    if chosen is None:
        raise conflict(trial, candidates, wish.reasons)
    return chosen


@dataclass(frozen=True, slots=True)
class _Answer:
    """A consistent choice, and what to say about everything else."""

    wish: Wish
    candidates: Candidates
    chosen: Mapping[str, str]
    asked: Mapping[str, tuple[Asked, ...]]

    def choice(self, dataset: str) -> Choice:
        """The release of one dataset, and every other one with the reason."""
        release = self.candidates.release(dataset, self.chosen[dataset])
        rejected = tuple(self._rejected(dataset)) if self.wish.reasons != "none" else ()
        kept = self._is_kept(dataset) and any(item.reason == self._kept(dataset) for item in rejected)
        return Choice(release, self.asked[dataset], rejected, kept)

    def _rejected(self, dataset: str) -> Iterator[Rejected]:
        chosen = self.chosen[dataset]
        ranges = tuple(dict.fromkeys(item.range for item in self.asked[dataset]))
        older = False
        for version in self.candidates.versions(dataset):
            if version == chosen:
                older = True
            elif reason := self._misfit(dataset, version, ranges, older=older):
                yield Rejected(version, reason)
            else:
                yield Rejected(version, f"is older than v{chosen}" if older else self._clash(dataset, version))

    def _misfit(self, dataset: str, version: str, ranges: Sequence[str], *, older: bool) -> str:
        """What speaks against a release by itself; the record of an older one is read only to explain."""
        if self.wish.reasons != "all":
            if not all(self.candidates.inside(version, text) for text in ranges):
                return self.candidates.version_faults(version, ranges)[0].reason
            if older:
                return ""
        return " and ".join(fault.reason for fault in self.candidates.faults(dataset, version, ranges))

    def _clash(self, dataset: str, version: str) -> str:
        """Why a newer release that fits by itself is not the answer."""
        for need in required(self.candidates, dataset, version):
            there = self.chosen.get(need.dataset)
            if there is not None and not self.candidates.inside(there, need.asked.range):
                return f"requires {need.dataset} {need.asked.range}, and v{there} is chosen"
            if there is None and not any(self.candidates.fitting(need.dataset, [need.asked.range])):
                return f"requires {need.dataset} {need.asked.range}, and no release of it fits"
        return self._kept(dataset) if self._is_kept(dataset) else "requires releases that do not fit together"

    def _is_kept(self, dataset: str) -> bool:
        return self.wish.keep.get(dataset) == self.chosen[dataset]

    def _kept(self, dataset: str) -> str:
        return f"is newer, and tdv.lock holds v{self.chosen[dataset]}"

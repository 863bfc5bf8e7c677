"""The newest release of everything, taken as it comes: the answer in most repositories, and else the clash to tell.

In: what is asked for, and the candidates. Out: a choice, and the datasets that it leaves open because nothing suits
all who ask for them. Always holds: where nothing is open, no better choice exists, since nothing newer fits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tdv.model.resolution import Asked
from tdv.resolve.candidates import Candidates

Wanted = Mapping[str, Sequence[Asked]]


class Requirement(NamedTuple):
    """A dataset that is asked for."""

    dataset: str
    asked: Asked


@dataclass
class Trial:
    """`chosen` maps datasets to versions, `asked` to all who ask for them; `open` maps those for which nothing was
    found to who asked when that came out, the first one first."""

    chosen: dict[str, str] = field(default_factory=dict)
    asked: dict[str, list[Asked]] = field(default_factory=dict)
    open: dict[str, tuple[Asked, ...]] = field(default_factory=dict)

    @property
    def references(self) -> dict[str, str]:
        """Reference → dataset of what was chosen."""
        return {f"{dataset}@v{version}": dataset for dataset, version in self.chosen.items()}


def required(candidates: Candidates, dataset: str, version: str) -> tuple[Requirement, ...]:
    """What a release requires, by name."""
    release = candidates.release(dataset, version)
    return tuple(Requirement(name, Asked(text, release.reference)) for name, text in sorted(release.requires.items()))


def attempt(wanted: Wanted, candidates: Candidates, ranks: Mapping[str, int]) -> Trial:
    """Takes the best release of each dataset, those that require others first."""
    trial = Trial(asked={dataset: list(asked) for dataset, asked in sorted(wanted.items())})
    waiting = set(trial.asked)
    while waiting:
        dataset = min(waiting, key=lambda name: (ranks.get(name, len(ranks)), name))
        waiting.discard(dataset)
        version = next(candidates.fitting(dataset, _texts(trial, dataset)), None)
        if version is None:
            trial.open.setdefault(dataset, tuple(trial.asked[dataset]))
            continue
        trial.chosen[dataset] = version
        for need in required(candidates, dataset, version):
            trial.asked.setdefault(need.dataset, []).append(need.asked)
            there = trial.chosen.get(need.dataset)
            if there is None:
                waiting.add(need.dataset)
            elif not candidates.inside(there, need.asked.range):
                trial.open.setdefault(need.dataset, tuple(trial.asked[need.dataset]))
    return trial


def ranks(wanted: Wanted, candidates: Candidates) -> dict[str, int]:
    """A place for each dataset such that those that require others come first; circles are cut by name."""
    placed: dict[str, None] = {}
    seen: set[str] = set()
    for root in sorted(wanted, reverse=True):
        ahead = [(root, False)]
        while ahead:
            dataset, finished = ahead.pop()
            if finished:
                placed[dataset] = None
            elif dataset not in seen:
                seen.add(dataset)
                ahead.append((dataset, True))
                best = next(candidates.fitting(dataset, [asked.range for asked in wanted.get(dataset, ())]), None)
                needs = required(candidates, dataset, best) if best is not None else ()
                ahead.extend((need.dataset, False) for need in needs)
    return {dataset: place for place, dataset in enumerate(reversed(placed))}


def _texts(trial: Trial, dataset: str) -> list[str]:
    return [asked.range for asked in trial.asked[dataset]]

"""Solves datasets that require datasets together, with resolvelib.

In: what is asked for at the root, and the candidates. Out: one version per dataset. Always holds: each dataset is
settled after those that require it, its newest release is tried first, and one answer is given for one question,
whatever the order in which it was put.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from resolvelib import AbstractProvider, BaseReporter, ResolutionImpossible, ResolutionTooDeep
from resolvelib.resolvers import Resolution
from resolvelib.structs import RequirementInformation

from tdv.resolve.candidates import Candidates
from tdv.resolve.trial import Requirement, Trial, Wanted, required

if TYPE_CHECKING:
    from resolvelib.structs import Matches

ROUNDS = 20_000


class Candidate(NamedTuple):
    """A release that may be chosen."""

    dataset: str
    version: str


def solve(wanted: Wanted, trial: Trial, candidates: Candidates, ranks: Mapping[str, int]) -> dict[str, str] | None:
    """Dataset → version, for everything wanted and required; None when nothing is consistent.

    First only what clashes is solved, with the rest as it was chosen; only where that has no answer, everything is.
    """
    settled = _settled(trial)
    if settled:
        found = _solve(wanted, _Provider(candidates, ranks, settled), trial)
        if found is not None:
            return found
    return _solve(wanted, _Provider(candidates, ranks, {}), trial)


def _settled(trial: Trial) -> dict[str, str]:
    """What was chosen, without what is open and those who ask for it."""
    references = trial.references
    unsettled = {*trial.open}
    for dataset in trial.open:
        unsettled.update(references[item.by] for item in trial.asked[dataset] if item.by in references)
    return {dataset: version for dataset, version in trial.chosen.items() if dataset not in unsettled}


def _solve(wanted: Wanted, provider: _Provider, trial: Trial) -> dict[str, str] | None:
    settled = provider.settled
    roots = [
        Requirement(dataset, asked)
        for dataset in sorted({*wanted, *trial.open})
        if dataset not in settled
        for asked in wanted.get(dataset, ())
    ]
    for dataset, version in settled.items():
        needs = provider.get_dependencies(Candidate(dataset, version))
        roots += [need for need in needs if need.dataset not in settled]
    # The `Resolver` around it looks for ways to the root by recursion, which never ends on a circle of releases
    # that nobody asks for any more.
    resolution: Resolution[Requirement, Candidate, str] = Resolution(provider, BaseReporter())
    try:
        pins = resolution.resolve(roots, max_rounds=ROUNDS).mapping
    except (ResolutionImpossible, ResolutionTooDeep):
        return None
    chosen = {**settled, **{dataset: candidate.version for dataset, candidate in pins.items()}}
    return _reached(wanted, chosen, provider)


def _reached(wanted: Wanted, chosen: Mapping[str, str], provider: _Provider) -> dict[str, str]:
    """What was chosen without what was needed only by releases that were given up."""
    found: dict[str, str] = {}
    ahead = list(wanted)
    while ahead:
        dataset = ahead.pop()
        if dataset not in found:
            found[dataset] = chosen[dataset]
            needs = provider.requirements(Candidate(dataset, chosen[dataset]))
            ahead.extend(need.dataset for need in needs)
    return found


Information = RequirementInformation[Requirement, Candidate]


class _Provider(AbstractProvider[Requirement, Candidate, str]):
    """Tells resolvelib about datasets; see its `AbstractProvider` for what each method means.

    `settled` maps datasets to versions that are not to be moved: a release that requires others of them is none.
    """

    def __init__(self, candidates: Candidates, ranks: Mapping[str, int], settled: Mapping[str, str]) -> None:
        self.settled = settled
        self._candidates = candidates
        self._ranks = ranks
        self._required: dict[Candidate, tuple[Requirement, ...]] = {}

    def identify(self, requirement_or_candidate: Requirement | Candidate) -> str:
        return requirement_or_candidate.dataset

    def narrow_requirement_selection(
        self,
        identifiers: Iterable[str],
        resolutions: Mapping[str, Candidate],
        candidates: Mapping[str, Iterator[Candidate]],
        information: Mapping[str, Iterator[Information]],
        backtrack_causes: Sequence[Information],
    ) -> Iterable[str]:
        return (min(identifiers, key=self._rank),)

    def get_preference(
        self,
        identifier: str,
        resolutions: Mapping[str, Candidate],
        candidates: Mapping[str, Iterator[Candidate]],
        information: Mapping[str, Iterator[Information]],
        backtrack_causes: Sequence[Information],
    ) -> tuple[int, str]:
        return self._rank(identifier)

    def find_matches(
        self,
        identifier: str,
        requirements: Mapping[str, Iterator[Requirement]],
        incompatibilities: Mapping[str, Iterator[Candidate]],
    ) -> Matches[Candidate]:
        ranges = [requirement.asked.range for requirement in requirements[identifier]]
        without = [candidate.version for candidate in incompatibilities[identifier]]
        return lambda: filter(
            self._suits,
            (Candidate(identifier, version) for version in self._candidates.fitting(identifier, ranges, without)),
        )

    def is_satisfied_by(self, requirement: Requirement, candidate: Candidate) -> bool:
        return self._candidates.inside(candidate.version, requirement.asked.range)

    def get_dependencies(self, candidate: Candidate) -> Sequence[Requirement]:
        return [need for need in self.requirements(candidate) if need.dataset not in self.settled]

    def requirements(self, candidate: Candidate) -> tuple[Requirement, ...]:
        """Everything that a release requires, of settled datasets too."""
        found = self._required.get(candidate)
        if found is None:
            found = self._required[candidate] = required(self._candidates, *candidate)
        return found

    def _suits(self, candidate: Candidate) -> bool:
        """True if what it requires of settled datasets is what they are settled at."""
        return all(
            self._candidates.inside(self.settled[need.dataset], need.asked.range)
            for need in self.requirements(candidate)
            if need.dataset in self.settled
        )

    def _rank(self, dataset: str) -> tuple[int, str]:
        return (self._ranks.get(dataset, len(self._ranks)), dataset)

"""The first version of a dataset with which a command fails, found in as few runs as can be.

In: versions in order, and a port that tries one. Out: a `Bisection`. Always holds: each version is tried at most
once; the answer is what ``git bisect run`` would give: exit code 0 is good, 125 skips a version, 1 to 127 is bad,
and anything else ends the search.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from tdv.errors import Refused

FORMAT: Final = "tdv.bisect/v1"
_SKIP: Final = 125
_WORST: Final = 127
Word = Literal["good", "bad", "skip"]


@dataclass(frozen=True, slots=True)
class Trial:
    """One version that was tried."""

    version: str
    verdict: Word
    exit_code: int

    def to_plain(self) -> dict[str, Any]:
        return {"version": self.version, "verdict": self.verdict, "exit_code": self.exit_code}


@dataclass(frozen=True, slots=True)
class Bisection:
    """`first_bad` is None where every version is good; `doubtful` are skipped versions that may be the first bad one
    instead."""

    dataset: str
    first_bad: str | None
    last_good: str | None
    doubtful: tuple[str, ...]
    trials: tuple[Trial, ...]

    def to_plain(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "dataset": self.dataset,
            "first_bad": self.first_bad,
            "last_good": self.last_good,
            "doubtful": list(self.doubtful),
            "trials": [trial.to_plain() for trial in self.trials],
        }


def bisect(dataset: str, versions: Sequence[str], attempt: Callable[[str], int]) -> Bisection:
    """Searches `versions`, oldest first, for the first with which `attempt` gives a bad exit code.

    The newest is tried first: where that is good, there is nothing to search. Raises `Refused` for an exit code
    beyond 127 and for a search that skipped every version.
    """
    search = _Search(dataset, list(versions), attempt)
    return search.run()


class _Search:
    def __init__(self, dataset: str, versions: list[str], attempt: Callable[[str], int]) -> None:
        self._dataset = dataset
        self._versions = versions
        self._attempt = attempt
        self._trials: dict[int, Trial] = {}

    def run(self) -> Bisection:
        """Halves the versions between the newest good and the oldest bad one."""
        good, bad = -1, self._newest_bad()
        while bad is not None:
            middle = self._between(good, bad)
            if middle is None:
                break
            verdict = self._try(middle)
            good, bad = (middle, bad) if verdict == "good" else (good, middle if verdict == "bad" else bad)
        return self._answer(good, bad)

    def _newest_bad(self) -> int | None:
        for index in reversed(range(len(self._versions))):
            verdict = self._try(index)
            if verdict != "skip":
                return index if verdict == "bad" else None
        raise Refused(
            f"The command skipped every version of {self._dataset}",
            hint="Exit code 125 means that a version cannot be judged; let the command end with 0 or 1.",
        )

    def _between(self, good: int, bad: int) -> int | None:
        """The untried version nearest to the middle, None where there is none."""
        open_ = [index for index in range(good + 1, bad) if index not in self._trials]
        return min(open_, key=lambda index: abs(2 * index - good - bad), default=None)

    def _try(self, index: int) -> Word:
        version = self._versions[index]
        code = self._attempt(version)
        if not 0 <= code <= _WORST:
            ended = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
            raise Refused(
                f"The command {ended} at {self._dataset}@v{version}, so that nothing can be said about it",
                hint="0 means good, 125 that it cannot be judged, any other up to 127 bad.",
                version=version,
                exit_code=code,
            )
        word: Word = "good" if code == 0 else "skip" if code == _SKIP else "bad"
        self._trials[index] = Trial(version, word, code)
        return word

    def _answer(self, good: int, bad: int | None) -> Bisection:
        trials = tuple(self._trials.values())
        if bad is None:
            newest = max(index for index, trial in self._trials.items() if trial.verdict == "good")
            return Bisection(self._dataset, None, self._versions[newest], (), trials)
        skipped = tuple(self._versions[good + 1 : bad])
        return Bisection(
            self._dataset, self._versions[bad], self._versions[good] if good >= 0 else None, skipped, trials
        )

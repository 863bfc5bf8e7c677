"""Resolution: among 3,000 releases against ``gto show``, and the solver with 300 datasets that need each other."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import harness
from tdv.model.compat import Compat
from tdv.model.release import Artifact, Change, Record, Release
from tdv.model.resolution import Asked
from tdv.resolve import Wish, resolve

RELEASES: Final = 3_000
DATASETS: Final = 300
GTO: Final = str(harness.TOOLS / "gto")


def main() -> bool:
    """Prints the ratios; returns whether the promises hold."""
    holds = _releases()
    return _solver() and holds


def _releases() -> bool:
    harness.claim(f"Resolve among {RELEASES:,} tagged releases")
    with harness.people(1_000) as root:
        _multiply(root)
        sides = [
            harness.Side("tdv resolve people", [harness.TDV, "resolve", "people"]),
            harness.Side("tdv resolve people --app 2.1", [harness.TDV, "resolve", "people", "--app", "2.1"]),
        ]
        newest, fitting = harness.alternate(sides, root, 9)
        peer = harness.run([GTO, "show", "people@latest"], root).seconds
    for side, seconds in zip(sides, (newest, fitting), strict=True):
        harness.figure(side.label, f"{seconds * 1000:.0f} ms")
    harness.figure("gto show people@latest", f"{peer * 1000:.0f} ms")
    fast = harness.ratio("gto / tdv", peer / newest, "> 30", holds=peer / newest > 30)
    soon = harness.ratio("tdv, whole process, seconds", newest, "< 0.15", holds=newest < 0.15)
    harness.versions("tdv", "gto")
    return fast and soon


def _multiply(root: Path) -> None:
    """Copies the record of the one release under 3,000 versions, each tagged on a commit of its own."""
    records = root / "datasets/people/releases"
    text = (records / "1.0.0.yaml").read_text(encoding="utf-8")
    tags = []
    for number in range(1, RELEASES):
        version = f"1.{number // 10}.{number % 10}"
        (records / f"{version}.yaml").write_text(
            text.replace("version: 1.0.0", f"version: {version}"), encoding="utf-8"
        )
        who = "B <b@example.test> 0 +0000"
        tags.append(
            f"commit refs/heads/releases\nmark :{number}\ncommitter {who}\ndata 0\n"
            + ("from refs/heads/main\n\n" if number == 1 else "\n")
            + f"tag people@v{version}\nfrom :{number}\ntagger {who}\ndata 0\n\n"
        )
    harness.commit(root, "More releases")
    subprocess.run(
        ["git", "fast-import", "--quiet"],
        cwd=root, input="".join(tags), env=harness.environment(), text=True, check=True,
    )  # fmt: skip


@dataclass(frozen=True)
class Book:
    """Releases in memory."""

    releases: Mapping[str, Mapping[str, Release]]

    def versions(self, dataset: str) -> Sequence[str]:
        """The versions of a dataset, lowest first."""
        return tuple(self.releases[dataset])

    def release(self, dataset: str, version: str) -> Release:
        """One release."""
        return self.releases[dataset][version]


def _solver() -> bool:
    harness.claim(f"The solver alone, {DATASETS} datasets with three requirements each, 15 releases of each")
    holds = True
    for contested in (0, 10):
        book = Book({_name(number): _line(number, contested) for number in range(DATASETS)})
        wish = Wish({name: (Asked("*", "tdv.yaml"),) for name in book.releases})
        start = time.perf_counter()
        resolve(wish, book)
        seconds = time.perf_counter() - start
        label = f"{contested} newest releases that clash, seconds"
        holds = harness.ratio(label, seconds, "< 0.1", holds=seconds < 0.1) and holds
    return holds


def _name(number: int) -> str:
    return f"dataset-{number:03}"


def _line(number: int, contested: int) -> Mapping[str, Release]:
    """Three major versions, each requiring the same major version of three others; the newest of every 25th
    dataset, as many as are contested, requires an older one of its neighbour."""
    line: dict[str, Release] = {}
    for major in (1, 2, 3):
        for minor in range(5):
            others = [other for other in (number + 1, number + 7, 2 * number + 1) if other < DATASETS]
            requires = {_name(other): f"^{major}" for other in others}
            if (major, minor) == (3, 4) and number % 25 == 10 and number // 25 < contested:
                requires = {_name(number + 1): "^2"}
            line[f"{major}.{minor}.0"] = _release(_name(number), f"{major}.{minor}.0", requires)
    return line


def _release(dataset: str, version: str, requires: Mapping[str, str]) -> Release:
    record = Record(
        dataset, version, "2026-01-01T00:00:00Z", "b", "tdv1:", "tdv1:", "tdv1:", "sha256:", Artifact("m.dir", 1, 1),
        "sha256:", {}, Change("none", None), {}, Compat(), requires,
    )  # fmt: skip
    return Release(record, record.compat)


if __name__ == "__main__":
    sys.exit(not main())

"""Rows per second of a whole ``tdv build``, which validates, against loops that only make the values."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from datetime import date

from benchmarks import harness

ROWS = 1_000_000
SAMPLE = 20_000
CATEGORIES = ("basic", "plus", "pro")


def faker_row(*, use_weighting: bool) -> Callable[[int], tuple[object, ...]]:
    """A function that makes the same six columns with Faker."""
    from faker import Faker

    fake = Faker("en_US", use_weighting=use_weighting)
    fake.seed_instance(1)
    draw = random.Random(1)

    def row(number: int) -> tuple[object, ...]:
        born = fake.date_between(date(1950, 1, 1), date(2005, 12, 31))
        return number, fake.name(), fake.email(), born, draw.choice(CATEGORIES), draw.randint(1, 1000)

    return row


def mimesis_row() -> Callable[[int], tuple[object, ...]]:
    """A function that makes the same six columns with Mimesis."""
    from mimesis import Datetime, Person

    person, calendar, draw = Person(seed=1), Datetime(seed=1), random.Random(1)

    def row(number: int) -> tuple[object, ...]:
        born = calendar.date(start=1950, end=2005)
        return number, person.full_name(), person.email(), born, draw.choice(CATEGORIES), draw.randint(1, 1000)

    return row


def rate(row: Callable[[int], tuple[object, ...]]) -> float:
    """Rows per second of a loop over a sample, in the time of the loop alone."""
    row(0)
    start = time.perf_counter()
    rows = [row(number) for number in range(SAMPLE)]
    return len(rows) / (time.perf_counter() - start)


def main() -> bool:
    """Prints the ratios; returns whether all promises hold."""
    harness.claim(f"Build {ROWS:,} rows x 6 columns, validated, digested, in Parquet, whole process")
    with harness.people(ROWS, released=False) as root:
        seconds = harness.run([harness.TDV, "build", "people"], root).seconds
    own = ROWS / seconds
    harness.figure("tdv build", f"{seconds:.2f} s")
    harness.figure("tdv build", f"{own:,.0f} rows/s")
    holds = True
    for label, wanted, weighting in (("Faker", 100, True), ("Faker, use_weighting=False", 25, False)):
        peer = rate(faker_row(use_weighting=weighting))
        harness.figure(label, f"{peer:,.0f} rows/s")
        holds &= harness.ratio(f"tdv / {label}", own / peer, f">= {wanted}", holds=own / peer >= wanted)
    try:
        peer = rate(mimesis_row())
    except ImportError:
        harness.figure("Mimesis", "not installed")
    else:
        harness.figure("Mimesis", f"{peer:,.0f} rows/s")
        holds &= harness.ratio("tdv / Mimesis", own / peer, ">= 3", holds=own / peer >= 3)
    harness.versions("tdv", "Faker", "mimesis", "pyarrow", "numpy")
    return holds


if __name__ == "__main__":
    sys.exit(not main())

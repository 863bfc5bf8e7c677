"""Where each row of a dataset came from: a seed file, a scenario, or a generator.

In: the rows of one table with its seed files and scenarios. Out: `Origins`. Always holds: a row has one origin; what
no file holds was generated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tdv.content.arrow import canonical, one_chunk
from tdv.content.text import to_text
from tdv.seeds import Scenario, SeedFile
from tdv.upgrade.moves import GONE, Move

Label = tuple[str, str]
"""A scenario and a label in it."""


@dataclass(frozen=True, slots=True)
class Origins:
    """The places before of the rows of one table: by the name of the seed file, by label, and the generated ones."""

    seeds: Mapping[str, tuple[int, ...]]
    labels: Mapping[Label, int]
    generated: tuple[int, ...]


def origins(move: Move, seeds: Iterable[SeedFile], scenarios: Iterable[Scenario]) -> Origins:
    """Finds the rows of hand-written files among the rows of the table; those of standalone scenarios are not
    there."""
    index = move.index()
    name = move.before.name

    def places(values: object) -> tuple[int, ...]:
        rows = canonical(values, move.before)
        texts = [to_text(one_chunk(rows.column(c)), move.before.column(c).type).to_pylist() for c in move.identity]
        return tuple(index.take(key) for key in zip(*texts, strict=True))

    by_file = {seed.path.name: places(seed.values) for seed in seeds if seed.table.name == name}
    labels: dict[Label, int] = {}
    for scenario in scenarios:
        if name in scenario.rows and not scenario.standalone:
            found = places(scenario.rows[name])
            labels |= {(scenario.name, label): row for label, row in zip(scenario.labels[name], found, strict=True)}
    written = {row for rows in by_file.values() for row in rows} | set(labels.values()) | {GONE}
    return Origins(by_file, labels, tuple(row for row in range(move.rows.num_rows) if row not in written))

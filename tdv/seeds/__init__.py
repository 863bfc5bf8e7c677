"""Hand-written rows: seed files and scenarios, read with a place for every mistake, and written for review.

In: ``seeds/`` and ``scenarios/`` of a dataset, and its spec. Out: Arrow tables of canonical type, scenarios with
resolved labels, and seed files. Always holds: NULL and the empty string are told apart by one rule per format
(``docs/formats/seeds.md``); nothing is guessed or converted silently.
"""

from __future__ import annotations

from tdv.model.scenario import Expectation
from tdv.seeds.bundles import expectations, scenario_manifests, scenario_rows, standalone_rows, united_rows
from tdv.seeds.closure import closure
from tdv.seeds.files import SeedFile, load_seeds, seed_files
from tdv.seeds.labels import generated_key
from tdv.seeds.places import file_stem
from tdv.seeds.scenarios import Scenario, load_scenarios
from tdv.seeds.writer import SeedText, seed_text

__all__ = [
    "Expectation",
    "Scenario",
    "SeedFile",
    "SeedText",
    "closure",
    "expectations",
    "file_stem",
    "generated_key",
    "load_scenarios",
    "load_seeds",
    "scenario_manifests",
    "scenario_rows",
    "seed_files",
    "seed_text",
    "standalone_rows",
    "united_rows",
]

"""What generators yield never changes: old releases must be built again, row for row, by every later version."""

from __future__ import annotations

import json

from tests.factories.answers import FILE, answers


def test_generators_yield_what_they_always_yielded() -> None:
    known, found = json.loads(FILE.read_text(encoding="utf-8")), answers()
    for part in ("generators", "names"):
        assert {name: found[part].get(name) for name in known[part]} == known[part]
        assert found[part].keys() == known[part].keys(), "write the new ones: `python -m tests.factories.answers`"

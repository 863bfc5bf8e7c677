"""Arrow's functions are called as pyarrow.compute calls them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tdv.content import compute

TEXTS = pa.array(["1.50", "1E-7", None, "", "ü 2026-01-01 00:00:00.000000"])
NUMBERS = pa.array([Decimal("1.50"), None, Decimal("-0.01"), Decimal("7"), Decimal("0")])
TRUTHS = pa.array([None, False, True, False, None])

CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("take", (TEXTS, pa.array([3, 0, None, 0])), {}),
    ("take", (pa.table({"a": TEXTS, "b": NUMBERS}), pa.array([4, 0])), {}),
    ("cast", (NUMBERS, pa.string()), {}),
    ("cast", (NUMBERS, pa.int64()), {"safe": False}),
    ("not_equal", (TEXTS, pa.array(["1.50", "2", None, None, ""])), {}),
    ("coalesce", (TRUTHS, True), {}),
    ("any", (TRUTHS,), {"min_count": 0}),
    ("any", (TRUTHS.slice(0, 0),), {"min_count": 0}),
    ("any", (TRUTHS.slice(0, 1),), {}),
    ("match_substring", (TEXTS, "E"), {}),
    ("replace_substring", (TEXTS, ".", ","), {}),
    ("replace_substring_regex", (TEXTS, r"(\d)$", r"<\1>"), {}),
    ("sort_indices", (TEXTS,), {}),
]


@pytest.mark.parametrize(("name", "values", "options"), CALLS, ids=[name for name, *_ in CALLS])
def test_a_name_means_what_it_means_there(name: str, values: tuple[Any, ...], options: dict[str, Any]) -> None:
    found, wanted = (getattr(module, name)(*values, **options) for module in (compute, pc))
    assert found.equals(wanted)
    assert str(found) == str(wanted)


def test_what_does_not_fit_is_refused_as_there() -> None:
    for module in (compute, pc):
        with pytest.raises(pa.ArrowInvalid, match="data loss"):
            module.cast(NUMBERS, pa.int64())
        with pytest.raises(pa.ArrowIndexError):
            module.take(TEXTS, pa.array([9]))

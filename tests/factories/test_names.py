"""The frozen tables serve what they promise, in every locale, without Faker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tdv.factories.mosaic import texts
from tdv.factories.names import name_table, slots
from tdv.factories.random import Stream
from tests.factories.answers import frozen
from tests.factories.specs import column, one_column

ROWS = np.arange(500)
STREAM = Stream(42, ("users", "name"))


@pytest.mark.parametrize(("locale", "providers"), frozen().items())
def test_every_provider_of_a_locale_gives_text(locale: str, providers: list[str]) -> None:
    table = name_table(locale)
    assert table is not None
    assert {"name", "first_name", "last_name", "email", "city", "company", "phone_number"} <= set(providers)
    for provider in providers:
        found = table.values(provider, ROWS[:50], STREAM)
        found.validate(full=True)
        assert all(text and "@" not in text.strip("@") for text in found.to_pylist()) or "email" in provider
        assert not any(mark in text for text in found.to_pylist() for mark in ("{{", "}}"))


def test_unique_user_names_carry_their_number() -> None:
    table = name_table("en_US")
    assert table is not None
    suffix = pa.array([f".{row}" for row in ROWS])
    for provider in frozen()["en_US"]:
        if table.can_be_unique(provider):
            plain = table.values(provider, ROWS, STREAM).to_pylist()
            marked = table.values(provider, ROWS, STREAM, suffix).to_pylist()
            assert len(set(marked)) == len(ROWS)
            assert [text.replace(f".{row}", "", 1) for row, text in enumerate(marked)] == plain


def test_names_are_as_frequent_as_their_weights_say() -> None:
    table = name_table("en_US")
    assert table is not None
    names = table.values("last_name", np.arange(50_000), STREAM).to_pylist()
    assert names.count("Smith") > names.count("Johnson") > names.count("Zimmerman") > 0


@pytest.mark.parametrize("locale", ["xx_XX", "../en_US", ""])
def test_unknown_locale_has_no_table(locale: str) -> None:
    assert name_table(locale) is None


def test_slots_leave_room_for_every_value() -> None:
    assert np.bincount(slots([1, 10**12, 1]), minlength=3).tolist() == [1, 65534, 1]
    assert np.bincount(slots([3, 1])).tolist() == [49152, 16384]


def test_texts_join_the_pieces_of_each_row() -> None:
    dictionary = pa.array(["", "a", "bc", "ü"])
    pieces = np.array([[1, 2, 0], [0, 0, 0], [3, 0, 1]], dtype=np.int32)
    assert texts(dictionary, pieces).to_pylist() == ["abc", "", "üa"]
    assert texts(dictionary, pieces[:, :0]).to_pylist() == ["", "", ""]


def test_locale_of_the_generator_overrides_that_of_the_dataset(tmp_path: Path) -> None:
    text = "{type: string, generate: {faker: {provider: last_name, locale: ja_JP}}}"
    assert all(ord(name[0]) > 0x3000 for name in column(one_column(tmp_path, text)).to_pylist())


def test_names_are_made_without_importing_faker() -> None:
    code = (
        "import sys, numpy as np; from tdv.factories.names import name_table; from tdv.factories.random import Stream;"
        "name_table('en_US').values('name', np.arange(9), Stream(1, ('t', 'c'))); sys.exit('faker' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""The plainest YAML, read without PyYAML: whatever is read at all is read as PyYAML reads it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from tdv.store import plain_yaml
from tests.store.test_locked_md5 import LOCK

ROOT = Path(__file__).resolve().parents[2]
NESTED = "a:\n- b\n- c: d\n  e:\n  - f\n  - g:\n      h: i\nj: k l\nm:\n  n:\n  o: 007\np:\n    - long\n      text\n"
LETTERS = b" \n-:ab#'\"|>.,[]{}&*!?%@~=\t0<"


def _by_yaml(data: bytes) -> Any:
    try:
        return yaml.load(data, Loader=yaml.CBaseLoader)
    except yaml.YAMLError as problem:
        return problem


def _changed(data: bytes, chance: random.Random) -> bytes:
    """The text with one to three pieces of it gone, doubled elsewhere, or letters put in."""
    text = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(text))
        kind = chance.randrange(3)
        if kind == 0:
            del text[at : at + chance.choice((1, 2, 9, 30))]
        elif kind == 1:
            text[at:at] = bytes([chance.choice(LETTERS)]) * chance.choice((1, 2))
        else:
            start = chance.randrange(len(text))
            text[at:at] = text[start : start + chance.choice((2, 10, 40))]
    return bytes(text)


@pytest.mark.parametrize(
    "data", [(ROOT / "dvc.lock").read_bytes(), (ROOT / "dvc.yaml").read_bytes(), LOCK.encode(), NESTED.encode()]
)
def test_files_of_dvc_are_read_without_yaml(data: bytes) -> None:
    found = plain_yaml.read(data)
    assert found is not None
    assert found == _by_yaml(data)
    assert list(found) == list(_by_yaml(data))


@pytest.mark.parametrize("text", [LOCK[:700], NESTED])
def test_what_is_read_is_what_yaml_reads(text: str) -> None:
    chance = random.Random(7)
    texts = [_changed(text.encode(), chance) for _ in range(4_000)]
    read = {text: found for text in texts if (found := plain_yaml.read(text)) is not None}
    assert len(read) > 20
    assert {text: found for text, found in read.items() if found != _by_yaml(text)} == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a list\n",
        "text\n",
        "a: b\na: c\n",
        "a: b # c\n",
        "a: 'it''s'\n",
        "a: b: c\n",
        "a: 'b'\n  c\n",
        "a: ü\n",
        "a:\tb\n",
        "a: b\r\n",
        "a: |\n  b\n",
        "a: [b]\n",
        "a:\n  b: c\n d: e\n",
        "a: b\n---\nc: d\n",
        "<<<<<<< ours\na: b\n",
        "a: b\n\nc: d\n",
    ],
)
def test_everything_else_is_left_to_yaml(text: str) -> None:
    assert plain_yaml.read(text.encode()) is None

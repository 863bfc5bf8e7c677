"""`tdv.frozen.dataclass` makes what the standard library's decorator makes, for less."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from tdv import frozen


@frozen.dataclass(frozen=True, slots=True)
class Cheap:
    name: str
    secret: str = dataclasses.field(default="", repr=False)
    seen: int = dataclasses.field(default=0, compare=False)
    parts: Mapping[str, int] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Usual:
    name: str
    secret: str = dataclasses.field(default="", repr=False)
    seen: int = dataclasses.field(default=0, compare=False)
    parts: Mapping[str, int] = dataclasses.field(default_factory=dict)


@frozen.dataclass(frozen=True, slots=True)
class Empty: ...


@frozen.dataclass(frozen=True, slots=True)
class Own:
    number: int

    def __str__(self) -> str:
        return "own"

    def __repr__(self) -> str:
        return f"<{self.number}>"


@pytest.mark.parametrize("kind", [Cheap, Usual])
def test_fields_cannot_be_set_again_nor_deleted(kind: Any) -> None:
    value = kind("a", parts={"b": 1})
    for change in (lambda: setattr(value, "name", "b"), lambda: delattr(value, "name")):
        with pytest.raises(dataclasses.FrozenInstanceError, match="field 'name'"):
            change()
    assert value.name == "a"


@pytest.mark.parametrize("kind", [Cheap, Usual])
def test_values_are_compared_by_what_is_to_be_compared(kind: Any) -> None:
    assert kind("a", seen=1) == kind("a", seen=2)
    assert kind("a") != kind("b")
    assert kind("a", "x") != kind("a", "y")
    assert kind("a") != ("a", "", {})
    assert Cheap("a") != Usual("a")  # type: ignore[comparison-overlap]
    assert len({kind("a", parts=()), kind("a", seen=1, parts=()), kind("b", parts=())}) == 2
    with pytest.raises(TypeError, match="unhashable"):
        hash(kind("a"))


@pytest.mark.parametrize("kind", [Cheap, Usual])
def test_secrets_are_not_shown(kind: Any) -> None:
    shown = repr(kind("a", "password"))
    assert shown == f"{kind.__name__}(name='a', seen=0, parts={{}})"


@pytest.mark.parametrize("kind", [Cheap, Usual])
def test_values_are_copied_and_changed_as_others(kind: Any) -> None:
    value = kind("a", "x", 3, {"b": 1})
    for same in (pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value), dataclasses.replace(value)):
        assert same == value
        assert same.seen == 3
    assert dataclasses.replace(value, name="c").name == "c"
    assert dataclasses.asdict(value) == {"name": "a", "secret": "x", "seen": 3, "parts": {"b": 1}}
    assert not hasattr(value, "__dict__")
    assert kind.__match_args__ == ("name", "secret", "seen", "parts")


def test_class_without_fields_and_one_with_methods_of_its_own() -> None:
    assert Empty() == Empty()
    assert repr(Own(1)) == "<1>"
    assert Own(1) == Own(1)


def test_commands_declare_their_values_the_cheap_way() -> None:
    """Classes that the standard library makes frozen take three times as long, at each start."""
    code = (
        "import sys\nimport tdv.cli.app, tdv.cli.checkout, tdv.project.restores, tdv.checkout\n"
        "import tdv.targets.postgresql.target, tdv.targets.postgresql.proof\n"
        "for module in [sys.modules[name] for name in sys.modules if name.startswith('tdv.')]:\n"
        "    for kind in vars(module).values():\n"
        "        if isinstance(kind, type) and kind.__module__ == module.__name__ and '__slots__' in vars(kind):\n"
        "            if getattr(vars(kind).get('__dataclass_params__'), 'frozen', False):\n"
        "                print(module.__name__, kind.__name__)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found == "tdv.errors Problem\n", "import dataclass from tdv.frozen in these modules"

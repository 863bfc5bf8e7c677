"""Three-way merge of trees of mappings, lists and scalars.

In: three trees. Out: the tree of one side with the other side's changes, and the places where both changed the same.
Always holds: what one side left as it was is the other side's; nothing is dropped that either side touched; the
merge is the same whichever side is preferred, except where it clashes.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Mapping, MutableMapping, MutableSequence, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Literal

from tdv.merge.texts import Unmergeable, in_order

Path = tuple[Hashable, ...]


class Absent(Enum):
    """What stands for a node that is not there; a copy of it is itself."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT


def signature(node: Any) -> Hashable:
    """Equal for nodes that say the same; 1, true and "1" differ, the order of a mapping does not matter."""
    if isinstance(node, Mapping):
        return ("map", frozenset((str(key), signature(value)) for key, value in node.items()))
    if isinstance(node, list):
        return ("list", tuple(signature(item) for item in node))
    if node is ABSENT:
        return ("absent",)
    # The class below `object` is the plain one: str for each way in which ruamel.yaml writes a text.
    return (getattr(node, "kind", type(node).__mro__[-2].__name__), str(node))


@dataclass
class TreeMerge:
    """One merge: `prefer` is whose value stands where both clash; `identify` gives the identity of an item in the
    list at a path; where `is_value` holds, a list is one value, whose items do not merge, and so is a mapping that was
    none before."""

    prefer: Literal["ours", "theirs"]
    identify: Callable[[Path, Any], Hashable]
    is_value: Callable[[Path], bool] = lambda path: False
    clashes: list[Path] = field(default_factory=list)

    def merged(self, trio: tuple[Any, Any, Any], path: Path = ()) -> Any:
        """The node that base, ours and theirs make; `ABSENT` where it is gone. Clashes are noted."""
        base, ours, theirs = trio
        was, mine, other = signature(base), signature(ours), signature(theirs)
        if mine == other or other == was:
            return copy.deepcopy(ours)
        if mine == was:
            return copy.deepcopy(theirs)
        begun = isinstance(base, Mapping) or not self.is_value(path)
        if isinstance(ours, Mapping) and isinstance(theirs, Mapping) and begun:
            return self._mapping(base if isinstance(base, Mapping) else {}, ours, theirs, path)
        if isinstance(ours, list) and isinstance(theirs, list) and not self.is_value(path):
            return self._list(base if isinstance(base, list) else [], ours, theirs, path)
        self.clashes.append(path)
        return copy.deepcopy(ours if self.prefer == "ours" else theirs)

    def _mapping(self, base: Mapping[Any, Any], ours: Any, theirs: Any, path: Path) -> Any:
        result: MutableMapping[Any, Any] = copy.deepcopy(ours)
        for key in {**ours, **theirs}:
            trio = (base.get(key, ABSENT), ours.get(key, ABSENT), theirs.get(key, ABSENT))
            node = self.merged(trio, (*path, key))
            if node is ABSENT:
                result.pop(key, None)
            else:
                result[key] = node
        return result

    def _list(self, base: Sequence[Any], ours: Any, theirs: Sequence[Any], path: Path) -> Any:
        known, mine, other = (self._items(tree, path) for tree in (base, ours, theirs))
        found = {}
        for name in {**mine, **other}:
            trio = (known.get(name, ABSENT), mine.get(name, ABSENT), other.get(name, ABSENT))
            node = self.merged(trio, (*path, name))
            if node is not ABSENT:
                found[name] = node
        result: MutableSequence[Any] = copy.deepcopy(ours)
        result[:] = [found[name] for name in in_order(list(mine), list(other), found)]
        return result

    def _items(self, items: Sequence[Any], path: Path) -> dict[Hashable, Any]:
        found = {self.identify(path, item): item for item in items}
        if len(found) < len(items):
            raise Unmergeable("an item stands twice")
        return found

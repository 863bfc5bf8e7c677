"""dvc.yaml and dvc.lock, merged stage by stage.

In: three versions as DVC and tdv write them, in block style with two spaces. Out: `Merged`. Always holds: the text of
a stage is taken from one side as it stands, comments included. dvc.lock is generated: where both sides built one
dataset, ours stays, so that the file can be read and the next build mends it.
"""

from __future__ import annotations

import re
from typing import Final

from tdv.merge.texts import Merged, Unmergeable, Versions, in_order, marked

_SECTION: Final = re.compile(r"(?P<name>[A-Za-z_][\w-]*):(?P<rest>[^\n]*)\n?")
_BLOCK: Final = re.compile(r"  (?P<name>[^\s#-][^:]*):")
_EMPTY: Final = frozenset({"", "{}", "null"})

Section = dict[str, str]
_SCALAR: Final = ""
# The comment above a section.
_ABOVE: Final = "#"


def merge_stages(versions: Versions, *, generated: bool, size: int) -> Merged:
    """Merges by section and stage; raises `Unmergeable` for a file in another style."""
    base, ours, theirs = (_sections(data.decode("utf-8")) for data in (versions.base, versions.ours, versions.theirs))
    names = {name: None for name in (*ours, *theirs)}
    text, conflicts = "", []
    for name in in_order(list(ours), list(theirs), names):
        blocks, clashes = _merged(base.get(name, {}), ours.get(name, {}), theirs.get(name, {}))
        text += blocks.pop(_ABOVE, "")
        order = in_order(list(ours.get(name, {})), list(theirs.get(name, {})), blocks)
        if blocks and list(blocks) != [_SCALAR]:
            text += f"{name}:\n"
        for block in order:
            said = f"{name.removesuffix('s')} {block}" if block else name
            if block in clashes and not generated:
                text += marked(said, (ours[name].get(block, ""), theirs[name].get(block, "")), size)
            else:
                text += blocks[block]
            conflicts += [said] if block in clashes else []
    return Merged(text.encode("utf-8"), tuple(conflicts))


def _sections(text: str) -> dict[str, Section]:
    """Section → block → its lines; a section without blocks has one named ""."""
    found: dict[str, Section] = {}
    section: Section = {}
    block = before = ""
    for line in f"{text.rstrip(chr(10))}\n".splitlines(keepends=True):
        head, inner = _SECTION.fullmatch(line), _BLOCK.match(line)
        if head is not None:
            section = found.setdefault(head["name"], {})
            block = _SCALAR
            if before:
                section[_ABOVE] = before
            before = ""
            if head["rest"].strip() not in _EMPTY:
                section[_SCALAR] = line
        elif inner is not None and found and _SCALAR not in section:
            block = inner["name"]
            section[block] = before + line
            before = ""
        elif not line.strip() or line.lstrip().startswith("#"):
            before += line
        elif block in section:
            section[block] += before + line
            before = ""
        else:
            raise Unmergeable(line)
    if before and block in section:
        section[block] += before
    return found


def _merged(base: Section, ours: Section, theirs: Section) -> tuple[Section, set[str]]:
    """The blocks that stay, and the names of those that both sides changed in different ways."""
    found: Section = {}
    clashes = set()
    for name in {**ours, **theirs, **base}:
        versions = (base.get(name), ours.get(name), theirs.get(name))
        was, mine, other = (None if text is None else text.strip() for text in versions)
        taken = versions[2] if mine == was else versions[1]
        if mine not in (was, other) and other != was:
            clashes.add(name)
            taken = versions[1] or versions[2]
        if taken is not None:
            found[name] = taken
    return found, clashes

"""Which release stands in which stage, told by the stage tags that GTO and tdv make.

In: the tags of a repository. Out: `Promotion`s. Always holds: the same answer as ``gto show``: of a stage, the release
that was assigned last and not taken away since; of tags made in the same second, the one with the higher number is
the later. Lightweight tags say nothing, as to GTO.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tdv.errors import IntegrityError
from tdv.store.tags import Tag


@dataclass(frozen=True, slots=True)
class Promotion:
    """A release in a stage. `version` is "" where neither the tag nor another tag on its commit names it; `digest`
    is "" where the tag does not tell it, as one made by GTO."""

    dataset: str
    stage: str
    version: str
    digest: str
    tag: Tag

    def to_plain(self) -> dict[str, Any]:
        return {"stage": self.stage, "tag": self.tag.name, "by": self.tag.tagger, "at": self.tag.date}


def current(tags: Iterable[Tag]) -> Mapping[tuple[str, str], Promotion]:
    """(dataset, stage) → the promotion that holds now.

    Raises `IntegrityError` for a tag that names another version than the one tagged on its commit.
    """
    tags = [tag for tag in tags if tag.annotated]
    versions = {(tag.dataset, tag.commit): tag.version for tag in tags if tag.kind == "version"}
    held: dict[tuple[str, str], dict[str, Promotion]] = {}
    for tag in sorted((tag for tag in tags if tag.stage), key=_moment):
        standing = held.setdefault((tag.dataset, tag.stage), {})
        standing.pop(tag.commit, None)
        if tag.kind == "stage":
            standing[tag.commit] = _promotion(tag, versions.get((tag.dataset, tag.commit), ""))
    return {place: list(standing.values())[-1] for place, standing in held.items() if standing}


def _moment(tag: Tag) -> tuple[datetime, int]:
    return (datetime.fromisoformat(tag.date), tag.counter)


def _promotion(tag: Tag, tagged: str) -> Promotion:
    if tagged and tag.promotes and tagged != tag.promotes:
        raise IntegrityError(
            f"The tag {tag.name} promotes v{tag.promotes}, and stands on the commit of v{tagged}",
            hint=f"It was moved or forged: git show {tag.object[:12]} says by whom; delete it and promote again.",
            tag=tag.name,
        )
    return Promotion(tag.dataset, tag.stage, tagged or tag.promotes, tag.digest, tag)

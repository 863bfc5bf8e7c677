"""Three-way merges of the files that a review of test data brings into conflict.

In: the versions of one file. Out: a `Merged`. Always holds: a format that is not known, or versions that have no
common shape, are merged line by line as Git does; a file without a conflict needs no person; nothing is written here.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final, Literal

from tdv.merge.rows import merge_csv, merge_lines
from tdv.merge.stages import merge_stages
from tdv.merge.texts import Merged, MergeOptions, Unmergeable, Versions

__all__ = ["MergeOptions", "Merged", "Versions", "is_known", "merge"]

_PLACE: Final = re.compile(r"(?:^|.*/)datasets/(?P<dataset>[^/]+)/(?P<kind>seeds|scenarios)/(?P<name>[^/]+)")
_AMENDMENTS: Final = re.compile(r"(?:^|.*/)datasets/[^/]+/amendments\.yaml")
_SUMMARY: Final = re.compile(r"(?:^|.*/)datasets/[^/]+/snapshot\.yaml")
Kind = Literal["stages", "lock", "summary", "amendments", "csv", "lines", "rows", "scenario"]


def is_known(path: str) -> bool:
    """True for a file that is merged by its meaning."""
    return _kind(path) is not None


def merge(versions: Versions, options: MergeOptions) -> Merged | None:
    """The merged file; None where only a merge of lines is possible, and lines clash."""
    kind = _kind(options.path)
    try:
        if kind is not None and versions.ours and versions.theirs:
            return _by_meaning(kind, versions, options)
    except (Unmergeable, UnicodeDecodeError):
        pass
    lines = options.texts(versions)
    return Merged(lines) if lines is not None else None


def _kind(path: str) -> Kind | None:
    name = PurePosixPath(path).name
    if name in ("dvc.yaml", "dvc.lock"):
        return "stages" if name == "dvc.yaml" else "lock"
    if _SUMMARY.fullmatch(path):
        return "summary"
    if _AMENDMENTS.fullmatch(path):
        return "amendments"
    place = _PLACE.fullmatch(path)
    if place is None:
        return None
    suffix = PurePosixPath(path).suffix
    if place["kind"] == "scenarios":
        return "scenario" if suffix in (".yaml", ".yml") else None
    kinds: dict[str, Kind] = {".csv": "csv", ".jsonl": "lines", ".yaml": "rows", ".yml": "rows"}
    return kinds.get(suffix)


def _by_meaning(kind: Kind, versions: Versions, options: MergeOptions) -> Merged:
    if kind in ("stages", "lock"):
        return merge_stages(versions, generated=kind == "lock", size=options.size)
    if kind == "summary":
        return _summary(versions)
    if kind == "amendments":
        from tdv.merge.amendments import merge_amendments

        return merge_amendments(versions, options.size)
    place = _PLACE.fullmatch(options.path)
    assert place is not None
    stem = PurePosixPath(place["name"]).stem
    if kind == "scenario":
        from tdv.merge.yaml_files import merge_yaml

        return merge_yaml(versions, options, "", ())
    from tdv.seeds.places import table_of

    table = table_of(stem) or stem
    key = options.keys(place["dataset"], table)
    if kind == "rows":
        from tdv.merge.yaml_files import merge_yaml

        return merge_yaml(versions, options, table, key)
    by_rows = merge_csv if kind == "csv" else merge_lines
    return by_rows(versions, table, key, options.size)


def _summary(versions: Versions) -> Merged:
    """A generated file: ours stays readable until the next build writes it anew."""
    if versions.ours in (versions.theirs, versions.base) or versions.theirs == versions.base:
        return Merged(versions.theirs if versions.ours == versions.base else versions.ours)
    return Merged(versions.ours, ("the summary of the build",))

"""The book of releases: records and amendments, as files in Git.

In: ``datasets/<name>/releases/<version>.yaml`` and ``datasets/<name>/amendments.yaml``, from the work tree or
from any commit. Out: `Release` values, oldest version first. Always holds: the same record gives the same
bytes; what is written reads alike in YAML 1.1 and 1.2; a record's file name, dataset and version agree.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tdv import durable
from tdv.content.tree import content_digest, dataset_digest
from tdv.documents.parsed import Parsed
from tdv.errors import ConfigError, DocumentError, IntegrityError, NotFound, Problem, Refused
from tdv.model.reference import DATASET
from tdv.model.release import Amendment, Record, Release
from tdv.model.version import Order, order_of

DATASETS: Final = "datasets"
SPEC: Final = "dataset.yaml"
AMENDMENTS_FORMAT: Final = "tdv.amendments/v1"

_RECORD: Final = re.compile(rf"{DATASETS}/(?P<dataset>{DATASET.pattern})/releases/(?P<version>[^/]+)\.yaml")

Reader = Callable[[str], bytes | None]
Lister = Callable[[str], Sequence[str]]

_MEND: Final = "Take the file back from Git: `git log -p` shows who changed it; a published record never changes."


def record_path(dataset: str, version: str) -> str:
    """``datasets/movies/releases/1.1.0.yaml``"""
    return f"{DATASETS}/{dataset}/releases/{version}.yaml"


def named_by(path: str) -> tuple[str, str] | None:
    """The dataset and the version whose record is at `path`; None for any other file."""
    found = _RECORD.fullmatch(path)
    return (found["dataset"], found["version"]) if found else None


def amendments_path(dataset: str) -> str:
    """``datasets/movies/amendments.yaml``"""
    return f"{DATASETS}/{dataset}/amendments.yaml"


class ReleaseBook:
    """The releases of a repository, in its work tree unless `reader` and `lister` look elsewhere.

    `reader` gives the bytes of a path or None; `lister` gives the names in a directory, () without one.
    Writing is for the work tree.
    """

    def __init__(self, root: Path, reader: Reader | None = None, lister: Lister | None = None) -> None:
        self.root = root
        self._parsed = Parsed.below(root)
        self._read = reader or self._read_tree
        self._list = lister or self._list_tree
        self._amendments: dict[bytes, tuple[Amendment, ...]] = {}

    def _read_tree(self, path: str) -> bytes | None:
        try:
            return (self.root / path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _list_tree(self, directory: str) -> Sequence[str]:
        try:
            return os.listdir(self.root / directory)
        except (FileNotFoundError, NotADirectoryError):
            return ()

    # -- reading

    def datasets(self) -> tuple[str, ...]:
        """The names of all datasets that have a spec or a release, sorted."""
        names = (name for name in self._list(DATASETS) if DATASET.fullmatch(name))
        return tuple(sorted(name for name in names if self._has_dataset(name)))

    def misnamed(self) -> tuple[str, ...]:
        """The directories that are like those of datasets and have a name that no dataset can have, sorted."""
        names = (name for name in self._list(DATASETS) if not DATASET.fullmatch(name))
        return tuple(sorted(name for name in names if SPEC in self._list(f"{DATASETS}/{name}")))

    def _has_dataset(self, name: str) -> bool:
        there = self._list(f"{DATASETS}/{name}")
        return SPEC in there or bool(self.versions(name))

    def versions(self, dataset: str) -> tuple[str, ...]:
        """The versions that have a record, lowest first; nothing is read but names."""
        found = []
        for name in self._list(f"{DATASETS}/{dataset}/releases"):
            stem, dot, ending = name.rpartition(".")
            if dot and ending == "yaml":
                found.append((_order(dataset, stem), stem))
        return tuple(stem for _, stem in sorted(found))

    def releases(self, dataset: str) -> tuple[Release, ...]:
        """Every release of `dataset` with its amendments applied, lowest version first."""
        amendments = self.amendments(dataset)
        return tuple(apply(self.record(dataset, version), amendments) for version in self.versions(dataset))

    def release(self, dataset: str, version: str) -> Release:
        """One release with its amendments applied; raises `NotFound`."""
        return apply(self.record(dataset, version), self.amendments(dataset))

    def record(self, dataset: str, version: str) -> Record:
        """One record as it was written; raises `NotFound`, `DocumentError` or `IntegrityError`."""
        path = record_path(dataset, version)
        data = self.record_bytes(dataset, version)
        known = self._parsed.get("record", data)
        record = Record.from_plain(known) if known is not None else parse_record(data, path)
        if (record.dataset, record.version) != (dataset, version):
            raise IntegrityError(f"{path} says that it is {record.reference}", hint=_MEND, path=path)
        if known is None:
            _check_digests(record, path)
            self._parsed.keep("record", data, record.to_plain())
        return record

    def record_bytes(self, dataset: str, version: str) -> bytes:
        """The bytes of a record; raises `NotFound`."""
        data = self._read(record_path(dataset, version))
        if data is None:
            known = ", ".join(f"v{known}" for known in self.versions(dataset)) or "none"
            raise NotFound(
                f"There is no release {dataset}@v{version}",
                hint=f"Releases of {dataset}: {known}; `tdv log {dataset}` shows them.",
                dataset=dataset,
                version=version,
            )
        return data

    def amendments(self, dataset: str) -> tuple[Amendment, ...]:
        """The amendments of `dataset`, in the order they were made."""
        path = amendments_path(dataset)
        data = self._read(path)
        if data is None:
            return ()
        if data not in self._amendments:
            known = self._parsed.get("amendments", data)
            plain = known if known is not None else _checked(data, path, "amendments")
            self._amendments[data] = _amendments(plain)
            if known is None:
                self._parsed.keep("amendments", data, plain)
        return self._amendments[data]

    # -- writing

    def write_record(self, record: Record) -> str:
        """Writes a new record and returns its path; raises `Refused` when another one is there."""
        path = record_path(record.dataset, record.version)
        data = format_record(record)
        there = self._read(path)
        if there is not None and there != data:
            raise Refused(
                f"{record.reference} is released already",
                hint=f"Choose the next version, or `tdv release {record.dataset} --amend` while it is pending.",
            )
        durable.write_bytes(self.root / path, data)
        return path

    def replace_record(self, record: Record) -> str:
        """Writes the record of a pending release anew and returns its path."""
        path = record_path(record.dataset, record.version)
        durable.write_bytes(self.root / path, format_record(record))
        return path

    def remove_record(self, dataset: str, version: str) -> str:
        """Removes the record of a pending release and returns its path."""
        path = record_path(dataset, version)
        (self.root / path).unlink(missing_ok=True)
        return path

    def append_amendment(self, dataset: str, amendment: Amendment) -> str:
        """Adds one amendment at the end of the file and returns its path; what was there stays to the byte."""
        path = amendments_path(dataset)
        there = self._read(path)
        known = parse_amendments(there, path) if there is not None else ()
        if amendment in known:
            return path
        text = (there or f"format: {AMENDMENTS_FORMAT}\ndataset: {dataset}\namendments:\n".encode()).decode()
        text = text if text.endswith("\n") else text + "\n"
        durable.write_text(self.root / path, text + format_amendment(amendment))
        return path


def apply(record: Record, amendments: Sequence[Amendment]) -> Release:
    """The release that a record and the amendments of its dataset make; a later amendment wins."""
    release = Release(record, record.compat)
    for amendment in amendments:
        if amendment.version != record.version:
            continue
        if amendment.compat is not None:
            release = replace(release, compat=amendment.compat)
        if amendment.yanked is not None:
            release = replace(release, yanked=amendment.yanked)
    return release


def taken_back(amendments: Sequence[Amendment]) -> tuple[str, ...]:
    """The versions whose last word about a yank is that it was taken back."""
    last = {amendment.version: amendment.yanked for amendment in amendments if amendment.yanked is not None}
    return tuple(version for version, yanked in last.items() if not yanked)


def _check_digests(record: Record, path: str) -> None:
    """The digest follows from the lines below it: a line changed by hand or by a merge shows without any data."""
    content = content_digest({name: table.digest for name, table in record.tables.items()})
    computed = {"content": (record.content, content), "digest": (record.digest, dataset_digest(content, record.schema))}
    for name, (said, found) in computed.items():
        if said != found:
            raise IntegrityError(
                f"{path} is damaged: its {name} is not what its other lines give", hint=_MEND, path=path, found=found
            )


def parse_record(data: bytes, path: str) -> Record:
    """Reads a record; `path` names it in errors. Raises `DocumentError` with every mistake."""
    return Record.from_plain(_checked(data, path, "record"))


def parse_amendments(data: bytes, path: str) -> tuple[Amendment, ...]:
    """Reads an amendments file; raises `DocumentError` with every mistake."""
    return _amendments(_checked(data, path, "amendments"))


def _amendments(plain: Mapping[str, Any]) -> tuple[Amendment, ...]:
    return tuple(Amendment.from_plain(item) for item in plain["amendments"] or ())


def format_record(record: Record) -> bytes:
    """The bytes of a record: one line per fact, tables one per line, so that a review reads it like prose."""
    from tdv.documents.yaml_text import flow_lines

    plain = record.to_plain()
    tables = plain.pop("tables")
    change = plain.pop("change")
    notes = plain.pop("notes")
    lines = flow_lines(plain)
    lines += ["tables:", *(f"  {line}" for line in flow_lines(tables))] if tables else ["tables: {}"]
    lines += flow_lines({"change": change, "notes": notes})
    return ("\n".join(lines) + "\n").encode()


def format_amendment(amendment: Amendment) -> str:
    """One item of the list in an amendments file."""
    from tdv.documents.yaml_text import block

    return block(amendment.to_plain())


def _checked(data: bytes, path: str, schema: str) -> Mapping[str, Any]:
    # Imported here: reading versions alone needs no YAML.
    from tdv import documents

    _refuse_both(data, path)
    try:
        document = documents.parse(data, path)
        documents.validate(document, schema)
    except DocumentError as exc:
        raise DocumentError(exc.problems, hint=_MEND) from exc
    plain: Mapping[str, Any] = document.data
    return plain


def _refuse_both(data: bytes, path: str) -> None:
    """Raises `DocumentError` for a file in which both sides of a merge stand."""
    from tdv.documents.markers import clashes, refuse

    found, named = clashes(data), named_by(path)
    if not found or named is None:
        refuse(data, path)
        return
    (dataset, version), clash = named, found[0]
    sides = f"{clash.ours or 'ours'} and {clash.theirs or 'theirs'}"
    problem = f"{dataset}@v{version} is in conflict: {sides} both released it (lines {clash.first}-{found[-1].last})"
    hint = (
        "Keep the record that was published or merged first, which `tdv merge` names; "
        f"after the merge `tdv release {dataset}` makes the other release the next version."
    )
    raise DocumentError([Problem(path, clash.first, "", problem)], hint=hint)


def _order(dataset: str, text: str) -> Order:
    try:
        return order_of(text)
    except ValueError as exc:
        raise ConfigError(
            f"{record_path(dataset, text)} is not named by a version: {exc}", hint="Rename or remove it: 1.1.0.yaml."
        ) from exc

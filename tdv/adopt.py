"""Brings a release of another line into this one: its record, and its section of the changelog.

In: Git, the book of releases, a version that has a tag and no record here. Out: an `Adopted`. Always holds: the
record has the bytes that the tag's commit holds; a tag that promises another digest is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from tdv import durable
from tdv.errors import IntegrityError, NotFound, Refused
from tdv.model.release import Record
from tdv.store import changelog
from tdv.store.git import Git
from tdv.store.records import ReleaseBook, parse_record, record_path
from tdv.store.tags import Tag, version_tag

FORMAT: Final = "tdv.adopted/v1"


@dataclass(frozen=True, slots=True)
class Adopted:
    """The record, the commit that it comes from, and the files to commit; none when it was here already."""

    record: Record
    commit: str
    files: tuple[str, ...]

    def to_plain(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "dataset": self.record.dataset,
            "version": self.record.version,
            "digest": self.record.digest,
            "commit": self.commit,
            "files": list(self.files),
        }


def adopt(git: Git, book: ReleaseBook, dataset: str, version: str) -> Adopted:
    """Writes record and changelog section into the work tree.

    Raises `NotFound` without such a tag or record, `IntegrityError` when tag and record disagree, `Refused`
    when another record of that version is here.
    """
    tag = _tag(git, dataset, version)
    path = record_path(dataset, version)
    found = git.read_many(tag.commit, (path, changelog.FILE))
    if path not in found:
        raise NotFound(
            f"The tag {tag.name} is on a commit that holds no {path}",
            hint="It was not made by `tdv tag`: release that data with `tdv release`.",
            tag=tag.name,
        )
    record = parse_record(found[path], path)
    if (record.dataset, record.version, record.digest) != (dataset, version, tag.digest or record.digest):
        raise IntegrityError(
            f"The tag {tag.name} promises {tag.digest or 'another release'}, its commit holds {record.digest}",
            hint="The tag was moved or forged: compare it with `git ls-remote --tags`.",
            tag=tag.name,
        )
    if version in book.versions(dataset):
        if book.record_bytes(dataset, version) != found[path]:
            shown = f"git show '{git.tag_name(tag.name)}:./{path}'"
            raise Refused(
                f"There is another record of {record.reference} here than the tag's commit holds",
                hint=f"Compare {path} with `{shown}`.",
            )
        return Adopted(record, tag.commit, ())
    durable.write_bytes(book.root / path, found[path])
    log = book.root / changelog.FILE
    section = changelog.section_of(found.get(changelog.FILE, b"").decode("utf-8", "replace"), dataset, version)
    if not section:
        return Adopted(record, tag.commit, (path,))
    text = log.read_text(encoding="utf-8") if log.is_file() else ""
    durable.write_text(log, changelog.placed(text, dataset, version, section))
    return Adopted(record, tag.commit, (path, changelog.FILE))


def _tag(git: Git, dataset: str, version: str) -> Tag:
    name = version_tag(dataset, version)
    for tag in git.tags(dataset):
        if tag.name == name:
            return tag
    if name in git.remote_tags(dataset):
        git.fetch_tags((name,))
        return next(tag for tag in git.tags(dataset) if tag.name == name)
    hint = f"git ls-remote --tags origin '{git.tag_name(dataset)}@*' shows what the remote has."
    raise NotFound(f"There is no tag {name}", hint=hint, tag=name)

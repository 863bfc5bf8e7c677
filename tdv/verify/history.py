"""What Git says about a record: that nobody altered it, and that its tag stands where it should.

In: Git and a record. Out: promises. Always holds: a record is compared byte for byte with HEAD, with the remote's
main branch and with the commit of its tag, as far as this clone has them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from tdv.errors import GitError
from tdv.model.release import Record
from tdv.model.report import Promise
from tdv.store.history import faults_of_tags
from tdv.store.records import record_path
from tdv.store.tags import Tag
from tdv.verify.ports import Sources, Subject


class HistoryPromises:
    """Reads tags and branches once for all records."""

    def __init__(self, sources: Sources) -> None:
        self._git = sources.git
        self._book = sources.book

    @cached_property
    def _tags(self) -> dict[str, Tag]:
        return {tag.name: tag for tag in self._git.tags() if tag.kind == "version"}

    @cached_property
    def _places(self) -> dict[str, str]:
        """Commits that may hold the record already, by how a message calls them."""
        places = {}
        try:
            places["HEAD"] = self._git.head()
        except GitError:
            return {}
        branch = self._git.default_remote_branch()
        if branch is not None:
            places[branch] = self._git.resolve(branch)
        return places

    def of(self, record: Record) -> Iterator[Promise]:
        """The promises that Git can prove or disprove."""
        yield self._unchanged(record)
        yield self._tag(record)

    def gone(self, dataset: str) -> Iterator[Promise]:
        """Records that the work tree lacks though HEAD, the remote's main branch or a tag has them.

        What came to the main branch after HEAD left it, and what is tagged on another line, was never here.
        """
        here = set(self._book.versions(dataset))
        for place, commit in self._ancestors(dataset):
            for path in self._git.ls_tree(commit, f"datasets/{dataset}/releases"):
                version = path.rpartition("/")[2].removesuffix(".yaml")
                if path == record_path(dataset, version) and version not in here:
                    yield Subject(dataset, version).broken("record", f"the record is gone, {place} has it")
                    here.add(version)

    def _ancestors(self, dataset: str) -> Iterator[tuple[str, str]]:
        """HEAD, where it left the remote's main branch, and the tagged commits that it contains."""
        for place, commit in self._places.items():
            shared = commit if place == "HEAD" else self._git.merge_base(commit, "HEAD")
            if shared is not None:
                yield place, shared
        for tag in self._tags.values():
            if tag.dataset == dataset and self._places and self._git.is_ancestor(tag.commit, "HEAD"):
                yield f"the tag {tag.name}", tag.commit

    def _unchanged(self, record: Record) -> Promise:
        subject = Subject(record.dataset, record.version)
        path = record_path(record.dataset, record.version)
        data = self._book.record_bytes(record.dataset, record.version)
        tag = self._tags.get(record.reference)
        places = {**self._places, **({f"the tag {tag.name}": tag.commit} if tag else {})}
        found = list(self._git.objects(f"{commit}:./{path}" for commit in places.values()))
        others = [place for place, there in zip(places, found, strict=True) if there is not None and there != data]
        if others:
            return subject.broken("record-unchanged", f"{path} differs from {' and '.join(others)}")
        if all(there is None for there in found):
            return subject.kept("record-unchanged", "not committed yet")
        return subject.kept("record-unchanged")

    def _tag(self, record: Record) -> Promise:
        subject = Subject(record.dataset, record.version)
        tag = self._tags.get(record.reference)
        if tag is None:
            return subject.kept("tag", "there is no tag in this clone")
        (fault,) = faults_of_tags(self._git, [(tag, record)], self._book)
        return subject.broken("tag", f"the tag {tag.name} {fault}") if fault else subject.kept("tag")

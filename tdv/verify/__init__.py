"""Every promise of a release, looked at: record, tag, stored bytes, manifest, rows, target, rebuild, span.

In: the ports of `Sources`, releases by dataset and version. Out: a `Verification` with one `Promise` each. Always
holds: nothing is taken on trust that can be computed, and nothing is written except what `obtain` fetches; a
promise that could not be looked at is not kept, unless this clone cannot know (no tag here, nothing committed
yet), and then the message says so; where Git or a remote failed it is unknown, which is not broken.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tdv.errors import TdvError
from tdv.model.release import Record
from tdv.model.report import Promise, Verification
from tdv.verify import spans
from tdv.verify.data import DataPromises
from tdv.verify.history import HistoryPromises
from tdv.verify.ports import HeldRows, Sources, Subject, VerifyOptions
from tdv.verify.rows import difference_of_snapshots, target_difference
from tdv.verify.spans import Trials

__all__ = ["HeldRows", "Sources", "Trials", "VerifyOptions", "verify"]


def verify(sources: Sources, releases: Sequence[tuple[str, str]], options: VerifyOptions) -> Verification:
    """Looks at every promise of `releases`, given as (dataset, version), and of the rows that targets hold.

    What is wrong with a release is in the answer; `GitError` is raised where Git itself fails.
    """
    history = HistoryPromises(sources)
    found: list[Promise] = []
    for dataset, version in releases:
        found.extend(_release(sources, history, Subject(dataset, version), options))
    found.extend(map(_held, options.held))
    for dataset in options.whole:
        found.extend(history.gone(dataset))
    return Verification(tuple(found))


def _release(sources: Sources, history: HistoryPromises, subject: Subject, options: VerifyOptions) -> Iterator[Promise]:
    try:
        record = sources.book.record(subject.dataset, subject.version)
    except TdvError as exc:
        yield subject.broken("record", exc.message)
        return
    yield subject.kept("record")
    yield from history.of(record)
    data = DataPromises(sources, record)
    yield from data.look()
    yield from _rebuilt(sources, record, options, data)
    if options.trials is not None:
        yield from spans.tried(sources.book.release(subject.dataset, subject.version), options.trials)


def _rebuilt(sources: Sources, record: Record, options: VerifyOptions, data: DataPromises) -> Iterator[Promise]:
    if not options.rebuild:
        return
    subject = Subject(record.dataset, record.version)
    try:
        snapshot = sources.rebuild(record)
        if snapshot.manifest.digest == record.digest:
            yield subject.kept("rebuild")
        elif data.snapshot is None:
            yield subject.broken("rebuild", f"a rebuild has the digest {snapshot.manifest.digest}")
        else:
            yield subject.broken("rebuild", f"a rebuild differs: {difference_of_snapshots(data.snapshot, snapshot)}")
    except TdvError as exc:
        yield subject.failed("rebuild", exc)


def _held(held: HeldRows) -> Promise:
    subject = Subject(held.dataset, held.version)
    promise = f"rows in {held.target}"
    if held.open is None:
        return subject.broken(promise, held.problem)
    try:
        snapshot = held.open()
    except TdvError as exc:
        return subject.failed(promise, exc, "nothing can be compared: ")
    try:
        difference = target_difference(snapshot, held.read, held.scenarios)
    except TdvError as exc:
        return subject.failed(promise, exc)
    return subject.broken(promise, difference) if difference else subject.kept(promise)

"""The gate of a pull request: one named rule per promise that a merge must not break.

In: the ports of `CheckPorts` and the base to compare with. Out: a `Checked` with one verdict per rule and subject.
Always holds: nothing in the repository is written; a dataset that did not change since the base costs a few file
reads; a rule that cannot be looked at is broken and says why, or names the broken one that comes first.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from tdv.check.faces import annotated, lines, markdown
from tdv.check.ports import RULES, Checked, CheckOptions, CheckPorts, Subject, Verdict
from tdv.check.records import History
from tdv.check.releases import NewReleases
from tdv.check.work import WorkTree, data_in_git, said_of_data
from tdv.errors import DocumentError, TdvError
from tdv.model.reference import no_name
from tdv.store import pipeline
from tdv.store.artifacts import data_path
from tdv.store.base import changed_since, find_base
from tdv.store.leftovers import has_spec, leftovers
from tdv.store.records import SPEC, amendments_path

__all__ = [
    "RULES",
    "CheckOptions",
    "CheckPorts",
    "Checked",
    "Verdict",
    "annotated",
    "check",
    "lines",
    "markdown",
]


def check(ports: CheckPorts, options: CheckOptions) -> Checked:
    """Looks at every rule; raises `NotFound` for an unknown base, `GitError` where Git itself fails."""
    base = find_base(ports.git, options.base)
    history = History(ports.git, ports.book, base)
    changed = changed_since(ports.git, base.fork)
    before = _stages_at(ports, base.fork)
    tags = ports.git.tags()
    verdicts: list[Verdict] = []
    for dataset in history.datasets():
        verdicts += history.verdicts(dataset)
        work = WorkTree(ports, dataset)
        releases = NewReleases(ports, history, work, tags)
        verdicts += releases.unadopted()
        there = bool(releases.records) or has_spec(ports.book.root, dataset)
        if there and (releases.records or _touched(ports, dataset, changed, before)):
            verdicts += work.verdicts(rebuild=options.rebuild, new=releases.pending)
        verdicts += releases.verdicts(options)
        if not has_spec(ports.book.root, dataset):
            verdicts += _data_left(ports, dataset)
    verdicts += _left_over(ports, changed)
    verdicts += _misnamed(ports, changed)
    verdicts += _lock(ports)
    return Checked(options.base, tuple(verdicts))


def _stages_at(ports: CheckPorts, commit: str) -> Mapping[str, pipeline.StageLock]:
    data = ports.git.read_many(commit, (pipeline.DVC_LOCK,)).get(pipeline.DVC_LOCK)
    try:
        return pipeline.parse_lock(data) if data is not None else {}
    except DocumentError:
        return {}


def _touched(
    ports: CheckPorts, dataset: str, changed: tuple[str, ...], before: Mapping[str, pipeline.StageLock]
) -> bool:
    """Whether files of the dataset, one of its sources elsewhere, or its part of dvc.lock differ from the base."""
    own = f"datasets/{dataset}/"
    if any(path.startswith(own) and path != amendments_path(dataset) for path in changed):
        return True
    try:
        sources = ports.sources(ports.spec(dataset))
        if pipeline.read_stage(ports.book.root, dataset) != before.get(dataset):
            return True
        listed = pipeline.stage_deps(ports.book.root, dataset)
    except TdvError:
        return True
    if set(listed) != set(sources):
        return True
    return any(path == source or path.startswith(f"{source}/") for path in changed for source in sources)


def _data_left(ports: CheckPorts, dataset: str) -> Iterator[Verdict]:
    """The built data of a dataset that was taken away, which nothing keeps out of Git any more."""
    if files := data_in_git(ports.git, dataset):
        data = data_path(dataset)
        hint = f"git rm -r --quiet --cached --ignore-unmatch {data}; rm -r {data}, then git commit"
        yield Subject(dataset, file=files[0]).broken("committed", said_of_data(dataset, files), hint)


def _left_over(ports: CheckPorts, changed: tuple[str, ...]) -> Iterator[Verdict]:
    """Datasets whose spec the branch took away, and that DVC's files still name."""
    for dataset, found in leftovers(ports.git).items():
        if any(path.startswith(f"datasets/{dataset}/") for path in changed):
            yield Subject(dataset, file=pipeline.DVC_YAML).broken("stage", found.message, found.hint)


def _misnamed(ports: CheckPorts, changed: tuple[str, ...]) -> Iterator[Verdict]:
    """Directories that the branch touches, and that are passed over because of their names."""
    for name in ports.book.misnamed():
        directory = f"datasets/{name}"
        if any(path.startswith(f"{directory}/") for path in changed):
            hint = f"git mv {shlex.quote(directory)} datasets/NAME, and `dataset: NAME` in its {SPEC}"
            yield Subject(name, file=f"{directory}/{SPEC}").broken("spec", no_name(name), hint)


def _lock(ports: CheckPorts) -> Iterator[Verdict]:
    if not (ports.book.root / "tdv.lock").is_file():
        return
    subject = Subject("", file="tdv.lock")
    try:
        problem = ports.lock()
    except TdvError as exc:
        yield subject.failed("locked", exc)
        return
    yield subject.broken("locked", problem, "tdv lock, then commit tdv.lock") if problem else subject.kept("locked")

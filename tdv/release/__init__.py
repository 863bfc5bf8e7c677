"""A release: from committed sources to one commit with record, changelog and locks.

In: the ports of `Steps` and `ReleaseOptions`. Out: a `Released`. Always holds: nothing of a release is written
before its data is built, valid, built again to the same digest, and seen on the remote; a crash between any
two steps loses nothing, and a second run finishes the work with the date and author of the first; what the
user has staged stays untouched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from tdv import durable
from tdv.errors import DataError, Refused
from tdv.model.compat import Compat
from tdv.model.diff import DEFAULT_LEVELS, DatasetChange, Finding, Level
from tdv.model.manifest import Manifest
from tdv.model.release import Change, Record, TableSummary
from tdv.model.version import Version, parse_version
from tdv.release import versions
from tdv.release.ports import Candidate, Pushed, Released, ReleaseOptions, Steps
from tdv.release.tags import VersionTags
from tdv.store import changelog, conflicts, tag_place
from tdv.store.git import Git
from tdv.store.line_ends import unlike_committed
from tdv.store.records import record_path

__all__ = [
    "Candidate",
    "Pushed",
    "ReleaseOptions",
    "Released",
    "Steps",
    "compat_findings",
    "release",
    "require_settled",
]

_SHOWN: Final = 5


def release(steps: Steps, options: ReleaseOptions) -> Released:
    """Makes a release. The caller holds the lock of the dataset.

    Raises `Refused` (sources not committed, version taken or too small, nothing changed, HEAD moved),
    `DataError` (rows break the spec, or the second build differs), `RemoteError`, `GitError`, and what the
    steps raise.
    """
    versions.explicit(options.version)
    _require_committed(steps, options)
    head = steps.git.head()
    standing = _standing(steps, options)
    known = _known_versions(steps, options, standing)
    wanted = _wanted(options, standing, known)
    named = versions.explicit(wanted)
    tags = VersionTags(steps.git, options.dataset, standing if options.amend else ())
    if named is not None:
        versions.refuse_taken(options.dataset, named, known)
        tags.refuse_taken(named)
    candidate = steps.build()
    base = versions.base_of(wanted, known)
    change = _change(steps, options, base, candidate)
    version = _version(options, wanted, base, change)
    versions.refuse_taken(options.dataset, version, known)
    tags.refuse_taken(version)
    _refuse_leftover(options, standing, version)
    _require_same(options.dataset, candidate.manifest, steps.rebuild())
    pushed = steps.push(candidate.artifact)
    record = _record(options, candidate, (version, base, change), standing)
    tags.remove_own()
    files = _write(steps, record, change.findings, standing)
    paths = tuple(dict.fromkeys((*files, *candidate.files, *pushed.paths)))
    commit = steps.git.commit_only(paths, _message(record), head) if options.commit else None
    untaggable = tag_place.warning(steps.git)
    warnings = (*_warnings(untaggable, pushed), *tags.notes)
    return Released(record, change, paths, commit, pushed, warnings, taggable=not untaggable)


def require_settled(git: Git) -> None:
    """Raises `Refused` during a merge, rebase or the like, whose commit is not a release's; call it before the spec
    is read, which may be in conflict."""
    begun, unmerged = conflicts.begun(git), list(conflicts.unmerged(git))
    if begun is None and not unmerged:
        return
    named = ", ".join(unmerged[:_SHOWN]) + (" …" if len(unmerged) > _SHOWN else "")
    problems = [f"a {begun} is not finished"] if begun else []
    problems += [f"there are conflicts in {named}"] if unmerged else []
    ends = f"`git {begun} --continue` or `git {begun} --abort`" if begun else "Resolve them and `git add` the files"
    raise Refused(
        f"Nothing is released now: {' and '.join(problems)}",
        hint=f"{ends}, then release again.",
        paths=unmerged,
    )


def _require_committed(steps: Steps, options: ReleaseOptions) -> None:
    changes = steps.git.changes(options.sources)
    if changes:
        paths = [change.path for change in changes]
        named = ", ".join(paths[:_SHOWN]) + (" …" if len(paths) > _SHOWN else "")
        added = " ".join(paths) if len(paths) <= _SHOWN else f"datasets/{options.dataset}"
        raise Refused(
            f"Sources of {options.dataset} are not committed: {named}",
            hint=f"git add {added} && git commit, then release again.",
            paths=[change.path for change in changes],
        )
    if bent := unlike_committed(steps.git, options.sources):
        raise Refused(bent.message, hint=f"{bent.hint}, and release again.", paths=list(bent.files))


def _standing(steps: Steps, options: ReleaseOptions) -> tuple[Record, ...]:
    """The records that this run replaces or finishes, the one that it takes over first.

    With --amend these are pending ones, else ones that were never committed. A run that was killed between writing
    a new record and removing the old one leaves two that follow the same release, not both of them committed; two
    that are committed are two releases, of two branches that were merged.
    """
    committed = set(steps.git.ls_tree("HEAD", f"datasets/{options.dataset}/releases"))
    there = steps.book.versions(options.dataset)
    left = {version for version in there if record_path(options.dataset, version) not in committed}
    if options.amend:
        chosen, found = _pending(steps, options)
    else:
        found = [version for version in there if version in left]
        if not found:
            return ()
        chosen = found[-1]
    records = {version: steps.book.record(options.dataset, version) for version in found}
    first = records.pop(chosen)
    others = [record for record in records.values() if record.change.since == first.change.since]
    return (first, *(record for record in others if left & {chosen, record.version}))


def _pending(steps: Steps, options: ReleaseOptions) -> tuple[str, list[str]]:
    """The pending version to amend, and all pending versions."""
    pending = [version for version in steps.book.versions(options.dataset) if not steps.published(version)]
    if not pending:
        raise Refused(
            f"{options.dataset} has no pending release to amend",
            hint=f"`tdv release {options.dataset}` makes a new one; a published release never changes.",
        )
    named = versions.explicit(options.version)
    return (str(named) if str(named) in pending else pending[-1]), pending


def _known_versions(steps: Steps, options: ReleaseOptions, standing: Sequence[Record]) -> list[Version]:
    own = {record.version for record in standing}
    return [parse_version(version) for version in steps.book.versions(options.dataset) if version not in own]


def _wanted(options: ReleaseOptions, standing: Sequence[Record], known: Sequence[Version]) -> str:
    """What the user asked for; a first release that is done again keeps the version that was chosen for it."""
    if options.version == versions.AUTO and standing and not known:
        return standing[0].version
    return options.version


def _change(steps: Steps, options: ReleaseOptions, base: Version | None, candidate: Candidate) -> DatasetChange:
    if base is None:
        return DatasetChange((), {})
    before = steps.book.record(options.dataset, str(base))
    data = steps.compare(before, candidate) if before.digest != candidate.manifest.digest else DatasetChange((), {})
    now = (options.compat, options.requires)
    return DatasetChange((*data.findings, *compat_findings(before, now, options.levels)), data.tables)


def compat_findings(
    before: Record, now: tuple[Compat, Mapping[str, str]], levels: Mapping[str, Level]
) -> tuple[Finding, ...]:
    """What `now`, compatibility and required datasets, changes in those of a release."""
    level: Level = levels.get("compat-changed", DEFAULT_LEVELS["compat-changed"])
    compat, requires = now
    found = []
    if before.compat != compat:
        message = f"fits {compat} instead of {before.compat}"
        found.append(Finding("compat-changed", level, "", "", message))
    if dict(before.requires) != dict(requires):
        message = f"requires {_listed(requires)} instead of {_listed(before.requires)}"
        found.append(Finding("compat-changed", level, "", "", message))
    return tuple(found)


def _listed(requires: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {wanted}" for name, wanted in requires.items()) or "nothing"


def _version(options: ReleaseOptions, wanted: str, base: Version | None, change: DatasetChange) -> Version:
    if base is not None and not change.findings and not _leaves_prerelease(wanted, base):
        raise Refused(
            f"Nothing changed in {options.dataset} since v{base}",
            hint="A release needs other data, compatibility or requirements; `tdv tag` tags what is released.",
            base=str(base),
        )
    # A change whose rules were all set to `none` is still released, as a patch.
    level: Level = "patch" if base is not None and change.bump == "none" else change.bump
    version = versions.decide(wanted, base, level)
    if version is None:
        assert base is not None
        raise _too_small(options, wanted, base, change)
    return version


def _leaves_prerelease(wanted: str, base: Version) -> bool:
    """True where a pre-release becomes the release that it led to: that needs no other data."""
    named = versions.explicit(wanted)
    return bool(base.prerelease) and (named is None or named.core == base.core)


def _too_small(options: ReleaseOptions, wanted: str, base: Version, change: DatasetChange) -> Refused:
    deciding = [finding for finding in change.findings if finding.level == change.bump]
    first = deciding[0]
    place = ".".join(filter(None, (first.table, first.column))) or options.dataset
    more = f" and {len(deciding) - 1} more" if len(deciding) > 1 else ""
    least = base.least_after(change.bump)
    return Refused(
        f"{wanted} is too small after v{base}: {first.rule} in {place} ({first.message}){more} "
        f"{'make' if more else 'makes'} a {change.bump} change",
        hint=f"tdv release {options.dataset} {least}, or set `levels: {{{first.rule}: …}}` in dataset.yaml.",
        findings=[finding.to_plain() for finding in change.findings],
        least=str(least),
    )


def _refuse_leftover(options: ReleaseOptions, standing: Sequence[Record], version: Version) -> None:
    if standing and not options.amend and standing[0].version != str(version):
        path = record_path(options.dataset, standing[0].version)
        raise Refused(
            f"{standing[0].reference} was begun and not committed, and this release would be v{version}",
            hint=f"tdv release {options.dataset} {version} --amend replaces it; or remove {path}.",
            path=path,
        )


def _require_same(dataset: str, first: Manifest, second: Manifest) -> None:
    """The second build, in a clean process, must give what the first gave."""
    if first.digest == second.digest:
        return
    where = _first_difference(first, second)
    raise DataError(
        f"A second build of {dataset} gives other data: {where}",
        hint="Let the values depend on `at` alone: no clock, no global random, no order of sets; then release again.",
        first=first.digest,
        second=second.digest,
    )


def _first_difference(first: Manifest, second: Manifest) -> str:
    others = {table.name: table for table in second.tables}
    for table in first.tables:
        other = others.get(table.name)
        if other is None or other.digest == table.digest:
            continue
        if other.rows != table.rows:
            return f"the table {table.name} has {table.rows} rows and then {other.rows}"
        for part, again in zip(table.parts, other.parts, strict=False):
            differing = [name for name, leaf in part.columns.items() if again.columns.get(name) != leaf]
            if differing:
                return f"the table {table.name} differs in {', '.join(differing)}"
        return f"the table {table.name} differs"
    return "the schema or the set of tables differs"


def _record(
    options: ReleaseOptions,
    candidate: Candidate,
    verdict: tuple[Version, Version | None, DatasetChange],
    standing: Sequence[Record],
) -> Record:
    version, base, change = verdict
    manifest = candidate.manifest
    record = Record(
        dataset=options.dataset,
        version=str(version),
        released=options.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        author=options.author,
        digest=manifest.digest,
        content=manifest.content,
        schema=manifest.schema_digest,
        sources=manifest.sources_digest,
        artifact=candidate.artifact,
        manifest=candidate.manifest_digest,
        tables={table.name: TableSummary(table.rows, table.digest) for table in manifest.tables},
        change=Change.of(change, str(base) if base else None),
        toolchain=dict(manifest.toolchain),
        compat=options.compat,
        requires=dict(options.requires),
        notes=options.notes,
    )
    if not standing:
        return record
    before = standing[0]
    record = replace(record, notes=options.notes or before.notes)
    return record if options.amend else replace(record, released=before.released, author=before.author)


def _write(steps: Steps, record: Record, findings: Sequence[Finding], standing: Sequence[Record]) -> list[str]:
    """Writes record and changelog; returns every path that was written or removed.

    An old record goes last: a run killed before leaves both, and the next one knows them for one release.
    """
    files = [steps.book.replace_record(record) if standing else steps.book.write_record(record), changelog.FILE]
    log = steps.book.root / changelog.FILE
    old = [before for before in standing if before.version != record.version]
    text = _text(log)
    for before in old:
        text = changelog.removed(text, before.dataset, before.version)
    durable.write_text(log, changelog.written(text, record, findings))
    return [*files, *(steps.book.remove_record(before.dataset, before.version) for before in old)]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def _message(record: Record) -> str:
    notes = f"\n\n{record.notes.strip()}" if record.notes.strip() else ""
    return f"Release {record.dataset} v{record.version}{notes}\n"


def _warnings(untaggable: str, pushed: Pushed) -> tuple[str, ...]:
    found = [untaggable]
    if pushed.remote is None:
        found.append("No DVC remote is configured: the data of this release exists on this machine only.")
    if pushed.made:
        found.append(f"The directory of the DVC remote {pushed.remote} was not there and was made: {pushed.made}")
    return tuple(filter(None, found))

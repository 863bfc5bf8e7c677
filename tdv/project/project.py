"""One repository, and the verbs that can be done with it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tdv import config
from tdv.errors import ConfigError
from tdv.model.reference import no_name
from tdv.project.ports import Ports, now

if TYPE_CHECKING:
    import pyarrow as pa

    from tdv.adopt import Adopted
    from tdv.amend import Amended, CompatChange
    from tdv.bisect import Bisection
    from tdv.check import Checked
    from tdv.cleanup import Cleanup
    from tdv.gc import GcReport
    from tdv.health import Health
    from tdv.log import Log
    from tdv.matrix.value import Matrix
    from tdv.model.diff_report import DiffReport
    from tdv.model.receipt import Receipt
    from tdv.model.release import Record
    from tdv.model.report import Report, Verification
    from tdv.model.resolution import Resolution
    from tdv.new import Scaffolded
    from tdv.project.bisections import BisectWish
    from tdv.project.builds import Built
    from tdv.project.comparisons import DiffStream
    from tdv.project.databases import Databases
    from tdv.project.executions import Announce, ExecWish
    from tdv.project.locks import Locked, LockWish
    from tdv.project.making import Sample
    from tdv.project.merges import Merging
    from tdv.project.pairs import DiffWish
    from tdv.project.promotions import PromoteWish
    from tdv.project.releases import ReleaseWish
    from tdv.project.resolutions import ResolveWish
    from tdv.project.restores import CheckoutWish
    from tdv.project.upgrades import UpgradeWish
    from tdv.project.views import ShowWish, View
    from tdv.promote import Promoted
    from tdv.pull import PullReport
    from tdv.push import PushReport
    from tdv.release import Released
    from tdv.status import Status
    from tdv.tag import Tagging
    from tdv.upgrade import Upgraded
    from tdv.uses import Uses

Advance = Callable[[float, float], None]


def _execution_id() -> str:
    return uuid.uuid4().hex[:16]


class Project:
    """The verbs of one repository; `directory` is where the call was made, for paths of the command line."""

    def __init__(self, ports: Ports, directory: Path) -> None:
        self.ports = ports
        self.directory = directory

    @classmethod
    def find(cls, directory: Path) -> Project:
        """The project at or above `directory`; raises `ConfigError` when there is none."""
        directory = directory.resolve()
        return cls(Ports(config.find_root(directory), config.process_environment()), directory)

    @classmethod
    def anywhere(cls, directory: Path) -> Project:
        """The project at or above `directory`, else one that has nothing of its own."""
        from tdv.project.guests import Outside

        try:
            return cls.find(directory)
        except ConfigError:
            directory = directory.resolve()
            return cls(Outside(directory, config.process_environment()), directory)

    @cached_property
    def settings(self) -> config.Settings:
        """tdv.yaml and the TDV_* variables."""
        return self.ports.settings

    # -- make

    def new(self, dataset: str, source: str | None = None, *, rows: bool = False) -> Scaffolded:
        """Begins a dataset: an example, or the schema of a database and its rows."""
        from tdv.project import beginnings

        return beginnings.new(self.ports, dataset, source, self.directory, rows=rows)

    def build(
        self, names: Sequence[str] = (), *, force: bool = False, advance: Advance = lambda done, total: None
    ) -> tuple[Built, ...]:
        """Builds the datasets named, or all; those that others require come first."""
        from tdv.project import builds

        chosen = builds.in_order(self.ports, self.ports.sourced(tuple(names)))
        built = []
        for number, name in enumerate(chosen):
            built.append(builds.build(self.ports, name, force=force))
            advance(number + 1, len(chosen))
        return tuple(built)

    def misnamed(self) -> tuple[str, ...]:
        """A sentence for each directory below datasets/ that is passed over because of its name."""
        return tuple(f"datasets/{name} is passed over: {no_name(name)}" for name in self.ports.book.misnamed())

    def validate(self, refs: Sequence[str] = (), *, reveal: bool = False) -> tuple[Report, ...]:
        """Validates the states named, or the work tree's; raises nothing for rows that break a rule."""
        from tdv.project import validations

        return validations.validate(self.ports, tuple(refs), reveal=reveal)

    def sample(self, dataset: str, table: str, rows: range, *, reveal: bool = False) -> Sample:
        """Generated rows of one table, nothing written."""
        from tdv.project import making

        return making.sample(self.ports, dataset, table, rows, reveal=reveal)

    def upgrade(self, wish: UpgradeWish) -> Upgraded:
        """Rewrites the sources of one dataset for the schema at a later migration."""
        from tdv.project import upgrades

        return upgrades.upgrade(self.ports, wish, _execution_id())

    # -- release

    def release(self, wish: ReleaseWish) -> Released:
        """Makes a release of one dataset, and commits it."""
        from tdv.project import releases

        return releases.release(self.ports, wish, now())

    def tag(self, names: Sequence[str] = (), *, push: bool = False, remote: str | None = None) -> Tagging:
        """Tags each release of the datasets named, or of all, that has no tag yet."""
        from tdv import tag
        from tdv.project import releases

        options = tag.TagOptions(self.ports.chosen(tuple(names)), push, remote)
        releases.refuse_rivals(self.ports, options.datasets)
        return tag.tag(self.ports.git, options, lambda artifacts: releases.upload(self.ports, artifacts))

    def promote(self, wish: PromoteWish) -> Promoted:
        """Says by a tag which release an environment uses."""
        from tdv.project import promotions

        return promotions.promote(self.ports, wish)

    def status(self, names: Sequence[str] = (), *, environments: bool = False) -> Status:
        """What is left to do for the datasets named, or for all, and how far the data in use is from the code."""
        from tdv.project import reports

        return reports.status(self.ports, tuple(names), environments=environments)

    def diff(self, wish: DiffWish) -> tuple[DiffReport, ...]:
        """What lies between two states, one report per dataset."""
        from tdv.project import comparisons

        return comparisons.diff(self.ports, replace(wish, directory=self.directory))

    def diff_stream(self, wish: DiffWish) -> Iterator[DiffStream]:
        """The same with rows that are read one by one, for differences of any size."""
        from tdv.project import comparisons

        return comparisons.stream(self.ports, replace(wish, directory=self.directory))

    def diff_sql(self, wish: DiffWish) -> Iterator[str]:
        """The SQL that turns the older states into the newer ones, line by line."""
        from tdv.project import comparisons

        return comparisons.statements(self.ports, replace(wish, directory=self.directory))

    def log(self, names: Sequence[str] = ()) -> Log:
        """The releases of the datasets named, or of all."""
        from tdv.project import reports

        return reports.log(self.ports, tuple(names))

    def uses(self, ref: str) -> Uses:
        """Which tags of the app pin a release."""
        from tdv.project import states
        from tdv.uses import uses

        dataset, version = states.pinned(self.ports, ref)
        return uses(self.ports.git, dataset, version)

    def yank(self, ref: str, reason: str, *, undo: bool = False) -> Amended:
        """Withdraws a release, or takes that back."""
        from tdv import amend

        record = self._release(ref)
        return amend.yank(self.ports.book, record.dataset, record.version, amend.Reason(reason, now()), undo=undo)

    def compat(self, ref: str, change: CompatChange, reason: str) -> Amended:
        """Amends what a release serves; a change that says nothing only shows it."""
        from tdv import amend
        from tdv.project import resolutions

        record = self._release(ref)
        if change == amend.CompatChange():
            release = self.ports.book.release(record.dataset, record.version)
            return amend.Amended(release, release, "")
        why = amend.Reason(reason, now())
        if self.settings.migrations is not None:
            change = replace(change, history=resolutions.history(self.ports))
        return amend.amend_compat(self.ports.book, record.dataset, record.version, change, why)

    def adopt(self, ref: str) -> Adopted:
        """Brings in a release that was tagged on another branch."""
        from tdv import adopt
        from tdv.project import states

        dataset, version = states.adoptable(self.ports, ref)
        return adopt.adopt(self.ports.git, self.ports.book, dataset, version)

    def _release(self, ref: str) -> Record:
        from tdv.project import states

        dataset, version = states.exact(self.ports, ref)
        return self.ports.book.record(dataset, version)

    def merge(self, paths: Sequence[str] = ()) -> Merging:
        """Merges by meaning what Git left in conflict: the files named, or all that tdv knows."""
        from tdv.project import merges

        return merges.merge(self.ports, tuple(paths))

    # -- use

    def resolve(self, wish: ResolveWish) -> Resolution:
        """Which release of each dataset fits, and why no other."""
        from tdv.project import resolutions

        return resolutions.resolve(self.ports, replace(wish, directory=self.directory))

    def matrix(self, names: Sequence[str] = ()) -> Matrix:
        """Which release serves which app version at which migration, of the datasets named, or of all."""
        from tdv.project import matrices

        return matrices.matrix(self.ports, tuple(names))

    def lock(self, wish: LockWish, *, check: bool = False) -> Locked:
        """Pins releases in tdv.lock, or only looks whether it still holds."""
        from tdv.project import locks

        return locks.check(self.ports, wish) if check else locks.lock(self.ports, wish)

    def checkout(self, *refs: str, target: str | None = None, wish: CheckoutWish | None = None) -> Receipt:
        """Restores states into a target: what `refs` name, or what tdv.yaml wants; `wish` says more."""
        from tdv.project import restores

        asked = wish or restores.CheckoutWish()
        asked = replace(asked, refs=refs or asked.refs, target=target or asked.target, directory=self.directory)
        return restores.checkout(self.ports, asked, now(), _execution_id())

    def databases(self, execution_id: str | None = None, worker: str = "main", ahead: int = 0) -> Databases:
        """Throwaway databases for one run, which ends when the value is closed; `ahead` of them are made before they
        are asked for."""
        from tdv.project import databases

        return databases.Databases(self.ports, execution_id or _execution_id(), worker, ahead)

    def execute(self, wish: ExecWish, announce: Announce = lambda receipt: None) -> int:
        """Runs a command that is told of a database with what is wished for; returns its exit code."""
        from tdv.project import executions

        asked = replace(wish, database=replace(wish.database, directory=self.directory))
        return executions.execute(self.ports, asked, _execution_id(), announce)

    def bisect(self, wish: BisectWish) -> Bisection:
        """Finds the first version of a dataset with which a command fails."""
        from tdv.project import bisections

        return bisections.bisect(self.ports, replace(wish, directory=self.directory), now(), _execution_id())

    def show(self, ref: str, wish: ShowWish) -> View:
        """A look into a state, one of its tables or one of its scenarios."""
        from tdv.project import views

        return views.show(self.ports, ref, wish)

    def read(self, reference: str, table: str) -> pa.Table:
        """The rows of one table of a state."""
        from tdv.project import obtain, states

        return obtain.open_state(self.ports, states.find(self.ports, reference)).table(table)

    def health(self, target: str, refs: Sequence[str] = ()) -> Health:
        """Whether a target is there and holds what it should."""
        from tdv.project import executions

        return executions.health(self.ports, target, tuple(refs), self.directory)

    def cleanup(
        self,
        target: str | None = None,
        *,
        execution_id: str | None = None,
        older_than: str | None = None,
        dry_run: bool = False,
    ) -> Cleanup:
        """Removes throwaway databases and images that nobody uses any more; `older_than` is written ``2h``."""
        from tdv.cleanup import CleanupOptions, age
        from tdv.project import executions

        options = CleanupOptions(now(), execution_id, age(older_than) if older_than else None, dry_run)
        return executions.cleanup(self.ports, target, self.directory, options)

    # -- trust

    def verify(
        self,
        refs: Sequence[str] = (),
        *,
        target: str | None = None,
        rebuild: bool = False,
        compat: bool = False,
    ) -> Verification:
        """Looks at every promise of the releases named, or of all, and at the rows in a target; with `compat`, loads
        each release at every migration that it serves."""
        from tdv.project import verifications

        wish = verifications.VerifyWish(tuple(refs), target, rebuild, compat, self.directory)
        return verifications.verify(self.ports, wish, _execution_id())

    def check(self, base: str | None = None, *, rebuild: bool = False) -> Checked:
        """Looks at what a merge into `base`, the remote's main branch by default, would break."""
        from tdv.project import checks

        return checks.check(self.ports, base, rebuild=rebuild)

    def push(self, refs: Sequence[str] = (), *, remote: str | None = None, dry_run: bool = False) -> PushReport:
        """Sends the data of releases, all when none is named, to the DVC remote."""
        from tdv import push
        from tdv.store import pipeline, pointers

        built = [entry for stage in pipeline.read_lock(self.ports.root).values() for entry in stage.outs]
        wanted = [*(entry for entry in built if entry.nfiles is not None), *pointers.tracked(self.ports.git)]
        others = [] if refs else [entry.md5 for entry in wanted]
        return push.push(self._records(refs), others, self.ports.dvc, push.PushOptions(remote, dry_run))

    def pull(self, refs: Sequence[str] = (), *, remote: str | None = None, verify: bool = False) -> PullReport:
        """Fetches the data of releases, all when none is named, and restores the work tree's."""
        from tdv import pull
        from tdv.store import pipeline, pointers

        stages = [] if refs else list(pipeline.read_lock(self.ports.root).values())
        tracked = () if refs else pointers.tracked(self.ports.git)
        options = pull.PullOptions(remote, verify)
        return pull.pull(self._records(refs), stages, self.ports.dvc, options, tracked=tracked)

    def gc(self, *, remote: str | None = None, dry_run: bool = False, shared: bool = False) -> GcReport:
        """Removes data that nothing needs."""
        from tdv import gc

        options = gc.GcOptions(remote, dry_run, shared, keep=self._rebuilt())
        return gc.collect(self.ports.git, self.ports.dvc, now(), options)

    def _records(self, refs: Sequence[str]) -> list[Any]:
        from tdv.project import states

        if refs:
            found = [states.find(self.ports, ref) for ref in refs]
            return [state.record for state in found if state.record is not None]
        book = self.ports.book
        return [release.record for name in book.datasets() for release in book.releases(name)]

    def _rebuilt(self) -> tuple[str, ...]:
        notes = (self.ports.state / "rebuilt").glob("tdv1-*")
        return tuple(note.read_text(encoding="utf-8").strip() for note in notes)

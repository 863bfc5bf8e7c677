"""`tdv checkout`: releases into a target.

In: what is wanted, by digest, with a way to open each snapshot; a target. Out: a receipt. Always holds: when the
target provably holds what is wanted, no snapshot is opened, no lock taken and no heavy library imported; otherwise
one process at a time changes a target, every byte is verified before it is loaded and every row after.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final

from tdv.durable import LOCK_WAIT, locked, refusal
from tdv.errors import IntegrityError, NotFound, TargetError
from tdv.frozen import dataclass
from tdv.model.receipt import Action, Receipt, ReceiptRelease
from tdv.targets import state
from tdv.targets.protocol import MIGRATED, AppSchema, Content, Held, Item, Load, TableContent, Target

if TYPE_CHECKING:
    import pyarrow as pa

    from tdv.content.snapshot import Snapshot
    from tdv.model.manifest import ScenarioManifest, TableManifest
    from tdv.model.schema import TableSchema

_THREADS: Final = 2


@dataclass(frozen=True, slots=True)
class Wanted:
    """One dataset to restore; `version` is without ``v``, "workspace" or a Git revision.

    `open` finds the snapshot, fetching or rebuilding it when it must; its manifest is already verified. `tables` are
    the rows of each table as the record promises them, for a plan.
    """

    dataset: str
    version: str
    digest: str
    open: Callable[[], Snapshot] = field(repr=False)
    tables: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckoutOptions:
    """`work` is the repository's ``.tdv``; with `scenarios`, only their rows and what these reference are loaded.

    `schema` is what the project's migrations make of an empty target; None lets tdv make the tables.
    """

    work: Path
    now: datetime
    execution_id: str
    replace: bool = False
    dry_run: bool = False
    scenarios: tuple[str, ...] = ()
    schema: AppSchema | None = None
    wait: float = LOCK_WAIT


def restore(wanted: Sequence[Wanted], target: Target, options: CheckoutOptions) -> Receipt:
    """Makes `target` hold what is wanted, and nothing else of these datasets.

    Raises `Refused` on first touch or while another checkout runs too long, `TargetBusy`, `TargetError`,
    `IntegrityError` for damaged files or rows, `DataError` for what the engine cannot hold, `NotFound` for a
    scenario that no dataset has.
    """
    start = perf_counter()
    receipt = _restored(wanted, target, options)
    return replace(receipt, seconds=perf_counter() - start)


def _restored(wanted: Sequence[Wanted], target: Target, options: CheckoutOptions) -> Receipt:
    seen = state.remembered(options.work, target)
    unchanged = _unchanged(wanted, target, options)
    if unchanged is not None:
        return unchanged
    load = load_of(wanted, options)
    if options.dry_run:
        return _planned(load, wanted, target, options)
    with _alone(target, options):
        # Another checkout, which the lock was waited for, may have done the work.
        if state.remembered(options.work, target) != seen:
            unchanged = _unchanged(wanted, target, options)
            if unchanged is not None:
                return unchanged
        outcome = target.load(load)
        target.settle()
        # The load is complete: without what would be remembered, the next checkout only takes longer.
        with suppress(OSError):
            state.remember(options.work, target, outcome)
    return _receipt(outcome.action, outcome.held, wanted, target, options.execution_id)


@contextmanager
def _alone(target: Target, options: CheckoutOptions) -> Iterator[None]:
    """Holds the lock of the target."""
    _refuse_unlockable(target, options)
    path = state.lock_file(options.work, target)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(path, f"the target {target.shown}", wait=options.wait))
        except OSError as exc:
            raise _unlockable(exc, path) from exc
        yield


def _refuse_unlockable(target: Target, options: CheckoutOptions) -> None:
    """Raises `TargetError` where this user may not write the lock of the target."""
    path = state.lock_file(options.work, target)
    if (refused := refusal(path)) is not None:
        raise _unlockable(refused, path)


def _unlockable(exc: OSError, path: Path) -> TargetError:
    return TargetError(
        f"cannot write {exc.filename or path}: {exc.strerror or exc}",
        hint="Look at the rights and the free space of .tdv in the repository.",
    )


def _unchanged(wanted: Sequence[Wanted], target: Target, options: CheckoutOptions) -> Receipt | None:
    """The receipt of a checkout with nothing to do, if it is proved that there is none."""
    held = state.untouched(options.work, target)
    if held is None or not _satisfies(held, wanted, options):
        return None
    return _receipt("unchanged", held, wanted, target, options.execution_id)


def content_of(snapshot: Snapshot, scenarios: Sequence[str] = ()) -> Content:
    """The tables of a snapshot, or of those of its scenarios, after every part file was verified.

    Raises `IntegrityError` for a missing or altered file.
    """
    _verify_files(snapshot)
    known = [scenario for scenario in snapshot.manifest.scenarios if scenario.name in scenarios]
    if known:
        return _scenario_content(snapshot, known)
    return Content(tuple(_whole(snapshot, table) for table in snapshot.manifest.tables))


def _satisfies(held: Sequence[Held], wanted: Sequence[Wanted], options: CheckoutOptions) -> bool:
    present = {(item.dataset, item.version, item.digest, item.scenarios) for item in held}
    scenarios = tuple(sorted(options.scenarios))
    there = all((item.dataset, item.version, item.digest, scenarios) in present for item in wanted)
    return there and not any(_is_of_other_schema(item, options.schema) for item in held)


def _is_of_other_schema(held: Held, schema: AppSchema | None) -> bool:
    """True for a database that tdv made whole, in a schema of the application that is not the one wanted now."""
    made = held.objects.get(MIGRATED) if held.whole else None
    return schema is not None and made is not None and made != schema.key


def load_of(wanted: Sequence[Wanted], options: CheckoutOptions) -> Load:
    """What is wanted as adapters take it; nothing is opened but to look for scenarios. Raises `NotFound` for a
    scenario that no dataset has."""
    scenarios = tuple(sorted(options.scenarios))
    items = sorted(wanted, key=lambda item: item.dataset)
    opened = {item.dataset: cache(item.open) for item in items}
    if scenarios:
        _refuse_unknown(scenarios, items, [opened[item.dataset]() for item in items])
    content = json.dumps([[item.dataset, item.digest, scenarios] for item in items])
    return Load(
        items=tuple(
            Item(item.dataset, item.version, item.digest, _contents(opened[item.dataset], scenarios), scenarios)
            for item in items
        ),
        key=hashlib.sha256(content.encode()).hexdigest()[:40],
        loaded_at=options.now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        execution_id=options.execution_id,
        replace=options.replace,
        schema=options.schema,
    )


def _contents(opened: Callable[[], Snapshot], scenarios: Sequence[str]) -> Callable[[], Content]:
    return cache(lambda: content_of(opened(), scenarios))


def _refuse_unknown(scenarios: Sequence[str], items: Sequence[Wanted], snapshots: Sequence[Snapshot]) -> None:
    """Every scenario must be in some dataset; a dataset that has none of them is loaded whole, for references."""
    known = sorted({scenario.name for snapshot in snapshots for scenario in snapshot.manifest.scenarios})
    for name in scenarios:
        if name not in known:
            from tdv.documents import did_you_mean

            looked_into = ", ".join(f"{item.dataset} {item.version}" for item in items)
            raise NotFound(
                f"there is no scenario {name!r} in {looked_into}{did_you_mean(name, known)}",
                hint=f"Use one of {', '.join(known)}." if known else "Write it under scenarios/ of the dataset.",
                scenario=name,
            )


def _whole(snapshot: Snapshot, table: TableManifest) -> TableContent:
    return TableContent(
        schema=table.schema,
        rows=table.rows,
        digest=table.digest,
        batches=lambda: snapshot.batches(table.name),
        files=tuple(str(snapshot.locate(part.file)) for part in table.parts),
    )


def _scenario_content(snapshot: Snapshot, scenarios: Sequence[ScenarioManifest]) -> Content:
    """The rows of all these scenarios, each row once; a table without any stays, empty."""
    from tdv.seeds import united_rows

    rows = united_rows(scenarios, snapshot)
    return Content(tuple(_held_in_memory(table, rows[table.name]) for table in snapshot.manifest.schema.tables))


def _held_in_memory(table: TableSchema, rows: pa.Table) -> TableContent:
    from tdv.content.digest import TableDigester

    digester = TableDigester(table)
    digester.update(rows)
    return TableContent(schema=table, rows=rows.num_rows, digest=digester.finish(), batches=lambda: iter((rows,)))


def _verify_files(snapshot: Snapshot) -> None:
    """Raises `IntegrityError` for the first part whose bytes are not those of the manifest."""
    from concurrent.futures import ThreadPoolExecutor

    parts = [part for table in snapshot.manifest.tables for part in table.parts]
    with ThreadPoolExecutor(_THREADS) as pool:
        for part, digest in zip(parts, pool.map(lambda part: _sha256(snapshot.locate(part.file)), parts), strict=True):
            if digest != part.sha256:
                raise IntegrityError(
                    f"the part {part.file} of {snapshot.manifest.dataset} "
                    + ("is missing" if digest is None else "is damaged: its bytes are not those of the manifest"),
                    hint="`tdv pull --verify` fetches what is damaged anew; `tdv verify` names it.",
                    file=part.file,
                )


def _sha256(path: Path) -> str | None:
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def _planned(load: Load, wanted: Sequence[Wanted], target: Target, options: CheckoutOptions) -> Receipt:
    _refuse_unlockable(target, options)
    plan = target.plan(load)
    tables = {item.dataset: item.tables for item in wanted}
    if options.scenarios:
        tables = {item.dataset: {table.name: table.rows for table in item.content().tables} for item in load.items}
    releases = tuple(ReceiptRelease(item.dataset, item.version, item.digest, tables[item.dataset]) for item in wanted)
    return Receipt(releases, target.shown, "planned", options.execution_id, 0.0, plan.steps)


def _receipt(
    action: Action, held: Sequence[Held], wanted: Sequence[Wanted], target: Target, execution_id: str
) -> Receipt:
    tables = {item.dataset: item.tables for item in held}
    releases = tuple(ReceiptRelease(item.dataset, item.version, item.digest, tables[item.dataset]) for item in wanted)
    return Receipt(releases, target.shown, action, execution_id, 0.0)

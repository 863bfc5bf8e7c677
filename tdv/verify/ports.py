"""What `verify` looks into."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tdv.content.snapshot import Snapshot
from tdv.errors import StoreError, TdvError
from tdv.model.release import Record
from tdv.model.report import Promise
from tdv.model.schema import TableSchema
from tdv.store.cache import Cache
from tdv.store.git import Git
from tdv.store.records import ReleaseBook

if TYPE_CHECKING:
    import pyarrow as pa

    from tdv.verify.spans import Trials


@dataclass(frozen=True, slots=True)
class Sources:
    """`obtain` brings a release's data into the cache and returns the md5 that it has there: the record's, or
    that of a rebuild of equal digest; `rebuild` builds it again from its sources and returns the snapshot
    whatever digest it has. Both raise `TdvError` when they cannot."""

    git: Git
    book: ReleaseBook
    cache: Cache
    obtain: Callable[[Record], str]
    rebuild: Callable[[Record], Snapshot]


@dataclass(frozen=True, slots=True)
class HeldRows:
    """A dataset that a target says it holds: the target's URL without credentials, the snapshot that it must equal,
    and how to read a table back, as canonical rows in canonical order.

    `scenarios` are those that were loaded alone, () for all rows; `open` is None where there is nothing to compare
    with, and `problem` says why.
    """

    target: str
    dataset: str
    version: str
    open: Callable[[], Snapshot] | None
    read: Callable[[TableSchema], Iterator[pa.Table]]
    scenarios: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """`rebuild` builds each release again; `held` are the rows of targets to look at; in the datasets of `whole`
    no record may be missing that was published; with `trials` each release is loaded at each migration of its span."""

    rebuild: bool = False
    held: tuple[HeldRows, ...] = ()
    whole: tuple[str, ...] = ()
    trials: Trials | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """The release that a promise is about."""

    dataset: str
    version: str

    def kept(self, promise: str, message: str = "") -> Promise:
        """A promise that holds."""
        return Promise(self.dataset, self.version, promise, True, message)

    def broken(self, promise: str, message: str) -> Promise:
        """A promise that does not hold."""
        return Promise(self.dataset, self.version, promise, False, message)

    def failed(self, promise: str, problem: TdvError, before: str = "") -> Promise:
        """A promise whose proof failed: out of sight where Git or a remote failed, else broken."""
        out_of_sight = isinstance(problem, StoreError)
        return Promise(self.dataset, self.version, promise, False, before + problem.message, out_of_sight)

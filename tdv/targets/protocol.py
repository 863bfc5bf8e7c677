"""What a target is: the methods of an adapter, and the frozen values that go in and out of them.

In: what to load (`Load`), named by digests and opened only when rows are needed. Out: what the target holds
(`Held`), what a load would do (`Plan`) and did (`Outcome`). Always holds: after `load` a reader sees all of the
new rows or all of the old ones, and `Held` is marked last; a URL with its password never leaves the adapter.
Importing this module imports no database driver and no Arrow.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Protocol, runtime_checkable

from tdv.frozen import dataclass
from tdv.model.schema import DatasetSchema, TableSchema

if TYPE_CHECKING:
    import pyarrow as pa

    from tdv.config import TargetSettings
    from tdv.targets.dialect import Dialect

STATE_TABLE = "_tdv_state"
"""The table in which a database says what tdv put into it."""

STATE_COLUMNS = (
    "dataset", "version", "digest", "loaded_at", "execution_id", "tables", "scenarios", "objects", "whole",
)  # fmt: skip
"""Its columns; the fields of `Held`, mappings and lists as JSON."""

Fate = Literal["native", "encoded", "refused"]
"""What becomes of a type: kept as the engine's own, kept exactly in another one, or not taken."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do; steps ask for these and never for types.

    `transactional`: a load is one transaction. `image`: a finished file can take the place of the target.
    `proof`: whether rows changed since can be told without reading them. `references`: foreign keys are kept.
    `throwaway`: the adapter has the method `throwaways` that `tdv.targets.throwaway` describes.
    """

    transactional: bool = False
    image: bool = False
    proof: bool = False
    references: bool = False
    throwaway: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """One dataset as a target holds it, from its `_tdv_state`.

    `tables` maps each table to its rows; `objects` maps what tdv created to a digest of its definition, so
    that what others altered is told from what is tdv's own; `whole` says that all of the target came from tdv.
    """

    dataset: str
    version: str
    digest: str
    loaded_at: str
    execution_id: str
    tables: Mapping[str, int]
    scenarios: tuple[str, ...] = ()
    objects: Mapping[str, str] = field(default_factory=dict)
    whole: bool = False

    def made(self, table: str) -> bool:
        """Whether tdv itself made a table, and no migration of an application did."""
        return f"table {table}" in self.objects

    def to_plain(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "version": self.version,
            "digest": self.digest,
            "loaded_at": self.loaded_at,
            "execution_id": self.execution_id,
            "tables": dict(self.tables),
            "scenarios": list(self.scenarios),
            "objects": dict(self.objects),
            "whole": self.whole,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Held:
        """Raises `KeyError` or `TypeError` for a damaged mapping."""
        return cls(**{**plain, "scenarios": tuple(plain["scenarios"])})

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Held:
        """From the values of `STATE_COLUMNS`; raises `ValueError` or `TypeError` for damaged ones."""
        plain = dict(zip(STATE_COLUMNS, row, strict=True))
        read = {name: json.loads(plain[name]) for name in ("tables", "scenarios", "objects")}
        return cls.from_plain({**plain, **read, "whole": bool(plain["whole"])})


@dataclass(frozen=True, slots=True)
class TableContent:
    """One table to load: its rows in canonical order, as often as asked for; what its rows must digest to.

    `files` are the Parquet files that hold exactly these rows, () where there are none (a scenario's rows).
    """

    schema: TableSchema
    rows: int
    digest: str
    batches: Callable[[], Iterator[pa.Table]]
    files: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The table's name."""
        return self.schema.name


@dataclass(frozen=True, slots=True)
class Content:
    """The rows of one dataset, verified to be those of its release."""

    tables: tuple[TableContent, ...]

    @property
    def schema(self) -> DatasetSchema:
        """The schema of the tables to load."""
        return DatasetSchema(tuple(table.schema for table in self.tables))


@dataclass(frozen=True, slots=True)
class Item:
    """One dataset to restore. `content` opens and verifies the snapshot; it is not called when nothing is loaded."""

    dataset: str
    version: str
    digest: str
    content: Callable[[], Content]
    scenarios: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AppSchema:
    """The schema that the project's own migrations make of an empty database.

    `key` names everything that decides what it looks like, `revision` is where it stands; `make` brings the empty
    database of these settings there, and raises `MigrationError`.
    """

    key: str
    revision: str
    make: Callable[[TargetSettings], None] = field(repr=False)


MIGRATED: Final = "migrated"
"""The object of `Held` whose digest is the key of the `AppSchema` that an image was made with."""


@dataclass(frozen=True, slots=True)
class Load:
    """One restore: all items become visible together. `key` names the content of an image with all of them.

    `schema` is what an empty target gets before the rows; without one, tdv makes the tables by itself. `made` says that
    the target has just got it: rows that stand there came with the migrations.
    """

    items: tuple[Item, ...]
    key: str
    loaded_at: str
    execution_id: str
    replace: bool = False
    schema: AppSchema | None = None
    made: bool = False

    def in_made_schema(self) -> Load:
        """The same into a database of tdv's own that has just got the schema; a table that does not fit stays."""
        return replace(self, replace=False, made=True)

    @property
    def image_key(self) -> str:
        """Names an image with all items in the schema that an empty target gets."""
        if self.schema is None:
            return self.key
        return hashlib.sha256(f"{self.key} {self.schema.key}".encode()).hexdigest()[: len(self.key)]

    @property
    def datasets(self) -> frozenset[str]:
        """The names of the datasets to restore."""
        return frozenset(item.dataset for item in self.items)

    def mark(self, item: Item, tables: Iterable[TableContent]) -> Held:
        """What a target says of `item` once its `tables` are loaded; an engine adds what it made for them."""
        return Held(
            dataset=item.dataset,
            version=item.version,
            digest=item.digest,
            loaded_at=self.loaded_at,
            execution_id=self.execution_id,
            tables={table.name: table.rows for table in tables},
            scenarios=item.scenarios,
        )

    def stamped(self, held: Iterable[Held]) -> tuple[Held, ...]:
        """What an image holds, as this load brings it: another version may have had the same content."""
        versions = {item.dataset: item.version for item in self.items}
        return tuple(
            replace(item, version=versions[item.dataset], loaded_at=self.loaded_at, execution_id=self.execution_id)
            for item in held
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What a load would do, one sentence per step, the first the one that matters."""

    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a load did, and what the target holds now; "unchanged" where all rows were read and are the right ones.

    `proof` is what `Target.proof` gave before anybody else could write; None where it has to be asked for.
    """

    action: Literal["loaded", "cloned", "unchanged"]
    held: tuple[Held, ...]
    proof: Any | None = None


@dataclass(frozen=True, slots=True)
class Loss:
    """What becomes of one logical type in an engine: `as_type` in the engine's words, `note` where it matters."""

    fate: Fate
    as_type: str
    note: str = ""


class Target(Protocol):
    """One place that holds data. Construction opens nothing and imports no driver.

    Every method raises `TargetError` when the place cannot be reached, read or written, and `TargetBusy`
    when somebody else uses it.
    """

    capabilities: ClassVar[Capabilities]
    losses: ClassVar[Mapping[str, Loss]]

    @property
    def shown(self) -> str:
        """The URL as it may be printed."""

    @property
    def identity(self) -> str:
        """A text that two spellings of one place share; it names the lock and the state file."""

    def proof(self) -> Any | None:
        """A JSON value that changes whenever the target is written to, in milliseconds; None if there is none."""

    def settle(self) -> None:
        """Makes sure that every later write changes `proof`, even one within the same tick of the clock."""

    def held(self) -> tuple[Held, ...]:
        """The datasets that the target says it holds; () for a target that does not exist."""

    def plan(self, load: Load) -> Plan:
        """What `load` would do; raises what it would refuse with, and changes nothing."""

    def load(self, load: Load) -> Outcome:
        """Puts exactly these rows into the datasets' tables, verifies them by reading back, marks them, last.

        Raises `Refused` on first touch, a table of two datasets, or a foreign table that references one of
        them; `DataError` for a value that the engine cannot hold; `IntegrityError` when the rows that come
        back are other ones. After any error the target is as it was.
        """

    def read(self, table: TableSchema) -> Iterator[pa.Table]:
        """The rows of a table in canonical form and order; raises `IntegrityError` for a value of no such type."""

    def inspect(self) -> DatasetSchema:
        """The tables that are not tdv's own state, as a schema."""


@runtime_checkable
class Shared(Protocol):
    """A target whose databases may hold tables and columns of others, of types that tdv does not have."""

    def inspect_known(self, model: Sequence[TableSchema]) -> DatasetSchema:
        """As `inspect`, of the tables of `model` only, without further columns of a type that has no match."""

    def table_names(self) -> Sequence[str]:
        """All tables that `inspect` looks at."""


@runtime_checkable
class Selective(Protocol):
    """A target that can say what `inspect` leaves out of its schema."""

    def omitted(self) -> tuple[str, ...]:
        """One phrase for each kind of rule or column of a table that a schema has no place for."""


@runtime_checkable
class Spoken(Protocol):
    """A target whose tables may hold values in a form that an application chose."""

    def dialect(self) -> Dialect:
        """The engine's dialect, whose literals are in the form of these tables."""


@runtime_checkable
class Findable(Protocol):
    """A target that may not be there at all, which `held` does not tell from one that holds nothing."""

    def exists(self) -> bool:
        """Whether there is such a database, or a directory."""


@runtime_checkable
class Rounding(Protocol):
    """A target of which columns may be declared to round values, or to fill them up, which no type of a schema
    tells."""

    def rounding(self) -> Mapping[tuple[str, str], str]:
        """What is done to values by the columns that alter some, each with its table."""


@runtime_checkable
class Schemaless(Protocol):
    """A target that `inspect` refuses, since its tables do not tell keys and types: they are those of a release."""

    def has(self, table: str) -> bool:
        """Whether the target has a table of this name."""


@runtime_checkable
class Columned(Protocol):
    """A target without a schema whose tables tell which columns they have."""

    def as_found(self, table: TableSchema) -> TableSchema:
        """The columns that are there of `table`, a table of a release, and others, nullable."""


@runtime_checkable
class Indexed(Protocol):
    """A target that gives the tables it makes an index for each reference that no key serves."""

    def indexes(self, tables: Sequence[str]) -> Mapping[str, Sequence[tuple[str, ...]]]:
        """The columns of the indexes of each table, those of keys too, without indexes of some rows only."""


@runtime_checkable
class Answering(Protocol):
    """A target that answers queries in its own SQL."""

    def answer(self, query: str) -> Sequence[tuple[Any, ...]]:
        """The first two rows of a query, which cannot change the target; raises `TargetError` where it fails."""


@runtime_checkable
class Queryable(Protocol):
    """A target whose tables can be looked into as they are, whoever made them."""

    def look_up(self, table: str) -> Sequence[Mapping[str, Any]] | None:
        """All rows of a small table, such as the one in which a migration tool keeps its revision, with the names
        of columns in lower case; None where there is no such table, or no database at all. The name may be
        ``schema.table``."""

"""What is in a database before a load, and what a load may do to it.

In: a `Survey` that an adapter made, the load, and which tables it brings. Out: nothing, or `Refused`. Always holds:
rows that tdv did not load, and rows of other tables that would lose what they reference, are never taken silently.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from tdv.errors import Refused, TdvError, Unfit
from tdv.frozen import dataclass
from tdv.targets.fitting import MISFITS
from tdv.targets.protocol import MIGRATED, AppSchema, Held, Item, Load

_DIGITS: Final = 32
REFERENCES: Final = "references"
"""The fact of an error that names the table of the dataset which another one with rows references."""
APPLICATION: Final = "application"
"""The object of `Held` whose digest is that of all objects of the application's schema."""


@dataclass(frozen=True, slots=True)
class Survey:
    """`objects` maps "table users", "index …" to the statement that made it, without the engine's own and tdv's
    state; `filled` are the tables with rows; `references` are pairs of a table and one that it references."""

    objects: Mapping[str, str]
    held: tuple[Held, ...] = ()
    filled: frozenset[str] = frozenset()
    references: tuple[tuple[str, str], ...] = ()

    def has_table(self, name: str) -> bool:
        """True if there is such a table."""
        return f"table {name}" in self.objects

    def here(self, tables: Iterable[str]) -> list[str]:
        """`tables`, or those that tdv loaded where there are none of them, as far as they are there."""
        names = list(tables) or [table for held in self.held for table in held.tables]
        return [name for name in names if self.has_table(name)]

    def of_load(self, load: Load) -> list[Held]:
        """What is held of the datasets that `load` restores."""
        return [held for held in self.held if held.dataset in load.datasets]

    def recorded(self, load: Load) -> dict[str, str]:
        """The digests of the objects that tdv made for these datasets."""
        return {name: digest for held in self.of_load(load) for name, digest in held.objects.items()}

    def is_own(self, name: str, recorded: Mapping[str, str]) -> bool:
        """True for an object that is as tdv made it."""
        return recorded.get(name) == definition(self.objects.get(name))


def definition(sql: str | None) -> str:
    """The digest of the statement that made an object, to tell tdv's own from an altered one."""
    return hashlib.sha256((sql or "").encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]


def is_all_ours(found: Survey, load: Load, *, owned: bool) -> bool:
    """True if everything in the database came from tdv and is of datasets that are restored now.

    An `owned` one may also hold what others made in it after tdv had made the whole of it.
    """
    if not found.held:
        return not found.objects
    if not all(held.whole and held.dataset in load.datasets for held in found.held):
        return False
    recorded = found.recorded(load)
    if APPLICATION in recorded:
        return owned or recorded[APPLICATION] == all_objects(found)
    return owned or recorded == {name: definition(sql) for name, sql in found.objects.items()}


def in_app_schema(held: Iterable[Held], schema: AppSchema, found: Survey) -> tuple[Held, ...]:
    """What a database holds that is nothing but the application's schema, made just now, and these rows."""
    objects = {MIGRATED: schema.key, APPLICATION: all_objects(found)}
    return tuple(replace(item, objects=objects, whole=True) for item in held)


def all_objects(found: Survey) -> str:
    """One digest of all objects: those of the application's schema are nobody's to drop one by one."""
    return definition("\n".join(f"{name} {sql}" for name, sql in sorted(found.objects.items())))


def migrates(load: Load) -> tuple[str, ...]:
    """The step of a plan that makes the application's schema, if there is one to make."""
    return (f"apply the migrations up to {load.schema.revision}",) if load.schema is not None else ()


def restores(load: Load) -> tuple[str, ...]:
    """The steps of a plan that bring the rows."""
    return tuple(f"load {item.dataset}@{item.version} ({item.digest})" for item in load.items)


def deletions(counts: Iterable[tuple[str, int]]) -> tuple[str, ...]:
    """The steps of a plan that take rows away; pairs of a table and how many rows it has."""
    return tuple(f"delete {count} {'row' if count == 1 else 'rows'} of {table!r}" for table, count in counts if count)


def refuse_missing(found: Survey, load: Load, tables: Iterable[str]) -> None:
    """Where the application makes the tables, raises `Refused` for those that it does not have."""
    missing = [table for table in tables if not found.has_table(table)]
    if load.schema is not None and missing and not load.replace:
        raise Refused(
            f"the schema of the target has no table {', '.join(map(repr, missing))}",
            hint="Migrate the target to the schema of this version, or add --replace to make the tables there.",
            tables=missing,
            misfits=[(table, None) for table in missing],
        )


def unfit(load: Load, problem: TdvError) -> Unfit:
    """The error for rows that the schema of the application, made just now, does not take."""
    assert load.schema is not None
    named = " and ".join(f"{item.dataset}@{_written(item.version)}" for item in load.items)
    ways = ", ".join(_served(item) for item in load.items)
    hint = f"Name a version that fits, as `tdv lock --upgrade` does, give its spec the types of the schema, {ways}."
    return Unfit(
        f"{named} does not fit the schema at migration {load.schema.revision}: {problem.message}",
        hint=problem.hint if REFERENCES in problem.facts else hint,
        revision=load.schema.revision,
        reason=problem.message,
        misfits=problem.facts.get(MISFITS, ()),
    )


def _served(item: Item) -> str:
    """How to say where rows belong: of a release by an amendment, of sources when they are upgraded."""
    if item.version[:1].isdigit():
        amendment = f"tdv compat {item.dataset}@v{item.version} --until REVISION -m WHY"
        return f"carry its data there with `tdv upgrade {item.dataset}`, or say what this one serves: `{amendment}`"
    return f"or say where its sources stand: `tdv upgrade {item.dataset} --from REVISION`"


def _written(version: str) -> str:
    return f"v{version}" if version[:1].isdigit() else version


def refuse_taken(
    found: Survey, tables: Iterable[str], kinds: Iterable[str] = ("view",), *, folded: bool = False
) -> None:
    """Raises `Refused` for tables to make whose names others gave to something else.

    `kinds` are the kinds of objects that share their names with tables; where names are `folded`, a table in another
    spelling is something else, too.
    """
    fold = str.lower if folded else str
    there = {fold(f"{kind} {name}"): (kind, name) for kind, name in _named(found, ("table", *kinds))}
    for table in tables:
        for kind in kinds:
            if fold(f"{kind} {table}") in there:
                raise taken(table, kind)
        _, spelled = there.get(fold(f"table {table}"), ("table", table))
        if spelled != table and not found.has_table(table):
            raise Refused(
                f"table {table!r} is called {spelled!r} in the target, which does not tell the two apart",
                hint="Rename one of them, or name another --target.",
                table=table,
            )


def _named(found: Survey, kinds: Iterable[str]) -> list[tuple[str, str]]:
    """The objects of these kinds, each with its name."""
    return [
        (kind, name.removeprefix(f"{kind} ")) for name in found.objects for kind in kinds if name.startswith(f"{kind} ")
    ]


def taken(name: str, kind: str) -> Refused:
    """The error for a name of a table that is that of another kind of object."""
    return Refused(
        f"{name!r} of the target is {'an' if kind == 'index' else 'a'} {kind}, which cannot hold the rows of a table",
        hint="Rename it or the table, or name another --target.",
    )


def is_whole(found: Survey, load: Load) -> bool:
    """True if the database, once `load` replaced its rows, still holds nothing but what tdv made the whole of."""
    return bool(found.held) and all(held.whole and held.dataset in load.datasets for held in found.held)


def refuse_strangers(found: Survey, load: Load, tables: Mapping[str, str]) -> None:
    """First touch: raises `Refused` for what the load would take from somebody else.

    `tables` maps each table to load to its dataset. Rows that migrations have just brought are nobody's.
    """
    owners = {table.lower(): held.dataset for held in found.held for table in held.tables}
    for table, dataset in tables.items():
        owner = owners.get(table.lower(), dataset)
        if owner != dataset and owner not in load.datasets:
            raise Refused(
                f"table {table!r} of {dataset} belongs to {owner} in this target",
                hint=f"Use another target for {dataset}, or rename the table in one of the two.",
                table=table,
            )
    filled = {table.lower() for table in found.filled}
    strange = sorted(table for table in tables if table.lower() not in owners and table.lower() in filled)
    if strange and not load.replace and not load.made:
        raise Refused(
            f"rows that tdv did not load are in {', '.join(map(repr, strange))}",
            hint="Add --replace to delete them, or name another --target.",
            tables=strange,
        )


def foreign_references(found: Survey, load: Load, tables: Iterable[str]) -> dict[str, str]:
    """Tables with rows that are none of the datasets' and reference one that is: its name → the referenced table."""
    old = (table for held in found.of_load(load) for table in held.tables)
    own = {table.lower(): table for table in (*tables, *old)}
    return {
        table: own[referenced.lower()]
        for table, referenced in found.references
        if table in found.filled and table.lower() not in own and referenced.lower() in own
    }


def refuse_references(references: Mapping[str, str], also_empty: Iterable[str]) -> None:
    """Raises `Refused` for referencing tables that the settings do not allow to empty."""
    allowed = set(also_empty)
    for table, referenced in sorted(references.items()):
        if table not in allowed:
            raise Refused(
                f"table {table!r}, which is not the dataset's, references {referenced!r}, whose rows would go",
                hint=f"Add {table} to `also_empty:` of the target in tdv.yaml to have it emptied.",
                table=table,
                **{REFERENCES: referenced},
            )


def referenced(found: Survey, load: Load, tables: Iterable[str]) -> dict[str, str]:
    """Which of the datasets' tables others reference: its name to one of the others; `tables` are those to load."""
    ours = {*tables, *(table for held in found.of_load(load) for table in held.tables)}
    return {to: table for table, to in found.references if to in ours and table not in ours}


def refuse_referenced(others: Mapping[str, str]) -> None:
    """Raises `Refused` for tables that have to be made anew while others reference them, as `referenced` has them."""
    for table, other in sorted(others.items()):
        raise Refused(
            f"table {table!r} cannot be made anew: table {other!r} references it",
            hint="Migrate the target to the schema of this version, or drop that reference.",
            table=table,
        )


def refuse_foreign(found: Survey, load: Load, also_empty: Iterable[str]) -> None:
    """Raises `Refused` for what the load would take from others: rows, and rows that reference those that go."""
    owners = owners_of(load)
    refuse_strangers(found, load, owners)
    refuse_references(foreign_references(found, load, owners), also_empty)


def owners_of(load: Load) -> dict[str, str]:
    """The tables to load, each with its dataset; opens the releases."""
    return {table.name: item.dataset for item in load.items for table in item.content().tables}


def refuse_twice(named: Iterable[tuple[str, str]]) -> None:
    """Raises `Refused` when two datasets of one load have a table of one name; pairs of dataset and table."""
    seen: dict[str, str] = {}
    for dataset, table in named:
        other = seen.setdefault(table.lower(), dataset)
        if other != dataset:
            raise Refused(
                f"table {table!r} is in two datasets, {other} and {dataset}",
                hint="Restore them into two targets, or rename the table in one of them.",
                table=table,
            )

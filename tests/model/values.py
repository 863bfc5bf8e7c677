"""Strategies for the values that tdv stores."""

from typing import Any

from hypothesis import strategies as st

from tdv.model.compat import Compat, Span
from tdv.model.manifest import Manifest, Part, ScenarioManifest, Source, TableManifest
from tdv.model.release import Amendment, Artifact, Change, Record, TableSummary
from tdv.model.schema import Column, Reference, Rules, TableSchema
from tdv.model.types import SIMPLE, LogicalType

names = st.text(min_size=1, max_size=6)
texts = st.text(max_size=12)
counts = st.integers(0, 2**40)
digests = st.text("0123456789abcdef", min_size=8, max_size=8).map(lambda digits: f"tdv1:{digits}")
scalars: st.SearchStrategy[Any] = st.integers() | texts | st.booleans()
maybe = st.none() | names
columns_of_names = st.lists(names, min_size=1, max_size=2, unique=True).map(tuple)

rules = st.builds(
    Rules,
    minimum=st.none() | st.integers() | names,
    maximum=st.none() | st.integers(),
    pattern=maybe,
    format=maybe,
    enum=st.none() | st.lists(scalars, min_size=1, max_size=3).map(tuple),
    min_length=st.none() | counts,
    max_length=st.none() | counts,
)
columns = st.builds(
    Column, names, st.sampled_from(SIMPLE).map(LogicalType), st.booleans(), rules, privacy=maybe, description=texts
)
references = st.builds(Reference, columns_of_names, names, columns_of_names, maybe)
tables = st.builds(
    TableSchema,
    names,
    st.lists(columns, min_size=1, max_size=3, unique_by=lambda column: column.name).map(tuple),
    key=columns_of_names | st.just(()),
    uniques=st.lists(columns_of_names, max_size=2).map(tuple),
    references=st.lists(references, max_size=2).map(tuple),
    checks=st.lists(texts, max_size=2).map(tuple),
    description=texts,
)
spans = st.builds(Span, maybe, maybe)
compats = st.builds(Compat, maybe, st.none() | spans)
artifacts = st.builds(Artifact, names, counts, counts)
changes = st.builds(Change, st.sampled_from(["major", "minor", "patch", "none"]), maybe, counts, counts, counts)
records = st.builds(
    Record, names, names, names, names, digests, digests, digests, digests, artifacts, digests,
    st.dictionaries(names, st.builds(TableSummary, counts, digests), max_size=2),
    changes, st.dictionaries(names, names, max_size=2), compats, st.dictionaries(names, names, max_size=2), texts,
)  # fmt: skip
amendments = st.builds(Amendment, names, names, names, st.none() | st.booleans(), st.none() | compats)
keys = st.lists(scalars, max_size=2).map(tuple)
parts = st.builds(
    Part, names, counts, digests, st.dictionaries(names, digests, max_size=2), keys, keys, digests, counts, names
)
scenarios = st.builds(
    ScenarioManifest, names, texts, digests,
    st.dictionaries(names, st.dictionaries(names, keys, max_size=2), max_size=2),
    st.dictionaries(names, st.lists(keys, max_size=2).map(tuple), max_size=2), st.booleans(),
    st.dictionaries(names, st.lists(st.lists(maybe, max_size=2).map(tuple), max_size=2).map(tuple), max_size=2),
)  # fmt: skip
table_manifests = st.builds(TableManifest, tables, counts, digests, st.lists(parts, max_size=2).map(tuple))
manifests = st.builds(
    Manifest, names, counts, names, names, digests, digests, digests, digests,
    st.lists(table_manifests, max_size=2, unique_by=lambda table: table.name).map(tuple),
    st.lists(texts, max_size=2).map(tuple),
    st.lists(scenarios, max_size=2, unique_by=lambda item: item.name).map(
        lambda found: tuple(sorted(found, key=lambda item: item.name))
    ),
    st.lists(st.builds(Source, names, digests, st.booleans()), max_size=2).map(tuple),
    st.dictionaries(names, names, max_size=2),
)  # fmt: skip

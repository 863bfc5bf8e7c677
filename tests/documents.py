"""Documents for tests: right ones for every schema, and ways to break them."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

HEX = "0123456789abcdef" * 4
DIGEST = f"tdv1:{HEX}"
ARTIFACT = {"md5": f"{HEX[:32]}.dir", "size": 12, "nfiles": 3}

SPEC = """\
# yaml-language-server: $schema=…/dataset.schema.json
dataset: movies
description: Catalogue with users, movies and ratings
seed: 12345
as_of: 2026-01-01T00:00:00Z        # the frozen clock of every generator
locale: en_US
compat:
  app: ">=1.2,<3"
  migration: {from: "0003", until: "0007"}   # optional; default: from = head at release
requires: {reference: "^1.2"}      # other datasets that references may point into
tables:
  users:
    rows: 100
    key: [id]
    columns:
      id:         {type: int64, generate: {sequence: {start: 1}}}
      email:      {type: string, format: email, unique: true, privacy: email, generate: {template: "user{id}@example.test"}}
      name:       {type: string, privacy: name, generate: {faker: name}}
      age:        {type: int16, nullable: true, minimum: 0, maximum: 150, generate: {normal: {mean: 38, sd: 12}, null: 0.05}}
      created_at: {type: timestamp, generate: {datetime: {from: 2020-01-01, to: as_of}}}
    checks:
      - created_at < TIMESTAMP '2026-01-01'
  movies:
    rows: 1000
    key: [id]
    columns:
      id:      {type: int64, generate: sequence}
      user_id: {type: int64, references: users.id, generate: {pick: {skew: 1.1}}}
"""  # noqa: E501 - as users write it

SETTINGS = """\
default: {dataset: movies, target: local}
datasets: {movies: "^1.1", reference: "*"}      # what this code needs; tdv.lock holds the choice
repositories: {catalog: {git: "https://host/test-data.git", ref: main}}
app: {version: {from: pyproject.toml}}
migrations: {tool: alembic, path: migrations, apply: [alembic, upgrade, "{revision}"], env: {DATABASE_URL: "{url}"}}
targets:
  local: {url: "sqlite:///.tdv/local.db", owns: database}
  ci: {url_env: DATABASE_URL, owns: database}
  staging: {url_env: STAGING_URL, protected: true}
environments:
  ci: {target: ci, datasets: [reference, movies]}
policy: {never: ["*.prod.*"], merge: squash}
"""

RECORD = {
    "format": "tdv.release/v1",
    "dataset": "movies",
    "version": "1.1.0",
    "released": "2026-11-21T10:00:00Z",
    "author": "Name <mail>",
    "digest": DIGEST,
    "content": DIGEST,
    "schema": DIGEST,
    "sources": f"sha256:{HEX}",
    "toolchain": {"tdv": "0.1.0", "python": "3.11.7"},
    "artifact": ARTIFACT,
    "manifest": f"sha256:{HEX}",
    "compat": {"app": ">=1.2,<3", "migration": {"from": "0003", "until": None}},
    "requires": {"reference": "^1.2"},
    "tables": {"users": {"rows": 103, "digest": DIGEST}},
    "change": {"bump": "minor", "since": "1.0.1", "rows": {"added": 7, "removed": 0, "changed": 0}},
    "notes": "Edge cases: empty title",
}
AMENDMENTS = {
    "format": "tdv.amendments/v1",
    "dataset": "movies",
    "amendments": [
        {"version": "1.0.0", "date": "2026-11-22", "reason": "wrong currency", "yanked": True},
        {"version": "1.1.0", "date": "2026-11-23", "reason": "0008 drops age", "compat": {"app": None}},
    ],
}
LOCK = {
    "format": "tdv.lock/v1",
    "app": "2.3.0",
    "migration": None,
    "datasets": {
        "movies": {"version": "1.1.0", "range": "^1.1", "digest": DIGEST, "artifact": ARTIFACT, "commit": None}
    },
}
SCENARIO = {
    "scenario": "payment-retry",
    "title": "Payment fails, retry succeeds",
    "owner": "qa-payments",
    "tests": ["tests/test_payments.py::test_retry"],
    "rows": {"customers": {"ada": {"email": "ada@example.test"}}, "orders": {"first": {"customer_id": "$ada"}}},
    "expect": ["SELECT count(*) = 2 FROM payments WHERE order_id = $first"],
    "standalone": False,
}

# What YAML can hold without escapes: JSON's surrogate pairs are no YAML.
WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=8).filter(lambda word: word != "<<")
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | WORDS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=6
)


def places(data: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Every path in `data`, the empty one included."""
    found = [path]
    steps = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for step, inner in steps:
        found += places(inner, (*path, step))
    return found


@st.composite
def broken(draw: st.DrawFn, right: Any) -> Any:
    """`right` with one to three values replaced, removed, moved or added; sometimes still right."""
    data = copy.deepcopy(right)
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(places(data)))
        if not path:
            continue
        holder = data
        for step in path[:-1]:
            holder = holder[step]
        act = draw(st.sampled_from(["replace", "remove", "move", "add"]))
        if act == "replace":
            holder[path[-1]] = draw(VALUES)
        elif act == "remove":
            del holder[path[-1]]
        elif act == "move":
            other = data
            for step in draw(st.sampled_from(places(data))):
                other = other[step]
            holder[path[-1]] = copy.deepcopy(other)
        elif isinstance(holder, dict):
            holder[draw(WORDS)] = draw(VALUES)
    return data

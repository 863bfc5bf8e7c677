"""Foreign keys always hit, also in circles, composite keys and unique combinations."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from tdv.errors import ConfigError, DocumentError
from tests.factories.specs import built, column, generator, inputs, read_spec

CIRCLE = """
employees:
  rows: 300
  key: [id]
  columns:
    id: {type: uuid, generate: {uuid: {}}}
    boss: {type: uuid, nullable: true, references: employees.id, generate: {pick: {}, "null": 0.1}}
    team: {type: string, references: teams.code, generate: {pick: {skew: 1}}}
teams:
  rows: 20
  key: [code]
  columns:
    code: {type: string, generate: {template: "T{index}"}}
    lead: {type: uuid, references: employees.id, generate: {pick: {}}}
"""


def test_circular_and_self_references_hit(tmp_path: Path) -> None:
    spec = read_spec(tmp_path, CIRCLE)
    tables = built(spec, inputs(tmp_path))
    employees, teams = tables["employees"], tables["teams"]
    ids, codes = set(employees["id"].to_pylist()), set(teams["code"].to_pylist())
    assert set(employees["boss"].to_pylist()) - {None} <= ids
    assert set(teams["lead"].to_pylist()) <= ids
    assert set(employees["team"].to_pylist()) <= codes
    assert len(set(employees["team"].to_pylist())) > 5


def test_columns_of_a_composite_reference_pick_one_parent(tmp_path: Path) -> None:
    tables = """
    users:
      rows: 50
      key: [tenant, number]
      columns:
        tenant: {type: int32, generate: {uniform: {min: 1, max: 5}}}
        number: {type: int32, generate: {uniform: {min: 1, max: 40}}}
    notes:
      rows: 500
      columns:
        tenant: {type: int32, generate: {pick: {}}}
        author: {type: int32, generate: {pick: {}}}
      references:
        - {columns: [tenant, author], table: users, to: [tenant, number]}
    """
    found = built(read_spec(tmp_path, tables), inputs(tmp_path))
    keys = {tuple(row.values()) for row in found["users"].to_pylist()}
    assert len(keys) == 50
    assert {tuple(row.values()) for row in found["notes"].to_pylist()} <= keys


RATINGS = """
users: {rows: 20, key: [id], columns: {id: {type: int64, generate: {sequence: {}}}}}
movies: {rows: 30, key: [id], columns: {id: {type: int64, generate: {sequence: {start: 7, step: 5}}}}}
ratings:
  rows: %d
  key: [user_id, movie_id]
  columns:
    user_id: {type: int64, references: users.id, generate: {pick: {}}}
    movie_id: {type: int64, references: movies.id, generate: {pick: {%s}}}
"""


def test_key_of_two_picks_never_repeats(tmp_path: Path) -> None:
    found = built(read_spec(tmp_path, RATINGS % (600, "")), inputs(tmp_path))["ratings"]
    assert len({tuple(row.values()) for row in found.to_pylist()}) == 600


@pytest.mark.parametrize(("rows", "skew", "message"), [(601, "", "600 combinations"), (9, "skew: 1", "together")])
def test_key_that_cannot_be_unique_is_refused(tmp_path: Path, rows: int, skew: str, message: str) -> None:
    with pytest.raises(DocumentError, match=message):
        generator(read_spec(tmp_path, RATINGS % (rows, skew)), "ratings")


def test_added_parents_move_only_their_share(tmp_path: Path) -> None:
    tables = """
    users: {rows: %d, key: [id], columns: {id: {type: int64, generate: {sequence: {}}}}}
    items: {rows: 5000, columns: {value: {type: int64, references: users.id, generate: {pick: {}}}}}
    """
    before, after = (column(read_spec(tmp_path, tables % rows)).to_numpy() for rows in (100, 110))
    moved = before != after
    assert (after[moved] > 100).all()
    assert abs(moved.mean() - 10 / 110) < 0.02


def test_pick_from_handwritten_rows_where_none_are_generated(tmp_path: Path) -> None:
    tables = """
    users: {key: [id], columns: {id: {type: int64}}}
    items: {rows: 100, columns: {value: {type: int64, references: users.id, generate: {pick: {}}}}}
    """
    spec = read_spec(tmp_path, tables)
    seeds = {"users": pa.table({"id": pa.array([30, 10, 20])})}
    assert set(built(spec, inputs(tmp_path, seeds=seeds))["items"]["value"].to_pylist()) == {10, 20, 30}
    with pytest.raises(DocumentError, match="nothing to pick"):
        built(spec, inputs(tmp_path))


def test_pick_from_a_dataset_that_is_not_at_hand_is_refused(tmp_path: Path) -> None:
    head = "dataset: shop\nseed: 1\nas_of: 2026-01-01T00:00:00Z\nrequires: {geo: '^1'}\n"
    tables = (
        "items: {rows: 5, columns: {value: {type: string, references: 'geo:countries.code', generate: {pick: {}}}}}"
    )
    spec = read_spec(tmp_path, tables, head=head)
    with pytest.raises(ConfigError, match="geo:countries"):
        built(spec, inputs(tmp_path))
    others = {("geo", "countries"): pa.table({"code": ["AT", "CH"]})}
    assert set(generator(spec, others=others).block(0, 5)["value"].to_pylist()) <= {"AT", "CH"}

"""`tdv merge` and the driver behind it: seeds, scenarios and DVC's files merge by meaning."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdv.merge import Merged, MergeOptions, Versions, is_known, merge
from tdv.merge.tree import ABSENT, TreeMerge, signature
from tdv.store import changelog
from tests.conftest import RepositoryBuilder
from tests.repository import Repository, run

SEED = "datasets/shop/seeds/users.csv"
SCENARIO = "datasets/shop/scenarios/retry.yaml"


def merged(path: str, base: str, ours: str, theirs: str, key: tuple[str, ...] = ("id",)) -> Merged:
    options = MergeOptions(path, lambda dataset, table: key, lambda versions: None)
    found = merge(Versions(base.encode(), ours.encode(), theirs.encode()), options)
    assert found is not None
    return found


def text(found: Merged) -> str:
    assert found.conflicts == ()
    return found.data.decode()


USERS = "id,name,age\n1,ada,36\n2,bob,\n3,eve,50\n"


def test_edits_of_different_cells_of_one_row_merge() -> None:
    ours, theirs = USERS.replace("ada", "Ada"), USERS.replace("36", "37")
    assert text(merged(SEED, USERS, ours, theirs)) == USERS.replace("ada,36", "Ada,37")


def test_rows_added_at_the_same_place_merge_in_the_order_of_keys() -> None:
    ours, theirs = USERS + "7,gus,1\n", USERS + "5,fay,2\n10,hal,3\n"
    assert text(merged(SEED, USERS, ours, theirs)) == USERS + "5,fay,2\n7,gus,1\n10,hal,3\n"


def test_rows_without_order_keep_the_place_they_were_given() -> None:
    base = "id,name\nb,x\na,y\n"
    ours, theirs = "id,name\nb,x\nq,1\na,y\n", "id,name\nb,x\na,y\nc,2\n"
    assert text(merged(SEED, base, ours, theirs)) == "id,name\nb,x\nq,1\na,y\nc,2\n"


def test_removed_row_goes_and_an_edited_one_that_was_removed_clashes() -> None:
    without = USERS.replace("2,bob,\n", "")
    assert text(merged(SEED, USERS, USERS.replace("50", "51"), without)) == without.replace("50", "51")
    found = merged(SEED, USERS, without, USERS.replace("bob,", "bob,9"))
    assert found.conflicts == ("users id=2, age",)
    clash = "<<<<<<< ours: users id=2, age\n=======\n2,bob,9\n>>>>>>> theirs: users id=2, age\n"
    assert clash in found.data.decode()


def test_clash_is_around_its_row_with_all_else_merged() -> None:
    ours, theirs = USERS.replace("ada,36", "Ada,40"), USERS.replace("36", "37").replace("eve", "Eve")
    found = merged(SEED, USERS, ours, theirs)
    assert found.conflicts == ("users id=1, age",)
    assert found.data.decode() == (
        "id,name,age\n<<<<<<< ours: users id=1, age\n1,Ada,40\n=======\n1,Ada,37\n"
        ">>>>>>> theirs: users id=1, age\n2,bob,\n3,Eve,50\n"
    )


def test_one_key_with_two_rows_clashes_and_with_one_row_does_not() -> None:
    assert text(merged(SEED, USERS, USERS + "4,x,1\n", USERS + "4,x,1\n")) == USERS + "4,x,1\n"
    assert merged(SEED, USERS, USERS + "4,x,1\n", USERS + "4,x,2\n").conflicts == ("users id=4, age",)


def test_null_and_the_empty_text_are_different_cells() -> None:
    ours, theirs = USERS.replace("2,bob,", '2,bob,""'), USERS.replace("2,bob", "2,Bob")
    assert text(merged(SEED, USERS, ours, theirs)) == USERS.replace("2,bob,", '2,Bob,""')


def test_quoted_fields_stay_as_they_are_written() -> None:
    base = 'id,name,note\n1,"a, ""b""\nc",x\n2,"plain",y\n'
    ours, theirs = base.replace(",x", ",X"), base.replace('"plain"', "plain").replace(",y", ",Y")
    assert text(merged(SEED, base, ours, theirs)) == 'id,name,note\n1,"a, ""b""\nc",X\n2,plain,Y\n'


def test_columns_that_both_sides_add_merge() -> None:
    base = "id,name\n1,a\n2,b\n"
    ours, theirs = "id,name,x\n1,a,5\n2,b,6\n3,c,7\n", "id,y,name\n1,8,a\n2,9,b\n4,10,d\n"
    assert text(merged(SEED, base, ours, theirs)) == "id,y,name,x\n1,8,a,5\n2,9,b,6\n3,,c,7\n4,10,d,\n"


def test_column_that_one_side_dropped_goes_unless_the_other_edited_it() -> None:
    base, ours = "id,a,b\n1,x,y\n", "id,a\n1,x\n"
    assert text(merged(SEED, base, ours, base + "2,z,w\n")) == "id,a\n1,x\n2,z\n"
    options = MergeOptions(SEED, lambda *_: ("id",), lambda _: None)
    assert merge(Versions(base.encode(), ours.encode(), b"id,a,b\n1,x,Y\n"), options) is None


def test_table_without_a_key_merges_whole_rows() -> None:
    base = "a,b\n1,1\n1,1\n2,2\n"
    ours, theirs = "a,b\n1,1\n2,2\n3,3\n", "a,b\n1,1\n1,1\n2,2\n4,4\n"
    assert text(merged(SEED, base, ours, theirs, key=())) == "a,b\n1,1\n2,2\n3,3\n4,4\n"


def test_json_lines_merge_by_cell_and_keep_numbers_digit_by_digit() -> None:
    path = SEED.replace(".csv", ".jsonl")
    base = '{"id": 1, "n": 1.10, "t": "a"}\n{"id": 2, "n": 12345678901234567.89}\n'
    ours, theirs = base.replace('"a"', '"b"'), base.replace("1.10", "1.20")
    assert text(merged(path, base, ours, theirs)) == (
        '{"id":1,"n":1.20,"t":"b"}\n{"id": 2, "n": 12345678901234567.89}\n'
    )
    assert merged(path, base, base.replace("1.10", "1.30"), theirs).conflicts == ("users id=1, n",)


YAML = """\
scenario: retry
title: Payment fails   # twice
owner: qa
tests: [a.py, b.py]
rows:
  customers: {ada: {email: ada@example.test, since: 2020-01-01}}
  orders:
    first:
      customer_id: $ada
      total: "42.00"
      ratio: 1.50
expect:
  - SELECT 1
"""


def test_scenario_merges_by_label_and_cell_and_keeps_what_people_wrote() -> None:
    ours = YAML.replace('"42.00"', '"43.00"')
    theirs = YAML.replace("ratio: 1.50", "ratio: 1.50\n      note: late").replace("owner: qa", "owner: ops")
    found = text(merged(SCENARIO, YAML, ours, theirs))
    assert found == theirs.replace('"42.00"', '"43.00"')


def test_lists_of_a_scenario_merge_by_item() -> None:
    ours, theirs = YAML.replace("[a.py, b.py]", "[a.py, b.py, c.py]"), YAML.replace("[a.py, b.py]", "[b.py, d.py]")
    assert "tests: [b.py, c.py, d.py]" in text(merged(SCENARIO, YAML, ours, theirs))


def test_clash_in_a_scenario_is_marked_around_its_line() -> None:
    ours, theirs = YAML.replace("42.00", "43.00"), YAML.replace("42.00", "44.00").replace("qa", "ops")
    found = merged(SCENARIO, YAML, ours, theirs)
    assert found.conflicts == ("rows.orders.first.total",)
    clash = (
        '      customer_id: $ada\n<<<<<<< ours: rows.orders.first.total\n      total: "43.00"\n=======\n'
        '      total: "44.00"\n>>>>>>> theirs: rows.orders.first.total\n      ratio: 1.50\n'
    )
    assert clash in found.data.decode()
    assert "owner: ops" in found.data.decode()


def test_clash_within_braces_is_marked_around_the_whole_line() -> None:
    ours, theirs = YAML.replace("ada@", "a@"), YAML.replace("ada@", "b@")
    found = merged(SCENARIO, YAML, ours, theirs)
    assert found.conflicts == ("rows.customers.ada.email",)
    assert "  customers: {ada: {email: a@example.test, since: 2020-01-01}}\n=======\n" in found.data.decode()


def test_removed_and_edited_label_clashes() -> None:
    without = YAML[: YAML.index("  orders:")] + YAML[YAML.index("expect:") :]
    found = merged(SCENARIO, YAML, without, YAML.replace("42.00", "43.00"))
    assert found.conflicts == ("rows.orders",)
    assert "<<<<<<< ours: rows.orders\n=======\n  orders:\n    first:\n" in found.data.decode()


def test_seed_in_yaml_merges_by_key() -> None:
    path = SEED.replace(".csv", ".yaml")
    base = "- {id: 1, name: ada}\n- {id: 2, name: bob}\n"
    ours, theirs = base + "- {id: 3, name: eve}\n", base.replace("bob", "Bob") + "- {id: 4, name: fay}\n"
    expected = "- {id: 1, name: ada}\n- {id: 2, name: Bob}\n- {id: 3, name: eve}\n- {id: 4, name: fay}\n"
    assert text(merged(path, base, ours, theirs)) == expected
    found = merged(path, base, base.replace("bob", "rob"), theirs)
    assert found.conflicts == ("users id=2.name",)
    assert "<<<<<<< ours: users id=2.name\n- {id: 2, name: rob}\n=======\n- {id: 2, name: Bob}\n" in found.data.decode()


@pytest.mark.parametrize("head", ["---\n", "# Users\n\n---\n", "--- # Users\n", "---\r\n"])
def test_what_begins_a_document_stays(head: str) -> None:
    path = SEED.replace(".csv", ".yaml")
    base = head + "- {id: 1, name: ada, age: 1}\n"
    ours, theirs = base.replace("ada", "Ada"), base.replace("age: 1", "age: 2")
    assert text(merged(path, base, ours, theirs)) == head + "- {id: 1, name: Ada, age: 2}\n"
    assert merged(path, base, ours, base.replace("ada", "bob")).data.decode().startswith(f"{head}<<<<<<< ours: ")
    bare = base.removeprefix(head)
    assert text(merged(path, bare, ours.removeprefix(head), theirs)) == head + "- {id: 1, name: Ada, age: 2}\n"
    scenario = head + "scenario: retry\nrows:\n  users:\n    ada: {id: 1, age: 1}\n"
    both = merged(SCENARIO, scenario, scenario.replace("retry", "again"), scenario.replace("age: 1", "age: 2"))
    assert text(both) == scenario.replace("retry", "again").replace("age: 1", "age: 2")


@pytest.mark.parametrize(
    ("head", "tail"), [("%YAML 1.1\n---\n", ""), ("# Old\n%TAG ! tag:x,2026:\n---\n", ""), ("", "...\n"), ("", "---\n")]
)
def test_file_of_more_than_a_document_is_left_to_the_merge_of_lines(head: str, tail: str) -> None:
    base, ours, theirs = (f"{head}- {{id: 1, name: {name}, age: {age}}}\n{tail}" for name, age in ("a1", "b1", "a2"))
    versions = Versions(base.encode(), ours.encode(), theirs.encode())
    options = MergeOptions(SEED.replace(".csv", ".yaml"), lambda dataset, table: ("id",), lambda versions: None)
    assert merge(versions, options) is None


def test_heads_of_documents_that_both_sides_changed_are_left_to_the_merge_of_lines() -> None:
    base, ours, theirs = (f"{head}- {{id: 1}}\n" for head in ("", "# A\n---\n", "# B\n---\n"))
    versions = Versions(base.encode(), ours.encode(), theirs.encode())
    options = MergeOptions(SEED.replace(".csv", ".yaml"), lambda dataset, table: ("id",), lambda versions: None)
    assert merge(versions, options) is None


@pytest.mark.parametrize(
    ("before", "after"),
    [('"x"', "null"), ('"7"', "7"), ("7", '"7"'), ("null", "text"), ("true", '"true"'), ("|\n    x", "~")],
)
def test_value_of_another_type_stays_what_it_is_beside_an_edit(before: str, after: str) -> None:
    base = f"- id: 1\n  name: {before}\n  age: 1\n"
    ours, theirs = base.replace("age: 1", "age: 2"), base.replace(f"name: {before}", f"name: {after}")
    assert text(merged(SEED.replace(".csv", ".yaml"), base, ours, theirs)) == f"- id: 1\n  name: {after}\n  age: 2\n"


def test_text_of_several_lines_that_clashes_stands_whole_between_markers() -> None:
    base = "- id: 1\n  name: |\n    a\n    b\n  age: 1\n"
    ours, theirs = base.replace("    b", "    B"), base.replace("    b", "    c")
    found = merged(SEED.replace(".csv", ".yaml"), base, ours, theirs)
    assert found.data.decode() == (
        "- id: 1\n<<<<<<< ours: users id=1.name\n  name: |\n    a\n    B\n=======\n  name: |\n    a\n    c\n"
        ">>>>>>> theirs: users id=1.name\n  age: 1\n"
    )


def test_list_in_a_row_is_one_cell() -> None:
    base = "- {id: 1, tags: [a, b]}\n"
    ours, theirs = base.replace("b]", "c]"), base.replace("b]", "d]")
    assert merged(SEED.replace(".csv", ".yaml"), base, ours, theirs).conflicts == ("users id=1.tags",)
    with_tags = YAML.replace("ratio: 1.50", "tags: [a, b]")
    ours, theirs = with_tags.replace("[a, b]", "[a, c]"), with_tags.replace("[a, b]", "[a, d]")
    assert merged(SCENARIO, with_tags, ours, theirs).conflicts == ("rows.orders.first.tags",)


@pytest.mark.parametrize("before", ["x", "null"])
def test_two_mappings_in_the_place_of_one_value_clash(before: str) -> None:
    base = f"- {{id: 1, doc: {before}}}\n"
    ours, theirs = "- {id: 1, doc: {}}\n", "- {id: 1, doc: {a: 1}}\n"
    assert merged(SEED.replace(".csv", ".yaml"), base, ours, theirs).conflicts == ("users id=1.doc",)
    found = merged(
        SEED.replace(".csv", ".yaml"), theirs, theirs.replace("1}}", "2}}"), theirs.replace("1}}", "1, b: 2}}")
    )
    assert text(found) == "- {id: 1, doc: {a: 2, b: 2}}\n"


LOCK = """\
schema: '2.0'
stages:
  movies:
    cmd: tdv build movies
    outs:
    - path: datasets/movies/data
      md5: aaa.dir
  shop:
    cmd: tdv build shop
    outs:
    - path: datasets/shop/data
      md5: bbb.dir
"""


def test_lock_merges_by_stage() -> None:
    ours, theirs = LOCK.replace("aaa", "ccc"), LOCK.replace("bbb", "ddd") + "  zoo:\n    cmd: tdv build zoo\n"
    expected = LOCK.replace("aaa", "ccc").replace("bbb", "ddd") + "  zoo:\n    cmd: tdv build zoo\n"
    assert text(merged("dvc.lock", LOCK, ours, theirs)) == expected


def test_lock_of_one_dataset_built_on_both_sides_stays_readable() -> None:
    found = merged("dvc.lock", LOCK, LOCK.replace("aaa", "ccc"), LOCK.replace("aaa", "ddd").replace("bbb", "eee"))
    assert found.conflicts == ("stage movies",)
    assert found.data.decode() == LOCK.replace("aaa", "ccc").replace("bbb", "eee")


def test_stages_that_both_sides_add_merge_in_dvc_yaml() -> None:
    base = "stages: {}\n"
    ours = "stages:\n  a:\n    cmd: x\nartifacts:\n  a:\n    path: a\n"
    theirs = "# ours\nstages:\n  b:\n    cmd: y\nartifacts:\n  b:\n    path: b\n"
    found = text(merged("dvc.yaml", base, ours, theirs))
    assert (
        found
        == "# ours\nstages:\n  a:\n    cmd: x\n  b:\n    cmd: y\nartifacts:\n  a:\n    path: a\n  b:\n    path: b\n"
    )


def test_stage_that_both_sides_edit_is_marked_in_dvc_yaml() -> None:
    base = "stages:\n  a:\n    cmd: x\n"
    found = merged("dvc.yaml", base, base.replace("x", "y"), base.replace("x", "z"))
    assert found.conflicts == ("stage a",)
    assert "<<<<<<< ours: stage a\n  a:\n    cmd: y\n=======\n" in found.data.decode()


AMENDMENTS = "datasets/shop/amendments.yaml"


def amended(*days: int, **said: str) -> str:
    """An amendments file with an entry per day, each about a release of its own unless `said` says what of one."""
    items = [
        f"  - version: 1.0.{day}\n    date: 2026-01-{day:02}T00:00:00Z\n    reason: Day\n    yanked: true\n"
        for day in days
    ]
    items += [
        f"  - version: 1.0.0\n    date: 2026-02-{day[1:]}T00:00:00Z\n    reason: Said\n    {fact}\n"
        for day, fact in said.items()
    ]
    return "format: tdv.amendments/v1\ndataset: shop\namendments:\n" + "".join(items)


def test_amendments_of_both_sides_stand_by_date_whichever_side_is_ours() -> None:
    base, ours, theirs = amended(5), amended(5, 7, 9), amended(5, 6, 9, 8)
    # Each side keeps its own order, and what both have stands once.
    assert text(merged(AMENDMENTS, base, ours, theirs)) == amended(5, 6, 7, 9, 8)
    assert text(merged(AMENDMENTS, base, theirs, ours)) == amended(5, 6, 7, 9, 8)
    assert text(merged(AMENDMENTS, "", amended(2), amended(1))) == amended(1, 2)


@pytest.mark.parametrize("theirs", [amended(6), amended(5, 6).replace("Day", "Never", 1)])
def test_amendment_altered_or_dropped_by_one_side_is_refused(theirs: str) -> None:
    found = merged(AMENDMENTS, amended(5), amended(5, 7), theirs)
    assert found.conflicts == (
        "amendments that theirs altered or dropped: they are only appended, so keep each as it was",
    )
    assert "<<<<<<< ours: amendments\n  - version: 1.0.5" in found.data.decode()


def test_amendments_of_one_release_that_differ_are_named_and_stay_readable() -> None:
    ours = amended(5, d03="compat: {app: '<2'}", d09="yanked: true")
    theirs = amended(5, d04="compat: {app: '<3'}", d08="yanked: true")
    found = merged(AMENDMENTS, amended(5), ours, theirs)
    [conflict] = found.conflicts
    assert conflict.startswith(
        "compat of v1.0.0, which both sides set: the later holds, of 2026-02-04T00:00:00Z; git add"
    )
    assert found.data.decode().index("'<2'") < found.data.decode().index("'<3'")


def test_yank_that_is_said_again_in_the_same_words_is_no_old_one() -> None:
    yanked, undone = "yanked: true", "yanked: false"
    base = amended(d01=yanked, d02=undone)
    ours = base + amended(d01=yanked).partition("amendments:\n")[2]
    theirs = base + amended(d03=undone).partition("amendments:\n")[2]
    for sides in ((ours, theirs), (theirs, ours)):
        [conflict] = merged(AMENDMENTS, base, *sides).conflicts
        assert conflict.startswith("yanked of v1.0.0, which both sides set")


@given(st.sets(st.integers(1, 28)), st.sets(st.integers(1, 28)), st.sets(st.integers(1, 28)))
def test_amendments_merge_into_the_union(base: set[int], ours: set[int], theirs: set[int]) -> None:
    sides = [amended(*sorted(base | side)) for side in (ours, theirs)]
    assert text(merged(AMENDMENTS, amended(*sorted(base)), *sides)) == amended(*sorted(base | ours | theirs))


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("dvc.lock", True),
        ("sub/dvc.yaml", True),
        (SEED, True),
        ("sub/" + SCENARIO, True),
        ("datasets/shop/snapshot.yaml", True),
        ("sub/datasets/shop/amendments.yaml", True),
        ("datasets/shop/releases/1.0.0.yaml", False),
        ("datasets/shop/seeds/users.parquet", False),
        ("seeds/users.csv", False),
    ],
)
def test_kinds_of_files(path: str, known: bool) -> None:
    assert is_known(path) is known


SHEETS = st.dictionaries(st.integers(0, 6), st.tuples(*[st.sampled_from(["", "x", "y", '"q,"'])] * 2), max_size=6)


def sheet(rows: dict[int, tuple[str, str]]) -> str:
    return "id,a,b\n" + "".join(f"{key},{a},{b}\n" for key, (a, b) in sorted(rows.items()))


@given(SHEETS, SHEETS)
def test_merge_with_an_unchanged_side_is_the_other_side(base: dict, changed: dict) -> None:  # type: ignore[type-arg]
    one, other = sheet(base), sheet(changed)
    assert text(merged(SEED, one, one, other)) == other
    assert text(merged(SEED, one, other, one)) == other
    assert text(merged(SEED, one, other, other)) == other


@given(SHEETS, SHEETS, SHEETS)
def test_merge_is_symmetric_but_for_clashes(base: dict, ours: dict, theirs: dict) -> None:  # type: ignore[type-arg]
    one = merged(SEED, sheet(base), sheet(ours), sheet(theirs))
    other = merged(SEED, sheet(base), sheet(theirs), sheet(ours))
    assert one.conflicts == other.conflicts
    if not one.conflicts:
        assert one.data == other.data


TREES = st.recursive(
    st.sampled_from([1, True, "1", None, "x"]),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(TREES, TREES)
def test_tree_merge_takes_the_side_that_changed(base: object, changed: object) -> None:
    for trio in ((base, base, changed), (base, changed, base), (base, changed, changed), (ABSENT, changed, changed)):
        work = TreeMerge("ours", lambda path, item: signature(item))
        assert signature(work.merged(trio)) == signature(changed)
        assert work.clashes == []


SPEC = """
dataset: shop
tables:
  users:
    key: [id]
    columns: {id: {type: int64}, name: {type: string}, age: {type: int64, nullable: true}}
"""


@pytest.fixture
def shop(repo: RepositoryBuilder) -> Repository:
    made = repo().prepared().write({"datasets/shop/dataset.yaml": SPEC, SEED: USERS})
    made.tdv("build", expect=0)
    return made.commit("Shop")


def two_branches(shop: Repository, ours: dict[str, str], theirs: dict[str, str]) -> Repository:
    shop.git("checkout", "--quiet", "-b", "theirs")
    shop.write(theirs)
    shop.tdv("build", expect=0)
    shop.commit("Theirs")
    shop.git("checkout", "--quiet", "main")
    shop.write(ours)
    shop.tdv("build", expect=0)
    return shop.commit("Ours")


def merge_branch(shop: Repository) -> str:
    return run("git", "merge", "--quiet", "-m", "Merge", "theirs", cwd=shop.root).stdout


def test_by_hand_after_a_conflict(shop: Repository) -> None:
    two_branches(shop, {SEED: USERS.replace("ada,36", "Ada,36")}, {SEED: USERS.replace("36", "37")})
    for name in ("merge.tdv.driver", "merge.tdv.name"):
        shop.git("config", "--unset-all", name)
    merge_branch(shop)
    answer = shop.tdv("merge", "--json", expect=1).json()
    files = {file["path"]: file["conflicts"] for file in answer["files"]}
    assert files == {
        SEED: [],
        "datasets/shop/snapshot.yaml": ["the summary of the build"],
        "dvc.lock": ["stage shop"],
    }
    assert "1,Ada,37" in shop.read(SEED)
    shop.tdv("build", expect=0)
    status = shop.tdv("status", "--json", expect=0).json()
    assert status["unmerged"] == ["dvc.lock", "datasets/shop/snapshot.yaml"]
    shop.git("add", SEED, "datasets/shop/snapshot.yaml")
    status = shop.tdv("status", "--json", expect=0).json()
    assert (status["clean"], status["unmerged"]) == (False, ["dvc.lock"])
    assert "conflict  in conflict: dvc.lock  tdv merge" in shop.tdv("status", expect=0).stdout
    shop.git("add", "dvc.lock", "datasets/shop/snapshot.yaml")
    shop.git("commit", "--quiet", "-m", "Merge")
    assert shop.tdv("status", "--json").json()["datasets"][0]["notices"][0]["kind"] == "unreleased"
    assert "Nothing that tdv merges" in shop.tdv("merge", expect=0).stderr


def test_marked_row_in_the_work_tree(shop: Repository) -> None:
    two_branches(shop, {SEED: USERS.replace("36", "38")}, {SEED: USERS.replace("36", "37")})
    merge_branch(shop)
    outcome = shop.tdv("merge", SEED)
    assert outcome.exit_code == 1
    assert "users id=1, age" in outcome.stdout
    assert "<<<<<<< ours: users id=1, age\n1,ada,38\n" in shop.read(SEED)
    assert shop.tdv("merge", "dvc.yaml").exit_code == 10


def test_file_that_one_side_removed_is_kept_or_removed_by_the_commands_named(shop: Repository) -> None:
    shop.git("checkout", "--quiet", "-b", "theirs")
    shop.git("rm", "--quiet", SEED)
    shop.commit("Theirs")
    shop.git("checkout", "--quiet", "main")
    shop.write({SEED: USERS.replace("ada,36", "Ada,36")}).commit("Ours")
    merge_branch(shop)
    answer = shop.tdv("merge", "--json", expect=1).json()
    words = f"theirs removed it, and the other side edited it: git add {SEED} keeps it, git rm {SEED} removes it"
    assert answer["files"] == [{"path": SEED, "conflicts": [words]}]


def test_rows_merge_by_key_while_the_spec_is_in_conflict(shop: Repository) -> None:
    spec = "datasets/shop/dataset.yaml"
    two_branches(
        shop,
        {spec: SPEC + "description: One\n", SEED: USERS.replace("ada,36", "Ada,36")},
        {spec: SPEC + "description: Two\n", SEED: USERS.replace("36", "37")},
    )
    for name in ("merge.tdv.driver", "merge.tdv.name"):
        shop.git("config", "--unset-all", name)
    merge_branch(shop)
    files = {file["path"]: file["conflicts"] for file in shop.tdv("merge", "--json", expect=1).json()["files"]}
    assert files[SEED] == []
    assert shop.read(SEED) == USERS.replace("ada,36", "Ada,37")


def test_files_that_tdv_reads_and_does_not_merge_are_named(shop: Repository) -> None:
    spec = "datasets/shop/dataset.yaml"
    shop.write({"tdv.yaml": "datasets: {shop: '*'}\n", "tdv.lock": "a: 1\n", "app.py": "1\n"}).commit()
    two_branches(
        shop,
        {spec: SPEC + "description: One\n", "tdv.lock": "a: 2\n", "app.py": "2\n"},
        {spec: SPEC + "description: Two\n", "tdv.lock": "a: 3\n", "app.py": "3\n"},
    )
    merge_branch(shop)
    answer = shop.tdv("merge", "--json", expect=1).json()
    files = {file["path"]: file["conflicts"] for file in answer["files"]}
    assert files[spec] == [f"mend it by hand, then git add {spec}"]
    assert files["tdv.lock"] == ["tdv lock settles it, then git add tdv.lock"]
    assert "app.py" not in files


def test_file_mended_by_hand_is_left_alone_unless_it_is_named(shop: Repository) -> None:
    two_branches(shop, {SEED: USERS.replace("36", "38")}, {SEED: USERS.replace("36", "37")})
    merge_branch(shop)
    shop.write({SEED: USERS.replace("36", "38")})
    assert "mended by hand: git add it" in shop.tdv("merge", expect=1).stdout
    assert shop.read(SEED) == USERS.replace("36", "38")
    shop.tdv("merge", SEED, expect=1)
    assert "<<<<<<<" in shop.read(SEED)


def new_datasets(shop: Repository) -> Repository:
    def dataset(name: str) -> dict[str, str]:
        spec = SPEC.replace("shop", name)
        return {f"datasets/{name}/dataset.yaml": spec, f"datasets/{name}/seeds/users.csv": USERS}

    return two_branches(shop, dataset("aaa"), dataset("zoo"))


def built_already(shop: Repository) -> bool:
    shop.tdv("build", expect=0)
    return shop.git("status", "--porcelain", "--untracked-files=no") == ""


def test_datasets_that_differ_merge_by_hand_without_a_person(shop: Repository) -> None:
    new_datasets(shop)
    for name in ("merge.tdv.driver", "merge.tdv.name"):
        shop.git("config", "--unset-all", name)
    merge_branch(shop)
    assert shop.git("diff", "--name-only", "--diff-filter=U").split() == ["dvc.lock", "dvc.yaml"]
    shop.tdv("merge", expect=0)
    shop.git("commit", "--quiet", "-m", "Merge")
    assert built_already(shop)


def test_driver_merges_datasets_that_differ(shop: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    new_datasets(shop)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    merge_branch(shop)
    assert shop.git("log", "-1", "--format=%s") == "Merge"
    assert built_already(shop)


def test_driver_without_tdv_leaves_what_git_would(shop: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    new_datasets(shop)
    monkeypatch.setenv("PATH", "/usr/local/bin:/usr/bin:/bin")
    merge_branch(shop)
    assert shop.git("diff", "--name-only", "--diff-filter=U").split() == ["dvc.lock", "dvc.yaml"]
    assert "<<<<<<< ours" in shop.read("dvc.lock")


RECORD = "datasets/shop/releases/1.0.1.yaml"


def released_twice(shop: Repository) -> Repository:
    """Two branches that made v1.0.1, merged into each other; none is published."""
    shop.tdv("release", "shop", "1.0.0", "-m", "x", expect=0)
    shop.git("checkout", "--quiet", "-b", "theirs")
    for branch, name in (("theirs", "bo"), ("main", "rob")):
        shop.git("checkout", "--quiet", branch)
        shop.write({SEED: USERS.replace("bob", name)})
        shop.tdv("build", expect=0)
        shop.commit(name)
        shop.tdv("release", "shop", "-m", name, expect=0)
    merge_branch(shop)
    return shop


def test_two_branches_that_release_one_version_conflict(shop: Repository) -> None:
    released_twice(shop)
    assert f"AA {RECORD}" in shop.git("status", "--porcelain")
    files = {file["path"]: file["conflicts"] for file in shop.tdv("merge", "--json", expect=1).json()["files"]}
    said = "shop@v1.0.1 was released on both sides"
    assert files[RECORD] == [
        f"{said}, and neither is published as far as this clone knows: keep what was merged first",
        f"git checkout --theirs -- {RECORD} (or --ours), then tdv merge",
        "after the merge, tdv release shop makes the other one the next version",
    ]
    assert "<<<<<<<" in shop.read(RECORD)


@pytest.mark.parametrize(("published", "side"), [("theirs", "theirs"), ("HEAD", "ours")])
def test_published_record_is_said_to_stay(shop: Repository, published: str, side: str) -> None:
    released_twice(shop)
    shop.git("remote", "add", "origin", shop.root.as_uri())
    shop.git("update-ref", "refs/remotes/origin/main", published)
    shop.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    said = shop.tdv("merge", expect=1).stdout
    assert f"{side} is published, on origin/main, and stays" in said
    assert f"git checkout --{side} -- {RECORD}, then tdv merge" in said


def test_tag_says_which_record_stays(shop: Repository) -> None:
    released_twice(shop)
    shop.git("tag", "-a", "-m", "x", "shop@v1.0.1", "HEAD")
    assert "ours is published, tagged shop@v1.0.1, and stays" in shop.tdv("merge", expect=1).stdout


def test_other_release_becomes_the_next_version(shop: Repository) -> None:
    released_twice(shop)
    shop.git("checkout", "--theirs", "--", RECORD)
    said = shop.tdv("merge", expect=1).stdout
    assert f"merged    {RECORD}\nmerged    CHANGELOG.md\n" in said
    notices = shop.tdv("status", "--json", expect=0).json()["datasets"][0]["notices"]
    assert notices[0] == {"kind": "conflict", "message": f"in conflict: {SEED}", "hint": "tdv merge"}
    section = changelog.section_of(shop.git("show", "theirs:CHANGELOG.md"), "shop", "1.0.1")
    assert "bo\n" in section
    assert changelog.section_of(shop.read("CHANGELOG.md"), "shop", "1.0.1") == section
    shop.write({SEED: USERS.replace("bob", "robert")})
    shop.tdv("build", expect=0)
    shop.commit("Merge theirs")
    assert shop.tdv("release", "shop", "-m", "Rob", expect=0).stdout.startswith("shop@v1.0.2  patch since v1.0.1")
    assert shop.tdv("check", "--base", "theirs", expect=0)


def test_driver_merges_what_lines_would_not(shop: Repository, tmp_path: Path) -> None:
    names = [tmp_path / name for name in ("base", "ours", "theirs")]
    for path, content in zip(names, (USERS, USERS.replace("ada", "Ada"), USERS.replace("36", "37")), strict=True):
        path.write_text(content)
    shop.tdv("merge", "--driver", *map(str, names), "7", SEED, expect=0)
    assert "1,Ada,37" in names[1].read_text()
    names[0].write_text("no csv\n1,2\n")
    assert shop.tdv("merge", "--driver", *map(str, names), "11", SEED).exit_code == 1
    assert "<<<<<<<<<<< ours\n" in names[1].read_text()

"""Changes to YAML that leave everything else as it is written."""

from __future__ import annotations

import pytest

from tdv.documents.edit import Change, YamlEdits
from tdv.errors import ConfigError

SPEC = """\
# Catalogue – with a long dash
dataset: shop
tables:

  users:   # people
    key: [id]
    columns:
      id:    {type: int64, generate: {sequence: {start: 1}}}
      # their mail
      email: {type: string, format: email,
              privacy: email}   # personal
      age:   {type: int16}
    checks:
      - age > 0   # grown
      - id > 0
  empty: {}
"""
COLUMNS = ("tables", "users", "columns")


def edited(change: Change, *path: str | int, text: str = SPEC) -> str:
    edits = YamlEdits(text, "f.yaml")
    edits.change(path, change)
    return edits.text()


def test_no_change_leaves_the_text() -> None:
    assert edited(Change(), *COLUMNS) == SPEC


def test_column_is_added_below_the_others_and_aligned() -> None:
    text = edited(Change(added=[("plan", "{type: string}")]), *COLUMNS)
    assert text == SPEC.replace("{type: int16}\n", "{type: int16}\n      plan:  {type: string}\n")


def test_column_is_removed_with_its_lines_and_no_other_comment() -> None:
    text = edited(Change(removed={"email"}), *COLUMNS)
    start, end = SPEC.index("      email"), SPEC.index("      age")
    assert text == SPEC[:start] + SPEC[end:]


def test_column_is_renamed_in_its_place_with_its_alignment() -> None:
    assert edited(Change(renamed={"email": "mail"}), *COLUMNS) == SPEC.replace("email: {", "mail:  {")
    assert edited(Change(renamed={"age": "years_old"}), *COLUMNS) == SPEC.replace("age:   {", "years_old: {")


def test_keys_within_braces_are_changed_one_by_one() -> None:
    change = Change(removed={"format"}, replaced={"type": "json"}, added=[("nullable", "true")])
    text = edited(change, *COLUMNS, "email")
    assert "email: {type: json, privacy: email, nullable: true}   # personal" in text
    assert edited(Change(removed={"type", "format"}), *COLUMNS, "email").count("{privacy: email}") == 1
    assert "email: {type: string}   # personal" in edited(Change(removed={"format", "privacy"}), *COLUMNS, "email")
    everything = Change(removed={"format", "privacy", "type"}, added=[("a", "1")])
    assert "email: {a: 1}   # personal" in edited(everything, *COLUMNS, "email")


def test_items_of_a_list_are_removed_replaced_and_added() -> None:
    text = edited(Change(removed={0}, replaced={1: "id > 1"}, added=[("", "age < 9")]), "tables", "users", "checks")
    assert "    checks:\n      - id > 1\n      - age < 9\n  empty" in text


def test_table_is_removed_and_added_at_the_end() -> None:
    text = edited(Change(removed={"users"}, added=[("more", "\n    key: [id]")]), "tables")
    assert text == "# Catalogue – with a long dash\ndataset: shop\ntables:\n\n  empty: {}\n  more:\n    key: [id]\n"


def test_last_entry_gives_way_to_a_new_one() -> None:
    text = "a:\n  b: 1\n  c: 2   # two\nd: 3\n"
    assert edited(Change(removed={"c"}, added=[("e", "4")]), "a", text=text) == "a:\n  b: 1\n  e: 4\nd: 3\n"
    assert edited(Change(removed={"b", "c"}, added=[("e", "4")]), "a", text=text) == "a:\n  e: 4\nd: 3\n"


def test_blank_lines_between_entries_are_kept_up() -> None:
    text = "a:\n\n  b: 1\n\n  c: 2\n"
    assert edited(Change(added=[("e", "4")]), "a", text=text) == text + "\n  e: 4\n"


def test_empty_braces_are_filled() -> None:
    assert "empty: {key: [id]}" in edited(Change(added=[("key", "[id]")]), "tables", "empty")


def test_rows_of_a_list_keep_their_dashes() -> None:
    rows = "- id: 1\n  name: a   # first\n- {id: 2, name: b}\n"
    edits = YamlEdits(rows, "f.yaml")
    edits.change((0,), Change(removed={"id"}, added=[("plan", "free")]))
    edits.change((1,), Change(removed={"name"}))
    edits.change((), Change(added=[("", "{id: 3}")]))
    assert edits.text() == "- name: a   # first\n  plan: free\n- {id: 2}\n- {id: 3}\n"
    assert edited(Change(removed={0}), text=rows) == "- {id: 2, name: b}\n"


def test_value_that_stands_for_nothing_is_replaced() -> None:
    assert edited(Change(replaced={"a": "{b: 1}"}), text="a:\nc: 1\n") == "a: {b: 1}\nc: 1\n"


def test_what_an_anchor_shares_is_refused() -> None:
    text = "a: &x {b: 1}\nc: *x\n"
    with pytest.raises(ConfigError, match="shared by an anchor"):
        edited(Change(removed={"b"}), "c", text=text)


def test_sources_are_given_as_they_are_written() -> None:
    edits = YamlEdits(SPEC, "f.yaml")
    assert edits.source((*COLUMNS, "id", "type")) == "int64"
    assert edits.steps(("tables",)) == ("users", "empty")
    assert not edits.has(("tables", "other"))

from hypothesis import given, settings

from tdv.content.snapshot import Snapshot
from tdv.diff import compare, diff
from tdv.diff.algebra import apply, invert
from tdv.diff.stored import dump, load
from tests.diff.states import States, opened, two_states


def tables(snapshot: Snapshot) -> dict[str, object]:
    return {name: snapshot.table(name).combine_chunks() for name in snapshot.tables}


def digests(snapshot: Snapshot) -> dict[str, dict[str, str]]:
    return _digests(tables(snapshot), snapshot)


def _digests(found: object, snapshot: Snapshot) -> dict[str, dict[str, str]]:
    from tdv.content.digest import leaves

    assert isinstance(found, dict)
    assert list(found) == list(snapshot.tables)
    return {name: leaves(table, snapshot.manifest.table(name).schema) for name, table in found.items()}


@settings(max_examples=40)
@given(two_states())
def test_diff_applied_to_the_older_state_gives_the_newer(states: tuple[States, States]) -> None:
    with opened(*states) as (old, new):
        assert _digests(apply(tables(old), diff(old, new)), new) == digests(new)


@settings(max_examples=40)
@given(two_states())
def test_inverted_diff_is_the_diff_of_the_way_back(states: tuple[States, States]) -> None:
    with opened(*states) as (old, new):
        there = diff(old, new)
        assert invert(there) == diff(new, old)
        assert invert(invert(there)) == there
        assert _digests(apply(tables(new), invert(there)), old) == digests(old)


@settings(max_examples=40)
@given(two_states())
def test_stored_diff_is_the_same_value(states: tuple[States, States]) -> None:
    with opened(*states) as (old, new):
        made = diff(old, new)
        assert load(dump(made)) == made
        assert dump(load(dump(made))) == dump(made)


@settings(max_examples=40)
@given(two_states())
def test_parts_do_not_change_what_is_found(states: tuple[States, States]) -> None:
    with opened(*states, scale=2) as (old, new), opened(*states, scale=1000) as (one_old, one_new):
        assert compare(old, new).tables == compare(one_old, one_new).tables
        if old.manifest.digest != new.manifest.digest:
            assert diff(old, new).tables == diff(one_old, one_new).tables

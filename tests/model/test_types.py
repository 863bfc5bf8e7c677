import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdv.model.types import NAMES, SIMPLE, LogicalType

decimals = st.integers(1, 38).flatmap(
    lambda precision: st.builds(
        LogicalType, st.just("decimal"), st.just(precision), st.integers(min_value=0, max_value=precision)
    )
)
simple = st.sampled_from(SIMPLE).map(LogicalType)
types = st.recursive(
    simple | decimals,
    lambda inner: (
        inner.map(lambda element: LogicalType("list", element=element))
        | st.lists(st.tuples(st.text(), inner), min_size=1, max_size=3, unique_by=lambda item: item[0]).map(
            lambda fields: LogicalType("struct", fields=tuple(fields))
        )
    ),
    max_leaves=6,
)


@given(types)
def test_type_survives_its_text(kind: LogicalType) -> None:
    assert LogicalType.parse(str(kind)) == kind


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (" decimal( 10 ,2 ) ", "decimal(10,2)"),
        ("list< int64 >", "list<int64>"),
        ("struct<a:int64,b :list<string>>", "struct<a: int64, b: list<string>>"),
        ('struct<"a b": date>', 'struct<"a b": date>'),
    ],
)
def test_white_space_is_free(text: str, canonical: str) -> None:
    assert str(LogicalType.parse(text)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "", "int", "integer", "INT64", "int64 x", "decimal", "decimal(10)", "decimal(0,0)", "decimal(39,2)",
        "decimal(2,3)", "decimal(a,b)", "list", "list<", "list<int64", "struct<>", "struct<a>", "struct<a: int64",
        "struct<a: int64; b: int64>", "struct<a: int64, a: date>", "list<list<" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_type_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"type|decimal"):
        LogicalType.parse(text)


@pytest.mark.parametrize(
    ("narrow", "wide", "widens"),
    [
        ("int16", "int32", True),
        ("int16", "int64", True),
        ("int32", "int16", False),
        ("int64", "int64", False),
        ("int64", "float64", False),
        ("int16", "decimal(7,2)", True),
        ("int32", "decimal(10,2)", False),
        ("decimal(5,2)", "decimal(7,3)", True),
        ("decimal(5,2)", "decimal(5,3)", False),
        ("decimal(5,2)", "decimal(7,1)", False),
        ("date", "timestamp", True),
        ("timestamp", "timestamptz", False),
        ("string", "json", False),
        ("list<int16>", "list<int64>", True),
        ("list<int16>", "list<string>", False),
    ],
)
def test_widening_loses_nothing(narrow: str, wide: str, widens: bool) -> None:
    assert LogicalType.parse(narrow).widens_to(LogicalType.parse(wide)) is widens


def test_keys_are_of_exact_types() -> None:
    exact = [name for name in NAMES if LogicalType(name).may_be_key]
    assert exact == [name for name in NAMES if name not in ("float64", "json", "list", "struct")]
    assert [name for name in NAMES if LogicalType(name).is_nested] == ["list", "struct"]

"""Values of every logical type as text, for CSV, and as JSON values, for JSON Lines and YAML.

In: Arrow arrays of canonical type, or text and plain values from a file. Out: the other of the two. Always
holds: what `to_text` and `to_plain` write, `from_text` and `from_plain` read back as the same values; text that
is no value of its type is never bent into one, it comes back as a `Misfit` with its row.

The forms (``docs/formats/seeds.md``): ``true``/``false``; plain digits; decimals exact, as a JSON string;
``2026-01-31``; ``12:30:00``; ``2026-01-31T12:30:00`` without and ``2026-01-31T12:30:00Z`` with time zone; bytes as
hexadecimal digits; uuid in lower case; JSON, list and struct as JSON.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from tdv.content import compute as pc
from tdv.content.arrow import arrow_type
from tdv.model.canonical import Recoder
from tdv.model.cell import Document
from tdv.model.types import LogicalType

MOST_MISFITS: Final = 20
_INTEGERS: Final = {"int16": 15, "int32": 31, "int64": 63}
_EXAMPLES: Final = {
    "bool": "true or false",
    "float64": "a number",
    "string": "text",
    "binary": "bytes as hexadecimal digits, such as 00ff",
    "date": "a date such as 2026-01-31",
    "time": "a time of day such as 12:30:00",
    "timestamp": "a timestamp without time zone such as 2026-01-31T12:30:00",
    "timestamptz": "a timestamp with time zone such as 2026-01-31T12:30:00Z",
    "uuid": "a uuid such as 123e4567-e89b-12d3-a456-426614174000",
    "json": "a JSON value",
}
_NOT_FINITE: Final = ("NaN", "Infinity", "-Infinity")
_Reader = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Misfit:
    """`value` at `row` (from 0) is no value of the type; `value` is as it was read."""

    row: int
    value: Any


@dataclass(frozen=True, slots=True)
class Parsed:
    """The values as an Arrow array; where `misfits` is not empty, it holds nulls only."""

    array: pa.Array
    misfits: tuple[Misfit, ...] = ()


def expected(kind: LogicalType) -> str:
    """What a value of this type looks like, for errors: ``a whole number from -32768 to 32767``."""
    if kind.name in _INTEGERS:
        limit = 2 ** _INTEGERS[kind.name]
        return f"a whole number from {-limit} to {limit - 1}"
    if kind.name == "decimal":
        whole = kind.precision - kind.scale
        return f"a decimal number with at most {whole} digits before and {kind.scale} after the point"
    if kind.name in _EXAMPLES:
        return _EXAMPLES[kind.name]
    return f"a JSON {'array' if kind.name == 'list' else 'object'} for {kind}"


def from_text(texts: pa.Array | pa.ChunkedArray, kind: LogicalType) -> Parsed:
    """Reads text, null for NULL, as values of `kind`."""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    if kind.is_nested:
        return _nested_from_text(texts, kind)
    convert = _FROM_TEXT.get(kind.name, _cast)
    try:
        return Parsed(convert(texts, kind))
    except (pa.ArrowInvalid, ValueError):
        rows = list(_bad_rows(texts, kind, convert, 0))[:MOST_MISFITS]
        return _unfit([Misfit(row, texts[row].as_py()) for row in rows], len(texts), kind)


def from_plain(values: Sequence[Any], kind: LogicalType) -> Parsed:
    """Reads JSON values, None for NULL, as values of `kind`; numbers with a point may be `Decimal`."""
    if kind.name == "list":
        return _lists(values, kind)
    if kind.name == "struct":
        return _structs(values, kind)
    accepted = _SCALARS[kind.name]
    texts: list[str | None] = []
    misfits = []
    for row, value in enumerate(values):
        text = None if value is None else _encodable(accepted(value))
        if text is None and value is not None:
            misfits.append(Misfit(row, value))
        texts.append(text)
    if misfits:
        return _unfit(misfits, len(values), kind)
    parsed = from_text(pa.array(texts, pa.string()), kind)
    return Parsed(parsed.array, tuple(Misfit(bad.row, values[bad.row]) for bad in parsed.misfits))


def to_text(array: pa.Array | pa.ChunkedArray, kind: LogicalType) -> pa.Array:
    """Writes values of canonical type as text; NULL stays null."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    writer = _TO_TEXT.get(kind.name)
    return writer(array, kind) if writer else pc.cast(array, pa.string())


def to_plain(array: pa.Array | pa.ChunkedArray, kind: LogicalType) -> list[Any]:
    """Writes values of canonical type as JSON values; NULL becomes None, as JSON's own null does."""
    return _values(array, kind, json.loads)


def to_cells(array: pa.Array | pa.ChunkedArray, kind: LogicalType) -> list[Any]:
    """The same with a `Document` for JSON, so that NULL and JSON's own null are two."""
    return _values(array, kind, Document)


def _values(array: pa.Array | pa.ChunkedArray, kind: LogicalType, document: _Reader) -> list[Any]:
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if kind.name == "list":
        return _plain_lists(array, kind, document)
    if kind.name == "struct":
        return _plain_structs(array, kind, document)
    if kind.name == "bool" or kind.name in _INTEGERS:
        return list(array.to_pylist())
    if kind.name == "float64":
        return [None if value is None else plain_float(value) for value in array.to_pylist()]
    texts = to_text(array, kind).to_pylist()
    if kind.name == "json":
        return [None if text is None else document(text) for text in texts]
    return list(texts)


def plain_float(value: float) -> float | str:
    """The number, or one of three words for what is none in JSON."""
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def parse_json(text: str) -> Any:
    """Reads one JSON value strictly: numbers with a point become `Decimal`, a key stands once, no NaN.

    Raises `ValueError` with a reason.
    """
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_refuse, object_pairs_hook=_once)
    except RecursionError as exc:
        raise ValueError("nested too deeply") from exc


def json_text(value: Any) -> str:
    """One line of JSON in the given order of keys; `Decimal` is written as the nearest float."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=float)


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no JSON value")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _unfit(misfits: Sequence[Misfit], length: int, kind: LogicalType) -> Parsed:
    return Parsed(pa.nulls(length, arrow_type(kind)), tuple(misfits[:MOST_MISFITS]))


_Converter = Callable[[pa.Array, LogicalType], pa.Array]


def _bad_rows(texts: pa.Array, kind: LogicalType, convert: _Converter, start: int) -> Iterator[int]:
    """The rows that `convert` refuses, by halving: cheap while they are few."""
    try:
        convert(texts, kind)
    except (pa.ArrowInvalid, ValueError):
        if len(texts) == 1:
            yield start
            return
        middle = len(texts) // 2
        yield from _bad_rows(texts[:middle], kind, convert, start)
        yield from _bad_rows(texts[middle:], kind, convert, start + middle)


def _cast(texts: pa.Array, kind: LogicalType) -> pa.Array:
    return pc.cast(texts, arrow_type(kind))


def _float_from_text(texts: pa.Array, kind: LogicalType) -> pa.Array:
    values = pc.cast(texts, pa.float64())
    infinite = pc.fill_null(pc.is_inf(values), False)
    if pc.any(infinite).as_py() and not _all(pc.match_substring_regex(texts.filter(infinite), r"^[-+]?[iI]nf")):
        raise ValueError("out of range")
    return values


def _time_from_text(texts: pa.Array, kind: LogicalType) -> pa.Array:
    """Arrow reads no times of day, so a day is put before them."""
    moments = pc.cast(pc.binary_join_element_wise("1970-01-01", texts, "T"), pa.timestamp("us"))
    return pc.cast(moments, pa.time64("us"))


def _uuid_from_text(texts: pa.Array, kind: LogicalType) -> pa.Array:
    digits = pc.replace_substring(pc.ascii_lower(texts), "-", "")
    if not _all(pc.match_substring_regex(texts, _UUID)):
        raise ValueError("no uuid")
    cuts = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
    return pc.binary_join_element_wise(*(pc.utf8_slice_codeunits(digits, start, stop) for start, stop in cuts), "-")


def _binary_from_text(texts: pa.Array, kind: LogicalType) -> pa.Array:
    if not _all(pc.match_substring_regex(texts, r"^([0-9a-fA-F]{2})*$")):
        raise ValueError("no hexadecimal digits")
    return pa.array([None if text is None else bytes.fromhex(text) for text in texts.to_pylist()], pa.binary())


def _json_from_text(texts: pa.Array, kind: LogicalType) -> pa.Array:
    recode = Recoder()
    return pa.array([None if text is None else recode(text) for text in texts.to_pylist()], pa.string())


def _all(flags: pa.Array) -> bool:
    """True if no flag is false; nulls do not count."""
    return bool(pc.all(flags, min_count=0).as_py())


_UUID: Final = r"^([0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-fA-F]{32})$"
_FROM_TEXT: Final[Mapping[str, _Converter]] = {
    "float64": _float_from_text,
    "time": _time_from_text,
    "uuid": _uuid_from_text,
    "binary": _binary_from_text,
    "json": _json_from_text,
}


def _nested_from_text(texts: pa.Array, kind: LogicalType) -> Parsed:
    values: list[Any] = []
    misfits = []
    for row, text in enumerate(texts.to_pylist()):
        try:
            values.append(None if text is None else parse_json(text))
        except ValueError:
            misfits.append(Misfit(row, text))
    if misfits:
        return _unfit(misfits, len(texts), kind)
    parsed = from_plain(values, kind)
    return Parsed(parsed.array, tuple(Misfit(bad.row, texts[bad.row].as_py()) for bad in parsed.misfits))


def _encodable(text: str | None) -> str | None:
    """None for text that UTF-8 has no bytes for: half of a surrogate pair, which JSON can escape."""
    if text is None or text.isascii():
        return text
    return text if text.encode("utf-8", "ignore").decode("utf-8") == text else None


def _integer(value: Any) -> str | None:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any) -> str | None:
    if isinstance(value, str):
        return value if value in _NOT_FINITE else None
    return str(value) if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else None


def _exact(value: Any) -> str | None:
    if isinstance(value, float):
        return None
    return value if isinstance(value, str) else _number(value)


def _truth(value: Any) -> str | None:
    return str(value).lower() if isinstance(value, bool) else None


def _string(value: Any) -> str | None:
    return value if isinstance(value, str) else None


_SCALARS: Final[Mapping[str, Callable[[Any], str | None]]] = {
    "bool": _truth,
    **dict.fromkeys(_INTEGERS, _integer),
    "float64": _number,
    "decimal": _exact,
    "json": json_text,
    **dict.fromkeys(("string", "binary", "date", "time", "timestamp", "timestamptz", "uuid"), _string),
}


def _lists(values: Sequence[Any], kind: LogicalType) -> Parsed:
    """Converts all elements of all lists at once; a bad element makes its row a misfit."""
    element = kind.element
    assert element is not None
    wrong = [Misfit(row, value) for row, value in enumerate(values) if not isinstance(value, list | None)]
    if wrong:
        return _unfit(wrong, len(values), kind)
    flat: list[Any] = []
    owners: list[int] = []
    offsets = [0]
    for row, value in enumerate(values):
        flat.extend(value or ())
        owners.extend([row] * len(value or ()))
        offsets.append(len(flat))
    parsed = from_plain(flat, element)
    if parsed.misfits:
        rows = dict.fromkeys(owners[bad.row] for bad in parsed.misfits)
        return _unfit([Misfit(row, values[row]) for row in rows], len(values), kind)
    missing = pa.array([value is None for value in values], pa.bool_())
    return Parsed(
        pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), parsed.array, type=arrow_type(kind), mask=missing)
    )


def _structs(values: Sequence[Any], kind: LogicalType) -> Parsed:
    """Converts field by field; an absent field is NULL, an unknown one makes its row a misfit."""
    names = {name for name, _ in kind.fields}
    wrong = [
        Misfit(row, value)
        for row, value in enumerate(values)
        if value is not None and not (isinstance(value, dict) and names.issuperset(value))
    ]
    if wrong:
        return _unfit(wrong, len(values), kind)
    children = [from_plain([(value or {}).get(name) for value in values], inner) for name, inner in kind.fields]
    rows = sorted({bad.row for child in children for bad in child.misfits})
    if rows:
        return _unfit([Misfit(row, values[row]) for row in rows], len(values), kind)
    missing = pa.array([value is None for value in values], pa.bool_())
    fields = list(arrow_type(kind))
    return Parsed(pa.StructArray.from_arrays([child.array for child in children], fields=fields, mask=missing))


def _float_to_text(array: pa.Array, kind: LogicalType) -> pa.Array:
    texts = pc.cast(array, pa.string())
    for word, value in (("NaN", "nan"), ("Infinity", "inf"), ("-Infinity", "-inf")):
        texts = pc.if_else(pc.equal(texts, value), word, texts)
    return texts


def decimal_texts(array: pa.Array) -> pa.Array:
    """All digits of decimals: Arrow writes small ones with an exponent, and those arrays go through Python."""
    texts = pc.cast(array, pa.string())
    if not pc.any(pc.match_substring(texts, "E"), min_count=0).as_py():
        return texts
    return pa.array([None if value is None else format(value, "f") for value in array.to_pylist()], pa.string())


def _moment_to_text(array: pa.Array, kind: LogicalType) -> pa.Array:
    texts = pc.replace_substring(pc.cast(array, pa.string()), " ", "T")
    whole = pc.replace_substring(texts, ".000000", "")
    return pc.replace_substring_regex(whole, r"(\.[0-9]*[1-9])0+(Z?)$", r"\1\2")


def _binary_to_text(array: pa.Array, kind: LogicalType) -> pa.Array:
    return pa.array([None if value is None else value.hex() for value in array.to_pylist()], pa.string())


def _nested_to_text(array: pa.Array, kind: LogicalType) -> pa.Array:
    plain = to_plain(array, kind)
    return pa.array([None if value is None else json_text(value) for value in plain], pa.string())


_TO_TEXT: Final[Mapping[str, _Converter]] = {
    "float64": _float_to_text,
    "decimal": lambda array, _: decimal_texts(array),
    **dict.fromkeys(("time", "timestamp", "timestamptz"), _moment_to_text),
    "binary": _binary_to_text,
    **dict.fromkeys(("list", "struct"), _nested_to_text),
}


def _plain_lists(array: pa.Array, kind: LogicalType, document: _Reader) -> list[Any]:
    assert kind.element is not None
    items = iter(_values(array.flatten(), kind.element, document))
    lengths = pc.list_value_length(array).to_pylist()
    return [None if length is None else [next(items) for _ in range(length)] for length in lengths]


def _plain_structs(array: pa.Array, kind: LogicalType, document: _Reader) -> list[Any]:
    names = [name for name, _ in kind.fields]
    children = zip(array.flatten(), kind.fields, strict=True)
    columns = [_values(child, inner, document) for child, (_, inner) in children]
    valid = array.is_valid().to_pylist()
    return [
        dict(zip(names, values, strict=True)) if present else None
        for present, *values in zip(valid, *columns, strict=True)
    ]

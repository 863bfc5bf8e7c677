"""Generators of text: template, and faker from the frozen tables."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tdv.content.text import to_text
from tdv.errors import Bug
from tdv.factories.generators.maker import Cells, Maker, Request, generator_spec
from tdv.factories.names import NameTable, name_table
from tdv.factories.options import Options
from tdv.factories.random import Rows, Stream
from tdv.model.schema import Column

_INDEX: Final = "index"
_WHOLE: Final = ("int16", "int32", "int64")


@dataclass(frozen=True)
class _Part:
    """Literal text, or the column `name` padded with zeros to `width`."""

    text: str = ""
    name: str = ""
    width: int = 0


def decimal_text(numbers: Rows) -> pa.Array:
    """Whole numbers as text."""
    return pa.array(numbers).cast(pa.string())


def even_text(pieces: Sequence[bytes | Rows], rows: int) -> pa.Array:
    """Texts of one length, from constants and numbers that are not negative and have one width each."""
    widths = [len(piece) if isinstance(piece, bytes) else len(str(piece[0])) for piece in pieces]
    text = np.empty((rows, sum(widths)), dtype=np.uint8)
    at = 0
    for piece, width in zip(pieces, widths, strict=True):
        if isinstance(piece, bytes):
            text[:, at : at + width] = np.frombuffer(piece, dtype=np.uint8)
        else:
            left = piece.astype(np.uint32) if width < 10 else piece.astype(np.uint64)
            for place in range(at + width - 1, at - 1, -1):
                shorter = left // 10
                text[:, place] = left - shorter * 10 + ord("0")
                left = shorter
        at += width
    offsets = np.arange(rows + 1, dtype=np.int32) * text.shape[1]
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(text))


@dataclass(frozen=True)
class Template:
    """Text with the values of other columns of the row in it; a NULL there gives an empty place."""

    request: Request
    parts: tuple[_Part, ...]
    columns: Mapping[str, Column]

    @property
    def needs(self) -> frozenset[str]:
        return frozenset(part.name for part in self.parts if part.name and part.name != _INDEX)

    def values(self, cells: Cells) -> pa.Array:
        even = self._even(cells)
        if even is not None:
            return self.request.read(even)
        pieces = [self._piece(part, cells) if part.name else part.text for part in self.parts]
        if not self.needs and all(isinstance(piece, str) for piece in pieces):
            return self.request.read(pa.repeat(pa.scalar("".join(pieces)), len(cells.rows)))
        joined = pc.binary_join_element_wise(*pieces, "", null_handling="replace", null_replacement="")
        return self.request.read(joined)

    def _even(self, cells: Cells) -> pa.Array | None:
        """The texts if all have one length, since they hold whole numbers of one width each; None otherwise."""
        pieces: list[bytes | Rows] = []
        for part in self.parts:
            if not part.name:
                pieces.append(part.text.encode())
                continue
            numbers = self._numbers(part, cells)
            if numbers is None or not len(numbers) or len(str(numbers.min())) != len(str(numbers.max())):
                return None
            pieces.append(numbers)
        return even_text(pieces, len(cells.rows))

    def _numbers(self, part: _Part, cells: Cells) -> Rows | None:
        if part.name == _INDEX:
            return cells.index if not part.width else None
        if part.width or self.columns[part.name].type.name not in _WHOLE:
            return None
        values = cells.column(part.name)
        numbers = values.to_numpy(zero_copy_only=False) if not values.null_count else None
        return numbers if numbers is not None and len(numbers) and numbers.min() >= 0 else None

    def _piece(self, part: _Part, cells: Cells) -> pa.Array:
        if part.name == _INDEX:
            text = decimal_text(cells.index)
        else:
            text = to_text(cells.column(part.name), self.columns[part.name].type)
        return pc.utf8_lpad(text, part.width, "0") if part.width else text


def template(request: Request) -> Maker:
    """Text such as ``user{id}@example.test``: ``{column}``, ``{column:05}`` with zeros, ``{index}`` from 0."""
    options = request.options
    columns = {column.name: column for column in request.table.columns}
    parts = []
    try:
        parsed = list(string.Formatter().parse(options.text()))
    except ValueError as exc:
        raise options.wrong(f"cannot read the template: {exc}") from exc
    for literal, name, width, conversion in parsed:
        if literal:
            parts.append(_Part(text=literal))
        if name is not None:
            parts.append(_place(options, name, f"{width or ''}{conversion or ''}", columns))
    if request.unique:
        _check_unique(request, parts)
    return Template(request, tuple(parts), columns)


def _place(options: Options, name: str, width: str, columns: Mapping[str, Column]) -> _Part:
    if name != _INDEX and name not in columns:
        raise options.wrong(f"there is no column {name!r}; write {{{{ for a brace")
    if width and not (width.isdecimal() and int(width) < 100):
        raise options.wrong(f"{{{name}:{width}}} cannot be read; only a width such as {{{name}:05}} is known")
    return _Part(name=name, width=int(width or 0))


def _check_unique(request: Request, parts: list[_Part]) -> None:
    """A template is unique if a unique number stands at an end of it, apart from other places, or alone."""
    places = [part for part in parts if part.name]
    for part in (places[0], places[-1]) if places else ():
        if not _is_unique(request, part.name):
            continue
        if len(places) == 1:
            return
        at, beside = (parts.index(part), 1) if part is places[0] else (parts.index(part), -1)
        border = parts[at + beside].text if 0 <= at + beside < len(parts) else "-"
        number = part.name == _INDEX or request.table.column(part.name).type.name in _WHOLE
        if number and border and not border[0 if beside == 1 else -1].isdigit():
            return
    raise request.options.wrong(
        "may repeat values, but the column is unique or the key",
        hint="Put {index} or a unique number at one end, parted from other columns by a character such as '-'.",
    )


def _is_unique(request: Request, name: str) -> bool:
    table = request.table
    return name == _INDEX or table.key == (name,) or (name,) in table.uniques


@dataclass(frozen=True)
class FromTable:
    """Values of a frozen table; unique ones carry the row's number."""

    request: Request
    table: NameTable
    provider: str
    stream: Stream
    unique: bool
    needs: frozenset[str] = frozenset()

    def values(self, cells: Cells) -> pa.Array:
        suffix = pc.binary_join_element_wise("", decimal_text(cells.index), ".") if self.unique else None
        return self.request.read(self.table.values(self.provider, cells.rows, self.stream, suffix))


@dataclass(frozen=True)
class FakerCall:
    """A call of a Faker provider: its name, its arguments, its locale and where the spec names that."""

    provider: str
    arguments: Mapping[str, Any]
    locale: str
    place: Options

    @property
    def table(self) -> NameTable | None:
        """The frozen table that serves the call, or None."""
        found = name_table(self.locale)
        return found if found is not None and not self.arguments and found.holds(self.provider) else None


def faker_call(options: Options, locale: str) -> FakerCall:
    """Reads ``faker: name`` or ``faker: {provider, args, locale}``."""
    everywhere = Options(options.file, "locale", locale)
    if isinstance(options.raw, str):
        return FakerCall(options.raw, {}, locale, everywhere)
    given = options.mapping("provider", "args", "locale")
    provider, arguments = given.get("provider"), given.get("args") or {}
    if not isinstance(provider, str) or not provider.isidentifier() or provider.startswith("_"):
        raise options.wrong("needs 'provider', the name of a Faker provider such as name")
    if not isinstance(arguments, Mapping):
        raise options.wrong("args must be a mapping of argument names to values")
    own = given.get("locale")
    if own is None:
        return FakerCall(provider, arguments, locale, everywhere)
    return FakerCall(provider, arguments, str(own), options.below("locale", str(own)))


def faker(request: Request) -> Maker:
    """Values of a Faker provider that the frozen tables serve."""
    call = faker_call(request.options, request.locale)
    table = call.table
    if table is None:
        return _live(request, call)
    if request.unique and not table.can_be_unique(call.provider):
        request.never_unique()
    return FromTable(request, table, call.provider, request.stream, request.unique)


def _live(request: Request, call: FakerCall) -> Maker:
    if request.live_faker is None:
        raise Bug(f"Faker's {call.provider} was asked for outside of the worker process", hint=None)
    request.never_unique()
    return request.live_faker(request, call)


def is_live(kind: str, options: Options, locale: str) -> bool:
    """True if the generator, or one nested in it, calls Faker per row, which only the worker process does."""
    if kind == "faker":
        return faker_call(options, locale).table is None
    raw = options.raw
    if not isinstance(raw, Mapping) or kind not in ("list", "struct"):
        return False
    nested = [(name, raw[name]) for name in raw if kind == "struct" or name == "of"]
    specs = [(options.below(name, value), generator_spec(options.below(name, value))) for name, value in nested]
    return any(is_live(spec.kind, replace(below, raw=spec.options), locale) for below, spec in specs)

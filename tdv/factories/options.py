"""Generator options as written in the spec, read with errors that name the key.

In: the raw YAML values below ``generate:``. Out: numbers, text, moments and nested mappings. Always holds: an
option that cannot be used is a `DocumentError` that names the file, the dotted key and what is expected.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from tdv.errors import DocumentError, Problem
from tdv.model.moment import since_as_of

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HINT: Final = "Mend the generator's options in the spec; docs/reference/generators.md lists them."
MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class Options:
    """The options of one generator; `file` and `key` are its place in the spec."""

    file: str
    key: str
    raw: Any

    @classmethod
    def of(cls, file: str, table: str, column: str, raw: Any) -> Options:
        """Those under ``generate:`` of a column."""
        return cls(file, f"tables.{table}.columns.{column}.generate", raw)

    def wrong(self, message: str, *, hint: str = _HINT) -> DocumentError:
        """The error to raise for these options."""
        return DocumentError([Problem(self.file, 1, self.key, message)], hint=hint)

    def below(self, name: str, raw: Any) -> Options:
        """Options nested under `name`."""
        return replace(self, key=f"{self.key}.{name}", raw=raw)

    def mapping(self, *allowed: str) -> Mapping[str, Any]:
        """The options as a mapping with no other keys than `allowed`; nothing written counts as empty."""
        if self.raw is None:
            return {}
        if not isinstance(self.raw, Mapping):
            raise self.wrong(f"expected a mapping with {_listed(allowed)}")
        for name in self.raw:
            if name not in allowed:
                raise self.wrong(f"does not know {name!r}, only {_listed(allowed)}")
        return self.raw

    def text(self) -> str:
        """The options as one text."""
        if not isinstance(self.raw, str):
            raise self.wrong("expected text")
        return self.raw

    def number(self, name: str, default: Any = None) -> Decimal:
        """The number under `name`, exactly as written; `default` where it is not given."""
        value = self.raw.get(name, default) if isinstance(self.raw, Mapping) else default
        if value is None:
            raise self.wrong(f"needs {name!r}")
        return self.exact(value, name)

    def exact(self, value: Any, name: str) -> Decimal:
        """`value` as an exact finite decimal number."""
        try:
            number = Decimal(str(value)) if not isinstance(value, bool) else Decimal("NaN")
        except InvalidOperation:
            number = Decimal("NaN")
        if not number.is_finite():
            raise self.wrong(f"{name} must be a number, not {value!r}")
        return number

    def integer(self, name: str, default: int | None = None) -> int:
        """The whole number under `name`."""
        number = self.number(name, default)
        if number != int(number):
            raise self.wrong(f"{name} must be a whole number, not {number}")
        return int(number)

    def moment(self, value: Any, as_of: datetime) -> int:
        """Microseconds since 1970, or since midnight for a time of day, of ISO text or ``as_of ± duration``."""
        text = str(value)
        try:
            distance = since_as_of(text)
            if distance is not None:
                return (_aware(as_of) + distance - _EPOCH) // MICROSECOND
            return _microseconds(text)
        except ValueError as exc:
            raise self.wrong(f"cannot read the moment {text!r}: {exc}") from exc


def _microseconds(text: str) -> int:
    if len(text) <= 15 and ":" in text:
        of_day = time.fromisoformat(text)
        midnight = datetime.combine(date(1970, 1, 1), of_day.replace(tzinfo=UTC))
        return (midnight - _EPOCH) // MICROSECOND
    return (_aware(datetime.fromisoformat(text)) - _EPOCH) // MICROSECOND


def _aware(moment: datetime) -> datetime:
    """A moment without a zone is taken as UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "no options"

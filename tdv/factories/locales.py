"""Faker for a locale.

In: the locale, and where the spec names it. Out: a `faker.Faker`. Always holds: a locale that Faker does not know is
a mistake in the spec, not in a factory.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from tdv.factories.options import Options

if TYPE_CHECKING:
    from faker import Faker


def faker_in(locale: str, place: Options) -> Faker:
    """A Faker of its own; raises `DocumentError` at `place` for a locale that there is not."""
    from faker import Faker
    from faker.config import AVAILABLE_LOCALES

    try:
        return Faker(locale)
    except AttributeError as exc:
        near = difflib.get_close_matches(locale, AVAILABLE_LOCALES, 1)
        hint = f"Did you mean {near[0]}?" if near else "Write one such as en_US; Faker's documentation lists them."
        raise place.wrong(f"Faker has no locale {locale!r}", hint=hint) from exc

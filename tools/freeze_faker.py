"""Writes the frozen value tables of `tdv.factories.names` from Faker's own data.

    python tools/freeze_faker.py [LOCALE…]

Run it only to add a locale or a provider: a table that was released is part of what a spec means and never
changes. Lists and formats are taken as Faker holds them; what Faker computes by code is sampled from a fixed seed.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import faker
from faker import Faker

TABLES = Path(__file__).resolve().parent.parent / "tdv" / "factories" / "tables"
LOCALES = ("de_DE", "en_GB", "en_US", "es_ES", "fr_FR", "it_IT", "ja_JP", "nl_NL", "pl_PL", "pt_BR")
SAMPLES = 1200
SEED = 20260101
UNIT = 1_000_000_000

LISTS = {
    "first_name": ("person", "first_names"),
    "first_name_male": ("person", "first_names_male"),
    "first_name_female": ("person", "first_names_female"),
    "last_name": ("person", "last_names"),
    "last_name_male": ("person", "last_names_male"),
    "last_name_female": ("person", "last_names_female"),
    "prefix_male": ("person", "prefixes_male"),
    "prefix_female": ("person", "prefixes_female"),
    "suffix_male": ("person", "suffixes_male"),
    "suffix_female": ("person", "suffixes_female"),
    "job": ("job", "jobs"),
    "city_prefix": ("address", "city_prefixes"),
    "city_suffix": ("address", "city_suffixes"),
    "street_suffix": ("address", "street_suffixes"),
    "state": ("address", "states"),
    "country": ("address", "countries"),
    "country_code": ("address", "alpha_2_country_codes"),
    "company_suffix": ("company", "company_suffixes"),
    "word": ("lorem", "word_list"),
    "tld": ("internet", "tlds"),
    "safe_domain_name": ("internet", "safe_domain_names"),
    "free_email_domain": ("internet", "free_email_domains"),
    "color_name": ("color", "all_colors"),
}
FORMATS = {
    "name": ("person", "formats"),
    "name_male": ("person", "formats_male"),
    "name_female": ("person", "formats_female"),
    "city": ("address", "city_formats"),
    "street_name": ("address", "street_name_formats"),
    "street_address": ("address", "street_address_formats"),
    "address": ("address", "address_formats"),
    "building_number": ("address", "building_number_formats"),
    "secondary_address": ("address", "secondary_address_formats"),
    "postcode": ("address", "postcode_formats"),
    "company": ("company", "formats"),
    "phone_number": ("phone_number", "formats"),
}
SAMPLED = ("prefix", "suffix", "state_abbr", "postcode", "currency_code", "currency_name", "language_name", "mime_type")
BY_HAND = {
    "domain_word": [[1, ["@last_name_slug"]]],
    "domain_name": [[1, ["@domain_word", "=.", "@tld"]]],
    "url": [[1, ["=https://www.", "@domain_name", "=/"]]],
    "ipv4": [[1, ["@octet", "=.", "@octet", "=.", "@octet", "=.", "@octet"]]],
    "sentence": [[1, ["@word_title", *["= ", "@word"] * more, "=."]] for more in range(3, 8)],
    "paragraph": [[1, ["@sentence", *["= ", "@sentence"] * more]] for more in range(1, 5)],
    "text": [[1, ["@paragraph", "= ", "@sentence"]]],
}
EMAILS = {
    "email": "@safe_domain_name",
    "safe_email": "@safe_domain_name",
    "ascii_email": "@safe_domain_name",
    "ascii_safe_email": "@safe_domain_name",
    "free_email": "@free_email_domain",
}
COMPUTED = {("en_GB", "postcode"), ("en_US", "postcode")}
_TOKEN = re.compile(r"\{\{\s*(\w+)\s*\}\}|(#+)|([%$!@?])|([^{#%$!@?]+|\{)")


class Freezer:
    """Collects the lists and formats of one locale."""

    def __init__(self, locale: str) -> None:
        self._locale = locale
        self._faker = Faker(locale)
        self._providers: dict[str, Any] = {}
        for provider in self._faker.factories[0].providers:
            self._providers.setdefault(
                re.sub(r"^faker\.providers\.(\w+).*$", r"\1", type(provider).__module__), provider
            )
        self.lists: dict[str, dict[str, Any]] = {}
        self.formats: dict[str, list[list[Any]]] = {}
        self._making: list[str] = []

    def run(self) -> dict[str, Any]:
        """Everything that can be had for the locale."""
        for name in (*LISTS, *FORMATS, *SAMPLED):
            self._need(name)
        self._user_names()
        self._list("octet", [str(number) for number in range(256)])
        words = self.lists["word"]
        self._list("word_title", [word.capitalize() for word in words["values"]])
        self.formats.update(BY_HAND)
        if self._locale == "en_US":
            del self.lists["postcode"]
            self.formats["postcode"] = [[1, ["#3", "#2"]]]
        return {
            "source": f"Faker {faker.VERSION}, MIT licence, see NOTICE",
            "lists": dict(sorted(self.lists.items())),
            "formats": dict(sorted(self.formats.items())),
        }

    def _need(self, name: str) -> bool:
        """Makes sure that `name` is a list or has formats; False if Faker has no such provider."""
        if name in self.lists or name in self.formats:
            return True
        found = self._attribute(name, FORMATS.get(name))
        if found and self._format(name, found):
            if name == "name":
                self._given_names()
            return True
        found = self._attribute(name, LISTS.get(name))
        if found and any(found):
            self._list(name, found)
            return True
        if name in ("last_name_male", "last_name_female") and "last_name" not in self._making:
            self.formats[name] = [[1, ["@last_name"]]]
            return True
        return self._sample(name)

    def _attribute(self, name: str, place: tuple[str, str] | None) -> Any:
        """What Faker draws from; None if it does not, since the locale has code of its own instead."""
        provider = self._providers.get(place[0]) if place else None
        if provider is None or place is None or (self._locale, name) in COMPUTED:
            return None
        kinds = type(provider).__mro__
        method = next((kind for kind in kinds if name in vars(kind)), kinds[-1])
        data = next((kind for kind in kinds if place[1] in vars(kind)), kinds[0])
        return None if method is not data and issubclass(method, data) else getattr(provider, place[1], None)

    def _format(self, name: str, found: Mapping[str, float] | Sequence[str]) -> bool:
        marks = "#%$?!@" if name in ("building_number", "postcode", "phone_number", "secondary_address") else "#"
        alternatives = []
        for text, weight in _weighed(found).items():
            if "military" in text:
                continue
            if re.search(r"[!@]", text) and "!" in marks:
                return False
            alternatives.append([weight, _tokens(text, marks)])
        self._making.append(name)
        needed = {token[1:] for _, tokens in alternatives for token in tokens if token[0] == "@"}
        served = all(other not in self._making and self._need(other) for other in sorted(needed))
        self._making.remove(name)
        if served:
            self.formats[name] = alternatives
        return served

    def _given_names(self) -> None:
        """Puts first names of men and women into one list, where only they tell two formats of a name apart."""
        formats = self.formats["name"]
        plain = [[weight, ["@first_name_male" if token == "@first_name_female" else token for token in tokens]]
                 for weight, tokens in formats if "@first_name_female" in tokens]  # fmt: skip
        pairs = [pair for pair in plain if pair in formats]
        both = [self.lists.get(f"first_name_{kind}") for kind in ("male", "female")]
        if not pairs or None in both:
            return
        names: Counter[str] = Counter()
        for listed in both:
            weights = listed.get("weights", [1] * len(listed["values"]))
            for value, weight in zip(listed["values"], weights, strict=True):
                names[value] += weight * UNIT // sum(weights)
        self._list("given_name", names)
        as_women = {"@first_name_male": "@first_name_female"}
        for weight, tokens in pairs:
            formats.remove([weight, tokens])
            formats.remove([weight, [as_women.get(token, token) for token in tokens]])
            merged = ["@given_name" if token == "@first_name_male" else token for token in tokens]
            formats.insert(0, [2 * weight, merged])

    def _sample(self, name: str) -> bool:
        method = getattr(self._faker, name, None)
        if method is None:
            return False
        self._faker.seed_instance(SEED)
        try:
            made = Counter(method() for _ in range(SAMPLES))
        except Exception:  # noqa: BLE001 - a provider without data for the locale fails in its own way
            return False
        if not all(isinstance(value, str) for value in made) or not any(made):
            return False
        self._list(name, dict(sorted(made.items())) if len(made) < SAMPLES // 8 else sorted(made))
        return True

    def _list(self, name: str, found: Mapping[str, float] | Sequence[Any]) -> None:
        weighed = _weighed(found)
        values, weights = list(weighed), list(weighed.values())
        self.lists[name] = {"values": values}
        if len(set(weights)) > 1:
            self.lists[name]["weights"] = weights

    def _user_names(self) -> None:
        formats = []
        for text, weight in _weighed(self._providers["internet"].user_name_formats).items():
            tokens = _tokens(text.lower(), "#?")
            for place, token in enumerate(tokens):
                if token[0] == "@":
                    self._slug(token[1:])
                    tokens[place] = f"{token}_slug"
            formats.append([weight, [*tokens, "!"]])
        self._slug("last_name")
        self.formats["user_name"] = formats
        for name, domain in EMAILS.items():
            self.formats[name] = [[weight, [*tokens, "=@", domain]] for weight, tokens in formats]
        self.formats["company_email"] = [[weight, [*tokens, "=@", "@domain_name"]] for weight, tokens in formats]

    def _slug(self, name: str) -> None:
        if f"{name}_slug" in self.lists:
            return
        if not self._need(name) or name not in self.lists:
            self._sample(name)
        source = self.lists[name]
        internet = self._providers["internet"]
        slugs: Counter[str] = Counter()
        for value, weight in zip(source["values"], source.get("weights", [1] * len(source["values"])), strict=True):
            slug = re.sub(r"[^a-z0-9]", "", internet._to_ascii(value).lower())
            if slug:
                slugs[slug] += weight
        self._list(f"{name}_slug", slugs)


def _weighed(found: Mapping[str, float] | Sequence[Any]) -> dict[str, int]:
    """Values with whole weights, in Faker's order; values that stand several times weigh more."""
    if isinstance(found, Mapping) and all(isinstance(weight, int | float) for weight in found.values()):
        whole = all(weight == int(weight) for weight in found.values())
        return {value: max(1, round(weight * (1 if whole else UNIT))) for value, weight in found.items()}
    counts = Counter(item if isinstance(item, str) else item[0] for item in found)
    return dict(counts)


def _tokens(text: str, marks: str) -> list[str]:
    tokens: list[str] = []
    for name, digits, mark, literal in _TOKEN.findall(text):
        if name:
            tokens.append(f"@{name}")
        elif digits and "#" in marks:
            tokens.extend(f"#{min(3, len(digits) - at)}" for at in range(0, len(digits), 3))
        elif mark and mark in marks:
            tokens.append(mark)
        else:
            tokens.append(f"={digits or mark or literal}")
    return _merged(tokens)


def _merged(tokens: list[str]) -> list[str]:
    merged: list[str] = []
    for token in tokens:
        if token[0] == "=" and merged and merged[-1][0] == "=":
            merged[-1] += token[1:]
        else:
            merged.append(token)
    return merged


def main(locales: Sequence[str]) -> None:
    """Writes one table per locale."""
    for locale in locales or LOCALES:
        table = Freezer(locale).run()
        text = json.dumps(table, ensure_ascii=False, separators=(",", ":"))
        (TABLES / f"{locale}.json").write_text(
            re.sub(r'("\w+":\{"values"|"formats":|"\w+":\[\[)', r"\n\1", text) + "\n", "utf-8"
        )
        print(f"{locale}: {len(table['lists'])} lists, {len(table['formats'])} formats, {len(text)} characters")


if __name__ == "__main__":
    main(sys.argv[1:])

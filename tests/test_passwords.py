"""No error repeats the password of a URL, wherever the URL was typed."""

from __future__ import annotations

import pytest

from tdv.faces.passwords import without_passwords
from tests.released import released
from tests.repository import Repository


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return released(tmp_path_factory.mktemp("shop"), tmp_path_factory.getbasetemp())


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        ("no dataset 'postgresql://ada:hush@host:5432/db'", "no dataset 'postgresql://host:5432/db'"),
        ("redis://:hush@host/0 and mysql://a:hu/sh@host/x", "redis://host/0 and mysql://host/x"),
        ("--target mysql://host/x?a=1&password=hush&b=2.", "--target mysql://host/x?a=1&password=…&b=2."),
        ("ssh://git@host/data.git has no shop@v1.0.0", "ssh://git@host/data.git has no shop@v1.0.0"),
        ("https://host:8080/data@main", "https://host:8080/data@main"),
        ("no https://gh_hush@host/x.git: git+HTTPS://hush@host", "no https://host/x.git: git+HTTPS://host"),
        ("webdavs://hush@host/x, http://a%40b@[::1]:80/x", "webdavs://host/x, http://[::1]:80/x"),
        ("https://host/data@v1.0.0 https://host?q=a@b", "https://host/data@v1.0.0 https://host?q=a@b"),
        ("postgresql://ada@host/db", "postgresql://ada@host/db"),
        ("ada@example.test: no URL?password=1", "ada@example.test: no URL?password=1"),
    ],
)
def test_urls_are_said_without_passwords(said: str, printed: str) -> None:
    assert without_passwords(said) == printed


@pytest.mark.parametrize("words", [("validate",), ("promote",), ("lock",), ("lock", "--json"), ("sample",), ("new",)])
def test_url_where_none_belongs_is_not_repeated_with_its_password(shop: Repository, words: tuple[str, ...]) -> None:
    more = ("staging",) if words == ("promote",) else ()
    outcome = shop.tdv(*words, "postgresql://ada:hush@127.0.0.1:1/app", *more)
    assert outcome.exit_code
    assert "hush" not in outcome.stdout + outcome.stderr


@pytest.mark.parametrize("words", [("validate",), ("lock", "--json"), ("checkout", "--repo"), ("show",)])
def test_url_with_a_token_is_not_repeated_with_it(shop: Repository, words: tuple[str, ...]) -> None:
    outcome = shop.tdv(*words, "https://gh_hush@127.0.0.1:1/app.git")
    assert outcome.exit_code
    assert "hush" not in outcome.stdout + outcome.stderr

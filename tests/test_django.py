"""The recipe for pytest-django in the docs, in real runs of it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tdv.servers.server import Server
from tests.shop import released_shop

pytest_plugins = ["pytester", "tests.targets.servers"]

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "databases-in-tests.md"
SETTINGS = """
DATABASES = {{"default": {{"ENGINE": "django.db.backends.{engine}", {more}}}}}
USE_TZ = True
"""
MODELS = """
from django.db import models

class Order(models.Model):
    id = models.BigAutoField(primary_key=True)

    class Meta:
        app_label = "shop"
        db_table = "orders"
        managed = False
"""
TESTS = """
import pytest
from models import Order

@pytest.mark.django_db
@pytest.mark.parametrize("number", range(2))
def test_rows_are_there_and_what_a_test_does_is_undone(number):
    assert Order.objects.count() == 20
    Order.objects.all()._raw_delete("default")
    assert Order.objects.count() == 0
"""


COMMITTING = """
from models import Order

@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", range(3))
def test_rows_are_there_after_a_test_that_commits(number):
    assert Order.objects.count() == 20
    Order.objects.all()._raw_delete("default")
    assert Order.objects.count() == 0
"""


def run(pytester: pytest.Pytester, settings: str, *options: str) -> pytest.RunResult:
    """The tests with the recipes, on two workers."""
    of_all, of_committing = re.findall(
        r"```python\n(import pytest\n(?:(?!```).)*?def django_db_setup.*?)```", PAGE.read_text("utf-8"), re.S
    )
    released_shop(pytester.path)
    pytester.makeconftest(of_all)
    committing = of_committing + COMMITTING
    pytester.makepyfile(shop_settings=settings, models=MODELS, test_orders=TESTS, test_committing=committing)
    pytester.makeini("[pytest]\nDJANGO_SETTINGS_MODULE = shop_settings\npythonpath = .\n")
    return pytester.runpytest_subprocess("-n", "2", *options)


def test_runner_of_django_takes_the_database_of_exec(pytester: pytest.Pytester) -> None:
    (recipe,) = re.findall(r"```python\n(if \"TDV_TARGET\".*?)```", PAGE.read_text("utf-8"), re.S)
    shop = released_shop(pytester.path)
    name = '"NAME": os.environ["DATABASE_URL"].removeprefix("sqlite:///")'
    settings = f"import os\n{SETTINGS.format(engine='sqlite3', more=name)}\n{recipe}"
    case = "class Orders(TestCase):\n    def test_rows(self):\n        assert Order.objects.count() == 20\n"
    tests = f"from django.test import TestCase\nfrom models import Order\n\n{case}"
    pytester.makepyfile(shop_settings=settings, models=MODELS, test_orders=tests)
    words = ("-m", "django", "test", "--pythonpath", ".", "--settings", "shop_settings", "--keepdb", "--no-input")
    assert "Ran 1 test" in shop.tdv_process("exec", "--", sys.executable, *words, expect=0).stderr


def test_sqlite(pytester: pytest.Pytester) -> None:
    settings = SETTINGS.format(engine="sqlite3", more='"NAME": "nothing.db"')
    run(pytester, settings).assert_outcomes(passed=5)
    assert not (pytester.path / "nothing.db").exists()


def test_postgresql(pytester: pytest.Pytester, postgresql_server: Server) -> None:
    host = re.findall(r"host=([^&]+)", postgresql_server.url)[0].replace("%2F", "/")
    more = f'"NAME": "nothing", "USER": "postgres", "HOST": "{host}", "PORT": "5432"'
    settings = SETTINGS.format(engine="postgresql", more=more)
    run(pytester, settings, "--tdv-target", postgresql_server.url).assert_outcomes(passed=5)

"""Factories run apart, see nothing that changes from build to build, and fail with file and line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from tdv.build import sample
from tdv.errors import ConfigError, DocumentError, FactoryError
from tdv.factories.variation import OTHER
from tests.factories.specs import built, inputs, read_spec

TABLES = """
users: {rows: 40, key: [id], columns: {id: {type: int64, generate: {sequence: {start: 1}}}}}
items:
  rows: ROWS
  key: [id]
  factory: ItemFactory
  columns:
    id: {type: int64, generate: {sequence: {start: 1}}}
    value: {type: TYPE, nullable: NULLABLE}
    user_id: {type: int64, nullable: true, references: users.id}
"""
HEAD = "from tdv.factories import Factory\nclass ItemFactory(Factory):\n"


def tables(kind: str = "string", *, rows: int = 30, nullable: bool = False) -> str:
    return TABLES.replace("ROWS", str(rows)).replace("TYPE", kind).replace("NULLABLE", str(nullable).lower())


def row(body: str) -> str:
    return f"{HEAD}    def row(self, at):\n        {body}\n"


def made(root: Path, code: str, kind: str = "string", *, rows: int = 30, nullable: bool = False) -> pa.Table:
    spec = read_spec(root, tables(kind, rows=rows, nullable=nullable), factories=code)
    return built(spec, inputs(root))["items"]


def test_factory_per_row_is_the_same_in_other_circumstances(tmp_path: Path) -> None:
    code = row('return {"value": str(at.rng.random()), "user_id": at.pick("users", skew=1)}')
    spec = read_spec(tmp_path, tables(rows=9000), factories=code)
    first = built(spec, inputs(tmp_path))["items"]
    second = built(spec, inputs(tmp_path, variation=replace(OTHER, block_rows=1001)))["items"]
    assert first.equals(second)
    assert len(set(first["value"].to_pylist())) == 9000
    assert set(first["user_id"].to_pylist()) <= set(range(1, 41))


def test_factory_per_block_is_the_same_in_other_circumstances(tmp_path: Path) -> None:
    code = f"""{HEAD}    def columns(self, at):
        return {{"value": at.integers("v", 1, 6) + (at.normal("n") > 9), "user_id": at.pick("users")}}
"""
    spec = read_spec(tmp_path, tables("int16", rows=5000), factories=code)
    first = built(spec, inputs(tmp_path))["items"]
    assert first.equals(built(spec, inputs(tmp_path, variation=replace(OTHER, block_rows=77)))["items"])
    assert set(first["value"].to_pylist()) == {1, 2, 3, 4, 5, 6}


def test_more_rows_change_no_row(tmp_path: Path) -> None:
    code = row('return {"value": at.faker.name() + str(at.index), "user_id": at.pick("users")}')
    few, many = (made(tmp_path, code, rows=rows) for rows in (10, 25))
    assert many.slice(0, 10).equals(few)


def test_values_of_python_become_the_type_of_the_column(tmp_path: Path) -> None:
    code = row("import uuid, decimal; return {'value': [{'a': decimal.Decimal('1.50')}, None]}")
    found = made(tmp_path, code, '"list<struct<a: decimal(5,2)>>"', rows=1)
    assert str(found["value"][0].as_py()) == "[{'a': Decimal('1.50')}, None]"
    assert made(tmp_path, row("import uuid; return {'value': uuid.UUID(int=at.index)}"), "uuid", rows=1)["value"][
        0
    ].as_py() == ("00000000-0000-0000-0000-000000000000")
    assert made(tmp_path, row("return {'value': {'b': 1, 'a': [None]}}"), "json", rows=1)["value"][0].as_py() == (
        '{"a":[null],"b":1}'
    )
    assert made(tmp_path, row("return {}"), nullable=True)["value"].null_count == 30


REFUSED = {
    "import time; time.time()": "wall clock",
    "import time; time.strftime('%Y')": "wall clock",
    "import time; time.perf_counter()": "wall clock",
    "from datetime import datetime; datetime.now()": "wall clock",
    "from datetime import datetime; datetime.utcnow()": "wall clock",
    "import datetime; datetime.date.today()": "wall clock",
    "import numpy; numpy.datetime64('now')": "wall clock",
    "from numpy import datetime64; datetime64(b'TODAY', 's')": "wall clock",
    "import time; time.gmtime(None)": "wall clock",
    "import time; time.asctime()": "wall clock",
    "import time; time.clock_gettime(0)": "wall clock",
    "import time; time.process_time()": "wall clock",
    "import numpy as np; np.array(['2020-01-01', 'now'], 'M8[s]')": "wall clock",
    "from numpy import asarray, datetime64; asarray([b'Today'], dtype=datetime64)": "wall clock",
    "import numpy; numpy.datetime64('Today', 'D')": "wall clock",
    "import os; os.path.getmtime('.')": "the time of a file",
    "import duckdb; duckdb.sql('SELECT now()')": "DuckDB for now, another one in each build",
    "import duckdb; duckdb.connect().execute(query='SELECT Current_Date')": "DuckDB for current_date, another",
    "import os; os.getrandom(4)": "chance",
    "import random; random.random()": "rows share",
    "import random; random.Random()": "without a seed",
    "import numpy; numpy.random.rand()": "rows share",
    "import numpy; numpy.random.default_rng()": "without a seed",
    "import uuid; uuid.uuid4()": "chance",
    "import os; os.urandom(4)": "chance",
    "import secrets; secrets.token_hex()": "chance",
    "import socket; socket.create_connection(('127.0.0.1', 9))": "network",
    "import subprocess; subprocess.run(['ls'])": "another process",
    "import os; os.system('ls')": "another process",
    "open('left.txt', 'w')": "writes the file",
    "open('/etc/hostname')": "reads /etc/hostname",
    "import pathlib; pathlib.Path('/etc/hosts').read_text()": "reads /etc/hosts",
    "import configparser; configparser.ConfigParser().read('/etc/passwd')": "reads /etc/passwd",
    "open('.git/HEAD')": ".git/HEAD, which other machines may not have",
    "import os; os.environ['HOME']": "environment variable HOME",
    "import os; os.environ.get('STAGE', 'test')": "environment variable STAGE",
    "import os; os.getenv('STAGE')": "environment variable STAGE",
    "import os; 'STAGE' in os.environ": "environment variable STAGE",
    "import os; dict(os.environ)": "the environment",
}
ALLOWED = (
    "import random; assert random.Random(at.index).random() == random.Random(at.index).random()",
    "import numpy; numpy.random.default_rng(7).random()",
    "import datetime; assert isinstance(at.as_of, datetime.datetime)",
    "import datetime; assert isinstance(datetime.datetime(2020, 1, 1), datetime.date)",
    "import datetime; assert datetime.datetime.fromisoformat('2020-01-01').year == 2020",
    "import time; assert time.gmtime(0).tm_year == 1970",
    "import numpy as np; assert str(np.datetime64('2020-01-01', 's')) == '2020-01-01T00:00:00'",
    "import numpy as np; assert isinstance(np.datetime64(1, 's'), np.datetime64)",
    "import numpy as np; assert np.array(['2020'], np.datetime64).dtype.type == np.datetime64",
    "import numpy as np; assert str(np.arange('2020-01', '2020-03', dtype='M8[M]').dtype) == 'datetime64[M]'",
    "import numpy as np; assert np.array(['now']).dtype.kind == 'U'",
    "import numpy as np; assert np.asarray([1, 2], dtype='int64').tolist() == [1, 2]",
    "import duckdb; assert duckdb.sql(\"SELECT 'now'\").fetchall() == [('now',)]",
    "import duckdb; assert duckdb.connect().execute('SELECT ?', ['now()']).fetchall() == [('now()',)]",
    "import time; assert time.asctime(time.gmtime(0)) == 'Thu Jan  1 00:00:00 1970'",
    "import logging; logging.getLogger('x').warning('y')",
    "import tempfile, email.utils; email.utils.make_msgid",
    "import zoneinfo; zoneinfo.ZoneInfo('Europe/Vienna')",
    "import locale, gettext; gettext.find('x')",
    "import sqlite3, xml.etree.ElementTree, concurrent.futures",
    "import os; open(os.devnull).read()",
)


def test_factory_sees_nothing_that_changes(tmp_path: Path) -> None:
    code = f"""
    from tdv.factories import Factory
    STATEMENTS = {[*REFUSED, *ALLOWED]!r}
    class ItemFactory(Factory):
        def row(self, at):
            try:
                exec(compile(STATEMENTS[at.index], __file__, "exec"), {{"at": at}})
            except Exception as exc:
                return {{"value": str(exc)}}
            return {{"value": "passed"}}
    """
    found = made(tmp_path, code, rows=len(REFUSED) + len(ALLOWED))["value"].to_pylist()
    for (statement, message), said in zip(REFUSED.items(), found, strict=False):
        assert message in said, statement
    assert found[len(REFUSED) :] == ["passed"] * len(ALLOWED)
    assert not (tmp_path / "left.txt").exists()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("import time; return {'value': str(time.time())}", "a factory reads the wall clock"),
        ("return {'value': str(1 / at.index)}", "ZeroDivisionError: division by zero"),
        ("raise ValueError('no price\\nfor this item')", "ValueError: no price for this item"),
        (
            "return {'value': open('/etc/hosts').read()}",
            "a factory reads /etc/hosts, which other machines may not have",
        ),
    ],
)
def test_factory_that_fails_names_its_line(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(FactoryError) as caught:
        made(tmp_path, row(body), rows=2)
    assert str(caught.value) == f"datasets/shop/factories.py:4: {message}"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            row("return {'value': 7 if at.index == 5 else 'x'}"),
            "7 for 'value' in row 5, a value of type int, which is no string",
        ),
        (row("return {'valeu': 'x'}"), "did not return value for row 0"),
        (row("return {'value': 'x', 'more': 1}"), "'more', which is no column"),
        (row("return {'value': 'x', 'id': 1}"), "'id', which has a generator"),
        (row("return ['x']"), "no mapping"),
        (row("return {'value': at.pick('nobody')}"), "no table 'nobody'"),
        (f"{HEAD}    def columns(self, at):\n        return {{'value': ['x']}}\n", "1 values of 'value' for 30 rows"),
        (f"{HEAD}    def columns(self, at):\n        return {{'value': at.rng}}\n", "belongs to one row"),
        ("class ItemFactory: pass\n", "no factory 'ItemFactory'"),
        (f"{HEAD}    rows = 3\n", r"factories\.py: ItemFactory has neither row\(self, at\) nor columns\(self, at\)"),
        ("import sys; sys.exit(3)\n", "SystemExit"),
        ("import os; os._exit(3)\n", "died"),
    ],
)
def test_factory_that_breaks_its_contract_is_refused(tmp_path: Path, code: str, message: str) -> None:
    with pytest.raises(FactoryError, match=message):
        made(tmp_path, code)


def test_file_that_is_no_python_is_a_mistake_of_the_project(tmp_path: Path) -> None:
    with pytest.raises(DocumentError) as caught:
        made(tmp_path, f"{HEAD}    def row(self, at):\n        return {{'value': }}\n")
    (problem,) = caught.value.problems
    assert str(problem).startswith("datasets/shop/factories.py:4: SyntaxError: ")


def test_float_for_a_decimal_is_told_what_to_return(tmp_path: Path) -> None:
    with pytest.raises(FactoryError, match=r"0\.25 for 'value' in row 0, a value of type float, which is no") as caught:
        made(tmp_path, row("return {'value': 0.25}"), kind='"decimal(12,4)"')
    assert "decimal.Decimal" in caught.value.hint


def test_private_values_are_not_shown(tmp_path: Path) -> None:
    text = tables().replace("{type: string,", "{type: string, privacy: name,")
    spec = read_spec(tmp_path, text, factories=row("return {'value': 4711}"))
    with pytest.raises(FactoryError) as caught:
        built(spec, inputs(tmp_path))
    assert "4711" not in str(caught.value)


def test_missing_factories_file_is_named(tmp_path: Path) -> None:
    spec = read_spec(tmp_path, tables(), factories=row("return {}"))
    (tmp_path / "datasets/shop/factories.py").unlink()
    with pytest.raises(FactoryError, match=r"shop/factories\.py is missing"):
        built(spec, inputs(tmp_path))


def test_code_and_files_of_the_repository_must_be_sources(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/__init__.py").write_text("")
    (tmp_path / "app/prices.py").write_text("BASE = 3\n")
    (tmp_path / "rates.txt").write_text("4\n")
    code = row("import app.prices; return {'value': str(app.prices.BASE) + open('rates.txt').read()}")
    with pytest.raises(FactoryError, match=r"app/__init__\.py, app/prices\.py, rates\.txt") as caught:
        made(tmp_path, code)
    assert caught.value.hint is not None
    assert "`sources: [app/__init__.py, app/prices.py, rates.txt]`" in caught.value.hint
    assert str(caught.value).startswith("datasets/shop/factories.py:4: the factory of 'items' uses ")
    head = "dataset: shop\nseed: 1\nas_of: 2026-01-01T00:00:00Z\nsources: [app, rates.txt]\n"
    spec = read_spec(tmp_path, tables(), factories=code, head=head)
    assert set(built(spec, inputs(tmp_path))["items"]["value"].to_pylist()) == {"34\n"}


def test_values_are_put_into_arrow_by_the_factory(tmp_path: Path) -> None:
    """pyarrow asks the environment about it, on behalf of the factory."""
    code = "import pyarrow as pa\n" + HEAD
    code += "    def columns(self, at):\n        return {'value': pa.array(['x'] * len(at.index))}\n"
    assert set(made(tmp_path, code)["value"].to_pylist()) == {"x"}


PANDAS = """
from types import SimpleNamespace
import numpy as np
__version__ = "3.0.0"
class Series:
    def __init__(self, values, **options):
        self.values = np.array(values)
        self.dtype = self.values.dtype
    def __len__(self):
        return len(self.values)
    def __iter__(self):
        return iter(self.values)
class Timestamp:
    def __new__(cls, value):
        return "made"
    def now():
        return "now"
    today = utcnow = now
class Period:
    now = None
def to_datetime(arg, format=None):
    return "made"
NA = NaT = object()
DataFrame = Index = Categorical = Extension = type("Other", (), {})
kinds = SimpleNamespace(DatetimeTZDtype=Extension, IntervalDtype=Extension, PeriodDtype=Extension)
api = SimpleNamespace(extensions=SimpleNamespace(ExtensionArray=Extension, ExtensionDtype=Extension), types=kinds)
"""
SERIES = "pa.array(pandas.Series([1.0, float('nan')] * (len(at.index) // 2)))"
WITH_PANDAS = "dataset: shop\nseed: 1\nas_of: 2026-01-01T00:00:00Z\nsources: [pandas.py]\n"


def test_pandas_is_not_loaded_for_a_value_of_a_factory(tmp_path: Path) -> None:
    (tmp_path / "pandas.py").write_text("import os\nos._exit(3)\n", encoding="utf-8")
    code = "import pyarrow as pa\n" + row("return {'value': pa.scalar('x').as_py(), 'user_id': 1}")
    assert set(made(tmp_path, code)["value"].to_pylist()) == {"x"}


@pytest.mark.parametrize(
    ("top", "inside"),
    [
        ("import pandas\nimport pyarrow as pa", ""),
        ("import pyarrow as pa\npa.array([1.0])\nimport pandas", ""),
        ("import pyarrow as pa", "pa.array([1.0]); import pandas; "),
    ],
)
def test_nan_of_pandas_is_null_wherever_it_is_imported(tmp_path: Path, top: str, inside: str) -> None:
    (tmp_path / "pandas.py").write_text(PANDAS, encoding="utf-8")
    code = f"{top}\n{HEAD}    def columns(self, at):\n        {inside}return {{'value': {SERIES}}}\n"
    spec = read_spec(tmp_path, tables("float64", nullable=True), factories=code, head=WITH_PANDAS)
    assert built(spec, inputs(tmp_path))["items"]["value"].to_pylist() == [1.0, None] * 15


@pytest.mark.parametrize(
    "clock",
    [
        "Timestamp.now()",
        "Timestamp('now')",
        "Timestamp('today')",
        "Period.now('D')",
        "Timestamp('10:30')",
        "Timestamp('9:30:00.5 PM')",
        "to_datetime('10:30')",
        "to_datetime(['10:30'])",
    ],
)
def test_clock_of_pandas_is_no_way_around(tmp_path: Path, clock: str) -> None:
    (tmp_path / "pandas.py").write_text(PANDAS, encoding="utf-8")
    code = "import pandas\n" + row(f"return {{'value': pandas.{clock}}}")
    spec = read_spec(tmp_path, tables(), factories=code, head=WITH_PANDAS)
    with pytest.raises(FactoryError, match=r"factories\.py:5: a factory reads the wall clock"):
        built(spec, inputs(tmp_path))


def test_compiled_modules_see_the_classes_that_they_were_built_for(tmp_path: Path) -> None:
    """And modules in Python, which they may import, those whose clock stands still."""
    pytest.importorskip("psycopg.pq")
    code = "import datetime, warnings\nwarnings.simplefilter('error')\nimport psycopg\n"
    code += row("return {'value': psycopg.pq.__impl__ + datetime.datetime.__name__}")
    assert set(made(tmp_path, code)["value"].to_pylist()) == {"binaryFrozenDatetime"}


def test_pandas_itself_works_in_a_factory(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    code = f"import pandas\nimport pyarrow as pa\n{HEAD}    def columns(self, at): return {{'value': {SERIES}}}\n"
    assert made(tmp_path, code, "float64", nullable=True)["value"].to_pylist() == [1.0, None] * 15


def test_clock_of_pandas_itself_stands_still(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    times = "[*pandas.to_datetime(['now', 'today', '2020-01-02']), pandas.to_datetime('now', utc=True)]"
    times = f"{times[:-1]}, *pandas.date_range('10:30', periods=1), pandas.to_datetime('10:30', format='%H:%M')]"
    code = "import pandas\n" + row(f"return {{'value': ' '.join(map(str, {times}))}}")
    told = "2026-01-01 00:00:00 2026-01-01 00:00:00 2020-01-02 00:00:00 2026-01-01 00:00:00+00:00"
    told += " 2026-01-01 10:30:00 1900-01-01 10:30:00"
    assert set(made(tmp_path, code)["value"].to_pylist()) == {told}
    with pytest.raises(FactoryError, match="a factory reads the wall clock"):
        made(tmp_path, "import pandas\n" + row("return {'value': str(pandas.Timestamp('now'))}"))


def test_clock_of_faker_stands_at_as_of(tmp_path: Path) -> None:
    code = row("return {'value': str(at.faker.past_date(start_date='-1d')) + at.as_of.isoformat()}")
    assert set(made(tmp_path, code)["value"].to_pylist()) == {"2025-12-312026-01-01T00:00:00+00:00"}


def test_faker_providers_without_a_table_are_called_per_row(tmp_path: Path) -> None:
    text = """
    items:
      rows: 50
      columns:
        born: {type: date, generate: {faker: {provider: date_of_birth, args: {minimum_age: 18, maximum_age: 18}}}}
        words: {type: "list<string>", generate: {list: {of: {faker: hex_color}, min: 1, max: 2}}}
    """
    found = built(read_spec(tmp_path, text), inputs(tmp_path))["items"]
    assert {value.year for value in found["born"].to_pylist()} <= {2007, 2008}
    assert all(word.startswith("#") for words in found["words"].to_pylist() for word in words)


def test_unknown_faker_provider_is_refused_with_the_nearest(tmp_path: Path) -> None:
    text = "items: {rows: 5, columns: {value: {type: string, generate: {faker: colour_name}}}}"
    with pytest.raises(ConfigError, match="colour_name") as caught:
        built(read_spec(tmp_path, text), inputs(tmp_path))
    assert caught.value.hint == "Did you mean color_name?"


MISTAKES_IN_CALLS = {
    "{faker: {provider: random_int, args: {mx: 6}}}": (
        "columns.value.generate.faker",
        "mx",
        "It takes min, max, step.",
    ),
    "{faker: {provider: name, locale: de_DX}}": ("columns.value.generate.faker.locale", "de_DX", "Did you mean de_DE?"),
    "{list: {of: {faker: {provider: hex_color, args: {a: 1}}}, max: 2}}": (
        "generate.list.of.faker",
        "hex_color",
        "no arg",
    ),
}


@pytest.mark.parametrize(("generate", "said"), MISTAKES_IN_CALLS.items(), ids=lambda item: str(item)[:30])
def test_mistake_in_a_call_of_faker_is_one_of_the_spec(
    tmp_path: Path, generate: str, said: tuple[str, str, str]
) -> None:
    kind = '"list<string>"' if "list" in generate else "int64"
    text = f"items: {{rows: 5, columns: {{value: {{type: {kind}, generate: {generate}}}}}}}"
    with pytest.raises(DocumentError) as caught:
        built(read_spec(tmp_path, text), inputs(tmp_path))
    (problem,) = caught.value.problems
    assert problem.file == "datasets/shop/dataset.yaml"
    assert problem.key.endswith(said[0])
    assert said[1] in problem.message
    assert said[2] in str(caught.value.hint)


@pytest.mark.parametrize("column", ["{type: string, generate: {faker: name}}", "{type: string}"])
def test_unknown_locale_is_a_mistake_in_the_spec(tmp_path: Path, column: str) -> None:
    head = "dataset: shop\nlocale: xx_YY\n"
    text = f"items: {{rows: 5, factory: ItemFactory, columns: {{other: {{type: string}}, value: {column}}}}}"
    code = row("return {'other': at.faker.name(), 'value': ''}")
    spec = read_spec(tmp_path, text, head=head, factories=code)
    with pytest.raises(DocumentError) as caught:
        built(spec, inputs(tmp_path))
    assert [(problem.key, problem.message) for problem in caught.value.problems] == [
        ("locale", "Faker has no locale 'xx_YY'")
    ]


def test_factories_may_pick_from_each_other_unless_in_a_circle(tmp_path: Path) -> None:
    text = """
    items:
      rows: 20
      key: [id]
      factory: Items
      columns:
        id: {type: string}
        shop: {type: string, references: shops.id}
    shops:
      rows: 5
      key: [id]
      factory: Shops
      columns:
        id: {type: string}
        best: {type: string, references: items.id, generate: {pick: {}}}
    """
    code = """
    from tdv.factories import Factory
    class Items(Factory):
        def row(self, at):
            return {"id": f"i{at.index}", "shop": at.pick("shops")}
    class Shops(Factory):
        def row(self, at):
            return {"id": f"s{at.index}"}
    """
    found = built(read_spec(tmp_path, text, factories=code), inputs(tmp_path))
    assert set(found["items"]["shop"].to_pylist()) <= set(found["shops"]["id"].to_pylist())
    assert set(found["shops"]["best"].to_pylist()) <= set(found["items"]["id"].to_pylist())
    circle = text.replace("best: {type: string, references: items.id, generate: {pick: {}}}", BEST)
    spec = read_spec(
        tmp_path, circle, factories=code.replace('f"s{at.index}"', 'f"s{at.index}", "best": at.pick("items")')
    )
    with pytest.raises(FactoryError, match="has not run yet"):
        built(spec, inputs(tmp_path))


BEST = "best: {type: string, references: items.id}"


def test_sample_runs_the_factory_for_its_rows_only(tmp_path: Path) -> None:
    code = row("return {'value': str(at.index) if 5 <= at.index < 8 else 1 / 0, 'user_id': at.pick('users')}")
    spec = read_spec(tmp_path, tables(), factories=code)
    assert sample(spec, inputs(tmp_path), "items", range(5, 8))["value"].to_pylist() == ["5", "6", "7"]

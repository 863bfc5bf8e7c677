"""``dataset.yaml``: what a right one means, and what is said about a wrong one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tdv import spec
from tdv.documents import parse
from tdv.errors import ConfigError, DocumentError, Problem
from tdv.model.compat import Span
from tdv.model.schema import Reference
from tdv.model.spec import DatasetSpec, GeneratorSpec
from tdv.model.types import LogicalType
from tests.documents import SPEC, broken
from tests.repository import Repository

Write = Callable[[str, str], Path]
Load = Callable[..., DatasetSpec]
Wrong = Callable[[str], list[str]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, text: str) -> Path:
        path = tmp_path / "datasets" / name / "dataset.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


@pytest.fixture
def load(tmp_path: Path, write: Write) -> Load:
    """Loads a spec of tables alone, or any text as the dataset `name`."""

    def load(text: str, name: str = "shop") -> DatasetSpec:
        head = "" if text.lstrip().startswith(("dataset:", "#")) else f"dataset: {name}\n"
        return spec.load(write(name, head + text), tmp_path)

    return load


@pytest.fixture
def wrong(load: Load) -> Wrong:
    """The mistakes in a spec, without the name of its file."""

    def wrong(text: str) -> list[str]:
        with pytest.raises(DocumentError) as caught:
            load(text)
        assert {problem.file for problem in caught.value.problems} == {"datasets/shop/dataset.yaml"}
        return [f"{problem.line}: {problem.key}: {problem.message}" for problem in caught.value.problems]

    return wrong


def columns(*lines: str, table: str = "key: [id]") -> str:
    """A spec of one table `t` with an ``id`` and further columns; columns begin in line 6."""
    return "\n".join(
        [
            "tables:",
            "  t:",
            f"    {table}",
            "    columns:",
            "      id: {type: int64}",
            *(f"      {line}" for line in lines),
        ]
    )


# -- right specs


def test_load_reads_the_example(load: Load) -> None:
    found = load(SPEC, "movies")
    assert (found.name, found.seed, found.locale, found.path) == (
        "movies",
        12345,
        "en_US",
        "datasets/movies/dataset.yaml",
    )
    assert found.as_of == datetime(2026, 1, 1, tzinfo=UTC)
    assert (found.app, found.migration, dict(found.requires)) == (
        ">=1.2,<3",
        Span("0003", "0007"),
        {"reference": "^1.2"},
    )
    users, movies = found.tables
    assert (users.rows, users.schema.key, users.schema.uniques, users.strict) == (100, ("id",), (("email",),), True)
    age = users.schema.column("age")
    assert (age.nullable, age.rules.minimum, age.rules.maximum) == (True, 0, 150)
    assert users.schema.column("email").privacy == "email"
    assert users.generators["age"] == GeneratorSpec("normal", {"mean": 38, "sd": 12}, 500)
    assert users.generators["created_at"].options == {"from": "2020-01-01", "to": "as_of"}
    assert movies.generators["id"] == GeneratorSpec("sequence", {})
    assert movies.schema.references == (Reference(("user_id",), "users", ("id",)),)


def test_load_gives_the_defaults_that_the_reference_page_names(load: Load) -> None:
    found = load("tables: {t: {columns: {id: {type: int64}}}}")
    assert (found.seed, found.as_of, found.locale) == (0, datetime(2020, 1, 1, tzinfo=UTC), "en_US")
    (table,) = found.tables
    assert (table.rows, table.schema.key, table.strict, table.factory) == (0, (), True, None)
    assert not table.schema.column("id").nullable


def test_load_of_a_right_spec_does_not_import_jsonschema(tmp_path: Path, write: Write) -> None:
    path = write("movies", SPEC)
    code = "import sys; from pathlib import Path; from tdv import spec; spec.load(Path(sys.argv[1]), Path(sys.argv[2]))"
    code += "; print('jsonschema' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, path, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-01", datetime(2026, 1, 1, tzinfo=UTC)),
        ("2026-01-01T12:00:00", datetime(2026, 1, 1, 12, tzinfo=UTC)),
        ("2026-01-01T12:00:00.5+02:00", datetime(2026, 1, 1, 10, 0, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_as_of_is_utc(load: Load, text: str, moment: datetime) -> None:
    assert load(f"as_of: {text}\ntables: {{t: {{columns: {{id: {{type: int64}}}}}}}}").as_of == moment


@pytest.mark.parametrize(
    "text",
    [
        "bool", "int16", "int32", "int64", "float64", "decimal(38,0)", "string", "binary", "date", "time", "timestamp",
        "timestamptz", "uuid", "json", "list<int64>", "list<list<string>>", "struct<a: int64, b: list<date>>",
    ],
)  # fmt: skip
def test_load_reads_every_type(load: Load, text: str) -> None:
    found = load(columns(f'x: {{type: "{text}"}}'))
    assert found.tables[0].schema.column("x").type == LogicalType.parse(text)


def test_references_in_every_form(load: Load) -> None:
    found = load("""\
requires: {reference: "*"}
tables:
  a.b:
    key: [x, y]
    columns: {x: {type: int32}, y: {type: string}, "c.d": {type: uuid, unique: true}}
  t:
    columns:
      short: {type: uuid, references: a.b.c.d}
      long: {type: uuid, references: {table: a.b, column: c.d}}
      other: {type: string, references: "reference:countries.code"}
      wider: {type: int64}
      y: {type: string}
    references:
      - {columns: [wider, y], table: a.b}
      - {columns: [y, wider], table: a.b, to: [y, x]}
      - {columns: [y], table: countries, to: [code], dataset: reference}
""")
    assert found.table("t").schema.references == (
        Reference(("short",), "a.b", ("c.d",)),
        Reference(("long",), "a.b", ("c.d",)),
        Reference(("other",), "countries", ("code",), "reference"),
        Reference(("wider", "y"), "a.b", ("x", "y")),
        Reference(("y", "wider"), "a.b", ("y", "x")),
        Reference(("y",), "countries", ("code",), "reference"),
    )


def test_references_may_point_to_their_own_table_and_in_a_circle(load: Load) -> None:
    found = load("""\
tables:
  employees:
    rows: 10
    key: [id]
    columns:
      id: {type: int64, generate: sequence}
      boss: {type: int64, nullable: true, references: employees.id, generate: {pick: {}, null: 0.1}}
      team: {type: int64, references: teams.id, generate: pick}
  teams:
    key: [id]
    columns: {id: {type: int64}, lead: {type: int64, references: employees.id}}
""")
    assert [str(reference) for table in found.tables for reference in table.schema.references] == [
        "(boss) → employees(id)",
        "(team) → teams(id)",
        "(lead) → employees(id)",
    ]


def test_generators_of_nested_types(load: Load) -> None:
    found = load("""\
tables:
  t:
    rows: 1
    columns:
      tags:
        type: "list<struct<a: int64, b: string>>"
        generate: {list: {of: {struct: {a: sequence, b: {faker: name}}}, max: 3}}
""")
    assert found.tables[0].generators["tags"].kind == "list"


def test_names_of_tables_and_columns_may_be_anything_that_databases_take(load: Load) -> None:
    found = load(
        'tables: {"Robert\'); DROP TABLE x;--": {columns: {"größe in %": {type: int64}, select: {type: int64}}}}'
    )
    assert found.tables[0].schema.column_names == ("größe in %", "select")


def test_the_examples_of_the_reference_page_are_right(write: Write, load: Load) -> None:
    page = Path(__file__).parent.parent / "docs" / "reference" / "spec.md"
    shop, large = (part.partition("```")[0] for part in page.read_text().split("```yaml\n")[1:])
    assert len(load(shop).tables) == 4
    boss = load(large, "shop-large").table("employees").schema.column("boss")
    assert boss.nullable


# -- extends


def test_extends_lays_the_spec_over_its_base(write: Write, load: Load) -> None:
    write("movies", SPEC)
    found = load(
        """\
extends: movies
seed: 7
compat: {app: "^2"}
tables:
  movies: {rows: 5000}
  users:
    checks: []
    columns:
      age: {maximum: 99, generate: {constant: 5}}
      nick: {type: string, nullable: true}
  extra: {columns: {id: {type: uuid}}}
""",
        "movies-large",
    )
    assert (found.name, found.extends, found.seed, found.app) == ("movies-large", "movies", 7, "^2")
    assert (found.migration, found.as_of) == (Span("0003", "0007"), datetime(2026, 1, 1, tzinfo=UTC))
    assert [(table.name, table.rows) for table in found.tables] == [("users", 100), ("movies", 5000), ("extra", 0)]
    users = found.table("users")
    assert users.schema.column_names == ("id", "email", "name", "age", "created_at", "nick")
    assert (users.schema.column("age").rules.minimum, users.schema.column("age").rules.maximum) == (0, 99)
    assert users.generators["age"] == GeneratorSpec("constant", 5)
    assert users.schema.checks == ()


def test_extends_finds_the_factories_of_the_base(write: Write, load: Load) -> None:
    base = write("base", "dataset: base\n" + columns(table="factory: Maker"))
    (base.parent / "factories.py").write_text("class Maker: ...\n")
    assert load("dataset: large\nextends: base\n", "large").tables[0].factory == "Maker"


def test_extends_places_a_mistake_in_the_file_that_makes_it(write: Write, tmp_path: Path) -> None:
    write(
        "base", "dataset: base\ntables: {t: {key: [id], columns: {id: {type: int64}, n: {type: int16, maximum: 9}}}}\n"
    )
    path = write(
        "large", "dataset: large\nextends: base\ntables:\n  t:\n    key: [idd]\n    columns: {n: {minimum: 10}}\n"
    )
    with pytest.raises(DocumentError) as caught:
        spec.load(path, tmp_path)
    assert [(problem.file, problem.line, problem.key) for problem in caught.value.problems] == [
        ("datasets/large/dataset.yaml", 5, "tables.t.key"),
        ("datasets/large/dataset.yaml", 6, "tables.t.columns.n.minimum"),
    ]


def test_extends_refuses_a_circle_and_an_unknown_base(write: Write, tmp_path: Path) -> None:
    one = write("one", "dataset: one\nextends: two\n")
    write("two", "dataset: two\nextends: one\n")
    with pytest.raises(DocumentError, match=r"two/dataset.yaml:2: extends: 'one' extends this dataset in turn"):
        spec.load(one, tmp_path)
    with pytest.raises(DocumentError, match=r"there is no dataset 'tow'; did you mean 'two'\?"):
        spec.load(write("three", "dataset: three\nextends: tow\n"), tmp_path)


def test_extends_still_asks_for_types_and_columns(write: Write, tmp_path: Path) -> None:
    write("base", "dataset: base\ntables: {t: {columns: {id: {type: int64}}}}\n")
    path = write("large", "dataset: large\nextends: base\ntables: {t: {columns: {n: {}, m: {}}}, u: {rows: 1}}\n")
    with pytest.raises(DocumentError) as caught:
        spec.load(path, tmp_path)
    assert [(problem.key, problem.message) for problem in caught.value.problems] == [
        ("tables.t.columns.n", "the key 'type' is missing"),
        ("tables.t.columns.m", "the key 'type' is missing"),
        ("tables.u", "the key 'columns' is missing"),
    ]


# -- wrong specs


def test_mistakes_of_every_kind_are_reported_together(wrong: Wrong) -> None:
    formats = "email, hostname, ipv4, ipv6, uri, uuid, date, time, date-time"
    assert wrong("""\
dataset: shopp
sed: 4
as_of: 2026-02-31
compat: {app: "1.2.3.4"}
sources: [nope.py, ../x]
tables:
  users:
    key: [idd]
    columns:
      id: {type: int46}
      email: {type: string, format: emial, generate: {templat: x}}
      d: {type: string, references: user.id}
      e: {type: string, references: users.emial}
""") == [
        "1: dataset: expected 'shop', the name of the directory, found 'shopp'",
        "2: sed: unknown key; did you mean 'seed'?",
        "3: as_of: expected a time that exists, such as 2026-01-01T00:00:00Z, found '2026-02-31'",
        '4: compat.app: expected a version range such as "^1.2", ">=1.2,<3" or "*", found \'1.2.3.4\'',
        "5: sources[0]: 'nope.py' does not exist",
        "5: sources[1]: '../x' is outside of the repository",
        "8: tables.users.key: there is no column 'idd' in 'users'; did you mean 'id'?",
        "10: tables.users.columns.id.type: unknown type 'int46'; did you mean 'int64'?",
        f"11: tables.users.columns.email.format: expected one of {formats}, found 'emial'; did you mean 'email'?",
        "11: tables.users.columns.email.generate.templat: unknown key; did you mean 'template'?",
        "12: tables.users.columns.d.references: there is no table 'user'; did you mean 'users'?",
        "13: tables.users.columns.e.references: there is no column 'emial' in 'users'; did you mean 'email'?",
    ]  # fmt: skip


def test_one_mistake_does_not_bring_about_others(wrong: Wrong) -> None:
    lines = ["n: 5", "m: {typ: int64}", "u: {type: int64, references: t.n}"]
    assert wrong(columns(*lines, table="key: [id, n]")) == [
        "7: tables.t.columns.n: expected a mapping, found 5",
        "8: tables.t.columns.m: the key 'type' is missing",
        "8: tables.t.columns.m.typ: unknown key; did you mean 'type'?",
        "9: tables.t.columns.u.references: t(n) is neither the key nor unique",
    ]


def cases() -> list[tuple[str, str]]:
    """The column and the message of each case in ``mistakes_in_columns.txt``."""
    text = (Path(__file__).parent / "mistakes_in_columns.txt").read_text()
    lines = [line.strip() for line in text.splitlines() if line and not line.startswith("#")]
    return list(zip(lines[::2], lines[1::2], strict=True))


@pytest.mark.parametrize(("column", "message"), cases())
def test_mistake_in_a_column(wrong: Wrong, column: str, message: str) -> None:
    assert f"7: tables.t.columns.x.{message}" in wrong(columns(f"x: {column}"))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("key: [id, id]", "key: expected a list of different column names, found a list"),
        ("key: id", "key: expected a list of different column names, found 'id'"),
        ("key: [x]", "key: 'x' is float64, which cannot be a key: equality is not exact"),
        ("unique: [[id, y]]", "unique[0]: there is no column 'y' in 't'"),
        ("unique: [[x]]", "unique[0]: 'x' is float64, which cannot be unique: equality is not exact"),
        ("rows: -1", "rows: expected at least 0, found -1"),
        ("rows: 1.5", "rows: expected a whole number, found 1.5"),
        ("factory: Maker", "factory: there is no factories.py beside the spec"),
        ("factory: os.system", "factory: expected the name of a class in factories.py, found 'os.system'"),
        ("references: [{columns: [id], table: t}]", "references[0]: the table 't' has no key"),
        ("references: [{columns: [id, x], table: t, to: [id]}]", "references[0]: 2 column(s) cannot refer to 1: (id)"),
        ("references: [{columns: [id], table: t, to: [id]}]", "references[0]: t(id) is neither the key nor unique"),
        ("checks: [5]", 'checks[0]: expected SQL as text, found 5; write it in quotes: "5"'),
        ("strict: maybe", "strict: expected true or false, found 'maybe'"),
    ],
)
def test_mistake_in_a_table(wrong: Wrong, table: str, message: str) -> None:
    assert f"4: tables.t.{message}" in wrong(columns("x: {type: float64}", table=table))


def test_key_columns_are_never_null(wrong: Wrong) -> None:
    text = columns().replace("id: {type: int64}", "id: {type: int64, nullable: true}")
    assert wrong(text) == ["6: tables.t.columns.id.nullable: a key column is never null"]


def test_generated_rows_need_a_value_in_every_column(wrong: Wrong) -> None:
    lines = ["a: {type: date}", "b: {type: date, nullable: true}"]
    assert wrong(columns(*lines, table="rows: 3")) == [
        "6: tables.t.columns.id: generated rows need a value here, but there is no generator",
        "7: tables.t.columns.a: generated rows need a value here, but there is no generator",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "../../evil", "a/b", "a\\\\b", "..", ".", "_tdv_state", "sqlite_master", "manifest.json", " a", "a\\n",
        "a\\u202e", "x" * 64, "é" * 40, "",
    ],
)  # fmt: skip
def test_names_that_no_table_may_have(wrong: Wrong, name: str) -> None:
    (message,) = wrong(f'tables: {{"{name}": {{columns: {{id: {{type: int64}}}}}}}}')
    assert "cannot be the name of a table" in message or "expected a name of 1 to 63 characters" in message
    assert message.isprintable()


def test_names_that_differ_only_in_case(wrong: Wrong) -> None:
    text = "differs from {!r} only in upper and lower case, which databases do not tell apart"
    assert wrong("tables: {t: {columns: {a: {type: date}, A: {type: date}}}, T: {columns: {a: {type: date}}}}") == [
        f"2: tables.t.columns.A: {text.format('a')}",
        f"2: tables.T: {text.format('t')}",
    ]


@pytest.mark.parametrize("name", ["v2", "1984", "latest", "workspace"])
def test_dataset_names_that_would_be_read_as_versions(tmp_path: Path, write: Write, name: str) -> None:
    path = write(name, f'dataset: "{name}"\ntables: {{t: {{columns: {{id: {{type: date}}}}}}}}')
    with pytest.raises(DocumentError, match="would be read as a version"):
        spec.load(path, tmp_path)


@pytest.mark.parametrize("name", ["A", "a.b", "movies!", "-x", "x"])
def test_dataset_names_that_gto_refuses(tmp_path: Path, write: Write, name: str) -> None:
    path = write("shop", f'dataset: "{name}"\ntables: {{t: {{columns: {{id: {{type: date}}}}}}}}')
    with pytest.raises(DocumentError, match="dataset: expected a dataset name: lower-case letters, digits and '-'"):
        spec.load(path, tmp_path)


def test_a_dataset_cannot_require_itself(wrong: Wrong) -> None:
    assert wrong('requires: {shop: "*"}\n' + columns()) == ["2: requires.shop: a dataset cannot require itself"]


def test_reference_into_another_dataset_names_its_columns(wrong: Wrong) -> None:
    text = 'requires: {other: "*"}\n' + columns(table="references: [{columns: [id], table: x, dataset: other}]")
    assert wrong(text) == ["5: tables.t.references[0]: a reference into another dataset names its columns"]


@pytest.mark.parametrize("text", ["", "5", "[]", "dataset: shop", "dataset: shop\ntables: {}", "dataset: a\ntables:"])
def test_a_file_that_is_no_spec(tmp_path: Path, write: Write, text: str) -> None:
    with pytest.raises(DocumentError) as caught:
        spec.load(write("shop", text), tmp_path)
    assert caught.value.exit_code == 3
    assert caught.value.hint


def test_a_spec_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"datasets/shop/dataset.yaml does not exist"):
        spec.load(tmp_path / "datasets" / "shop" / "dataset.yaml", tmp_path)


@given(value=broken(parse(SPEC, "x").data))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_spec_is_read_or_refused_with_a_document_error(tmp_path: Path, value: object) -> None:
    path = tmp_path / "datasets" / "movies" / "dataset.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False))
    with suppress(DocumentError):
        found = spec.load(path, tmp_path)
        assert found.schema.identity()


def test_placed_gives_lines_to_mistakes_that_were_found_later(write: Write, tmp_path: Path) -> None:
    write("base", "dataset: base\n" + columns("a.b: {type: int64, generate: sequence}"))
    path = write("shop", "dataset: shop\nextends: base\ntables:\n  t:\n    columns:\n      x: {type: date}\n")
    file = "datasets/shop/dataset.yaml"
    found = [
        Problem(file, 1, "tables.t.columns.x.generate.normal", "later"),
        Problem(file, 1, "tables.t.columns.'a.b'.generate", "later"),
        Problem("other.csv", 1, "tables.t", "elsewhere"),
    ]
    error = spec.placed(DocumentError(found, hint="mend it"), path, tmp_path)
    assert [(problem.file, problem.line, problem.message) for problem in error.problems] == [
        (file, 6, "later"),
        ("datasets/base/dataset.yaml", 7, "later"),
        ("other.csv", 1, "elsewhere"),
    ]
    assert error.hint == "mend it"


@pytest.mark.parametrize(("tool", "table"), [("alembic", "alembic_version"), ("rails", "Schema_Migrations")])
def test_table_of_the_own_migration_tool_is_no_data(tmp_path: Path, tool: str, table: str) -> None:
    columns = "version_num: {type: string, generate: {template: base}}"
    text = f"dataset: shop\ntables:\n  {table}:\n    rows: 1\n    columns:\n      {columns}\n"
    made = Repository.create(tmp_path / "repo", {"datasets/shop/dataset.yaml": text})
    made.tdv("init", expect=0)
    # Where no tool says where a target stands, the table is one like any other.
    made.tdv("validate", "shop", expect=0)
    made.write({"tdv.yaml": f"migrations: {{tool: {tool}, path: migrations}}\n"})
    for command in ("validate", "build"):
        said = made.tdv(command, "shop", expect=3).stderr
        assert f"datasets/shop/dataset.yaml:3: tables.{table}: the migration tool of tdv.yaml keeps the" in said
        assert "Take the table out of the spec" in said

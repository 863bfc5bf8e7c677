"""YAML that knows its lines, schemas that ship, and mistakes that explain themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tdv import documents
from tdv.documents import Mistakes, conforms, dotted, load, nearest, parse, plain, schema, validate
from tdv.documents.explain import explain
from tdv.errors import ConfigError, DocumentError, TdvError
from tdv.model.diff import DEFAULT_LEVELS
from tdv.model.release import Amendment, Record
from tests.documents import AMENDMENTS, LOCK, RECORD, SCENARIO, SETTINGS, SPEC, VALUES, broken

SCHEMAS = sorted(
    path.name.removesuffix(".schema.json") for path in Path(documents.__file__).parent.parent.glob("schemas/*.json")
)
RIGHT = {
    "dataset": parse(SPEC, "x").data,
    "tdv": parse(SETTINGS, "x").data,
    "record": RECORD,
    "amendments": AMENDMENTS,
    "lock": LOCK,
    "scenario": SCENARIO,
}


def mistakes_of(text: str, name: str = "tdv") -> list[str]:
    with pytest.raises(DocumentError) as caught:
        validate(parse(text, "f.yaml"), name)
    return [str(problem) for problem in caught.value.problems]


# -- reading


def test_parse_reads_the_core_schema_of_yaml_1_2() -> None:
    text = "[1, 0x1F, 0o17, 007, -.5, 1e3, -.inf, true, FALSE, ~, yes, 2020-01-01, 12:30, 1_000, 1.1.0]"
    numbers = [1, 31, 15, 7, -0.5, 1000.0, float("-inf")]
    words = ["yes", "2020-01-01", "12:30", "1_000", "1.1.0"]
    assert parse(text, "f").data == [*numbers, True, False, None, *words]


def test_parse_keeps_quoted_words_and_keys_as_text() -> None:
    assert parse("{1: '2', true: \"null\", a: !!str 5}", "f").data == {"1": "2", "true": "null", "a": "5"}


def test_parse_exact_gives_decimals() -> None:
    assert parse("a: 12345678901234.123456789", "f", exact=True).data == {"a": Decimal("12345678901234.123456789")}


def test_parse_unfolds_aliases() -> None:
    assert parse("a: &x [1]\nb: *x\n", "f").data == {"a": [1], "b": [1]}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: [", 3, "did not find expected node content"),
        ("a: {x: struct<a: int64>}", 1, "did not find expected ',' or '}'"),
        ("a: 1\n---\nb: 2", 2, "another document"),
        ("x:\n  a: 1\n  b: 2\n  a: 3", 4, "stands twice, first in line 2"),
        ("<<: {a: 1}", 1, "merge keys are not used here"),
        ("a: !!python/object:os.system x", 1, "the tag"),
        ("a: !!int x", 1, "the tag"),
        ("a: 1\n? [b]\n: 2", 2, "a key must be a word"),
        ("a: \x07", 1, "not allowed in YAML"),
        (b"a: 1\nb: \xff", 2, "byte 0xff is not UTF-8"),
        ("a: " + "9" * 2000, 1, "more than 1000 digits"),
        ("a: &x [*x]", 1, "deeper than 100 levels"),
        ("[" * 5000 + "]" * 5000, 1, "deeper than 100 levels"),
        ("a: *b", 1, "undefined alias"),
    ],
)  # fmt: skip
def test_parse_refuses(text: str | bytes, line: int, words: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse(text, "f.yaml")
    (problem,) = caught.value.problems
    assert problem.file == "f.yaml"
    assert problem.line == line
    assert words in problem.message
    assert caught.value.hint


def test_parse_refuses_an_exponent_that_no_decimal_has() -> None:
    with pytest.raises(DocumentError, match=r"f:2.*the exponent of this number is too large"):
        parse("a: 1\nb: 1e99999999999999999999", "f", exact=True)


def test_parse_refuses_aliases_that_unfold_without_end() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(DocumentError, match="aliases unfold"):
        parse("\n".join(lines), "f")


def test_load_names_the_file_relative_to_the_root(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x.yaml").write_text("a: [")
    with pytest.raises(DocumentError) as caught:
        load(tmp_path / "sub" / "x.yaml", tmp_path)
    assert caught.value.problems[0].file == "sub/x.yaml"


@pytest.mark.parametrize("name", ["missing.yaml", "directory"])
def test_load_says_why_a_file_cannot_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "directory").mkdir()
    with pytest.raises(ConfigError, match=name) as caught:
        load(tmp_path / name, tmp_path)
    assert caught.value.hint


@given(VALUES)
def test_parse_reads_back_any_json(value: Any) -> None:
    assert parse(json.dumps(value, ensure_ascii=False), "f").data == value


@given(st.text(max_size=200))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_parse_gives_a_value_or_a_document_error(text: str) -> None:
    with suppress(DocumentError):
        parse(text, "f")


def test_place_is_the_line_of_the_key_or_of_the_last_step_that_exists() -> None:
    document = parse("a:\n  b:\n    - 1\n    - x: 2\n", "f")
    assert document.place(("a", "b")) == (2, 3)
    assert document.place(("a", "b", 1, "x")) == (4, 7)
    assert document.place(("a", "b", 7)) == (2, 3)
    assert document.place(("nothing",)) == (1, 1)
    assert plain({"a": 1}, "f").place(("a",)) == (1, 1)


def test_dotted_quotes_what_is_no_word() -> None:
    assert dotted(("tables", "users", "checks", 0)) == "tables.users.checks[0]"
    assert dotted(("a.b", "c\x1b[31m")) == "'a.b'.'c\\x1b[31m'"


def test_nearest_finds_a_word_in_any_spelling() -> None:
    assert nearest("Colums", ["columns", "checks"]) == "columns"
    assert nearest("zzz", ["columns", "checks"]) is None


def test_mistakes_are_raised_in_the_order_of_lines_and_once() -> None:
    document = parse("a: 1\nb: 2", "f")
    mistakes = Mistakes()
    for path in (("b",), ("a",), ("b",)):
        mistakes.add(document.problem(path, "wrong"), f"mend {path[0]}")
    assert mistakes.has(("a",))
    assert not mistakes.has(("c",))
    with pytest.raises(DocumentError) as caught:
        mistakes.raise_if_any()
    assert [problem.key for problem in caught.value.problems] == ["a", "b"]


def test_a_single_mistake_keeps_its_own_hint() -> None:
    with pytest.raises(DocumentError) as caught:
        validate(parse("defalt: {}", "tdv.yaml"), "tdv")
    assert str(caught.value) == "tdv.yaml:1: defalt: unknown key; did you mean 'default'?"
    assert caught.value.hint == "Write 'default:' instead of 'defalt'."


# -- schemas


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_is_a_valid_json_schema(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_holds_no_keyword_that_conforms_does_not_know(name: str) -> None:
    known = {
        "$schema", "$defs", "$ref", "title", "description", "default", "errorMessage", "then", "else", "type", "enum",
        "const", "properties", "additionalProperties", "propertyNames", "required", "minProperties", "maxProperties",
        "items", "minItems", "uniqueItems", "minLength", "maxLength", "pattern", "minimum", "maximum",
        "exclusiveMinimum", "anyOf", "oneOf", "not", "if",
    }  # fmt: skip

    def walk(rules: Any) -> None:
        if isinstance(rules, bool):
            return
        assert set(rules) <= known
        for word in ("properties", "$defs"):
            for inner in rules.get(word, {}).values():
                walk(inner)
        for word in ("additionalProperties", "propertyNames", "items", "not", "if", "then", "else"):
            if word in rules:
                walk(rules[word])
        for word in ("anyOf", "oneOf"):
            for inner in rules.get(word, []):
                walk(inner)

    walk(schema(name))


def test_schemas_agree_on_what_they_share() -> None:
    seen: dict[str, Any] = {}
    for name in SCHEMAS:
        for word, rules in schema(name).get("$defs", {}).items():
            assert seen.setdefault(word, rules) == rules, word


@pytest.mark.parametrize("name", ["dataset", "tdv"])
def test_schema_knows_every_release_rule(name: str) -> None:
    assert schema(name)["$defs"]["levels"]["propertyNames"]["enum"] == list(DEFAULT_LEVELS)


def test_schema_of_an_unknown_name_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        schema("../schemas/tdv")


@pytest.mark.parametrize("name", RIGHT)
def test_validate_accepts(name: str) -> None:
    validate(plain(RIGHT[name], "f"), name)


def test_record_and_amendments_as_the_model_writes_them_are_valid() -> None:
    validate(plain(Record.from_plain(RECORD).to_plain(), "f"), "record")
    items = [Amendment.from_plain(item).to_plain() for item in AMENDMENTS["amendments"]]  # type: ignore[arg-type]
    validate(plain({**AMENDMENTS, "amendments": items}, "f"), "amendments")


def test_validate_of_a_right_document_does_not_import_jsonschema() -> None:
    code = "import sys; from tdv.documents import *; validate(parse('default: {}', 'f'), 'tdv')"
    code += "; print('jsonschema' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("name", RIGHT)
@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_conforms_agrees_with_jsonschema_and_every_breach_is_explained(name: str, data: st.DataObject) -> None:
    value = data.draw(broken(RIGHT[name]))
    rules = schema(name)
    mistakes = Mistakes()
    explain(parse(json.dumps(value, ensure_ascii=False), "f"), rules, mistakes)
    assert conforms(value, rules, rules) == (not mistakes)
    if mistakes:
        with pytest.raises(TdvError) as caught:
            mistakes.raise_if_any()
        assert caught.value.hint


# -- sentences


def test_mistakes_name_place_expectation_and_nearest_word() -> None:
    text = """\
default: {datset: movies}
datasets: {movies: 1.10, Upper: "*"}
targets:
  local: {owns: databse}
  ci: {url_env: 9x, protected: yes, also_empty: [1], health: SELECT 1}
policy: {merge: sqash, never: x}
levels: {row-remved: minor}
app: {version: {}}
environments: {ci: {target: ci, limits: {row: 1, rows: 0, size: 5 MB}}}
"""
    version = 'expected a version range such as "^1.2", ">=1.2,<3" or "*", or a stage such as "#staging"'
    app = "{from: pyproject.toml}, {file: VERSION}, {json: package.json}, {command: [git, describe, --tags]}"
    levels = f"expected one of {', '.join(DEFAULT_LEVELS)}"
    assert mistakes_of(text) == [
        "f.yaml:1: default.datset: unknown key; did you mean 'dataset'?",
        f'f.yaml:2: datasets.movies: {version}, found 1.1; write it in quotes: "1.10"',
        "f.yaml:2: datasets.Upper: expected a dataset name, or repository:dataset, found 'Upper'",
        "f.yaml:4: targets.local: expected a mapping with either url or url_env, found a mapping",
        "f.yaml:4: targets.local.owns: expected one of tables, database, found 'databse'; did you mean 'database'?",
        "f.yaml:5: targets.ci.url_env: expected the name of an environment variable, found '9x'",
        "f.yaml:5: targets.ci.protected: expected true or false, found 'yes'; write true",
        'f.yaml:5: targets.ci.also_empty[0]: expected text, found 1; write it in quotes: "1"',
        "f.yaml:5: targets.ci.health: expected a list, found 'SELECT 1'",
        "f.yaml:6: policy.merge: expected one of squash, merge, found 'sqash'; did you mean 'squash'?",
        "f.yaml:6: policy.never: expected a list, found 'x'",
        f"f.yaml:7: levels.row-remved: {levels}, found 'row-remved'; did you mean 'row-removed'?",
        f"f.yaml:8: app.version: expected one of {app}, found a mapping",
        "f.yaml:9: environments.ci.limits.row: unknown key; expected one of rows, size",
        "f.yaml:9: environments.ci.limits.rows: expected at least 1, found 0",
        "f.yaml:9: environments.ci.limits.size: expected bytes as a whole number, at least 1, found '5 MB'",
    ]


def test_a_missing_key_is_named_where_it_belongs() -> None:
    assert mistakes_of("scenario: x\ntitle: y\n", "scenario") == ["f.yaml:1: the key 'rows' is missing"]
    assert mistakes_of("", "scenario") == ["f.yaml:1: expected a mapping, found nothing"]


def test_record_mistakes_name_the_key() -> None:
    wrong = {**RECORD, "version": "1.1", "digest": "md5:1", "artifact": {"md5": "x", "size": -1}}
    keys = {line.split(": ")[1] for line in mistakes_of(json.dumps(wrong, indent=1), "record")}
    assert keys == {"version", "digest", "artifact", "artifact.md5", "artifact.size"}


def test_lock_mistakes_name_the_key() -> None:
    text = json.dumps(LOCK).replace('"version"', '"verson"')
    assert mistakes_of(text, "lock") == [
        "f.yaml:1: datasets.movies: the key 'version' is missing",
        "f.yaml:1: datasets.movies.verson: unknown key; did you mean 'version'?",
    ]


def test_amendments_mistakes_name_the_entry() -> None:
    text = json.dumps({**AMENDMENTS, "amendments": [{"version": "1.0.0", "date": "2026-11-22"}]})
    assert mistakes_of(text, "amendments") == ["f.yaml:1: amendments[0]: the key 'reason' is missing"]


def test_a_pattern_does_not_end_before_a_last_line_end() -> None:
    assert mistakes_of('{default: {dataset: "movies\\n"}}')

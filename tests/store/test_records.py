"""Records, amendments and the book that they make."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tdv.content.tree import content_digest, dataset_digest
from tdv.errors import ConfigError, DocumentError, IntegrityError, NotFound, Refused
from tdv.model.compat import Compat, Span
from tdv.model.release import Amendment, Artifact, Change, Record, TableSummary
from tdv.store.git import Git
from tdv.store.history import book_at
from tdv.store.records import ReleaseBook, format_record, parse_record
from tests.repository import Repository

FROZEN = Path(__file__).parent.parent / "formats" / "record-v1.yaml"

RECORD = Record(
    dataset="movies",
    version="1.1.0",
    released="2026-11-21T10:00:00Z",
    author="Ada Tester <ada@example.test>",
    digest="tdv1:" + "1e5" * 21 + "0",
    content="tdv1:" + "b" * 64,
    schema="tdv1:" + "c" * 64,
    sources="sha256:" + "d" * 64,
    artifact=Artifact("12345678901234567890123456789012.dir", 34534003, 7),
    manifest="sha256:" + "e" * 64,
    tables={"users": TableSummary(103, "tdv1:" + "0" * 64), "no": TableSummary(0, "tdv1:" + "f" * 64)},
    change=Change("minor", "1.0.1", 7, 0, 0),
    toolchain={"tdv": "0.1.0", "python": "3.11.7", "pyarrow": "26.0.1", "faker": "40.54.0"},
    compat=Compat(">=1.2,<3", Span("0003", None)),
    requires={"reference": "^1.2"},
    notes="Edge cases: empty title, longest name, leap day",
)
CONTENT = content_digest({name: table.digest for name, table in RECORD.tables.items()})
KEPT = replace(RECORD, content=CONTENT, digest=dataset_digest(CONTENT, RECORD.schema))
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


def _amend(version: str = "1.1.0", **changes: object) -> Amendment:
    return Amendment(version, "2026-11-22", "0008 drops users.age", **changes)  # type: ignore[arg-type]


def test_the_frozen_record_is_what_is_written_and_read() -> None:
    assert format_record(RECORD).decode() == FROZEN.read_text(encoding="utf-8")
    assert parse_record(FROZEN.read_bytes(), "record") == RECORD


@given(TEXT, TEXT, st.dictionaries(TEXT.filter(bool), st.integers(0, 2**63), max_size=3))
def test_any_text_survives_the_round_trip(notes: str, author: str, rows: dict[str, int]) -> None:
    tables = {name: TableSummary(count, "tdv1:" + "0" * 64) for name, count in rows.items()}
    record = replace(RECORD, notes=notes, author=author, tables=tables)
    assert parse_record(format_record(record), "record") == record


@given(TEXT)
def test_yaml_readers_of_version_1_1_read_the_same_text(notes: str) -> None:
    record = replace(RECORD, notes=notes, requires={"on": "1.10", "no": "*", "aa": "1", "bb": "~1.2", "12e34": "<2"})
    plain = yaml.safe_load(format_record(record))
    assert plain["notes"] == notes
    assert plain["requires"] == record.requires
    assert plain["compat"]["migration"] == {"from": "0003", "until": None}
    assert plain["version"] == "1.1.0"


def test_releases_are_ordered_by_version_not_by_name(tmp_path: Path) -> None:
    book = ReleaseBook(tmp_path)
    for version in ("1.10.0", "1.9.0", "2.0.0-rc.1", "2.0.0", "1.0.0"):
        book.write_record(replace(KEPT, version=version))
    assert book.versions("movies") == ("1.0.0", "1.9.0", "1.10.0", "2.0.0-rc.1", "2.0.0")
    assert [release.version for release in book.releases("movies")] == list(book.versions("movies"))
    assert book.versions("nothing") == ()
    assert book.releases("nothing") == ()


def test_a_released_version_is_not_written_again(tmp_path: Path) -> None:
    book = ReleaseBook(tmp_path)
    path = book.write_record(KEPT)
    assert path == "datasets/movies/releases/1.1.0.yaml"
    assert book.write_record(KEPT) == path
    with pytest.raises(Refused, match=r"movies@v1\.1\.0 is released already"):
        book.write_record(replace(KEPT, notes="other"))
    book.replace_record(replace(KEPT, notes="other"))
    assert book.record("movies", "1.1.0").notes == "other"
    book.remove_record("movies", "1.1.0")
    with pytest.raises(NotFound, match=r"no release movies@v1\.1\.0"):
        book.record("movies", "1.1.0")


def test_amendments_are_appended_and_applied_in_order(tmp_path: Path) -> None:
    book = ReleaseBook(tmp_path)
    book.write_record(KEPT)
    book.write_record(replace(KEPT, version="1.2.0"))
    narrower = Compat(">=1.2,<2", Span("0003", "0008"))
    path = book.append_amendment("movies", _amend(compat=narrower))
    first = (tmp_path / path).read_bytes()
    book.append_amendment("movies", _amend(yanked=True))
    assert (tmp_path / path).read_bytes().startswith(first)
    book.append_amendment("movies", _amend(yanked=True))
    assert len(book.amendments("movies")) == 2
    release, other = book.releases("movies")
    assert (release.compat, release.yanked) == (narrower, True)
    assert (other.compat, other.yanked) == (KEPT.compat, False)
    book.append_amendment("movies", Amendment("1.1.0", "2026-11-23", "after all", yanked=False))
    assert not book.release("movies", "1.1.0").yanked


def test_datasets_are_those_with_a_spec_or_a_release(tmp_path: Path) -> None:
    book = ReleaseBook(tmp_path)
    assert book.datasets() == ()
    book.write_record(KEPT)
    for name in ("shop/dataset.yaml", "notes/readme.md", "Bad_Name/dataset.yaml", ".hidden/dataset.yaml"):
        (tmp_path / "datasets" / name).parent.mkdir(parents=True)
        (tmp_path / "datasets" / name).write_text("x")
    assert book.datasets() == ("movies", "shop")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("format: tdv.release/v2\n", "14 mistakes"),
        ("format: tdv.release/v1\n", "13 mistakes"),
        ("- a\n", "1.0.0.yaml:1"),
        ("a: [\n", "expected node content"),
    ],
)
def test_a_damaged_record_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "datasets/movies/releases/1.0.0.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(DocumentError, match=words) as caught:
        ReleaseBook(tmp_path).record("movies", "1.0.0")
    assert caught.value.problems[0].file == "datasets/movies/releases/1.0.0.yaml"


def test_a_record_in_the_wrong_place_is_an_integrity_error(tmp_path: Path) -> None:
    path = tmp_path / "datasets/movies/releases/1.0.0.yaml"
    path.parent.mkdir(parents=True)
    path.write_bytes(format_record(KEPT))
    with pytest.raises(IntegrityError, match=r"says that it is movies@v1\.1\.0"):
        ReleaseBook(tmp_path).record("movies", "1.0.0")


@pytest.mark.parametrize("name", ["latest.yaml", "v1.0.0.yaml", "1.0.yaml"])
def test_a_file_that_is_not_named_by_a_version_is_an_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / "datasets/movies/releases" / name
    path.parent.mkdir(parents=True)
    path.write_text("x")
    with pytest.raises(ConfigError, match="not named by a version"):
        ReleaseBook(tmp_path).versions("movies")


def test_the_book_at_a_commit(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / "r", {"datasets/shop/dataset.yaml": "dataset: shop\n"})
    book = ReleaseBook(repository.root)
    book.write_record(KEPT)
    book.append_amendment("movies", _amend(yanked=True))
    old = repository.commit().git("rev-parse", "HEAD")
    book.write_record(replace(KEPT, version="1.2.0"))
    repository.commit()
    git = Git(repository.root, os.environ)
    before = book_at(git, old)
    assert before.datasets() == ("movies", "shop")
    assert before.versions("movies") == ("1.1.0",)
    assert before.release("movies", "1.1.0") == book.release("movies", "1.1.0")
    assert before.record_bytes("movies", "1.1.0") == format_record(KEPT)
    assert book_at(git, "HEAD").releases("movies") == book.releases("movies")
    assert book_at(git, "HEAD").releases("shop") == ()


def test_reading_versions_needs_no_yaml(tmp_path: Path) -> None:
    import subprocess
    import sys

    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "import tdv.store.cache, tdv.store.dvc, tdv.store.fingerprint, tdv.store.git, tdv.store.history\n"
        "import tdv.store.ignore, tdv.store.pipeline, tdv.store.records, tdv.store.settings, tdv.store.tags\n"
        "tdv.store.records.ReleaseBook(Path('.')).versions('movies')\n"
        "heavy = {'yaml', 'ruamel', 'dvc', 'git', 'pyarrow', 'numpy', 'jsonschema', 'pathspec', 'semver'}\n"
        "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, check=True, text=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("field", ["digest", "content", "schema", "tables"])
def test_a_record_whose_digest_does_not_follow_from_its_lines_is_refused(tmp_path: Path, field: str) -> None:
    other = {"tables": {"users": TableSummary(103, "tdv1:" + "9" * 64)}}.get(field, "tdv1:" + "9" * 64)
    book = ReleaseBook(tmp_path)
    book.write_record(KEPT)
    assert book.record("movies", "1.1.0") == KEPT
    book.replace_record(replace(KEPT, **{field: other}))
    with pytest.raises(IntegrityError, match="is not what its other lines give"):
        book.record("movies", "1.1.0")

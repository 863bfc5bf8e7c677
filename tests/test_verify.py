import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tdv import documents
from tdv.content.parquet import encode
from tdv.content.snapshot import Snapshot
from tdv.errors import IntegrityError, RemoteError
from tdv.model.manifest import FILE
from tdv.model.release import Record
from tdv.model.report import Promise, Verification
from tdv.model.schema import TableSchema
from tdv.store.cache import DirEntry
from tdv.tag import TagOptions, tag
from tdv.verify import HeldRows, Sources, VerifyOptions, verify
from tdv.verify.rows import difference_of_snapshots, first_difference
from tests.shelf import USERS, Shelf
from tests.snapshots import column, snapshot, table

RECORD = "datasets/shop/releases/1.0.0.yaml"


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf.create(tmp_path / "repo")
    shelf.source({1: "ada", 2: None, 3: "bob"}).release()
    tag(shelf.git, TagOptions(("shop",)), lambda _: None)
    return shelf


def run(shelf: Shelf, **options: Any) -> Verification:
    def rebuild(record: Record) -> Snapshot:
        out = shelf.root / ".tdv/rebuild"
        shelf.write(out)
        return Snapshot.open(out)

    sources = Sources(shelf.git, shelf.book, shelf.cache, lambda record: record.artifact.md5, rebuild)
    releases = [("shop", version) for version in shelf.book.versions("shop")]
    return verify(sources, releases, VerifyOptions(**options))


def broken(answer: Verification) -> dict[str, str]:
    return {promise.promise: promise.message for promise in answer.subjects if not promise.ok}


def test_every_promise_of_a_sound_release_holds(shelf: Shelf) -> None:
    answer = run(shelf, rebuild=True)
    assert answer.ok
    assert [promise.promise for promise in answer.subjects] == [
        "record",
        "record-unchanged",
        "tag",
        "artifact",
        "manifest",
        "files",
        "rows",
        "rebuild",
    ]
    documents.validate(documents.plain(answer.to_plain(), "verification"), "verification")


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 0x10
    path.chmod(0o644)
    path.write_bytes(data)


def objects(shelf: Shelf) -> dict[str, Path]:
    record = shelf.book.record("shop", "1.0.0")
    found = {entry.relpath: shelf.cache.path(entry.md5) for entry in shelf.cache.read_dir(record.artifact.md5)}
    return {**found, ".dir": shelf.cache.path(record.artifact.md5)}


def test_any_flipped_byte_of_a_cache_object_is_found(shelf: Shelf) -> None:
    for name, path in objects(shelf).items():
        whole = path.read_bytes()
        for at in {0, 1, len(whole) // 3, len(whole) // 2, len(whole) - 1}:
            flip(path, at)
            found = broken(run(shelf))
            assert "artifact" in found, (name, at)
            path.write_bytes(whole)
    assert run(shelf).ok


def test_any_flipped_byte_of_the_record_is_found(shelf: Shelf) -> None:
    path = shelf.root / RECORD
    whole = path.read_bytes()
    for at in range(0, len(whole), 59):
        flip(path, at)
        assert {"record", "record-unchanged"} & broken(run(shelf)).keys(), at
        path.write_bytes(whole)


def replaced(shelf: Shelf, name: str, change: Callable[[bytes], bytes]) -> Record:
    """Puts an artifact with one changed file, consistent for DVC, in the place of the record's."""
    record = shelf.book.record("shop", "1.0.0")
    entries = []
    size = 0
    for entry in shelf.cache.read_dir(record.artifact.md5):
        data = shelf.cache.path(entry.md5).read_bytes()
        stored = shelf.cache.add_bytes(change(data) if entry.relpath.endswith(name) else data)
        size += stored.size
        entries.append(DirEntry(entry.relpath, stored.md5))
    artifact = replace(record.artifact, md5=shelf.cache.write_dir(entries), size=size)
    shelf.book.replace_record(replace(record, artifact=artifact))
    return record


def test_forged_manifest_is_found_though_every_md5_is_right(shelf: Shelf) -> None:
    replaced(shelf, FILE, lambda data: data.replace(b'"seed":1', b'"seed":2'))
    assert "promises sha256:" in broken(run(shelf))["manifest"]


def test_forged_part_is_found_though_every_md5_is_right(shelf: Shelf) -> None:
    other = table(USERS, id=[1, 2, 3], name=["ada", None, "eve"])

    replaced(shelf, ".parquet", lambda _: bytes(encode(other)))
    found = broken(run(shelf))
    assert "has other bytes than the manifest says" in found["files"]
    assert "holds other values in name" in found["rows"]


def test_moved_and_forged_tags_are_found(shelf: Shelf) -> None:
    git = shelf.repository.git
    digest = shelf.book.record("shop", "1.0.0").digest
    git("tag", "--force", "--annotate", "--message", f"x\n\nTdv-Digest: {digest}", "shop@v1.0.0", "HEAD~1")
    assert "was moved to" in broken(run(shelf))["tag"]
    git("tag", "--force", "--annotate", "--message", "x\n\nTdv-Digest: tdv1:00", "shop@v1.0.0", "HEAD")
    assert "promises tdv1:00" in broken(run(shelf))["tag"]


def test_tag_on_a_commit_with_another_lock_is_found(shelf: Shelf) -> None:
    shelf.source({1: "eve"}).release()
    digest = shelf.book.record("shop", "1.0.0").digest
    shelf.repository.git("tag", "-f", "-a", "-m", f"x\n\nTdv-Digest: {digest}", "shop@v1.0.0", "HEAD")
    assert "dvc.lock has other data" in broken(run(shelf))["tag"]


def test_record_that_is_gone_is_found(shelf: Shelf) -> None:
    (shelf.root / RECORD).unlink()
    assert run(shelf).ok
    assert broken(run(shelf, whole=("shop",))) == {"record": "the record is gone, HEAD has it"}


def test_data_that_cannot_be_had_is_not_verified(shelf: Shelf) -> None:
    def obtain(record: Record) -> str:
        raise RemoteError("The remote is gone", hint=None)

    sources = Sources(shelf.git, shelf.book, shelf.cache, obtain, shelf.open)
    answer = verify(sources, [("shop", "1.0.0"), ("shop", "9.0.0")], VerifyOptions())
    assert broken(answer) == {"artifact": "The remote is gone", "record": "There is no release shop@v9.0.0"}
    assert [(promise.promise, promise.unknown) for promise in answer.subjects if not promise.ok] == [
        ("artifact", True),
        ("record", False),
    ]
    assert answer.broken
    assert not verify(sources, [("shop", "1.0.0")], VerifyOptions()).broken


def test_release_that_is_not_committed_or_tagged_yet_says_so(tmp_path: Path) -> None:
    shelf = Shelf.create(tmp_path / "repo")
    shelf.release(commit=False)
    answer = run(shelf)
    assert answer.ok
    assert [promise.message for promise in answer.subjects if promise.message] == [
        "not committed yet",
        "there is no tag in this clone",
    ]


def test_rebuild_names_table_row_and_column(shelf: Shelf) -> None:
    (shelf.root / "datasets/shop/dataset.yaml").write_text('{"1": "ada", "2": "x", "3": "bob"}\n')
    message = broken(run(shelf, rebuild=True))["rebuild"]
    assert message == "a rebuild differs: table users, row 2 (id=2), column name: expected NULL, found 'x'"


def held(shelf: Shelf, **columns: Any) -> Promise:
    def read(schema: TableSchema) -> Iterator[pa.Table]:
        rows = table(USERS, **columns)
        yield rows.slice(0, 1)
        yield rows.slice(1)

    record = shelf.book.record("shop", "1.0.0")
    answer = run(shelf, held=(HeldRows("sqlite:///x.db", "shop", "1.0.0", lambda: shelf.open(record), read),))
    return answer.subjects[-1]


def test_rows_of_a_target(shelf: Shelf) -> None:
    sound = held(shelf, id=[1, 2, 3], name=["ada", None, "bob"])
    assert (sound.ok, sound.promise) == (True, "rows in sqlite:///x.db")
    changed = held(shelf, id=[1, 2, 3], name=["ada", None, "eve"])
    assert changed.message == "table users, row 3 (id=3), column name: expected 'bob', found 'eve'"
    assert held(shelf, id=[1, 3], name=["ada", "bob"]).message == (
        "table users, row 2: expected the row id=2, found id=3"
    )
    assert held(shelf, id=[1, 2], name=["ada", None]).message == "table users: row 3 id=3 is missing"
    more = held(shelf, id=[1, 2, 3, 4], name=["ada", None, "bob", "x"])
    assert more.message == "table users: row 4 id=4 is one too many"


def test_private_values_stay_private() -> None:
    schema = TableSchema("t", (column("id", "int64"), column("mail", "string", privacy="email")), key=("id",))
    one, other = table(schema, id=[1], mail=["secret"]), table(schema, id=[1], mail=["other"])
    message = first_difference(schema, iter([one]), iter([other]))
    assert message == "table t, row 1 (id=1), column mail: expected <private: email>, found <private: email>"
    assert first_difference(schema, iter([one]), iter([one.slice(0, 0), one])) == ""


def test_forged_manifest_that_the_record_promises_contradicts_itself(shelf: Shelf) -> None:
    def forge(data: bytes) -> bytes:
        return data.replace(b'"rows":3', b'"rows":4')

    record = replaced(shelf, FILE, forge)
    manifest = forge(next(path for name, path in objects(shelf).items() if name == FILE).read_bytes())
    artifact = shelf.book.record("shop", "1.0.0").artifact
    promised = "sha256:" + hashlib.sha256(manifest).hexdigest()
    shelf.book.replace_record(replace(record, artifact=artifact, manifest=promised))
    found = broken(run(shelf))
    assert "its tables is not the record's" in found["manifest"]
    assert "the digest of users is not that of its parts" in found["manifest"]
    assert "holds 3 rows, not 4" in found["rows"]


def test_files_too_many_and_too_few_are_found(shelf: Shelf) -> None:
    record = shelf.book.record("shop", "1.0.0")
    entries = [entry for entry in shelf.cache.read_dir(record.artifact.md5) if not entry.relpath.startswith("sources")]
    entries.append(DirEntry("more.txt", shelf.cache.add_bytes(b"x").md5))
    entries.append(DirEntry("gone.txt", "0" * 32))
    shelf.book.replace_record(replace(record, artifact=replace(record.artifact, md5=shelf.cache.write_dir(entries))))
    found = broken(run(shelf))
    assert "of gone.txt cannot be read: No such file" in found["artifact"]
    assert "the artifact has 4 files, the record says 3" in found["artifact"]
    assert "is missing" in found["files"]
    assert "more.txt is not in the manifest" in found["files"]


def test_data_under_the_md5_of_an_equal_rebuild_is_accepted(shelf: Shelf) -> None:
    record = shelf.book.record("shop", "1.0.0")
    entries = [*shelf.cache.read_dir(record.artifact.md5)]
    other = shelf.cache.write_dir([*entries, DirEntry("note.txt", shelf.cache.add_bytes(b"x").md5)])
    sources = Sources(shelf.git, shelf.book, shelf.cache, lambda _: other, shelf.open)
    assert broken(verify(sources, [("shop", "1.0.0")], VerifyOptions())) == {"files": "note.txt is not in the manifest"}


def test_rebuild_that_fails_or_cannot_be_compared(shelf: Shelf) -> None:
    def fails(record: Record) -> Snapshot:
        raise RemoteError("No commit has these sources", hint=None)

    sound = Sources(shelf.git, shelf.book, shelf.cache, lambda record: record.artifact.md5, fails)
    answer = verify(sound, [("shop", "1.0.0")], VerifyOptions(rebuild=True))
    assert broken(answer) == {"rebuild": "No commit has these sources"}

    def reads_nothing(schema: TableSchema) -> Iterator[pa.Table]:
        raise RemoteError("The target is gone", hint=None)

    def open_nothing() -> Snapshot:
        raise IntegrityError("The manifest is another one", hint=None)

    record = shelf.book.record("shop", "1.0.0")
    held_rows = (HeldRows("x", "shop", "1.0.0", lambda: shelf.open(record), reads_nothing),)
    assert broken(verify(sound, [("shop", "1.0.0")], VerifyOptions(held=held_rows))) == {
        "rows in x": "The target is gone"
    }
    lost = (HeldRows("x", "shop", "1.0.0", open_nothing, reads_nothing),)
    assert broken(verify(sound, [("shop", "1.0.0")], VerifyOptions(held=lost))) == {
        "rows in x": "nothing can be compared: The manifest is another one"
    }


def test_differences_of_whole_tables(tmp_path: Path) -> None:
    other = TableSchema("notes", (column("text", "string"),))
    rows = {"id": [1], "name": ["a"]}
    wide = TableSchema("users", (*USERS.columns, column("age", "int16")), key=("id",))
    one = snapshot(tmp_path / "1", {USERS: rows})
    two = snapshot(tmp_path / "2", {USERS: rows, other: {"text": ["x"]}})
    three = snapshot(tmp_path / "3", {wide: {**rows, "age": [1]}})
    four = snapshot(tmp_path / "4", {USERS: rows}, invariants=("SELECT 1 WHERE false",))
    assert difference_of_snapshots(two, one) == "the table notes is missing"
    assert difference_of_snapshots(one, two) == "there is the additional table notes"
    assert difference_of_snapshots(one, three) == "the columns of table users differ"
    assert difference_of_snapshots(one, four) == "the schema differs"

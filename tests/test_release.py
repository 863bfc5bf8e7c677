from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tdv.errors import DataError, GitError, Refused, UsageError
from tdv.model.compat import Compat, Span
from tdv.model.diff import DatasetChange, Finding, Level
from tdv.model.version import parse_version
from tdv.release import Steps, versions
from tdv.store import changelog
from tests.shelf import LATER, SOURCE, Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf.create(tmp_path / "repo")


def committed(shelf: Shelf) -> list[str]:
    return sorted(shelf.repository.git("show", "--name-only", "--format=").splitlines())


def test_first_release_is_one_commit_of_everything(shelf: Shelf) -> None:
    done = shelf.release(notes="As it ships")
    record = shelf.book.record("shop", "1.0.0")
    assert done.record == record
    assert (record.notes, record.change.since, record.tables["users"].rows) == ("As it ships", None, 1)
    assert (record.released, record.author) == ("2026-11-21T10:00:00Z", "Ada <ada@example.test>")
    assert committed(shelf) == [
        "CHANGELOG.md",
        "datasets/shop/.gitignore",
        "datasets/shop/releases/1.0.0.yaml",
        "datasets/shop/snapshot.yaml",
        "dvc.lock",
        "dvc.yaml",
    ]
    assert done.commit == shelf.git.head()
    assert shelf.repository.git("log", "-1", "--format=%B") == "Release shop v1.0.0\n\nAs it ships"
    assert shelf.pushed == [record.artifact]
    assert not shelf.git.changes()
    assert "## shop v1.0.0 (2026-11-21)\n\nAs it ships\n\nFirst release: 1 row in 1 table" in shelf.repository.read(
        "CHANGELOG.md"
    )
    assert done.to_plain()["version"] == "1.0.0"


@pytest.mark.parametrize(
    ("rows", "version", "bump"),
    [
        ({1: "ada", 2: "bob"}, "1.1.0", "minor"),
        ({1: "eve"}, "1.0.1", "patch"),
        ({2: "bob"}, "2.0.0", "major"),
    ],
)
def test_bump_is_computed(shelf: Shelf, rows: dict[int, str], version: str, bump: str) -> None:
    shelf.release()
    done = shelf.source(rows).release()
    assert (done.record.version, done.record.change.bump, done.record.change.since) == (version, bump, "1.0.0")
    assert changelog.FILE in done.files


def test_smaller_bump_than_computed_is_refused_with_the_rule(shelf: Shelf) -> None:
    shelf.release()
    shelf.source({2: "bob"})
    with pytest.raises(
        Refused, match=r"minor is too small after v1.0.0: row-removed in users \(1 row removed\)"
    ) as caught:
        shelf.release("minor")
    assert caught.value.hint == "tdv release shop 2.0.0, or set `levels: {row-removed: …}` in dataset.yaml."
    with pytest.raises(Refused, match="too small"):
        shelf.release("1.5.0")
    assert shelf.release("3.0.0").record.version == "3.0.0"


def test_release_refuses_existing_version(shelf: Shelf) -> None:
    shelf.release()
    shelf.source({1: "eve"})
    builds: list[int] = []
    with pytest.raises(Refused, match=r"shop@v1\.0\.0 is released already"):
        shelf.release("1.0.0", steps=shelf.steps(build=lambda: builds.append(1)))
    assert builds == []


def test_empty_release_is_refused(shelf: Shelf) -> None:
    shelf.release()
    for wanted in ("auto", "major", "2.0.0"):
        with pytest.raises(Refused, match=r"Nothing changed in shop since v1.0.0"):
            shelf.release(wanted)


def test_other_compatibility_or_requirements_are_a_patch(shelf: Shelf) -> None:
    shelf.release()
    compat = Compat(">=1", Span("0003"))
    done = shelf.release(compat=compat)
    assert (done.record.version, done.record.compat) == ("1.0.1", compat)
    assert [finding.rule for finding in done.change.findings] == ["compat-changed"]
    assert shelf.release(compat=compat, requires={"other": "^1"}).record.version == "1.0.2"
    with pytest.raises(Refused, match="Nothing changed"):
        shelf.release(compat=compat, requires={"other": "^1"})


def test_hotfix_below_the_newest_is_compared_with_its_own_line(shelf: Shelf) -> None:
    shelf.releases(("1.0.0", {1: "ada"}), ("1.1.0", {1: "ada", 2: "bob"}), ("2.0.0", {2: "bob"}))
    done = shelf.source({1: "eve"}).release("1.0.1")
    assert (done.record.change.since, done.record.change.bump) == ("1.0.0", "patch")
    headings = [line for line in shelf.repository.read("CHANGELOG.md").splitlines() if line.startswith("## ")]
    assert [heading.split()[2] for heading in headings] == ["v2.0.0", "v1.1.0", "v1.0.1", "v1.0.0"]
    with pytest.raises(Refused, match=r"has v2\.0\.0 already"):
        shelf.source({1: "x"}).release("0.9.0")


def test_version_below_the_end_of_its_line_is_refused(shelf: Shelf) -> None:
    shelf.releases(("1.0.0", {1: "a"}), ("1.0.5", {1: "b"}))
    with pytest.raises(Refused, match=r"has v1\.0\.5 already, and v1\.0\.3 would come before it"):
        shelf.source({1: "c"}).release("1.0.3")


def test_prerelease_becomes_the_release_with_the_same_data(shelf: Shelf) -> None:
    shelf.releases(("1.0.0", {1: "a"}), ("2.0.0-rc.1", {2: "b"}))
    assert shelf.release("2.0.0").record.version == "2.0.0"
    section = shelf.repository.read("CHANGELOG.md").partition("## shop v2.0.0 ")[2].splitlines()
    assert section[2].startswith("The same data as v2.0.0-rc.1: 1 row in 1 table, digest `tdv1:")


def test_uncommitted_sources_are_refused(shelf: Shelf) -> None:
    shelf.repository.write({SOURCE: '{"1": "new"}'})
    with pytest.raises(Refused, match=r"not committed: datasets/shop/dataset\.yaml"):
        shelf.release()
    assert shelf.book.versions("shop") == ()


def test_what_the_user_staged_stays_staged(shelf: Shelf) -> None:
    shelf.repository.write({"notes.txt": "mine", "CHANGELOG.md": "# Mine\n\nText.\n"}).git("add", "notes.txt")
    shelf.release()
    assert "notes.txt" not in committed(shelf)
    assert shelf.repository.git("diff", "--cached", "--name-only") == "notes.txt"
    assert shelf.repository.read("CHANGELOG.md").startswith("# Mine\n\nText.\n\n## shop v1.0.0")


def test_second_build_must_agree(shelf: Shelf) -> None:
    def other() -> Any:
        table = replace(shelf.build().manifest.tables[0], digest="tdv1:0")
        leaf = {**table.parts[0].columns, "name": "0"}
        table = replace(table, parts=(replace(table.parts[0], columns=leaf),))
        return replace(shelf.build().manifest, digest="tdv1:0", tables=(table,))

    with pytest.raises(DataError, match="second build of shop gives other data: the table users differs in name"):
        shelf.release(steps=shelf.steps(rebuild=other))
    assert shelf.pushed == []
    assert shelf.book.versions("shop") == ()


def test_no_commit_leaves_all_in_the_work_tree_and_a_second_run_finishes(shelf: Shelf) -> None:
    head = shelf.git.head()
    done = shelf.release(commit=False)
    assert (done.commit, shelf.git.head()) == (None, head)
    again = shelf.release(now=LATER, author="Eve <eve@example.test>")
    assert (again.record.released, again.record.author) == ("2026-11-21T10:00:00Z", "Ada <ada@example.test>")
    assert shelf.repository.read("CHANGELOG.md").count("## shop") == 1
    assert not shelf.git.changes()


def test_hook_that_refuses_leaves_the_files_and_names_the_command(shelf: Shelf) -> None:
    hook = shelf.root / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(GitError, match="refused the commit: no") as caught:
        shelf.release()
    assert "git commit --only" in str(caught.value.hint)
    assert shelf.book.versions("shop") == ("1.0.0",)
    hook.unlink()
    assert shelf.release().record.version == "1.0.0"


def test_head_that_moves_meanwhile_is_refused(shelf: Shelf) -> None:
    def push(artifact: Any) -> Any:
        shelf.repository.git("commit", "--quiet", "--allow-empty", "--message", "Meanwhile")
        return shelf.push(artifact)

    with pytest.raises(Refused, match="HEAD moved"):
        shelf.release(steps=shelf.steps(push=push))
    assert shelf.release().record.version == "1.0.0"


def test_without_a_remote_it_says_so_and_goes_on(shelf: Shelf) -> None:
    shelf.remote = None
    assert "this machine only" in shelf.release().warnings[0]


def test_amend_replaces_a_pending_release(shelf: Shelf) -> None:
    shelf.releases(("1.0.0", {1: "ada"}))
    shelf.published.add("1.0.0")
    shelf.source({1: "eve"}).release(notes="Correct a name")
    done = shelf.source({1: "eve", 2: "bob"}).release(amend=True, now=LATER)
    assert (done.record.version, done.record.notes) == ("1.1.0", "Correct a name")
    assert done.record.released == "2026-12-24T18:00:00Z"
    assert shelf.book.versions("shop") == ("1.0.0", "1.1.0")
    assert "datasets/shop/releases/1.0.1.yaml" in done.files
    assert not shelf.git.changes()
    text = shelf.repository.read("CHANGELOG.md")
    assert ("v1.1.0 (" in text, "v1.0.1 (" in text) == (True, False)


def test_amend_after_a_kill_between_its_writes(shelf: Shelf) -> None:
    shelf.releases(("1.0.0", {1: "ada"}))
    shelf.published.add("1.0.0")
    old = shelf.source({1: "eve"}).release().record
    shelf.source({1: "eve", 2: "bob"}).release(amend=True)
    shelf.book.write_record(old)
    shelf.release(amend=True)
    assert shelf.book.versions("shop") == ("1.0.0", "1.1.0")


def test_amend_of_a_first_release_keeps_its_version(shelf: Shelf) -> None:
    shelf.release("0.3.0")
    assert shelf.source({1: "eve"}).release(amend=True).record.version == "0.3.0"
    assert shelf.release("0.5.0", amend=True).record.version == "0.5.0"
    assert shelf.book.versions("shop") == ("0.5.0",)


def test_amend_of_a_published_release_is_refused(shelf: Shelf) -> None:
    shelf.release()
    shelf.published.add("1.0.0")
    with pytest.raises(Refused, match="no pending release"):
        shelf.source({1: "eve"}).release(amend=True)


def test_begun_release_of_another_version_is_not_overwritten(shelf: Shelf) -> None:
    shelf.releases(("1.0.0", {1: "ada"}))
    shelf.source({1: "eve"}).release(commit=False)
    with pytest.raises(Refused, match=r"shop@v1\.0\.1 was begun and not committed, and this release would be v1\.1\.0"):
        shelf.source({1: "eve", 2: "bob"}).release()


class Killed(BaseException):
    pass


def killing(steps: Steps, name: str) -> Steps:
    whole: Callable[..., Any] = getattr(steps, name)

    def killed(*arguments: Any) -> Any:
        whole(*arguments)
        raise Killed

    return replace(steps, **{name: killed})


@pytest.mark.parametrize("step", ["build", "rebuild", "push"])
def test_a_second_run_finishes_after_a_kill(shelf: Shelf, step: str) -> None:
    with pytest.raises(Killed):
        shelf.release(steps=killing(shelf.steps(), step))
    assert shelf.release(now=LATER).record.version == "1.0.0"
    assert not shelf.git.changes()


@pytest.mark.parametrize("wanted", ["", "big", "1.2", "1.0.0+5"])
def test_words_that_are_no_version(shelf: Shelf, wanted: str) -> None:
    with pytest.raises(UsageError, match="neither a version nor a level"):
        shelf.release(wanted)


@pytest.mark.parametrize("wanted", ["99999999999999999999.0.0", "v1.2147483648.0"])
def test_version_too_large_for_other_tools(shelf: Shelf, wanted: str) -> None:
    with pytest.raises(UsageError, match="too large a version"):
        shelf.release(wanted)
    assert shelf.book.versions("shop") == ()


@pytest.mark.parametrize(
    ("wanted", "base", "level", "expected"),
    [
        ("auto", None, "none", "1.0.0"),
        ("minor", None, "none", "0.1.0"),
        ("0.4.2", None, "none", "0.4.2"),
        ("auto", "1.2.3", "major", "2.0.0"),
        ("minor", "1.2.3", "patch", "1.3.0"),
        ("patch", "1.2.3", "minor", None),
        ("1.3.0", "1.2.3", "minor", "1.3.0"),
        ("1.3.0-rc.1", "1.2.3", "minor", "1.3.0-rc.1"),
        ("1.3.0-rc.1", "1.2.3", "major", None),
        ("2.0.0-rc.2", "2.0.0-rc.1", "major", "2.0.0-rc.2"),
        ("auto", "2.0.0-rc.1", "major", "2.0.0"),
        ("auto", "0.2.3", "major", "0.3.0"),
        ("auto", "0.2.3", "minor", "0.2.4"),
        ("0.2.4", "0.2.3", "major", None),
    ],
)
def test_decided_version(wanted: str, base: str | None, level: Level, expected: str | None) -> None:
    decided = versions.decide(wanted, parse_version(base) if base else None, level)
    assert decided == (parse_version(expected) if expected else None)


def test_changelog_keeps_foreign_text_and_escapes(shelf: Shelf) -> None:
    record = replace(shelf.release().record, notes="# Big\n<script>", version="1.2.0")
    finding = Finding("cell-changed", "patch", "a*b", "c_d", "x\n## shop v9.9.9")
    text = "# Log\n\nWords.\n\n## other v1.0.0 (x)\n\nOther.\n\n## shop v1.1.0 (y)\n\nOld.\n"
    new = changelog.written(text, record, [finding])
    assert new.startswith("# Log\n\nWords.\n\n## shop v1.2.0 (2026-11-21)\n\n\\# Big\n&lt;script>\n")
    assert "- patch: cell-changed in a\\*b.c\\_d: x \\#\\# shop v9.9.9\n" in new
    assert new.endswith("\n\n## other v1.0.0 (x)\n\nOther.\n\n## shop v1.1.0 (y)\n\nOld.\n")
    assert changelog.written(new, record, [finding]) == new
    assert changelog.removed(new, "shop", "1.2.0") == text
    old = changelog.written(new, replace(record, version="1.0.0"), [])
    assert [line.split()[2] for line in old.splitlines() if line.startswith("## shop")] == [
        "v1.2.0",
        "v1.1.0",
        "v1.0.0",
    ]


def test_rules_set_to_none_still_make_a_patch(shelf: Shelf) -> None:
    shelf.release()
    shelf.source({1: "eve"})

    def quiet(*_: Any) -> DatasetChange:
        return DatasetChange((Finding("cell-changed", "none", "users", "name", "1 value changed"),), {})

    assert shelf.release(steps=shelf.steps(compare=quiet)).record.version == "1.0.1"


def test_second_build_with_another_number_of_rows_is_told(shelf: Shelf) -> None:
    def other() -> Any:
        shelf.repository.write({SOURCE: '{"1": "ada", "2": "bob"}'})
        return shelf.rebuild()

    with pytest.raises(DataError, match="the table users has 1 rows and then 2"):
        shelf.release(steps=shelf.steps(rebuild=other))


def test_second_build_with_another_schema_is_told(shelf: Shelf) -> None:
    def other() -> Any:
        return replace(shelf.rebuild(), digest="tdv1:0")

    with pytest.raises(DataError, match="the schema or the set of tables differs"):
        shelf.release(steps=shelf.steps(rebuild=other))


def test_changelog_with_many_findings_and_odd_headings(shelf: Shelf) -> None:
    record = shelf.release().record
    findings = [Finding("cell-changed", "patch", f"t{number}", "", "1 value changed") for number in range(60)]
    text = changelog.written("## shop vnext\n\nSoon.\n", record, findings)
    assert "- and 10 more findings\n" in text
    assert text.endswith("\n\n## shop vnext\n\nSoon.\n")
    assert changelog.section_of(text, "shop", "1.0.0").startswith("## shop v1.0.0")
    assert changelog.section_of(text, "shop", "2.0.0") == ""

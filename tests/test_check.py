"""`tdv check`: a pull request of two branches passes the gate, and each broken promise stops it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tdv import documents
from tdv.check import RULES, Checked, Verdict, annotated, lines, markdown
from tdv.check.privacy import sounds_private
from tests.conftest import RepositoryBuilder
from tests.repository import Outcome, Repository, run

SPEC = """
dataset: shop
seed: 1
as_of: 2026-01-01T00:00:00Z
tables:
  users:
    key: [id]
    columns:
      id: {type: int64}
      name: {type: string, nullable: true}
"""
SEED = "datasets/shop/seeds/users.csv"
RECORD = "datasets/shop/releases/1.0.0.yaml"


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository with one release on ``main``; tests work on copies of it."""
    made = Repository.create(tmp_path_factory.mktemp("origin") / "repo")
    made.git("config", "user.name", "Ada")
    made.git("config", "user.email", "ada@example.test")
    made.prepared()
    made.write({"datasets/shop/dataset.yaml": SPEC, SEED: "id,name\n1,ada\n2,bob\n"})
    made.tdv("build", expect=0)
    made.commit("Begin the shop")
    made.tdv("release", "shop", "1.0.0", "-m", "First", expect=0)
    return made


@pytest.fixture
def branch(origin: Repository, tmp_path: Path) -> Repository:
    """A branch of the repository, nothing changed yet."""
    shutil.copytree(origin.root, tmp_path / "repo", symlinks=True)
    made = Repository(tmp_path / "repo")
    made.git("checkout", "--quiet", "-b", "work")
    return made


def with_row(branch: Repository, row: str = "3,eve\n") -> Repository:
    branch.write({SEED: f"id,name\n1,ada\n2,bob\n{row}"})
    branch.tdv("build", expect=0)
    return branch.commit("Another user")


def gate(branch: Repository, *arguments: str) -> Outcome:
    return branch.tdv("check", "--base", "main", *arguments)


def broken(branch: Repository, *arguments: str) -> dict[str, str]:
    """The rules that the gate finds broken, with their messages; the exit code must agree."""
    outcome = gate(branch, "--json", *arguments)
    answer = outcome.json()
    found = {item["promise"]: item["message"] for item in answer["subjects"] if not item["ok"] and not item["unknown"]}
    assert set(found) <= set(RULES)
    assert (outcome.exit_code, answer["ok"]) == ((1, False) if found else (0, True)), outcome
    return found


def test_branch_without_a_change_passes_after_few_rules(branch: Repository) -> None:
    outcome = gate(branch)
    assert outcome.exit_code == 0, outcome
    assert outcome.stdout.split()[0::3] == ["ok"] * 3
    assert "built" not in outcome.stdout


def test_built_change_without_a_release_passes(branch: Repository) -> None:
    assert broken(with_row(branch), "--rebuild") == {}


def test_released_change_passes_every_rule(branch: Repository) -> None:
    with_row(branch).tdv("release", "shop", "-m", "Eve", expect=0)
    outcome = gate(branch, "--rebuild", "--json")
    assert outcome.exit_code == 0, outcome
    seen = {item["promise"] for item in outcome.json()["subjects"]}
    assert seen == set(RULES) - {"adopted", "locked"}


def test_every_rule_has_its_line(branch: Repository) -> None:
    with_row(branch).tdv("release", "shop", "-m", "Eve", expect=0)
    outcome = gate(branch)
    assert all(line.startswith("ok    shop") for line in outcome.stdout.splitlines()), outcome
    assert "bump                 minor since v1.0.0" in outcome.stdout


def test_removed_record_fails(branch: Repository) -> None:
    branch.git("rm", "--quiet", RECORD)
    branch.commit("Forget it")
    assert "main has it" in broken(branch)["record-kept"]


def test_altered_record_fails(branch: Repository) -> None:
    path = branch.root / RECORD
    path.write_text(path.read_text().replace("First", "Second"))
    branch.commit("Touch it up")
    assert "a released record never changes" in broken(branch)["record-unchanged"]


def test_record_behind_a_link_fails(branch: Repository) -> None:
    path = branch.root / RECORD
    path.rename(branch.root / "elsewhere.yaml")
    path.symlink_to("../../../elsewhere.yaml")
    branch.commit("Link it")
    assert set(broken(branch)) == {"record-unchanged"}
    branch.git("checkout", "--quiet", "main", "--", RECORD)
    path, _ = release(branch)
    path.rename(branch.root / "elsewhere.yaml")
    path.symlink_to("../../../elsewhere.yaml")
    branch.commit("Link the new one")
    assert "is a link" in broken(branch)["record"]


def test_built_data_in_git_fails(branch: Repository) -> None:
    with_row(branch)
    (branch.root / "datasets/shop/.gitignore").unlink()
    said = "Git does not ignore datasets/shop/data, which DVC keeps: datasets/shop/data/manifest.json"
    assert said in broken(branch)["committed"]
    branch.commit("All of it")
    assert said in broken(branch)["committed"]
    branch.git("rm", "-r", "--quiet", "--cached", "--ignore-unmatch", "datasets/shop/data")
    branch.tdv("build", "shop", expect=0)
    branch.commit("Not the data")
    assert broken(branch) == {}


def test_record_that_the_base_released_meanwhile_is_no_removal(branch: Repository) -> None:
    with_row(branch, "4,dan\n")
    branch.git("checkout", "--quiet", "main")
    with_row(branch).tdv("release", "shop", "-m", "Eve", expect=0)
    branch.git("checkout", "--quiet", "work")
    assert broken(branch) == {}


def test_version_that_the_base_took_meanwhile_fails(branch: Repository) -> None:
    with_row(branch, "4,dan\n").tdv("release", "shop", "-m", "Dan", expect=0)
    branch.git("checkout", "--quiet", "main")
    with_row(branch).tdv("release", "shop", "-m", "Eve", expect=0)
    branch.git("checkout", "--quiet", "work")
    assert "released shop@v1.1.0 meanwhile" in broken(branch)["record-unchanged"]


def test_release_that_skips_the_newest_of_the_base_fails(branch: Repository) -> None:
    with_row(branch, "4,dan\n").tdv("release", "shop", "1.2.0", "-m", "Dan", expect=0)
    branch.git("checkout", "--quiet", "main")
    with_row(branch).tdv("release", "shop", "-m", "Eve", expect=0)
    branch.git("checkout", "--quiet", "work")
    assert broken(branch)["since"] == "the record follows v1.0.0, and v1.1.0 is the newest below it"


def test_appended_amendment_passes_and_a_changed_one_fails(branch: Repository) -> None:
    branch.git("checkout", "--quiet", "main")
    branch.tdv("yank", "shop@v1.0.0", "-m", "Wrong", expect=0)
    branch.commit("Yank it")
    branch.git("checkout", "--quiet", "-b", "second")
    branch.tdv("yank", "shop@v1.0.0", "--undo", "-m", "Right after all", expect=0)
    branch.commit("Take it back")
    assert broken(branch) == {}
    path = branch.root / "datasets/shop/amendments.yaml"
    path.write_text(path.read_text().replace("Wrong", "Who knows"))
    branch.commit("Rewrite history")
    assert set(broken(branch)) == {"amendments-appended"}


YANK = "  - version: 1.0.0\n    date: 2026-01-05T00:00:00Z\n    reason: Bad\n    yanked: true\n"
UNDO = YANK.replace("01-05", "01-06").replace("Bad", "Good").replace("true", "false")
NARROW = "  - version: 1.0.0\n    date: 2026-01-04T00:00:00Z\n    reason: Range\n    compat: {app: '<9'}\n"


@pytest.mark.parametrize(
    "after",
    [
        UNDO + YANK,
        UNDO,
        YANK + UNDO.replace("01-06", "01-04"),
        YANK.replace("true", "false") + UNDO,
        YANK.replace("    reason", "    # Not at all.\n    reason") + UNDO,
        NARROW.replace("Range", '"Range') + YANK + UNDO + '  - all of it"\n',
        NARROW.replace("Range", "'Range") + YANK + "  - of it'\n" + UNDO,
        YANK + UNDO + "  - nonsense: true\n",
        "",
    ],
    ids=["reordered", "dropped", "dated anew", "altered", "commented", "quoted", "one quoted", "unreadable", "emptied"],
)
def test_amendments_that_do_not_stay_as_they_are_fail(branch: Repository, after: str) -> None:
    path, head = "datasets/shop/amendments.yaml", "format: tdv.amendments/v1\ndataset: shop\namendments:\n"
    branch.git("checkout", "--quiet", "main")
    branch.write({path: head + YANK + UNDO}).commit("Yank it and take it back")
    branch.git("checkout", "--quiet", "-b", "second")
    branch.write({path: head + NARROW + YANK + YANK.replace("true", "false") + UNDO + YANK}).commit("Add")
    assert broken(branch) == {}
    branch.write({path: head + after}).commit("Trick")
    assert "amendments-appended" in broken(branch)


def test_new_amendment_of_a_version_that_does_not_exist_fails(branch: Repository) -> None:
    path, head = "datasets/shop/amendments.yaml", "format: tdv.amendments/v1\ndataset: shop\namendments:\n"
    branch.write({path: head + YANK.replace("1.0.0", "1.0.1")}).commit("Yank another")
    [found] = [item for item in gate(branch, "--json").json()["subjects"] if not item["ok"]]
    assert (found["promise"], found["file"]) == ("amendments-appended", path)
    assert found["message"] == f"{path} amends shop@v1.0.1, which has no record"
    assert found["hint"] == "Did you mean v1.0.0? `tdv log shop` lists the releases."
    several = "".join(YANK.replace("1.0.0", version) for version in ("1.0.1", "9.9.9", "2.0.0"))
    branch.write({path: head + several}).commit("Yank others")
    [found] = [item for item in gate(branch, "--json").json()["subjects"] if not item["ok"]]
    assert found["message"].endswith("amends shop@v1.0.1, shop@v2.0.0, shop@v9.9.9, which have no record")
    assert found["hint"] == "Did you mean v1.0.0 for v1.0.1, v1.0.0 for v2.0.0? `tdv log shop` lists the releases."
    branch.write({path: head + YANK}).commit("Mend")
    assert broken(branch) == {}


def test_amendment_of_a_removed_record_is_told_as_the_removal_alone(branch: Repository) -> None:
    branch.tdv("yank", "shop@v1.0.0", "-m", "Wrong", expect=0)
    branch.git("rm", "--quiet", RECORD)
    branch.commit("Yank and forget it")
    assert set(broken(branch)) == {"record-kept"}


def test_amendments_of_both_sides_of_a_merge_are_appended(branch: Repository) -> None:
    branch.tdv("yank", "shop@v1.0.0", "-m", "Mine", expect=0)
    branch.commit("Mine")
    branch.git("checkout", "--quiet", "main")
    branch.tdv("compat", "shop@v1.0.0", "--app", "<2", "-m", "Theirs", expect=0)
    branch.commit("Theirs")
    branch.git("checkout", "--quiet", "-")
    run("git", "merge", "--quiet", "main", cwd=branch.root)
    branch.tdv("merge", expect=0)
    # Where tdv is on the path, Git called its driver and has committed already.
    branch.git("commit", "--quiet", "--allow-empty", "-m", "Merge main")
    assert branch.read("datasets/shop/amendments.yaml").count("- version") == 2
    assert broken(branch) == {}


def test_unreadable_spec_fails_with_its_line(branch: Repository) -> None:
    branch.write({"datasets/shop/dataset.yaml": SPEC.replace("int64", "int65")}).commit("Slip")
    outcome = gate(branch, "--json")
    [item] = [item for item in outcome.json()["subjects"] if not item["ok"]]
    assert (item["promise"], item["file"]) == ("spec", "datasets/shop/dataset.yaml")
    assert "int65" in item["message"]
    assert item["line"] == 8


def test_sources_that_changed_after_the_build_fail(branch: Repository) -> None:
    branch.write({SEED: "id,name\n1,ada\n2,bo\n"}).commit("Edit")
    assert set(broken(branch)) == {"built"}


def test_changed_summary_fails(branch: Repository) -> None:
    path = branch.root / "datasets/shop/snapshot.yaml"
    path.write_text(path.read_text().replace("rows: 2", "rows: 3"))
    branch.commit("Edit the summary")
    assert "snapshot.yaml is not the one" in broken(branch)["built"]


def test_stage_out_of_step_with_the_spec_fails(branch: Repository) -> None:
    branch.write({"shared.py": "A = 1\n", "datasets/shop/dataset.yaml": SPEC + "sources: [shared.py]\n"})
    branch.commit("Another source")
    assert broken(branch)["stage"] == "the stage shop of dvc.yaml lacks shared.py"


def test_uncommitted_work_fails(branch: Repository) -> None:
    branch.write({SEED: "id,name\n1,ada\n"})
    branch.tdv("build", expect=0)
    assert "not committed: " in broken(branch)["committed"]


def test_hint_adds_what_is_not_staged_and_commits_what_is(branch: Repository) -> None:
    with_row(branch).write({"datasets/shop/seeds/README.md": "x\n"}).commit("Words")
    branch.git("rm", "--quiet", "datasets/shop/seeds/README.md")
    found = {item["promise"]: item["hint"] for item in gate(branch, "--json").json()["subjects"]}
    assert found["committed"] == "git commit"
    branch.write({"datasets/shop/scenarios/README.md": "x\n"})
    found = {item["promise"]: item["hint"] for item in gate(branch, "--json").json()["subjects"]}
    assert found["committed"] == "git add datasets/shop/scenarios/README.md && git commit"


def test_rows_that_break_the_spec_fail(branch: Repository) -> None:
    branch.write({SEED: "id,name\n1,ada\n1,bob\n"}).commit("Twice")
    assert "the key" in broken(branch)["valid"]


@pytest.mark.parametrize(
    ("decision", "rules"), [("", {"privacy"}), (", privacy: none", set()), (", privacy: phone", set())]
)
def test_private_name_needs_a_decision(branch: Repository, decision: str, rules: set[str]) -> None:
    column = f"      home_phone: {{type: string, nullable: true{decision}}}\n"
    branch.write({"datasets/shop/dataset.yaml": SPEC + column})
    branch.tdv("build", expect=0)
    branch.commit("Phones")
    assert set(broken(branch)) == rules


def test_undetermined_factory_fails_under_rebuild(branch: Repository) -> None:
    factory = (
        "import os\nimport uuid\nfrom tdv.factories import Factory\n\n\nclass Users(Factory):\n    def row(self, at):\n"
    )
    factory += "        return {'id': at.index, 'name': str(hash('x'))}\n"
    spec = SPEC.replace("    key: [id]", "    rows: 2\n    factory: Users\n    key: [id]")
    branch.write({"datasets/shop/factories.py": factory, "datasets/shop/dataset.yaml": spec, SEED: "id,name\n9,x\n"})
    branch.tdv("build", expect=0)
    branch.commit("Chance")
    found = broken(branch, "--rebuild")
    assert "a cold build has the digest" in found["reproducible"]


def test_data_that_is_nowhere_fails_and_what_rebuilds_passes(branch: Repository) -> None:
    remote = branch.root.parent / "storage"
    remote.mkdir()
    branch.dvc("remote", "add", "--default", "storage", str(remote))
    with_row(branch)
    message = next(i["message"] for i in gate(branch, "--json").json()["subjects"] if i["promise"] == "pushed")
    assert message == "not on the remote, and rebuilt to the same digest"
    shutil.rmtree(remote)
    assert broken(branch) == {}
    remote.mkdir()
    branch.tdv("push", expect=0)
    outcome = gate(branch, "--json").json()
    assert next(item["message"] for item in outcome["subjects"] if item["promise"] == "pushed") == ""


def test_data_of_other_rows_than_the_sources_must_be_on_the_remote(branch: Repository) -> None:
    remote = branch.root.parent / "storage"
    remote.mkdir()
    branch.dvc("remote", "add", "--default", "storage", str(remote))
    with_row(branch)
    branch.write({SEED: "id,name\n1,ada\n"}).commit("Edit again")
    assert set(broken(branch)) == {"built"}


def test_remote_in_the_repository_must_be_committed(branch: Repository) -> None:
    branch.dvc("remote", "add", "--default", "storage", "storage")
    (branch.root / "storage").mkdir()
    branch.write({SEED: "id,name\n1,ada\n"})
    branch.tdv("build", expect=0)
    branch.commit("Fewer")
    branch.tdv("push", expect=0)
    said = [item for item in gate(branch, "--json").json()["subjects"] if item["promise"] == "pushed"]
    assert "rebuilt" in said[0]["message"]
    branch.commit("The objects")
    said = [item for item in gate(branch, "--json").json()["subjects"] if item["promise"] == "pushed"]
    assert said[0]["message"] == ""


def release(branch: Repository) -> tuple[Path, str]:
    with_row(branch, "").write({SEED: "id,name\n1,ada\n"})
    branch.tdv("build", expect=0)
    branch.commit("Bob leaves")
    branch.tdv("release", "shop", "-m", "Without Bob", expect=0)
    path = branch.root / "datasets/shop/releases/2.0.0.yaml"
    return path, path.read_text()


def test_version_that_is_too_small_fails(branch: Repository) -> None:
    path, text = release(branch)
    path.unlink()
    (path.parent / "1.0.1.yaml").write_text(text.replace("version: 2.0.0", "version: 1.0.1"))
    log = branch.root / "CHANGELOG.md"
    log.write_text(log.read_text().replace("shop v2.0.0", "shop v1.0.1"))
    branch.commit("Pretend it is a patch")
    assert broken(branch) == {
        "bump": "v1.0.1 is too small after v1.0.0: row-removed in users (1 row removed), a major change"
    }


def test_record_of_nothing_new_fails(branch: Repository) -> None:
    text = branch.read(RECORD).replace("version: 1.0.0", "version: 1.0.1").replace("since: null", "since: 1.0.0")
    branch.write({"datasets/shop/releases/1.0.1.yaml": text}).commit("Again")
    assert broken(branch)["bump"] == "nothing changed since v1.0.0"


def test_missing_section_of_the_changelog_fails(branch: Repository) -> None:
    release(branch)
    branch.git("checkout", "--quiet", "main", "--", "CHANGELOG.md")
    branch.commit("Silence")
    assert set(broken(branch)) == {"changelog"}


def test_record_that_dvc_lock_does_not_hold_fails(branch: Repository) -> None:
    release(branch)
    branch.write({SEED: "id,name\n1,ada\n5,fay\n"})
    branch.tdv("build", expect=0)
    branch.commit("One more")
    found = broken(branch)
    assert set(found) == {"snapshot"}
    assert "dvc.lock and datasets/shop/snapshot.yaml hold another build" in found["snapshot"]


def test_missing_artifact_entry_fails(branch: Repository) -> None:
    release(branch)
    text = branch.read("dvc.yaml")
    branch.write({"dvc.yaml": text[: text.index("artifacts:")]}).commit("Tidy")
    assert "has no entry" in broken(branch)["taggable"]


@pytest.mark.parametrize(
    ("words", "others", "rule"),
    [
        ("removed: 1", "removed: 2", "bump"),
        ("bump: major", "bump: patch", "bump"),
        ("nfiles: ", "nfiles: 1", "snapshot"),
        ("size: ", "size: 1", "snapshot"),
    ],
)
def test_record_that_tells_another_change_or_size_fails(branch: Repository, words: str, others: str, rule: str) -> None:
    path, text = release(branch)
    assert words in text
    path.write_text(text.replace(words, others))
    branch.commit("Say something else")
    assert set(broken(branch)) == {rule}
    branch.tdv("release", "shop", "2.0.0", "--amend", expect=0)
    assert broken(branch) == {}


def test_two_releases_of_a_dataset_fail_under_squash_only(branch: Repository) -> None:
    with_row(branch).tdv("release", "shop", "-m", "Eve", expect=0)
    with_row(branch, "3,eve\n4,dan\n").tdv("release", "shop", "-m", "Dan", expect=0)
    assert set(broken(branch)) == {"one-pending"}
    branch.write({"tdv.yaml": branch.read("tdv.yaml") + "policy: {merge: merge}\n"}).commit("Merge commits")
    assert broken(branch) == {}


def test_damaged_new_record_fails(branch: Repository) -> None:
    path, text = release(branch)
    path.write_text(text.replace("digest:", "digits:"))
    branch.commit("Slip")
    assert "the key 'digest' is missing" in broken(branch)["record"]


def test_forged_tag_fails_and_an_adopted_release_passes(branch: Repository) -> None:
    release(branch)
    branch.git("tag", "-a", "shop@v2.0.0", "-m", "Release\n\nTdv-Digest: tdv1:00", "HEAD~1")
    assert "promises tdv1:00" in broken(branch)["tag-free"]
    branch.git("tag", "-d", "shop@v2.0.0")
    branch.tdv("tag", expect=0)
    branch.git("checkout", "--quiet", "main")
    branch.git("checkout", "--quiet", "-b", "third")
    notes = [item["message"] for item in gate(branch, "--json").json()["subjects"] if item["promise"] == "adopted"]
    assert "tdv adopt shop@v2.0.0" in notes[0]
    branch.tdv("adopt", "shop@v2.0.0", expect=0)
    branch.commit("Adopt")
    assert set(broken(branch)) <= {"pushed"}


def test_shallow_clone_of_the_merge_compares_with_the_base(branch: Repository, tmp_path: Path) -> None:
    with_row(branch).tdv("release", "shop", "-m", "Eve", expect=0)
    branch.git("checkout", "--quiet", "-b", "merged", "main")
    branch.git("merge", "--quiet", "--no-ff", "-m", "Merge", "work")
    clone = branch.clone(tmp_path / "clone", "--depth=1", "--branch=merged")
    shutil.copytree(branch.root / ".dvc/cache", clone.root / ".dvc/cache")
    outcome = clone.tdv("check", "--base", "origin/main")
    assert outcome.exit_code == 0, outcome
    assert clone.git("rev-parse", "--is-shallow-repository") == "true"


def test_shallow_clone_of_a_branch_finds_where_it_forked(branch: Repository, tmp_path: Path) -> None:
    with_row(branch).tdv("release", "shop", "-m", "Eve", expect=0)
    branch.git("checkout", "--quiet", "main")
    branch.write({"README.md": "Meanwhile\n"}).commit("Meanwhile")
    clone = branch.clone(tmp_path / "clone", "--depth=1", "--branch=work")
    shutil.copytree(branch.root / ".dvc/cache", clone.root / ".dvc/cache")
    outcome = clone.tdv("check", "--base", "origin/main")
    assert outcome.exit_code == 0, outcome
    assert "bump" in outcome.stdout


def test_json_is_as_its_schema_says(branch: Repository) -> None:
    branch.write({SEED: "id,name\n1,ada\n"}).commit("Edit")
    answer = gate(branch, "--json").json()
    documents.validate(documents.plain(answer, "check.json"), "verification")
    assert answer["base"] == "main"


def test_stale_lock_fails(branch: Repository) -> None:
    branch.tdv("lock", expect=0)
    branch.commit("Pin")
    assert broken(branch) == {}
    branch.tdv("yank", "shop@v1.0.0", "-m", "Wrong", expect=0)
    branch.commit("Yank")
    assert set(broken(branch)) == {"locked"}


def test_report_is_written_beside_the_answer(branch: Repository) -> None:
    outcome = gate(branch, "--format", "github", "--report", "check.md")
    assert outcome.stdout.strip() == ""
    assert branch.read("check.md").startswith("### ✅ Test data: all 3 rules hold")
    outcome = gate(branch, "--report", "nowhere/check.md")
    assert outcome.exit_code == 10
    assert "mkdir -p" in outcome.stderr
    assert gate(branch, "--report", "datasets").exit_code == 2


def test_project_without_releases_and_changes_says_that_nothing_changed(repo: RepositoryBuilder) -> None:
    made = repo().prepared().write({"datasets/shop/dataset.yaml": SPEC, SEED: "id,name\n1,ada\n"})
    made.tdv("build", expect=0)
    made.commit("Shop")
    outcome = gate(made, "--report", "check.md")
    assert (outcome.exit_code, outcome.stdout) == (0, "")
    assert outcome.stderr == "No test data changed since main\n"
    assert made.read("check.md") == "### ✅ Test data: nothing changed\n\nCompared with `main`.\n"


def test_project_below_the_top_of_its_repository(tmp_path: Path) -> None:
    whole = Repository.create(tmp_path / "repo", {"README.md": "x"})
    whole.git("config", "user.name", "Ada")
    (whole.root / "data").mkdir()
    inner = Repository(whole.root / "data")
    inner.tdv("init", expect=0)
    inner.write({"datasets/shop/dataset.yaml": SPEC, SEED: "id,name\n1,ada\n2,bob\n"})
    inner.tdv("build", expect=0)
    whole.commit("Shop")
    inner.tdv("release", "shop", "1.0.0", "-m", "x", expect=0)
    whole.git("checkout", "--quiet", "-b", "work")
    with_row(inner).tdv("release", "shop", "-m", "Eve", expect=0)
    assert broken(inner) == {}
    (inner.root / RECORD).write_text(inner.read(RECORD).replace("ada", "bob"))
    assert {"record-unchanged", "committed"} == set(broken(inner))


def test_unknown_base_is_not_found(branch: Repository) -> None:
    assert "--base origin/" not in branch.tdv("check", "--base", "nowhere", expect=10).stderr
    branch.git("remote", "add", "origin", "elsewhere")
    assert "--base origin/nowhere" in branch.tdv("check", "--base", "nowhere", expect=10).stderr
    branch.git("remote", "remove", "origin")
    assert branch.tdv("check").exit_code == 2


def some(message: str, rule: str = "built") -> Checked:
    return Checked("main", (Verdict(rule, "shop", "", False, message, "tdv build shop", "a,b:c.yaml", 7),))


def test_github_annotations_are_escaped_and_few() -> None:
    text = annotated(some("100 %\n::warning::x"), "github")
    place = "file=a%2Cb%3Ac.yaml,line=7,title=tdv check%3A built (shop)"
    assert text == f"::error {place}::100 %25%0A::warning::x%0A→ tdv build shop\n"
    many = Checked("main", some("x").verdicts * 30)
    assert annotated(many, "github").count("::error") == 10
    assert "21 more rules" in annotated(many, "github")


def test_gitlab_annotations_are_a_code_quality_report() -> None:
    [issue] = json.loads(annotated(some('"quoted"\n'), "gitlab"))
    assert issue["location"] == {"path": "a,b:c.yaml", "lines": {"begin": 7}}
    assert (issue["severity"], issue["check_name"]) == ("blocker", "tdv-built")
    assert json.loads(annotated(Checked("main", ()), "gitlab")) == []


def test_markdown_shows_hostile_names_as_they_are() -> None:
    text = markdown(some("<img src=x> | @everyone [a](b) `c`\n# d"))
    assert "\\<img src=x\\> \\| \\@everyone \\[a\\](b) \\`c\\` \\# d" in text
    assert len(markdown(Checked("main", some("x" * 5000).verdicts * 3000))) < 60_000


def test_lines_hide_control_characters() -> None:
    assert lines(some("a\x1b[2Jb"))[0] == "FAIL  shop  built  a [2Jb"


@pytest.mark.parametrize("name", ["email", "contact_email", "FirstName", "first_name", "birthDate", "homePhone", "SSN"])
def test_names_that_sound_private(name: str) -> None:
    assert sounds_private(name)


@pytest.mark.parametrize("name", ["id", "name", "title", "emailed", "shipping", "zipped", "created_at", "description"])
def test_names_that_do_not(name: str) -> None:
    assert not sounds_private(name)


def test_dataset_that_a_branch_takes_away_leaves_nothing_in_the_files_of_dvc(branch: Repository) -> None:
    branch.git("checkout", "--quiet", "main")
    branch.tdv("new", "zoo", expect=0)
    branch.tdv("build", expect=0)
    branch.commit("A zoo")
    branch.git("checkout", "--quiet", "-B", "work")
    branch.git("rm", "-r", "--quiet", "datasets/zoo")
    shutil.rmtree(branch.root / "datasets/zoo")
    branch.commit("No zoo")
    assert "its stage in dvc.yaml" in broken(branch)["stage"]
    assert "dvc remove zoo --outs" in gate(branch).stdout
    branch.git("checkout", "--quiet", "main~1", "--", "dvc.yaml", "dvc.lock")
    branch.commit("Nothing of the zoo")
    assert broken(branch) == {}


def test_data_of_a_retired_dataset_does_not_come_into_git(branch: Repository) -> None:
    branch.git("checkout", "--quiet", "main", "--", ".")
    for name in ("dvc.yaml", "dvc.lock"):
        (branch.root / name).unlink()
    branch.git("rm", "-r", "--quiet", "datasets/shop/dataset.yaml", "datasets/shop/seeds", "datasets/shop/.gitignore")
    assert "datasets/shop/data, which DVC keeps" in broken(branch)["committed"]
    branch.commit("The shop is closed")
    assert "datasets/shop/data, which DVC keeps" in broken(branch)["committed"]
    branch.git("rm", "-r", "--quiet", "datasets/shop/data")
    branch.commit("Nothing of the shop")
    assert broken(branch) == {}

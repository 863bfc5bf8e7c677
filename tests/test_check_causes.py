"""The gate, broken rule by rule: one cause is one broken line in every face, and its hint mends it."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tdv.check import RULES, Checked, annotated, lines, markdown
from tdv.project.project import Project
from tdv.store import changelog
from tests.repository import Repository, run

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
ROWS = "id,name\n1,ada\n2,bob\n"
SPEC_FILE = "datasets/shop/dataset.yaml"
SEED = "datasets/shop/seeds/users.csv"
FIRST = "datasets/shop/releases/1.0.0.yaml"
SECOND = "datasets/shop/releases/1.1.0.yaml"
AMENDMENTS = "datasets/shop/amendments.yaml"
CHANCE = (
    "from tdv.factories import Factory\n\n\nclass Users(Factory):\n    def row(self, at):\n"
    "        return {'id': at.index, 'name': str(hash('x'))}\n"
)


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """One release and one amendment on ``main``; tests work on copies of it."""
    made = Repository.create(tmp_path_factory.mktemp("origin") / "repo")
    made.prepared().write({SPEC_FILE: SPEC, SEED: ROWS})
    made.tdv("build", expect=0)
    made.commit("Begin the shop")
    made.tdv("release", "shop", "1.0.0", "-m", "First", expect=0)
    made.tdv("yank", "shop@v1.0.0", "-m", "Wrong", expect=0)
    made.tdv("yank", "shop@v1.0.0", "--undo", "-m", "Right", expect=0)
    return made.commit("Looked at")


@pytest.fixture
def branch(origin: Repository, tmp_path: Path) -> Repository:
    shutil.copytree(origin.root, tmp_path / "repo", symlinks=True)
    made = Repository(tmp_path / "repo")
    made.git("checkout", "--quiet", "-b", "work")
    return made


def built(branch: Repository, rows: str = "3,eve\n") -> Repository:
    branch.write({SEED: ROWS + rows}).tdv("build", expect=0)
    return branch.commit("Rows")


def released(branch: Repository, rows: str = "3,eve\n") -> Repository:
    built(branch, rows).tdv("release", "shop", "-m", "Rows", expect=0)
    return branch


def edited(branch: Repository, path: str, old: str, new: str) -> Repository:
    before = branch.read(path)
    assert old in before
    return branch.write({path: before.replace(old, new, 1)}).commit("Edit")


def by_chance(branch: Repository) -> Repository:
    """Rows that no second build makes again."""
    spec = SPEC.replace("    key: [id]", "    rows: 2\n    factory: Users\n    key: [id]")
    branch.write({"datasets/shop/factories.py": CHANCE, SPEC_FILE: spec, SEED: "id,name\n9,x\n"})
    branch.tdv("build", expect=0)
    return branch.commit("Chance")


def remove_record(branch: Repository) -> None:
    (branch.root / FIRST).unlink()
    branch.commit("Gone")


def take_version_on_main(branch: Repository) -> None:
    branch.git("checkout", "--quiet", "main")
    released(branch, "3,dan\n").git("checkout", "--quiet", "work")
    released(branch)


def merge_and_release_anew(branch: Repository) -> None:
    run("git", "merge", "--quiet", "main", cwd=branch.root)
    branch.git("checkout", "--theirs", "--", SECOND)
    branch.tdv("merge", expect=1)
    branch.write({SEED: f"{ROWS}3,dan\n4,eve\n"}).tdv("build", expect=0)
    branch.commit("Merge main").tdv("release", "shop", "-m", "Eve", expect=0)


def leave_uncommitted(branch: Repository) -> None:
    branch.write({f"datasets/shop/notes/{number}.md": "x\n" for number in range(8)})


def drop_section(branch: Repository) -> None:
    released(branch)
    branch.write({changelog.FILE: changelog.removed(branch.read(changelog.FILE), "shop", "1.1.0")}).commit("Silence")


def call_it_a_patch(branch: Repository) -> None:
    released(branch)
    branch.git("mv", SECOND, SECOND.replace("1.1.0", "1.0.1"))
    edited(branch, SECOND.replace("1.1.0", "1.0.1"), "version: 1.1.0", "version: 1.0.1")
    edited(branch, changelog.FILE, "shop v1.1.0", "shop v1.0.1")


def skip_what_main_released(branch: Repository) -> None:
    branch.git("checkout", "--quiet", "main")
    edited(branch, SEED, "ada", "Ada").tdv("build", expect=0)
    branch.commit("Ada").tdv("release", "shop", "-m", "Ada", expect=0)
    branch.git("checkout", "--quiet", "work")
    released(branch)


def merge_and_amend(branch: Repository) -> None:
    run("git", "merge", "--quiet", "main", cwd=branch.root)
    branch.tdv("merge")
    branch.tdv("build", expect=0)
    branch.commit("Merge main").tdv("release", "shop", "--amend", expect=0)


def forge_a_tag(branch: Repository) -> None:
    released(branch).git("tag", "-a", "shop@v1.1.0", "-m", "Release\n\nTdv-Digest: tdv1:00", "HEAD~1")


def release_the_next_version(branch: Repository) -> None:
    branch.git("rm", "--quiet", SECOND)
    branch.write({changelog.FILE: changelog.removed(branch.read(changelog.FILE), "shop", "1.1.0")}).commit("Back")
    branch.tdv("release", "shop", "1.1.1", "-m", "Rows", expect=0)


def drop_the_artifact(branch: Repository) -> None:
    text = released(branch).read("dvc.yaml")
    branch.write({"dvc.yaml": text[: text.index("artifacts:")]}).commit("Tidy")


def pin_what_no_longer_fits(branch: Repository) -> None:
    branch.write({"tdv.yaml": "datasets: {shop: 1.0.0}\n"}).tdv("lock", expect=0)
    released(branch.write({"tdv.yaml": 'datasets: {shop: ">=1.1"}\n'}))


def lose_the_data(branch: Repository) -> None:
    (branch.root.parent / "storage").mkdir()
    branch.dvc("remote", "add", "--default", "storage", str(branch.root.parent / "storage"))
    by_chance(branch)


@dataclass(frozen=True, slots=True)
class Case:
    """A way to break `rule`, the beginning of the `hint`, and how to do what it says: commands, or a function."""

    rule: str
    spoil: Callable[[Repository], object]
    hint: str
    mend: tuple[str, ...] | Callable[[Repository], object]
    rebuild: bool = False
    version: str = ""


CASES = [
    Case("record-kept", remove_record, "git checkout BASE -- ", (f"git checkout BASE -- {FIRST}",), version="1.0.0"),
    Case(
        "record-unchanged",
        lambda branch: edited(branch, FIRST, "notes: First", "notes: 1st"),
        "git checkout BASE -- ",
        (f"git checkout BASE -- {FIRST}",),
        version="1.0.0",
    ),
    Case(
        "record-unchanged",
        take_version_on_main,
        "git merge main; `tdv merge` says how its record stays; then tdv release shop",
        merge_and_release_anew,
        version="1.1.0",
    ),
    Case(
        "amendments-appended",
        lambda branch: edited(branch, AMENDMENTS, "Wrong", "Bad"),
        f"git checkout BASE -- {AMENDMENTS}",
        (f"git checkout BASE -- {AMENDMENTS}",),
    ),
    Case(
        "spec",
        lambda branch: edited(branch, SPEC_FILE, "int64", "int65"),
        "docs/reference/spec.md lists the types.",
        lambda branch: edited(branch, SPEC_FILE, "int65", "int64"),
    ),
    Case(
        "stage",
        lambda branch: branch.write({"a.py": "A = 1\n", SPEC_FILE: SPEC + "sources: [a.py]\n"}).commit("Source"),
        "tdv build shop, then commit",
        ("tdv build shop",),
    ),
    Case(
        "built",
        lambda branch: branch.write({SEED: ROWS + "3,eve\n"}).commit("Rows"),
        "tdv build shop, then commit",
        ("tdv build shop",),
    ),
    Case("committed", leave_uncommitted, "git add datasets/shop && git commit", ("git add datasets/shop",)),
    Case(
        "privacy",
        lambda branch: (
            branch.write({SPEC_FILE: SPEC + "      phone: {type: string, nullable: true}\n"}).tdv("build", expect=0),
            branch.commit("Phones"),
        ),
        "Say `privacy: email` or another kind for each, or `privacy: none`",
        lambda branch: (
            edited(branch, SPEC_FILE, "phone: {type: string", "phone: {privacy: none, type: string"),
            branch.tdv("build", expect=0),
        ),
    ),
    Case(
        "valid",
        lambda branch: edited(branch, SPEC_FILE, "nullable: true", "nullable: true, minLength: 4"),
        "Mend the rows that `tdv validate shop` shows, then tdv build shop and commit.",
        lambda branch: (
            branch.write({SEED: "id,name\n1,adam\n2,boby\n"}),
            branch.tdv("build", expect=0),
        ),
    ),
    Case(
        "valid",
        lambda branch: branch.write({SEED: ROWS + "2,eve\n"}).commit("Twice"),
        "Give each row a key of its own.",
        built,
    ),
    Case(
        "reproducible",
        by_chance,
        "Let the values depend on `at` alone",
        lambda branch: (
            edited(branch, "datasets/shop/factories.py", "str(hash('x'))", "'x'"),
            branch.tdv("build", expect=0),
        ),
        rebuild=True,
    ),
    Case("pushed", lose_the_data, "tdv push", ("tdv push",)),
    Case(
        "record",
        lambda branch: edited(released(branch), SECOND, "version: 1.1.0", "version: 1.2.0"),
        "Take the file back from Git",
        (f"git checkout HEAD~1 -- {SECOND}",),
        version="1.1.0",
    ),
    Case(
        "tag-free",
        forge_a_tag,
        f"git rm {SECOND}, drop its section of CHANGELOG.md and commit, then tdv release shop 1.1.1",
        release_the_next_version,
        version="1.1.0",
    ),
    Case(
        "since",
        lambda branch: edited(released(branch), SECOND, "since: 1.0.0", "since: null"),
        "tdv release shop --amend",
        ("tdv release shop --amend",),
        version="1.1.0",
    ),
    Case(
        "since",
        skip_what_main_released,
        "git merge main, then tdv release shop --amend",
        merge_and_amend,
        version="1.1.0",
    ),
    Case(
        "bump",
        call_it_a_patch,
        "tdv release shop 1.1.0 --amend",
        ("tdv release shop 1.1.0 --amend",),
        version="1.0.1",
    ),
    Case(
        "changelog",
        drop_section,
        "tdv release shop 1.1.0 --amend",
        ("tdv release shop 1.1.0 --amend",),
        version="1.1.0",
    ),
    Case(
        "snapshot",
        lambda branch: built(released(branch), "3,eve\n4,dan\n"),
        "tdv release shop --amend",
        ("tdv release shop --amend",),
        version="1.1.0",
    ),
    Case("taggable", drop_the_artifact, "tdv build shop, then commit", ("tdv build shop",), version="1.1.0"),
    Case(
        "one-pending",
        lambda branch: released(released(branch), "3,eve\n4,dan\n"),
        "Merge them one by one, or set `policy: {merge: merge}` in tdv.yaml",
        lambda branch: branch.write({"tdv.yaml": "policy: {merge: merge}\n"}),
        version="1.2.0",
    ),
    Case("locked", pin_what_no_longer_fits, "tdv lock, then commit tdv.lock", ("tdv lock",)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_one_cause_is_one_broken_rule_and_its_hint_mends_it(branch: Repository, case: Case) -> None:
    case.spoil(branch)
    checked = check(branch, case)
    [broken] = checked.failed
    assert (broken.rule, broken.version) == (case.rule, case.version)
    base = branch.git("merge-base", "main", "HEAD")[:12]
    assert broken.hint.replace(base, "BASE").startswith(case.hint)
    for verdict in checked.verdicts:
        assert not verdict.unknown or verdict.message == f"not checked: {case.rule} failed first"
    in_every_face(checked)
    if isinstance(case.mend, tuple):
        for command in case.mend:
            program, *words = shlex.split(command.replace("BASE", base))
            branch.git(*words) if program == "git" else branch.tdv(*words, expect=0)
    else:
        case.mend(branch)
    branch.commit("Mend")
    assert check(branch, case).failed == ()


def check(branch: Repository, case: Case) -> Checked:
    return Project.find(branch.root).check("main", rebuild=case.rebuild)


def in_every_face(checked: Checked) -> None:
    [broken] = checked.failed
    said = lines(checked)
    assert [line.split()[1:3] for line in said if line.startswith("FAIL")] == [[broken.subject, broken.rule]]
    assert sum("→" in line for line in said) == 1
    text = markdown(checked)
    assert text.startswith(f"### ❌ Test data: 1 of {len(checked.verdicts)} rules broken\n")
    assert text.partition("<details>")[0].count(f"`{broken.rule}`") == 1
    plain = [item for item in checked.to_plain()["subjects"] if not item["ok"] and not item["unknown"]]
    assert [(item["promise"], item["hint"]) for item in plain] == [(broken.rule, broken.hint)]
    [command] = annotated(checked, "github").splitlines()
    assert command.startswith("::error file=" if broken.file else "::error title=")
    [issue] = json.loads(annotated(checked, "gitlab"))
    assert (issue["check_name"], issue["severity"]) == (f"tdv-{broken.rule}", "blocker")
    assert issue["location"]["path"]


def test_every_rule_that_can_break_has_a_case() -> None:
    assert {case.rule for case in CASES} == set(RULES) - {"adopted"}

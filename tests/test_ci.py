"""The files of `tdv init --ci`: their steps run here as the forges run them, against a bare repository."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.forge import FakeForge, serving
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
TOOLS = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare repository: ``main`` with a release, and pull requests that are good (12) and bad (13)."""
    base = tmp_path_factory.mktemp("origin")
    made = Repository.create(base / "work")
    made.git("config", "user.name", "Ada")
    made.git("config", "user.email", "ada@example.test")
    made.prepared()
    for forge in ("github", "gitlab"):
        made.tdv("init", "--ci", forge, expect=0)
    made.write({"datasets/shop/dataset.yaml": SPEC, SEED: "id,name\n1,ada\n2,bob\n"})
    made.tdv("build", expect=0)
    made.commit("Begin the shop")
    made.tdv("release", "shop", "1.0.0", "-m", "First", expect=0)
    made.git("checkout", "--quiet", "-b", "good")
    made.write({SEED: "id,name\n1,ada\n2,Bob\n3,eve\n"})
    made.tdv("build", expect=0)
    made.commit("Eve")
    made.tdv("release", "shop", "-m", "Eve", expect=0)
    made.git("checkout", "--quiet", "-b", "bad", "main")
    made.write({SEED: "id,name\n1,ada\n"}).commit("Not built")
    for number, branch in ((12, "good"), (13, "bad")):
        made.git("checkout", "--quiet", "--detach", "main")
        made.git("merge", "--quiet", "--no-ff", "-m", f"Merge {branch}", branch)
        made.git("update-ref", f"refs/pull/{number}/merge", "HEAD")
    made.git("checkout", "--quiet", "main")
    bare = base / "origin.git"
    run("git", "clone", "--quiet", "--mirror", made.root, bare, cwd=base)
    return bare


def checkout(origin: Path, to: Path, ref: str) -> Repository:
    """What a runner does: one commit of one ref, detached."""
    to.mkdir()
    made = Repository(to)
    made.git("init", "--quiet", "--initial-branch=runner")
    made.git("remote", "add", "origin", origin.as_uri())
    made.git("fetch", "--quiet", "--no-tags", "--depth=1", "origin", ref)
    made.git("checkout", "--quiet", "--detach", "FETCH_HEAD")
    return made


def template(repository: Repository, path: str) -> dict[str, Any]:
    found = yaml.load(repository.read(path), Loader=yaml.BaseLoader)
    assert isinstance(found, dict)
    return found


def run_step(repository: Repository, step: dict[str, Any], env: dict[str, str]) -> Outcome:
    """One ``run:`` step, in the shell that the forge uses."""
    return run("bash", "-eo", "pipefail", "-c", step["run"], cwd=repository.root, env={"PATH": TOOLS, **env})


def step_of(steps: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(step for step in steps if step.get("name") == name)


def review(repository: Repository, tmp_path: Path) -> Outcome:
    step = step_of(template(repository, "ci/tdv/action.yml")["runs"]["steps"], "Review")
    env = {
        "BASE": "origin/main",
        "OUTPUT": "tdv-review",
        "GITHUB_ACTION_PATH": "ci/tdv",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }
    assert set(step["env"]) == {"BASE", "OUTPUT"}
    return run_step(repository, step, env)


def test_github_reviews_a_good_pull_request_from_a_fork(origin: Path, tmp_path: Path) -> None:
    repository = checkout(origin, tmp_path / "runner", "refs/pull/12/merge")
    assert repository.git("rev-parse", "--is-shallow-repository") == "true"
    outcome = review(repository, tmp_path)
    assert outcome.exit_code == 0, outcome
    assert "### ✅ Test data" in repository.read("tdv-review/check.md")
    diff = repository.read("tdv-review/diff.md")
    assert "users" in diff, diff
    assert "eve" in diff
    assert "<html" in repository.read("tdv-review/review.html")
    assert (tmp_path / "summary.md").read_text() == repository.read("tdv-review/check.md") + diff


def test_github_stops_a_bad_pull_request_and_annotates_it(origin: Path, tmp_path: Path) -> None:
    repository = checkout(origin, tmp_path / "runner", "refs/pull/13/merge")
    outcome = review(repository, tmp_path)
    assert outcome.exit_code == 1, outcome
    assert "::error file=datasets/shop/dataset.yaml,line=1,title=tdv check%3A built (shop)::" in outcome.stdout
    assert "### ❌ Test data" in repository.read("tdv-review/check.md")


def test_review_says_why_nothing_could_be_checked(origin: Path, tmp_path: Path) -> None:
    repository = checkout(origin, tmp_path / "runner", "refs/pull/12/merge")
    repository.git("remote", "set-url", "origin", (tmp_path / "gone.git").as_uri())
    outcome = review(repository, tmp_path)
    assert outcome.exit_code == 10, outcome
    assert "could not be checked" in repository.read("tdv-review/check.md")
    assert "git fetch --depth=1 origin +refs/heads/main" in repository.read("tdv-review/check.md")


@pytest.fixture
def forge() -> Iterator[FakeForge]:
    with serving() as made:
        yield made


def test_github_comments_from_the_second_workflow(origin: Path, tmp_path: Path, forge: FakeForge) -> None:
    repository = checkout(origin, tmp_path / "runner", "refs/pull/12/merge")
    review(repository, tmp_path)
    forge.pulls = [{"number": 12, "head": "you:good"}]
    job = template(repository, ".github/workflows/test-data-comment.yml")["jobs"]["comment"]
    step = step_of(job["steps"], "Comment")
    assert set(step["env"]) == {"GITHUB_TOKEN", "HEAD"}
    bare = Repository(tmp_path / "second")
    shutil.copytree(repository.root / "tdv-review", bare.root / "tdv-review")
    env = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_API_URL": forge.address,
        "GITHUB_REPOSITORY": "me/app",
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_TOKEN": "secret",
        "HEAD": "you:good",
    }
    for _ in range(2):
        outcome = run_step(bare, step, env)
        assert outcome.exit_code == 0, outcome
    assert len(forge.writes) == 1
    assert "eve" in forge.notes[0]["body"]


def test_github_tags_after_the_merge(origin: Path, tmp_path: Path) -> None:
    copy = tmp_path / "origin.git"
    shutil.copytree(origin, copy)
    run("git", "update-ref", "refs/heads/main", "refs/pull/12/merge", cwd=copy)
    repository = checkout(copy, tmp_path / "runner", "refs/heads/main")
    step = step_of(
        template(repository, ".github/workflows/test-data.yml")["jobs"]["tag"]["steps"], "Tag what was released"
    )
    outcome = run_step(repository, step, {})
    assert outcome.exit_code == 0, outcome
    tags = run("git", "tag", cwd=copy).stdout.split()
    assert tags == ["shop@v1.0.0", "shop@v1.1.0"]


def test_gitlab_reviews_and_comments(origin: Path, tmp_path: Path, forge: FakeForge) -> None:
    repository = checkout(origin, tmp_path / "runner", "refs/pull/13/merge")
    job = template(repository, "ci/tdv.gitlab-ci.yml")["tdv-review"]
    env = {
        "PATH": TOOLS,
        "GITLAB_CI": "true",
        "CI_API_V4_URL": f"{forge.address}/api/v4",
        "CI_PROJECT_ID": "7",
        "CI_MERGE_REQUEST_PROJECT_ID": "me/app",
        "CI_MERGE_REQUEST_IID": "12",
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "TDV_COMMENT_TOKEN": "secret",
    }
    script = "\n".join(job["script"])
    outcome = run("bash", "-eo", "pipefail", "-c", script, cwd=repository.root, env=env)
    assert outcome.exit_code == 1, outcome
    report = json.loads(repository.read(job["artifacts"]["reports"]["codequality"]))
    assert [issue["check_name"] for issue in report] == ["tdv-built"]
    assert "### ❌" in forge.notes[0]["body"]
    forge.refuse = {"GET": 401}
    assert run("bash", "-eo", "pipefail", "-c", script, cwd=repository.root, env=env).exit_code == 1


def test_gitlab_file_is_included(tmp_path: Path, origin: Path) -> None:
    made = Repository.create(tmp_path / "one")
    made.tdv("init", "--ci", "gitlab", expect=0)
    assert yaml.safe_load(made.read(".gitlab-ci.yml")) == {"include": [{"local": "ci/tdv.gitlab-ci.yml"}]}
    other = Repository.create(tmp_path / "two", {".gitlab-ci.yml": "test: {script: [make]}\n"})
    outcome = other.tdv("init", "--ci", "gitlab", expect=0)
    assert "Add to .gitlab-ci.yml: include" in outcome.stdout


def test_again_writes_nothing_and_keeps_what_somebody_changed(tmp_path: Path) -> None:
    made = Repository.create(tmp_path / "repo")
    assert len(made.tdv("init", "--ci", "github", "--json").json()["created"]) == 5
    assert made.tdv("init", "--ci", "github").stdout == "Everything is there already.\n"
    made.write({"ci/tdv/review.sh": "mine\n"})
    assert made.tdv("init", "--ci", "github", "--json").json()["kept"] == ["ci/tdv/review.sh"]
    assert made.read("ci/tdv/review.sh") == "mine\n"


def test_drivers_are_registered_in_a_clone_of_a_project(tmp_path: Path) -> None:
    made = Repository.create(tmp_path / "repo")
    for words in (("init",), ("init", "--ci", "github")):
        made.tdv(*words, expect=0)
    made.commit("Begin")
    run("git", "clone", "--quiet", made.root, "clone", cwd=tmp_path)
    clone = Repository(tmp_path / "clone")
    assert clone.tdv("init", "--ci", "github", expect=0).stdout == "extended .git/config\n"
    assert "tdv merge" in clone.git("config", "--local", "merge.tdv.driver")
    assert clone.tdv("init", "--ci", "github", expect=0).stdout == "Everything is there already.\n"
    assert clone.tdv("init", expect=0).stdout == "Everything is there already.\n"


def test_what_the_job_writes_is_ignored(tmp_path: Path) -> None:
    made = Repository.create(tmp_path / "repo")
    made.tdv("init", expect=0)
    assert made.read(".gitignore") == "/.tdv/\n/tdv-review/\n"
    made.write({"tdv-review/check.md": "### Test data\n"})
    assert "tdv-review" not in made.git("status", "--porcelain")


def test_main_branch_is_the_repositorys(tmp_path: Path) -> None:
    made = Repository.create(tmp_path / "repo", {"a": "b"})
    made.git("branch", "-m", "trunk")
    made.tdv("init", "--ci", "github", expect=0)
    assert template(made, ".github/workflows/test-data.yml")["on"]["push"]["branches"] == ["trunk"]


def test_tag_jobs_have_a_place_for_the_credentials_of_the_dvc_remote(origin: Path, tmp_path: Path) -> None:
    repository = checkout(origin, tmp_path / "runner", "refs/heads/main")
    name = ".github/workflows/test-data.yml"
    text = re.sub(r"(?m)^( +)# (env:|  AWS_)", r"\1\2", repository.read(name))
    job = yaml.safe_load(text)["jobs"]["tag"]
    assert job["env"]["AWS_ACCESS_KEY_ID"] == "${{ secrets.AWS_ACCESS_KEY_ID }}"
    shown = repository.read("ci/tdv.gitlab-ci.yml").partition("tdv-tag:")[0]
    assert "AWS_ACCESS_KEY_ID" in shown


def test_workflows_give_nothing_away(origin: Path, tmp_path: Path) -> None:
    repository = checkout(origin, tmp_path / "runner", "refs/heads/main")
    names = ["ci/tdv/action.yml", ".github/workflows/test-data.yml", ".github/workflows/test-data-comment.yml"]
    for name in names:
        text = re.sub(r"^\s*#.*$", "", repository.read(name), flags=re.MULTILINE)
        assert "pull_request_target" not in text
        assert "secrets." not in text
        for script in runs(template(repository, name)):
            assert "${{" not in script, "what a pull request names must not become part of a script"
    workflow = template(repository, ".github/workflows/test-data.yml")
    assert workflow["permissions"] == {"contents": "read"}
    assert "permissions" not in workflow["jobs"]["review"]
    comment = repository.read(".github/workflows/test-data-comment.yml")
    assert "actions/checkout" not in comment
    assert "workflow_run" in comment


def runs(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "run":
                yield value
            else:
                yield from runs(value)
    elif isinstance(node, list):
        for item in node:
            yield from runs(item)


@pytest.mark.parametrize("forge_name", ["github", "gitlab"])
def test_each_project_of_a_repository_is_reviewed_and_tagged(tmp_path: Path, forge_name: str) -> None:
    made = Repository.create(tmp_path / "work", {"README.md": "Two services\n"})
    for project in ("services/web", "my-shop"):
        inner = Repository(made.root / project)
        inner.root.mkdir(parents=True)
        inner.tdv("init", expect=0)
        inner.write({"datasets/shop/dataset.yaml": SPEC, SEED: "id,name\n1,ada\n"}).tdv("build", expect=0)
        inner.tdv("init", "--ci", forge_name, expect=0)
        made.commit(project)
        inner.tdv("release", "shop", "1.0.0", expect=0)
    made.git("clone", "--quiet", "--bare", str(made.root), str(tmp_path / "origin.git"))
    made.git("remote", "add", "origin", (tmp_path / "origin.git").as_uri())
    made.git("fetch", "--quiet", "origin")
    made.write({f"services/web/{SEED}": "id,name\n1,ada\n2,bob\n"}).commit("Not built")
    made.write({f"my-shop/{SEED}": "id,name\n1,ada\n3,eve\n"})
    Repository(made.root / "my-shop").tdv("build", expect=0)
    made.commit("Eve")
    command = ("bash", "ci/tdv/review.sh", "origin/main", "out", forge_name)
    assert run(*command, cwd=made.root, env={"PATH": TOOLS}).exit_code == 1
    shown = made.read("out/check.md")
    assert shown.index("## `my-shop`") < shown.index("✅ Test data") < shown.index("## `services/web`")
    assert "services/web/datasets/shop/dataset.yaml" in made.read("out/annotations")
    assert "eve" in made.read("out/diff.md")
    assert "eve" in made.read("out/review-1.html")
    if forge_name == "gitlab":
        (issue,) = json.loads(made.read("out/annotations"))
        assert issue["location"]["path"] == "services/web/datasets/shop/dataset.yaml"
        script = "\n".join(template(made, "ci/tdv.gitlab-ci.yml")["tdv-tag"]["script"][3:])
    else:
        steps = template(made, ".github/workflows/test-data.yml")["jobs"]["tag"]["steps"]
        script = step_of(steps, "Tag what was released")["run"]
    outcome = run("bash", "-eo", "pipefail", "-c", script, cwd=made.root, env={"PATH": TOOLS})
    assert outcome.exit_code == 0, outcome
    there = run("git", "tag", cwd=tmp_path / "origin.git").stdout
    assert "services/web=shop@v1.0.0" in there
    assert "my-shop=shop" in there

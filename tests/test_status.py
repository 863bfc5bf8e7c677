import shutil
import sys
from pathlib import Path

import pytest
import yaml

from tdv.status import DatasetStatus, Notice, StageFacts, StatusPorts, status
from tdv.tag import TagOptions, tag
from tests.conftest import RepositoryBuilder
from tests.repository import run
from tests.shelf import SOURCE, Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf.create(tmp_path / "repo")
    shelf.release()
    return shelf


def look(
    shelf: Shelf, *, built: bool = True, digest: str | None = None, more: tuple[Notice, ...] = ()
) -> DatasetStatus:
    known = digest or shelf.book.record("shop", "1.0.0").digest
    ports = StatusPorts(
        shelf.git,
        shelf.book,
        lambda _: StageFacts((SOURCE,), built, known),
        lambda _, version: version in shelf.published,
        {"shop": more},
    )
    answer = status(ports, ("shop",))
    assert answer.to_plain()["clean"] is answer.clean is (not answer.datasets[0].notices)
    return answer.datasets[0]


def kinds(found: DatasetStatus) -> list[str]:
    return [notice.kind for notice in found.notices]


def publish(shelf: Shelf) -> None:
    tag(shelf.git, TagOptions(("shop",)), lambda _: None)
    shelf.published.add("1.0.0")


def test_nothing_left_to_do(shelf: Shelf) -> None:
    publish(shelf)
    assert look(shelf) == DatasetStatus("shop", "1.0.0", ())


def test_pending_and_untagged(shelf: Shelf) -> None:
    assert kinds(look(shelf)) == ["pending"]
    shelf.published.add("1.0.0")
    assert kinds(look(shelf)) == ["untagged"]


def test_release_with_a_tag_of_this_clone_only_is_pending(shelf: Shelf) -> None:
    tag(shelf.git, TagOptions(("shop",)), lambda _: None)
    assert kinds(look(shelf)) == ["pending"]


def test_edited_unbuilt_and_unreleased(shelf: Shelf) -> None:
    publish(shelf)
    shelf.repository.write({SOURCE: '{"1": "eve"}'})
    assert kinds(look(shelf, built=False)) == ["edited", "unbuilt"]
    shelf.repository.commit()
    assert kinds(look(shelf, digest="tdv1:new")) == ["unreleased"]


def test_tag_without_a_record_is_to_be_adopted(shelf: Shelf) -> None:
    publish(shelf)
    shelf.repository.git("tag", "--annotate", "--message", "x", "shop@v0.9.0")
    (notice,) = look(shelf).notices
    assert (notice.kind, notice.hint) == ("unadopted", "tdv adopt shop@v0.9.0")


def test_notices_of_others_are_kept(shelf: Shelf) -> None:
    publish(shelf)
    drifted = Notice("drifted", "local holds other rows", "tdv checkout")
    assert look(shelf, more=(drifted,)).notices == (drifted,)


def test_shallow_clone_without_tags_is_not_blamed(shelf: Shelf, tmp_path: Path) -> None:
    clone = Shelf(shelf.repository.clone(tmp_path / "clone", "--depth=1").root)
    assert look(clone).notices == ()


def test_dataset_that_is_gone_is_named_while_dvc_builds_it(repo: RepositoryBuilder) -> None:
    made = repo().prepared()
    for name in ("shop", "stock"):
        made.tdv("new", name, expect=0)
    made.tdv("build", expect=0)
    made.commit()
    shutil.rmtree(made.root / "datasets/shop")
    found = {item["dataset"]: item["notices"] for item in made.tdv("status", "--json", expect=0).json()["datasets"]}
    (notice,) = found["shop"]
    assert notice["kind"] == "gone"
    assert "git checkout HEAD -- datasets/shop, or dvc remove shop" in notice["hint"]
    assert "gone" not in {notice["kind"] for notice in found["stock"]}
    made.git("add", "--all")
    made.commit("Away")
    made.git("commit", "--quiet", "--allow-empty", "--message", "Later")
    found = {item["dataset"]: item["notices"] for item in made.tdv("status", "--json", expect=0).json()["datasets"]}
    command, _, _ = found["shop"][0]["hint"].partition(", or ")
    made.git(*command.split()[1:])
    found = {item["dataset"]: item["notices"] for item in made.tdv("status", "--json", expect=0).json()["datasets"]}
    assert "gone" not in {notice["kind"] for notice in found["shop"]}


def test_what_is_left_of_a_dataset_in_each_file_of_dvc_is_named(repo: RepositoryBuilder) -> None:
    made = repo().prepared()
    for name in ("shop", "stock"):
        made.tdv("new", name, expect=0)
    made.tdv("build", expect=0)
    made.commit()
    made.git("rm", "-r", "--quiet", "datasets/shop")
    shutil.rmtree(made.root / "datasets/shop")

    def left() -> list[str]:
        datasets = made.tdv("status", "--json", expect=0).json()["datasets"]
        return [
            f"{notice['message']} {notice['hint']}" for notice in datasets[0]["notices"] if notice["kind"] == "gone"
        ]

    (said,) = left()
    for text in ("stage in dvc.yaml", "artifact in dvc.yaml", "entry in dvc.lock", "dvc remove shop", "`artifacts:`"):
        assert text in said
    run(sys.executable, "-m", "dvc", "remove", "shop", cwd=made.root)
    (said,) = left()
    assert "its artifact in dvc.yaml git checkout" in said
    assert "dvc remove" not in said
    kept = yaml.safe_load(made.read("dvc.yaml"))
    del kept["artifacts"]["shop"]
    made.write({"dvc.yaml": yaml.safe_dump(kept)})
    assert made.tdv("status", "--json", expect=0).json()["datasets"][0]["dataset"] == "stock"


def test_spec_that_is_gone_beside_its_releases_is_named(repo: RepositoryBuilder) -> None:
    made = repo().prepared()
    made.tdv("new", "shop", expect=0)
    made.commit().tdv("release", "shop", "1.0.0", "-m", "First", expect=0)
    (made.root / "datasets/shop/dataset.yaml").unlink()
    assert "gone" in made.tdv("status", expect=0).stdout


def test_amendment_that_is_not_committed_is_told(repo: RepositoryBuilder) -> None:
    spec = "dataset: shop\ntables:\n  users: {key: [id], columns: {id: {type: int64}}}\n"
    made = repo({"datasets/shop/dataset.yaml": spec}).prepared()
    made.tdv("release", "shop", "1.0.0", expect=0)
    made.tdv("yank", "v1.0.0", "-m", "Wrong prices", expect=0)
    assert "not committed: datasets/shop/amendments.yaml" in made.tdv("status", expect=0).stdout

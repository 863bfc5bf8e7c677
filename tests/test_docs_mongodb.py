"""The page about MongoDB: its commands work as printed."""

from __future__ import annotations

import pytest

from tests.conftest import RepositoryBuilder
from tests.test_docs import DOCS, blocks, type_in
from tests.test_docs_postgresql import SPEC

pytest.importorskip("pymongo")

from pymongo import MongoClient

PAGE = DOCS / "reference" / "mongodb.md"


def test_commands_work_as_printed(repo: RepositoryBuilder, empty_mongodb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_URL", empty_mongodb)
    repository = repo({"datasets/shop/dataset.yaml": SPEC}).prepared()
    repository.tdv("build")
    repository.commit("Data")
    repository.tdv("release", "shop", "1.0.0", "-m", "First")
    outcome = type_in(blocks(PAGE, "sh"), repository.root)
    assert outcome.exit_code == 0, outcome
    assert "healthy" in outcome.stdout
    with MongoClient[dict[str, object]](empty_mongodb) as client:
        client.get_default_database()["users"].update_one({"id": 1}, {"$set": {"email": "other@example.test"}})
    assert repository.tdv("health", empty_mongodb, "shop@v1.0.0").exit_code == 1
    difference = repository.tdv("diff", "shop@v1.0.0", empty_mongodb, "--json").json()
    assert difference["tables"]["users"]["changed"] == 1

"""The page about environments: its settings and commands work as printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import RepositoryBuilder
from tests.test_docs import DOCS, blocks, type_in
from tests.test_docs_postgresql import SPEC

PAGE = DOCS / "how-to" / "environments.md"


def test_commands_work_as_printed(
    repo: RepositoryBuilder, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared: Path = tmp_path_factory.mktemp("shared")
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{shared}/ci.db")
    monkeypatch.setenv("STAGING_URL", f"sqlite:///{shared}/staging.db")
    repository = repo({"datasets/shop/dataset.yaml": SPEC}).prepared()
    (settings,) = blocks(PAGE, "yaml")
    repository.write({"tdv.yaml": settings})
    repository.tdv("build")
    repository.commit("Data")
    repository.tdv("release", "shop", "1.0.0", "-m", "First")
    repository.tdv("lock")
    repository.commit("Lock")
    repository.tdv("tag")
    outcome = type_in(blocks(PAGE, "sh"), repository.root)
    assert outcome.exit_code == 0, outcome
    assert outcome.stdout.count("healthy") == 2
    assert (shared / "staging.db").exists()
    refused = repository.tdv("checkout", "shop#staging", "--target", "staging")
    assert (refused.exit_code, "staging is protected" in refused.stderr) == (11, True)
    assert repository.tdv("checkout", "shop#staging", "--target", f"sqlite:///{shared}/staging.db").exit_code == 11

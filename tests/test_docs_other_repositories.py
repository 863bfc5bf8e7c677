"""The page about data from another repository does what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.released import released
from tests.test_docs import DOCS, blocks, type_in

PAGE = DOCS / "how-to/data-from-another-repository.md"


def test_data_from_another_repository_works_as_printed(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    released(tmp_path, tmp_path_factory.getbasetemp())
    (tmp_path / "origin.git").rename(tmp_path / "data.git")
    outcome = type_in(blocks(PAGE, "sh"), tmp_path)
    assert outcome.exit_code == 0, outcome
    assert "catalog:shop@v1.2.0  ^1.0 (tdv.yaml)" in outcome.stdout
    assert (tmp_path / "out/users.csv").exists()
    shown = {line.split(":")[0] for line in blocks(PAGE, "yaml")[0].splitlines()}
    written = (tmp_path / "service/tdv.lock").read_text().splitlines()
    assert shown <= {line.split(":")[0] for line in written}

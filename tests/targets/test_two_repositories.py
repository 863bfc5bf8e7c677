"""Two repositories, each with a lock of its own, that restore different versions into one target of files at once."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest

from tdv.errors import TdvError
from tdv.targets.verification import target_digest
from tdv.testing import USERS, checkout, snapshot, users, wanted
from tests.targets.builders import target
from tests.targets.test_contract import URLS

TIMES = 60


def restored(shared: Path, kind: str, rows: int) -> list[str]:
    """Restores so many rows again and again; gives what went wrong."""
    own = shared / f"repository{rows}"
    place = target(own, URLS[kind].format(shared / "place"))
    found = snapshot(shared, {USERS: users(rows)})
    wrong = []
    for _ in range(TIMES):
        try:
            checkout(own, place, wanted(found, f"{rows}.0.0"))
        except TdvError as exc:
            wrong.append(exc.message)
    return wrong


@pytest.mark.parametrize("kind", ["csv", "parquet", "sqlite", "duckdb"])
def test_checkouts_of_two_repositories_wait_for_each_other(tmp_path: Path, kind: str) -> None:
    sizes = (900, 700)
    manifests = {f"{rows}.0.0": snapshot(tmp_path, {USERS: users(rows)}).manifest for rows in sizes}
    with ProcessPoolExecutor(2, mp_context=get_context("fork")) as pool:
        wrong = list(pool.map(partial(restored, tmp_path, kind), sizes))
    assert wrong == [[], []]
    place = target(tmp_path, URLS[kind].format(tmp_path / "place"))
    (held,) = place.held()
    assert target_digest(place, manifests[held.version].schema) == manifests[held.version].content

"""A repository with two releases of a small dataset and a lock, for tests of what uses releases.

In: a directory. Out: a `Repository` there. Always holds: it is built once per process and copied then, since a copy is
faster than two releases; it is built by processes of their own, since pytester forgets modules that its tests import.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

import pytest

from tests.repository import Repository

SPEC = """
    dataset: shop
    description: Users and what they order
    seed: 7
    as_of: 2026-01-01T00:00:00Z
    tables:
      users:
        rows: {rows}
        key: [id]
        columns:
          id: {{type: int64, generate: {{sequence: {{start: 1}}}}}}
          email: {{type: string, unique: true, generate: {{template: "user{{id}}@example.test"}}}}
      orders:
        rows: 20
        key: [id]
        columns:
          id: {{type: int64, generate: {{sequence: {{start: 1}}}}}}
          user_id: {{type: int64, references: users.id, generate: {{pick: {{}}}}}}
          total: {{type: "decimal(8,2)", generate: {{uniform: {{min: 1, max: 100}}}}}}
    """
RETRY = """
    scenario: retry
    title: One user, two orders
    owner: qa
    rows:
      users: {ada: {email: ada@example.test}}
      orders:
        first: {user_id: $ada, total: "42.00"}
        second: {user_id: $ada, total: "43.00"}
    """


def released_shop(root: Path) -> Repository:
    """``shop`` 1.0.0 (10 users) and 1.1.0 (12 users, and one more in the scenario ``retry``); the lock holds 1.0.0."""
    shutil.copytree(_original(), root, dirs_exist_ok=True, symlinks=True)
    return Repository(root)


@cache
def _original() -> Path:
    root = Path(tempfile.mkdtemp(prefix="tdv-shop-")) / "repo"
    atexit.register(shutil.rmtree, root.parent, ignore_errors=True)
    repository = Repository.create(root, {"README.md": "Shop\n"})
    repository.tdv_process("init", expect=0)
    for version, rows, more in (("1.0.0", 10, {}), ("1.1.0", 12, {"datasets/shop/scenarios/retry.yaml": RETRY})):
        repository.write({"datasets/shop/dataset.yaml": SPEC.format(rows=rows), **more})
        repository.tdv_process("build", "shop", expect=0)
        repository.commit("Data").tdv_process("release", "shop", version, "-m", "Data", expect=0)
        if version == "1.0.0":
            repository.tdv_process("lock", expect=0)
            repository.commit("Lock")
    shutil.rmtree(root / ".tdv")
    return root


def kill_a_worker(pytester: pytest.Pytester, target: str) -> None:
    """Runs eight tests with databases beside `target` in two workers, one of which a test kills."""
    released_shop(pytester.path)
    pytester.makepyfile(
        """
        import os
        import pytest

        @pytest.mark.parametrize("number", range(8))
        def test_dies(tdv_database, tdv_session_database, number):
            if number == 3:
                os.kill(os.getpid(), 9)
        """
    )
    pytester.runpytest_subprocess("-q", "-n", "2", "--tdv-target", target).assert_outcomes(passed=7, failed=1)

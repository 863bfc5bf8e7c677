"""The reader of Django's migrations beside Django's own loader."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tdv.migrations import read
from tests.repository import Repository, run

LOADER = """
import json, sys
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=["shop", "users"], DATABASES={})
django.setup()
from django.db.migrations.loader import MigrationLoader
loader = MigrationLoader(None)
name = ".".join
print(json.dumps({
    "leaves": sorted(map(name, loader.graph.leaf_nodes())),
    "plans": {name(node): sorted(map(name, loader.graph.forwards_plan(node))) for node in loader.graph.nodes},
}))
"""


def migration(dependencies: list[tuple[str, str]], **more: list[tuple[str, str]]) -> str:
    lines = "".join(f"    {name} = {value!r}\n" for name, value in {"dependencies": dependencies, **more}.items())
    return f"from django.db import migrations\n\nclass Migration(migrations.Migration):\n{lines}    operations = []\n"


FILES = {
    "shop/__init__.py": "",
    "shop/migrations/__init__.py": "",
    "shop/migrations/0001_initial.py": migration([("users", "__first__")]),
    "shop/migrations/0002_left.py": migration([("shop", "0001_initial")]),
    "shop/migrations/0002_right.py": migration([("shop", "0001_initial"), ("users", "0002_more")]),
    "shop/migrations/0003_merge.py": migration([("shop", "0002_left"), ("shop", "0002_right")]),
    "users/__init__.py": "",
    "users/migrations/__init__.py": "",
    "users/migrations/0001_initial.py": migration([]),
    "users/migrations/0002_more.py": migration([("users", "0001_initial")]),
    "users/migrations/0003_before.py": migration([("users", "0002_more")], run_before=[("shop", "0003_merge")]),
}
SQUASHED = {
    "users/migrations/0001_squashed_0002_more.py": migration(
        [], replaces=[("users", "0001_initial"), ("users", "0002_more")]
    )
}


def loaded(root: Path) -> dict[str, object]:
    outcome = run(sys.executable, "-c", LOADER, cwd=root, env={"PYTHONPATH": str(root)})
    assert outcome.exit_code == 0, outcome
    found: dict[str, object] = json.loads(outcome.stdout)
    return found


def test_graph_is_djangos(tmp_path: Path) -> None:
    Repository(tmp_path).write(FILES)
    history, peer = read("django", tmp_path, "."), loaded(tmp_path)
    assert sorted(history.migrations) == sorted(peer["plans"])  # type: ignore[call-overload]
    assert {name: sorted(history.ancestors((name,))) for name in history.migrations} == peer["plans"]


def test_squashed_migrations_with_and_without_those_they_replace(tmp_path: Path) -> None:
    Repository(tmp_path).write({**FILES, **SQUASHED})
    history, peer = read("django", tmp_path, "."), loaded(tmp_path)
    replaced = {"users.0001_initial", "users.0002_more"}
    plans = {name: sorted({*history.ancestors((name,))} - replaced) for name in history.migrations}
    assert {name: plan for name, plan in plans.items() if name not in replaced} == peer["plans"]
    for name in ("0001_initial", "0002_more"):
        (tmp_path / f"users/migrations/{name}.py").unlink()
    left = read("django", tmp_path, ".")
    assert left.named("users.0002_more") == "users.0001_squashed_0002_more"
    assert {name: sorted(left.ancestors((name,))) for name in left.migrations} == loaded(tmp_path)["plans"]


def test_label_of_the_app_and_dependencies_on_others(tmp_path: Path) -> None:
    swappable = migration([]).replace(
        "= []", "= [migrations.swappable_dependency(settings.AUTH), ('auth', '0001_x')]", 1
    )
    Repository(tmp_path).write(
        {
            "store/apps.py": "class StoreConfig:\n    name = 'store'\n    label = 'shop'\n",
            "store/migrations/__init__.py": "",
            "store/migrations/0001_initial.py": swappable,
            "venv/lib/site-packages/other/migrations/__init__.py": "",
            "venv/lib/site-packages/other/migrations/0001_initial.py": migration([]),
        }
    )
    assert read("django", tmp_path, ".").heads == ("shop.0001_initial",)

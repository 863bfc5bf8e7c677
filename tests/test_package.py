"""The package as it is installed: what it declares, what it imports, and how little an everyday command loads."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

import tdv
from tests.conftest import RepositoryBuilder
from tests.repository import Repository, run

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "tdv").rglob("*.py"))
HEAVY = (
    "dvc",
    "duckdb",
    "faker",
    "git",
    "jsonschema",
    "numpy",
    "psycopg",
    "pyarrow",
    "ruamel",
    "resolvelib",
    "sqlalchemy",
)
STANDARD = sys.stdlib_module_names | {"tdv", "__future__"}


def settings() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return tomllib.load(file)


def imported(path: Path) -> set[str]:
    """The top-level names of all that a module imports, inside functions too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_import_is_a_declared_dependency() -> None:
    project = settings()["project"]
    wanted = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    declared = {normal(re.split(r"[\[<>=!~; ]", line)[0]) for line in wanted}
    providers = packages_distributions()
    foreign = {name for path in MODULES for name in imported(path)} - STANDARD
    undeclared = {name for name in foreign if not {normal(provider) for provider in providers[name]} & declared}
    assert undeclared == set()


def test_every_dependency_is_imported() -> None:
    declared = {normal(re.split(r"[\[<>=!~; ]", line)[0]) for line in settings()["project"]["dependencies"]}
    providers = packages_distributions()
    foreign = {name for path in MODULES for name in imported(path)} - STANDARD
    used = {normal(provider) for name in foreign for provider in providers[name]}
    assert declared - used == set()


@pytest.mark.parametrize("arguments", [("--help",), ("gc", "--help")], ids=" ".join)
def test_help_ends_well(arguments: tuple[str, ...]) -> None:
    """In a process of its own: what the entry point does around a command is part of it."""
    outcome = run(sys.executable, "-m", "tdv", *arguments, cwd=ROOT)
    assert (outcome.exit_code, outcome.stderr) == (0, "")


def test_version_is_printed() -> None:
    outcome = run(sys.executable, "-m", "tdv", "--version", cwd=ROOT)
    assert (outcome.exit_code, outcome.stdout) == (0, f"tdv {tdv.__version__}\n")


def loaded_by(arguments: list[str], directory: Path, watched: tuple[str, ...] = HEAVY) -> set[str]:
    """The libraries that are `watched` in `sys.modules` after a command in a process of its own."""
    program = (
        "import sys\nfrom tdv.cli.app import run\n"
        f"code = run({arguments!r})\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)\nsys.exit(code)"
    )
    outcome = run(sys.executable, "-c", program, cwd=directory)
    assert outcome.exit_code == 0, outcome
    return set(outcome.stderr.splitlines()[-1].split()) & set(watched)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["checkout", "--help"]], ids=" ".join)
def test_help_loads_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    assert loaded_by(arguments, tmp_path) == set()


SMALL = """
    dataset: small
    seed: 1
    as_of: 2026-01-01T00:00:00Z
    tables:
      things:
        rows: 3
        key: [id]
        columns:
          id: {type: int64, generate: {sequence: {start: 1}}}
    """


def released(repo: RepositoryBuilder) -> Repository:
    """A repository with a release of `SMALL`."""
    made = repo().prepared()
    made.tdv("new", "small", expect=0)
    made.write({"datasets/small/dataset.yaml": SMALL})
    made.tdv("build", "small", expect=0)
    made.commit("A dataset")
    made.tdv("release", "small", "1.0.0", "-m", "First", expect=0)
    return made


def test_commands_with_nothing_to_do_load_nothing_heavy(repo: RepositoryBuilder) -> None:
    made = released(repo)
    made.tdv("checkout", "v1.0.0", expect=0)
    assert loaded_by(["checkout", "v1.0.0"], made.root, (*HEAVY, "yaml")) == set()
    assert loaded_by(["diff", "v1.0.0", "workspace"], made.root) == set()
    assert loaded_by(["diff", "small@git:HEAD", "small@workspace"], made.root, (*HEAVY, "yaml")) == set()


def test_rows_are_compared_and_shown_without_what_pyarrow_compute_takes_to_import(repo: RepositoryBuilder) -> None:
    made = released(repo)
    made.write({"datasets/small/dataset.yaml": SMALL.replace("rows: 3", "rows: 4")})
    made.tdv("build", "small", expect=0)
    program = "import sys\nfrom tdv.cli.app import run\ncode = run(['diff'])\nprint(*sys.modules, file=sys.stderr)"
    diff = run(sys.executable, "-c", program, cwd=made.root)
    assert "1 added" in diff.stdout
    assert {"pyarrow.lib", "pyarrow.compute"} & set(diff.stderr.split()) == {"pyarrow.lib"}


def test_pandas_is_not_loaded_where_it_is_installed(
    repo: RepositoryBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pyarrow would import it to look at the first value that it is given."""
    made = released(repo)
    made.write({"datasets/small/dataset.yaml": SMALL.replace("rows: 3", "rows: 4")})
    made.tdv("build", "small", expect=0)
    installed = tmp_path / "installed"
    installed.mkdir()
    (installed / "pandas.py").write_text("__version__ = '3.0.0'\nprint('pandas is here')\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(installed))
    program = "import sys\nfrom tdv.cli import main\nsys.argv[1:] = ['diff']\n"
    diff = run(sys.executable, "-c", f"{program}main()", cwd=made.root)
    assert diff.exit_code == 0, diff
    assert "1 added" in diff.stdout
    assert "pandas is here" not in diff.stdout
    at_the_end = "import atexit\natexit.register(lambda: __import__('pandas'))\n"
    others = run(sys.executable, "-c", f"{program}{at_the_end}main()", cwd=made.root)
    assert "pandas is here" in others.stdout

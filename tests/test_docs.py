"""What the documentation tells people to type works, and its generated parts are up to date."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import chinook
from tests.repository import Outcome, run

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)(?:#[^)]*)?\)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page: its language and its text."""

    language: str
    text: str


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    found = (Block(*match.groups()) for match in FENCE.finditer(page.read_text(encoding="utf-8")))
    return [block.text for block in found if block.language == language]


def type_in(commands: list[str], directory: Path) -> Outcome:
    """Runs the commands as one script in a shell that stops at the first failure."""
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    script = "set -euxo pipefail\n" + "\n".join(commands)
    return run("bash", "-c", script, cwd=directory, env={"PATH": tools})


def comparable(line: str) -> str:
    """A line of output without what differs from run to run: digests, durations, days, directories, spaces."""
    for pattern in (r"tdv1:[0-9a-f]+", r"[\d.]+ m?s$", r"\b\d{4}-\d\d-\d\d\b", r"(?<=:////)\S*(?=/shop-app)"):
        line = re.sub(pattern, "…", line)
    return " ".join(line.split())


def test_readme_walk_works_as_printed(tmp_path: Path) -> None:
    chinook.create(tmp_path / "chinook.sqlite")
    repository = tmp_path / "app"
    repository.mkdir()
    run("git", "init", "--quiet", "--initial-branch=main", cwd=repository)
    outcome = type_in(blocks(ROOT / "README.md", "sh"), repository)
    assert outcome.exit_code == 0, outcome
    assert (repository / ".tdv/local.db").exists()
    assert (repository / "shop.duckdb").exists()
    assert (repository / "out/Artist.csv").exists()


def test_tutorial_works_as_printed(tmp_path: Path) -> None:
    commands = blocks(DOCS / "tutorial.md", "sh")
    assert len(commands) > 8
    outcome = type_in(commands, tmp_path)
    assert outcome.exit_code == 0, outcome
    printed = {comparable(line) for line in [*outcome.stdout.splitlines(), *outcome.stderr.splitlines()]}
    shown = [line for block in blocks(DOCS / "tutorial.md", "text") for line in block.splitlines()]
    assert [line for line in shown if comparable(line) not in printed] == []


def test_make_targets_of_readme_exist() -> None:
    wanted = set(re.findall(r"make (\w+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test", "check", "bench", "docs"} <= wanted & targets
    assert wanted <= targets


def test_readme_fits_on_one_screen() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 60


def test_generated_pages_are_up_to_date() -> None:
    outcome = run(sys.executable, "tools/write_docs.py", "--check", cwd=ROOT)
    assert outcome.exit_code == 0, outcome


def test_every_command_is_told_of_outside_of_its_reference() -> None:
    from tdv.cli.app import SECTIONS

    told = "".join(page.read_text(encoding="utf-8") for page in PAGES if page.name != "commands.md")
    missing = [name for names in SECTIONS.values() for name in names if not re.search(rf"\btdv {name}\b", told)]
    assert missing == []


def test_no_page_names_a_command_that_does_not_exist() -> None:
    from tdv.cli.app import SECTIONS

    commands = {name for names in SECTIONS.values() for name in names}
    named = set()
    for page in PAGES:
        named |= set(re.findall(r"`tdv ([a-z][a-z-]*)", page.read_text(encoding="utf-8")))
        for block in blocks(page, "sh"):
            named |= set(re.findall(r"(?:^|&& )tdv ([a-z][a-z-]*)", block, re.MULTILINE))
    assert named - commands == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    broken = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]
    assert broken == []


def test_pages_that_the_code_names_exist() -> None:
    named = {
        name
        for path in (ROOT / "tdv").rglob("*.py")
        for name in re.findall(r"docs/[\w/-]+\.md", path.read_text(encoding="utf-8"))
    }
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_architecture_names_every_module() -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    modules = {
        path.stem for path in (ROOT / "tdv").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    missing = [name for name in sorted(modules - {"__init__"}) if f"| `{name}` |" not in text]
    assert missing == []

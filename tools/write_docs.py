"""Writes the generated parts of the documentation, or says with ``--check`` that they are stale.

In: the command line's own help, the layers contract in pyproject.toml, the module docstrings, what target adapters say
about types. Out: ``docs/reference/commands.md`` whole, and the marked parts of other pages. Always holds: the same code
gives the same text.
"""

from __future__ import annotations

import ast
import contextlib
import io
import os
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
COMMANDS: Final = ROOT / "docs" / "reference" / "commands.md"
ARCHITECTURE: Final = ROOT / "docs" / "architecture.md"
TARGETS: Final = ROOT / "docs" / "reference" / "targets.md"
BEGIN: Final = "<!-- begin generated -->\n"
END: Final = "<!-- end generated -->\n"
HELP_WIDTH: Final = "100"
COMMANDS_INTRODUCTION: Final = """\
# Commands

This page is what `--help` prints; `make docs` writes it anew. Results go to stdout, everything else to stderr.
Commands that read have `--json`; [Formats](../formats/README.md) lists the shapes and the exit codes.
"""


def help_of(*words: str) -> str:
    """What ``tdv WORDS --help`` prints."""
    from tdv.cli.app import run

    stdout = io.StringIO()
    with contextlib.redirect_stdout(stdout):
        exit_code = run([*words, "--help"])
    if exit_code != 0:
        raise SystemExit(f"tdv {' '.join(words)} --help ended with exit code {exit_code}")
    return "\n".join(line.rstrip() for line in stdout.getvalue().strip().splitlines())


def commands_page() -> str:
    """The reference of all commands, section by section as ``tdv --help`` lists them."""
    from tdv.cli.app import SECTIONS

    parts = [f"{COMMANDS_INTRODUCTION}\n```text\n{help_of()}\n```\n"]
    for section, names in SECTIONS.items():
        parts.append(f"\n## {section}\n")
        parts += [f"\n### tdv {name}\n\n```text\n{help_of(name)}\n```\n" for name in names]
    return "".join(parts)


def layers() -> list[list[str]]:
    """The layers of the contract that imports are checked against, from top to bottom, by module name."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        settings: dict[str, Any] = tomllib.load(file)
    contracts = settings["tool"]["importlinter"]["contracts"]
    contract = next(contract for contract in contracts if contract["id"] == "layers")
    rows = [[name.strip(" ()") for name in layer.replace(":", "|").split("|")] for layer in contract["layers"]]
    return [[name for name in row if location(name)] for row in rows]


def location(module: str) -> Path | None:
    """The file of a module or the ``__init__`` of a package of tdv, None if there is neither."""
    package = ROOT / "tdv" / module
    for path in (package.with_suffix(".py"), package / "__init__.py"):
        if path.exists():
            return path
    return package if package.is_dir() else None


def purpose(module: str) -> str:
    """The first sentence of a module's docstring."""
    path = location(module)
    if path is None or path.is_dir():
        return "Data files."
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.split("\n\n")[0].split())


def layers_part() -> str:
    """The diagram of the layers, and what each module is for."""
    rows = [row for row in layers() if row]
    lines = [_wrapped(row) for row in rows]
    width = max(len(line) for row in lines for line in row)
    diagram = [f"┌{'─' * (width + 2)}┐"]
    for number, row in enumerate(lines):
        if number:
            diagram.append(f"├{'─' * ((width + 1) // 2)}▼{'─' * (width + 1 - (width + 1) // 2)}┤")
        diagram += [f"│ {line:^{width}} │" for line in row]
    diagram.append(f"└{'─' * (width + 2)}┘")
    table = ["| module | what it is for |", "| --- | --- |"]
    table += [f"| `{name}` | {purpose(name)} |" for row in rows for name in row]
    return "```text\n" + "\n".join(diagram) + "\n```\n\n" + "\n".join(table) + "\n"


def _wrapped(names: list[str], width: int = 78) -> list[str]:
    lines = [""]
    for name in names:
        longer = f"{lines[-1]} · {name}" if lines[-1] else name
        if len(longer) > width:
            lines.append(name)
        else:
            lines[-1] = longer
    return lines


def losses_part() -> str:
    """What becomes of each type in each engine, as the adapters declare it."""
    from tdv.targets.registry import ADAPTERS, adapter

    parts = []
    for scheme in ADAPTERS:
        losses = adapter(scheme).losses
        rows = [
            f"| `{kind}` | {loss.fate} | {_cell(loss.as_type)} | {_cell(loss.note)} |" for kind, loss in losses.items()
        ]
        parts.append("\n".join([f"### {scheme}", "", "| type | | stored as | |", "| --- | --- | --- | --- |", *rows]))
    return "\n\n".join(parts) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def renewed(page: Path, part: str) -> str:
    """The text of a page with its generated part replaced."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{page} lacks the marks of its generated part")
    return f"{before}{BEGIN}\n{part}\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Writes or checks all generated pages; returns the exit code."""
    os.environ["COLUMNS"] = HELP_WIDTH
    stale = []
    pages = {
        COMMANDS: commands_page(),
        ARCHITECTURE: renewed(ARCHITECTURE, layers_part()),
        TARGETS: renewed(TARGETS, losses_part()),
    }
    for path, text in pages.items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path.relative_to(ROOT).as_posix())
        if "--check" not in arguments:
            path.write_text(text, encoding="utf-8")
    if "--check" in arguments and stale:
        print(f"stale: {', '.join(stale)}; `make docs` writes them anew", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

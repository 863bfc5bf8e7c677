"""The files of hand-written rows: which there are, whose they are, and their bytes.

In: directories that users write, and table names that come from a spec or a database. Out: paths, names, bytes.
Always holds: a file name has no separator, does not begin with a dot and names no place outside its directory;
different tables have different names; a link that leads out of its directory is not followed.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, unquote

from tdv.errors import ConfigError, DocumentError, Problem


def file_stem(table: str) -> str:
    """The name of the table's files without ending: ``order lines`` → ``order%20lines``."""
    stem = quote(table, safe="")
    return "%2E" + stem[1:] if stem.startswith(".") else stem


def table_of(stem: str) -> str | None:
    """The table whose files have that name, or None when no table's have."""
    table = unquote(stem)
    return table if file_stem(table) == stem else None


def listed(directory: Path) -> list[Path]:
    """What is in `directory`, by name, without hidden files, editors' copies and READMEs.

    A file that only its ``.dvc`` file tells of is listed, although it is not there.
    """
    if not directory.is_dir():
        return []
    names = {path.name.removesuffix(".dvc") for path in directory.iterdir()}
    return sorted(directory / name for name in names if not (name.startswith((".", "README")) or name.endswith("~")))


def content(path: Path, file: str) -> bytes:
    """The bytes of a file, which errors name `file`; raises `ConfigError`."""
    if not path.resolve().is_relative_to(path.parent.resolve()):
        problem = Problem(file, 1, "", "this link leads out of its directory")
        raise DocumentError([problem], hint="Put the file itself there.")
    try:
        return path.read_bytes()
    except FileNotFoundError as exc:
        raise absent(file) from exc
    except OSError as exc:
        hint = "Check that it is a file you may read."
        raise ConfigError(f"{file} cannot be read: {exc.strerror}", hint=hint, file=file) from exc


def absent(file: str) -> ConfigError:
    """The error for a file that DVC knows and that was not fetched."""
    return ConfigError(f"{file} is not here", hint=f"Fetch it: dvc pull {file}", file=file)

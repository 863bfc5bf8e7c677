"""Reads YAML from a file or from memory.

In: UTF-8 YAML. Out: `Document`. Always holds: PyYAML is imported when the first text is parsed, not before.
"""

from __future__ import annotations

from pathlib import Path as FilePath

from tdv.documents.document import Document
from tdv.documents.markers import refuse
from tdv.errors import ConfigError


def load(path: FilePath, root: FilePath | None = None, *, exact: bool = False) -> Document:
    """Reads one YAML file; errors name it relative to `root`. `exact` gives decimals instead of floats.

    Raises `ConfigError` when it cannot be read, `DocumentError` when it is no YAML.
    """
    data, file = read(path, root)
    return parse(data, file, exact=exact)


def read(path: FilePath, root: FilePath | None = None) -> tuple[bytes, str]:
    """The bytes of a file, and its name relative to `root`. Raises `ConfigError` when it cannot be read."""
    file = str(path)
    if root is not None and path.is_relative_to(root):
        file = path.relative_to(root).as_posix()
    try:
        return path.read_bytes(), file
    except FileNotFoundError as exc:
        raise ConfigError(f"{file} does not exist", hint=f"Create {file}, or check the path.", path=file) from exc
    except OSError as exc:
        raise ConfigError(
            f"{file} cannot be read: {exc.strerror}", hint="Check that it is a file you may read.", path=file
        ) from exc


def parse(content: str | bytes, file: str, *, exact: bool = False) -> Document:
    """Reads YAML from memory; `file` is the name in errors.

    Raises `DocumentError` when it is no YAML, or is left in conflict.
    """
    from tdv.documents.nodes import build  # PyYAML takes longer to import than tdv.yaml to read

    refuse(content if isinstance(content, bytes) else content.encode("utf-8", "replace"), file)
    return build(content, file, exact)

"""The YAML files of DVC, read fast and written as DVC writes them.

In: ``dvc.yaml``, ``dvc.lock`` and ``.dvc`` files. Out: mappings whose scalars are all text, which no YAML version can
misread and which costs a few milliseconds; or, for a change, ruamel.yaml's nodes with comments. Always holds: what
is written has the bytes that DVC would write, and replaces the file durably.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from tdv import durable
from tdv.documents.markers import refuse
from tdv.errors import DocumentError, Problem, StoreError
from tdv.store import plain_yaml

MEND: Final = "Mend the file by hand, or take it back from Git, then run the command again."


def read(path: Path) -> bytes | None:
    """The bytes of a file, None without it; raises `StoreError`."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise StoreError(f"{path.name} cannot be read: {exc.strerror}", hint=f"Check {path}.") from exc


@lru_cache(maxsize=8)
def load(data: bytes, file: str) -> Mapping[str, Any]:
    """The mapping in `data`, {} when it is empty; `file` names it in `DocumentError`. Do not change it.

    The last ones are remembered: whoever looks at each of 300 datasets in turn asks for one file 300 times.
    """
    plain = plain_yaml.read(data)
    return _load_any(data, file) if plain is None else plain


def _load_any(data: bytes, file: str) -> Mapping[str, Any]:
    import yaml

    refuse(data, file)
    try:
        content = yaml.load(data, Loader=yaml.CBaseLoader)
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        reason = getattr(exc, "problem", None) or "this is no YAML text"
        raise DocumentError([Problem(file, mark.line + 1 if mark else 1, "", reason)], hint=MEND) from exc
    if content in (None, ""):
        return {}
    if not isinstance(content, dict):
        raise DocumentError([Problem(file, 1, "", "this is no mapping")], hint=MEND)
    return content


def load_for_update(path: Path) -> Any:
    """The file as nodes that keep comments; an empty mapping without a file. Raises `DocumentError`."""
    data = read(path)
    if data is None:
        return _yaml().map()
    load(data, path.name)
    return _yaml().load(data) or _yaml().map()


def dump(path: Path, content: Any) -> None:
    """Writes what `load_for_update` gave."""
    text = io.StringIO()
    _yaml().dump(content, text)
    durable.write_text(path, text.getvalue())


def _yaml() -> Any:
    """The round-trip YAML of ``dvc.utils.serialize``, so that DVC would write the same bytes."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.default_flow_style = False
    return yaml

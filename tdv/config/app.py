"""The version of the app that the data is for.

In: `Settings` and a way to run a command. Out: the version as text, or None when nothing names one. Always
holds: TDV_APP_VERSION wins over the file or command in ``tdv.yaml``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tdv.config.settings import AppSource, Settings
from tdv.errors import ConfigError

_HINT: Final = "Set TDV_APP_VERSION, or correct app.version in tdv.yaml."


def app_version(settings: Settings, run: Callable[[tuple[str, ...]], str]) -> str | None:
    """The app's version without white space around it; `run` runs a command at the root and gives its output.

    Raises `ConfigError` when the source named in ``tdv.yaml`` has no version.
    """
    if settings.app_version or settings.app is None:
        return settings.app_version
    source = settings.app
    found = run(source.command) if source.kind == "command" else _read(settings.root / source.path, source)
    if not found or not found.strip():
        raise ConfigError(f"{_name(source)} gives no app version", hint=_HINT)
    return found.strip()


def _name(source: AppSource) -> str:
    return f"the command {' '.join(source.command)!r}" if source.kind == "command" else source.path


def _read(path: Path, source: AppSource) -> str | None:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"the app version cannot be read from {source.path}: {exc}", hint=_HINT) from exc
    try:
        return _find(text, source)
    except (ValueError, AttributeError) as exc:
        raise ConfigError(f"{source.path} cannot be read: {exc}", hint=_HINT) from exc


def _find(text: str, source: AppSource) -> str | None:
    found: Any
    if source.kind == "json":
        import json

        found = json.loads(text).get("version")
    elif source.kind == "from":
        import tomllib

        data = tomllib.loads(text)
        found = data.get("project", {}).get("version") or data.get("tool", {}).get("poetry", {}).get("version")
        found = found or data.get("package", {}).get("version")
    else:
        found = text
    return found if isinstance(found, str) else None

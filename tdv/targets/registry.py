"""Which adapter serves which URL; an adapter is imported when its scheme is used.

In: a target's settings. Out: a `Target`. Always holds: an adapter of the package comes before an entry point of
the group ``tdv.targets``, whose name is the scheme and whose object is called as ``adapter(settings, work)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Final

from tdv.config import TargetSettings
from tdv.errors import NotFound, PluginMissing
from tdv.frozen import dataclass
from tdv.targets.protocol import Target

GROUP: Final = "tdv.targets"
Adapter = Callable[[TargetSettings, Path], Target]


@dataclass(frozen=True, slots=True)
class Known:
    """An adapter of this package: where it is, and the extra that brings its driver ("" if none is needed)."""

    module: str
    name: str
    extra: str = ""


ADAPTERS: Final[Mapping[str, Known]] = {
    "sqlite": Known("tdv.targets.sqlite.target", "SqliteTarget"),
    "duckdb": Known("tdv.targets.duckdb.target", "DuckdbTarget"),
    "file": Known("tdv.targets.files.target", "FilesTarget"),
    "postgresql": Known("tdv.targets.postgresql.target", "PostgresqlTarget", "postgres"),
    "mysql": Known("tdv.targets.mysql.target", "MysqlTarget", "mysql"),
    "mongodb": Known("tdv.targets.mongodb.target", "MongodbTarget", "mongodb"),
    "redis": Known("tdv.targets.redis.target", "RedisTarget", "redis"),
}
_SYNONYMS: Final = {"postgres": "postgresql", "mariadb": "mysql", "rediss": "redis"}


def open_target(settings: TargetSettings, work: Path) -> Target:
    """The target of `settings`; `work` is the repository's ``.tdv``, for images, locks and states.

    Raises `NotFound` for a scheme that no adapter serves, `PluginMissing` when the driver is not installed.
    """
    scheme = settings.url.partition(":")[0].lower().partition("+")[0]
    return adapter(scheme)(settings, work)


def adapter(scheme: str) -> Adapter:
    """The adapter of a scheme, an object with `capabilities` and `losses`; raises as `open_target` does."""
    known = ADAPTERS.get(_SYNONYMS.get(scheme, scheme))
    if known is None:
        return _plugin(scheme)
    try:
        found: Adapter = getattr(import_module(known.module), known.name)
    except ImportError as exc:
        raise PluginMissing(
            f"the driver for {scheme} targets is not installed: {exc}",
            hint=f'Run `pip install "tdv[{known.extra or scheme}]"`.',
            scheme=scheme,
        ) from exc
    return found


def _plugin(scheme: str) -> Adapter:
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP, name=scheme):
        try:
            found: Adapter = point.load()
        except ImportError as exc:
            raise PluginMissing(
                f"the plug-in for {scheme} targets cannot be imported: {exc}",
                hint=f"Install what {point.value} needs.",
                scheme=scheme,
            ) from exc
        return found
    raise NotFound(
        f"no adapter serves targets of the kind {scheme!r}",
        hint=f"Use one of {', '.join(sorted(ADAPTERS))}, or install a plug-in for it.",
        scheme=scheme,
    )

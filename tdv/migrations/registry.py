"""Which reader reads which tool; a reader is imported when its tool is used.

In: the name of a tool. Out: a `MigrationTool`. Always holds: a reader of the package comes before an entry point of
the group ``tdv.migrations``, whose name is the tool and whose object is a `MigrationTool`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Final

from tdv.documents.words import did_you_mean
from tdv.errors import ConfigError, PluginMissing
from tdv.migrations.protocol import MigrationTool
from tdv.model.history import History

GROUP: Final = "tdv.migrations"
TOOLS: Final[Mapping[str, tuple[str, str]]] = {
    "alembic": ("tdv.migrations.alembic", "ALEMBIC"),
    "dbmate": ("tdv.migrations.numbered", "DBMATE"),
    "django": ("tdv.migrations.django", "DJANGO"),
    "flyway": ("tdv.migrations.flyway", "FLYWAY"),
    "golang-migrate": ("tdv.migrations.numbered", "GOLANG_MIGRATE"),
    "goose": ("tdv.migrations.numbered", "GOOSE"),
    "knex": ("tdv.migrations.numbered", "KNEX"),
    "liquibase": ("tdv.migrations.liquibase", "LIQUIBASE"),
    "list": ("tdv.migrations.listed", "LIST"),
    "prisma": ("tdv.migrations.numbered", "PRISMA"),
    "rails": ("tdv.migrations.numbered", "RAILS"),
    "sqitch": ("tdv.migrations.sqitch", "SQITCH"),
}
_IN_SQL: Final = frozenset({"dbmate", "flyway", "golang-migrate", "goose"})
"""Tools whose migrations are files of SQL, known by their names alone."""
_SHOWN: Final = 3


def read(name: str, path: Path, source: str) -> History:
    """The history that the tool `name` has in `path`, which errors call `source`.

    Raises `ConfigError` for an unknown tool, a path that is not there, a history that the tool would refuse, and files
    with SQL of which none is named as the tool names them.
    """
    history = tool(name).read(path, source)
    if name in _IN_SQL and not history.migrations and path.is_dir():
        others = sorted(file.relative_to(path).as_posix() for file in path.rglob("*.sql") if not _is_no_step(file.name))
        if others:
            raise ConfigError(
                f"None of the files in {source} is named as a migration of {name}: {', '.join(others[:_SHOWN])}",
                hint="Name them as the tool does, or set migrations.tool and path in tdv.yaml right.",
            )
    return history


def _is_no_step(name: str) -> bool:
    """True for scripts that are no places a schema can stand at: Flyway's repeatable ones and those that undo."""
    return name.startswith(("R__", "U"))


def tool(name: str) -> MigrationTool:
    """The reader of a tool; raises `ConfigError` for an unknown one, `PluginMissing` for one that cannot be loaded."""
    known = TOOLS.get(name)
    if known is None:
        return _plugin(name)
    module, attribute = known
    found: MigrationTool = getattr(import_module(module), attribute)
    return found


def _plugin(name: str) -> MigrationTool:
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP, name=name):
        try:
            found: MigrationTool = point.load()
        except ImportError as exc:
            raise PluginMissing(
                f"The plug-in for migrations of {name} cannot be imported: {exc}",
                hint=f"Install what {point.value} needs.",
                tool=name,
            ) from exc
        return found
    raise ConfigError(
        f"No reader knows the migrations of {name!r}{did_you_mean(name, TOOLS)}",
        hint=f"Set migrations.tool in tdv.yaml to one of {', '.join(TOOLS)}, or install a plug-in for it.",
        tool=name,
    )

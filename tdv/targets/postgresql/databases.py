"""Whole databases of a server: made, cloned, swapped, dropped.

In: a connection to a database that is nobody's, and names. Out: databases. Always holds: the old database has the name
until the new one has it, in one transaction; what belongs to a database beside its content (owner, rights, settings,
locale, tablespace) goes over to the new one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from tdv.targets.postgresql.statements import IN_USE, NO_SUCH_DATABASE, NOT_ALLOWED, Speaking, execute, tolerating
from tdv.targets.sql import quote, text

_STRATEGIES_SINCE: Final = 150_000
_CLONES_SINCE: Final = 180_000
_SMALL: Final = 32 << 20
"""Bytes up to which a copy through the log is cheaper than the two checkpoints of a copy of files."""
_LEAVING: Final = 1.0
_POLL: Final = 0.002
_LISTS: Final = frozenset({"search_path", "local_preload_libraries", "session_preload_libraries", "temp_tablespaces"})
_NO_NAME: Final = re.compile(r'(?<![^ ,])""(?![^,])')
_COLLATION: Final = "pg_database_collation_actual_version(d.oid)"


@dataclass(frozen=True, slots=True)
class Locale:
    """What a database is made with and cannot change; `provider` is "" on a server that knows only one, `versions` are
    those of server and collation."""

    encoding: str
    collate: str
    ctype: str
    provider: str
    locale: str
    versions: str

    @property
    def options(self) -> str:
        """The options of ``CREATE DATABASE``."""
        words = f"ENCODING {text(self.encoding)} LC_COLLATE {text(self.collate)} LC_CTYPE {text(self.ctype)}"
        if self.provider == "i":
            return f"{words} LOCALE_PROVIDER icu ICU_LOCALE {text(self.locale)}"
        if self.provider == "b":
            return f"{words} LOCALE_PROVIDER builtin BUILTIN_LOCALE {text(self.locale)}"
        # Else it would be that of the server's own databases.
        return f"{words} LOCALE_PROVIDER libc" if self.provider else words


def exists(admin: Speaking, name: str) -> bool:
    """True if the server has a database of that name."""
    return bool(execute(admin, "SELECT 1 FROM pg_database WHERE datname = %s", name))


def like(admin: Speaking, pattern: str) -> list[tuple[str, str | None]]:
    """Names that match a ``LIKE`` pattern, with their comments."""
    found = execute(
        admin,
        "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database WHERE datname LIKE %s ORDER BY 1",
        pattern,
    )
    return [(str(name), comment) for name, comment in found]


def literally(name: str) -> str:
    """A name as a ``LIKE`` pattern."""
    return re.sub(r"([%_\\])", r"\\\1", name)


def locale_of(admin: Speaking, name: str) -> Locale:
    """The locale of a database, or of those that the server makes where there is none of that name."""
    version = admin.info.server_version
    provider, locale, actual = "''", "''", "''"
    if version >= _STRATEGIES_SINCE:
        provider, actual = "datlocprovider::text", f"coalesce({_COLLATION}, '')"
        locale = "datlocale" if version >= 170_000 else "daticulocale"
    ((encoding, collate, ctype, kind, name_of_locale, collation),) = execute(
        admin,
        f"SELECT pg_encoding_to_char(encoding), datcollate, datctype, {provider}, coalesce({locale}, ''), {actual} "
        "FROM pg_database d WHERE datname IN (%s, 'template1') ORDER BY datname = 'template1' LIMIT 1",
        name,
    )
    return Locale(encoding, collate, ctype, kind, name_of_locale, f"{version} {collation}")


def create(admin: Speaking, name: str, locale: Locale) -> None:
    """Makes an empty database."""
    execute(admin, f"CREATE DATABASE {quote(name)} TEMPLATE template0 {locale.options}")


def may_make(admin: Speaking, name: str) -> bool:
    """Whether this user may make databases, and give another one the place of the database `name`, if it is there."""
    ((allowed,),) = execute(
        admin,
        "SELECT rolsuper OR rolcreatedb AND NOT EXISTS (SELECT 1 FROM pg_database WHERE datname = %s "
        "AND NOT pg_has_role(datdba, 'USAGE')) FROM pg_roles WHERE rolname = current_user",
        name,
    )
    return bool(allowed)


def tablespace_of(admin: Speaking, name: str) -> str | None:
    """The tablespace of a database; None for the server's default, and where there is no such database."""
    rows = execute(
        admin,
        "SELECT spcname FROM pg_tablespace t JOIN pg_database d ON d.dattablespace = t.oid "
        "WHERE datname = %s AND spcname <> 'pg_default'",
        name,
    )
    return str(rows[0][0]) if rows else None


def clone(admin: Speaking, template: str, name: str, tablespace: str | None = None) -> None:
    """Makes a copy of a database that nobody is connected to, by the cheaper of the server's ways."""
    statement = f"CREATE DATABASE {quote(name)} TEMPLATE {quote(template)}"
    if tablespace is not None:
        statement += f" TABLESPACE {quote(tablespace)}"
    if admin.info.server_version >= _STRATEGIES_SINCE:
        ((size, fsync),) = execute(admin, "SELECT pg_database_size(%s), current_setting('fsync')", template)
        as_files = size > _SMALL or fsync == "off"
        statement += f" STRATEGY {'FILE_COPY' if as_files else 'WAL_LOG'}"
        if as_files and admin.info.server_version >= _CLONES_SINCE:
            _share_blocks(admin)
    execute(admin, statement)


def in_use(admin: Speaking, name: str) -> bool:
    """True if anybody is connected to a database."""
    return bool(
        execute(
            admin,
            "SELECT 1 FROM pg_stat_get_activity(NULL) WHERE datid = (SELECT oid FROM pg_database WHERE datname = %s) "
            "AND coalesce(backend_type, '') <> 'autovacuum worker'",
            name,
        )
    )


def wait_until_left(admin: Speaking, name: str) -> None:
    """Waits a moment for sessions that were just closed: the server would wait a tenth of a second for them."""
    deadline = time.monotonic() + _LEAVING
    while in_use(admin, name) and time.monotonic() < deadline:
        time.sleep(_POLL)


def swap(admin: Speaking, new: str, name: str, aside: str) -> bool:
    """Gives `new` the name of a database, which gets the name `aside`; False when somebody is connected to it."""
    swapped = False
    with tolerating(IN_USE):
        with admin.transaction():
            if exists(admin, name):
                execute(admin, f"ALTER DATABASE {quote(name)} RENAME TO {quote(aside)}")
            execute(admin, f"ALTER DATABASE {quote(new)} RENAME TO {quote(name)}")
        swapped = True
    return swapped


def drop(admin: Speaking, name: str) -> None:
    """Removes a database that is nobody's, if it is there."""
    if execute(admin, "SELECT 1 FROM pg_database WHERE datname = %s AND datistemplate", name):
        execute(admin, f"ALTER DATABASE {quote(name)} IS_TEMPLATE false")
    execute(admin, f"DROP DATABASE IF EXISTS {quote(name)}")


def try_drop(admin: Speaking, name: str) -> None:
    """Removes a database unless somebody uses it or has it; the next run tries again."""
    with tolerating(IN_USE, NOT_ALLOWED, NO_SUCH_DATABASE):
        drop(admin, name)


def belongings(connection: Speaking, old: str, new: str) -> tuple[str, ...]:
    """The statements that give a database the owner, rights, settings, limit and comment of another one."""
    return (*_ownership(connection, old, new), *_rights(connection, old, new), *_settings(connection, old, new))


def _share_blocks(admin: Speaking) -> None:
    """Lets the file system share blocks where it can, as version 18 offers."""
    with tolerating():
        execute(admin, "SET file_copy_method = clone")


def _ownership(connection: Speaking, old: str, new: str) -> Iterator[str]:
    ((owner, is_mine, limit, comment),) = execute(
        connection,
        "SELECT pg_get_userbyid(datdba), pg_get_userbyid(datdba) = current_user, datconnlimit, "
        "shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s",
        old,
    )
    if not is_mine:
        yield f"ALTER DATABASE {quote(new)} OWNER TO {quote(owner)}"
    if limit >= 0:
        yield f"ALTER DATABASE {quote(new)} CONNECTION LIMIT {int(limit)}"
    if comment is not None:
        yield f"COMMENT ON DATABASE {quote(new)} IS {text(comment)}"


def _rights(connection: Speaking, old: str, new: str) -> Iterator[str]:
    rows: list[tuple[Any, ...]] = execute(
        connection,
        "SELECT a.privilege_type, a.is_grantable, CASE a.grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END "
        "FROM pg_database, aclexplode(datacl) a WHERE datname = %s",
        old,
    )
    if rows:
        yield f"REVOKE ALL ON DATABASE {quote(new)} FROM PUBLIC"
    for privilege, grantable, role in rows:
        grantee = "PUBLIC" if role is None else quote(role)
        option = " WITH GRANT OPTION" if grantable and role is not None else ""
        yield f"GRANT {privilege} ON DATABASE {quote(new)} TO {grantee}{option}"


def _settings(connection: Speaking, old: str, new: str) -> Iterator[str]:
    rows = execute(
        connection,
        "SELECT CASE setrole WHEN 0 THEN NULL ELSE pg_get_userbyid(setrole) END, unnest(setconfig) "
        "FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE datname = %s",
        old,
    )
    for role, setting in rows:
        name, _, value = setting.partition("=")
        # The server keeps lists as they are written in SQL, but for a name without letters.
        written = _NO_NAME.sub("''", value) if name in _LISTS and value else text(value)
        if re.fullmatch(r"[\w.]+", name):
            where = f"DATABASE {quote(new)}" if role is None else f"ROLE {quote(role)} IN DATABASE {quote(new)}"
            yield f"ALTER {where} SET {name} TO {written}"

"""Whether a server of Redis was written to, without reading a row.

In: a session, or what a script saw when rows came into place. Out: a JSON value that is another one after any write, or
None. Always holds: what counts are the server's own changes since it last saved, which only begin anew when it saves
again, at a later second or with a higher number of saves; keys that go by themselves change how many there are.
"""

from __future__ import annotations

from typing import Any

from tdv.targets.redis import scripts
from tdv.targets.redis.session import Session, facts


def proof(session: Session) -> Any | None:
    """What `Target.proof` promises; None for a server that does not tell."""
    return of(session.run(scripts.LOOK))


def of(seen: Any) -> Any | None:
    """The proof in what the script `LOOK` answers."""
    info, commands, now, keys = seen
    said = facts(info)
    changes, saved = said.get("rdb_changes_since_last_save"), said.get("rdb_last_save_time")
    if changes is None or saved is None or "run_id" not in said or "dragonfly_version" in said:
        return None
    saves = said.get("rdb_saves") or _saves(said, facts(commands))
    if saves is None and int(now) <= int(saved):
        # It may save once more within this second.
        return None
    return [said["run_id"], said.get("master_replid"), saved, saves, changes, keys]


def _saves(said: dict[str, Any], commands: dict[str, Any]) -> str | None:
    """What grows with every save before version 7, which counts them; None before 6.2."""
    forks = said.get("total_forks")
    return f"{forks} {commands.get('cmdstat_save', '').partition(',')[0]}" if forks is not None else None

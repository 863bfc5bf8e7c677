"""What tdv remembers about a target outside of it, under ``.tdv/state``: what it holds, and how it then looked.

In: a target and what was loaded. Out: what it still holds, if that can be proved. Always holds: a proof that
differs in any way, a file that is missing, damaged or of another format, is no proof.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from tdv.targets import disk
from tdv.targets.protocol import Held, Outcome, Target

FORMAT: Final = "tdv.target-state/v1"


def state_file(work: Path, target: Target) -> Path:
    """Where the state of `target` is kept; `work` is the repository's ``.tdv``."""
    return work / "state" / f"{_name(target)}.json"


def lock_file(work: Path, target: Target) -> Path:
    """The lock that writers of `target` take."""
    return work / "locks" / f"{_name(target)}.lock"


def remembered(work: Path, target: Target) -> bytes | None:
    """What is remembered about `target`, as it is written; another text after every load."""
    try:
        return state_file(work, target).read_bytes()
    except OSError:
        return None


def untouched(work: Path, target: Target) -> tuple[Held, ...] | None:
    """What `target` holds, if nobody wrote to it since; None if that is not proved."""
    try:
        plain = json.loads(state_file(work, target).read_bytes())
        if plain["format"] != FORMAT or plain["proof"] is None or plain["proof"] != target.proof():
            return None
        return tuple(Held.from_plain(held) for held in plain["held"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(work: Path, target: Target, outcome: Outcome) -> None:
    """Keeps what `target` holds together with the proof that it does; call it under the target's lock."""
    plain: dict[str, Any] = {
        "format": FORMAT,
        "target": target.shown,
        "proof": target.proof() if outcome.proof is None else outcome.proof,
        "held": [item.to_plain() for item in outcome.held],
    }
    disk.write(state_file(work, target), json.dumps(plain, ensure_ascii=False, indent=1, sort_keys=True) + "\n")


def _name(target: Target) -> str:
    return hashlib.sha256(target.identity.encode("utf-8", "surrogateescape")).hexdigest()[:32]

"""A process that ends a command's process group when tdv itself was killed.

In: the leader of the group. Out: a watcher while the block runs. Always holds: the watcher waits for the end of a pipe
that only this process holds, so that ``kill -9`` reaches the command, too; it does nothing when the block ended.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

_WATCH: Final = 'read -r group && { read -r _; kill -s KILL -- "-$group"; } 2>/dev/null'


@contextmanager
def watched() -> Iterator[Callable[[int], None]]:
    """What is called in the block with the leader of a group makes that group end with this process."""
    watcher = subprocess.Popen(
        ["/bin/sh", "-c", _WATCH],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    pipe = watcher.stdin
    assert pipe is not None

    def watch(leader: int) -> None:
        pipe.write(b"%d\n" % leader)
        pipe.flush()

    try:
        yield watch
    finally:
        # Killed before its pipe ends: the number may soon be that of another group.
        watcher.kill()
        watcher.wait()
        with suppress(OSError):
            pipe.close()

"""Freeing a journal file from a process that stopped while it wrote.

Who holds no lock is left alone, stopped or not: its epoch is over, and the store refuses it when it
wakes. Not here: who is to be displaced (the caller gained its claim).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import closing
from pathlib import Path
from typing import Final

from holdfast.cluster.blocker import writer_of
from holdfast.cluster.host import Process, is_stopped, kill
from holdfast.errors import RetryableError
from holdfast.telemetry.log import get_logger

log = get_logger("journal.displace")

STOPPED_S: Final = 0.1
"""A process halted by a signal, seen with the lock for so long, does not give it back."""

HUNG_S: Final = 1.0
"""A commit to the slowest disk is over by then; one that is not holds up every account."""

_PAUSE_S: Final = 0.005


def nothing() -> None:
    """Nobody's lease can have run out meanwhile."""


def free_writing(
    path: Path,
    recorded: AbstractSet[Process],
    displaced: Process | None,
    require: Callable[[], None] = nothing,
) -> None:
    """Return when the journal at `path` can be written; blocks for at most some `HUNG_S`.

    Only who is known to write this journal is killed, and only when the kernel names it as holder
    of the write lock all that time.

    Args:
        recorded: who writes this journal, of whatever account; killed when it is stopped.
        displaced: the one of them that has lost its lease; killed also when it runs.
        require: called before somebody is killed; raises where that is not right any more.

    Raises:
        RetryableError: somebody else holds the lock, or it may not be killed; the text names it.
    """
    since_s = time.monotonic()
    deadline_s = since_s + 2 * HUNG_S
    holder: Process | None = None
    while not _can_write(path):
        now_s, now = time.monotonic(), writer_of(path)
        if now != holder:
            holder, since_s = now, now_s
        elif now is not None and now in recorded:
            held_s = now_s - since_s
            is_lost = held_s >= STOPPED_S and is_stopped(now)
            is_hung = held_s >= HUNG_S and now == displaced
            if is_lost or is_hung:
                require()
                if kill(now):
                    log.warning(
                        "killed a process that stopped while it wrote", action="displaced",
                        pid=now.pid, file=str(path),
                    )  # fmt: skip
        if now_s > deadline_s:
            by = f"pid {holder.pid}" if holder else "a process that cannot be told"
            raise RetryableError(
                f"seen: {path} is blocked by {by}; expected: that it can be written within "
                f"{2 * HUNG_S:g} s; nothing was written; do: end that process (`fuser {path}` "
                "lists who has it open)"
            )
        time.sleep(_PAUSE_S)


def _can_write(path: Path) -> bool:
    """Whether the write lock is to be had now; also of a file that is not there yet."""
    if not path.exists():
        return True
    try:
        uri = f"{path.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=0)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        # Whatever else is wrong with the file is for who opens it to say.
        return not error.sqlite_errorname.startswith("SQLITE_BUSY")
    except sqlite3.DatabaseError:
        return True
    return True

"""A process that owns an account's journal and waits to be stopped.

Run as `python -m tests.support.hung_holder URL WHERE`, with WHERE `inside` (in a transaction that
has the write lock, in a file), `between` (owning, with an epoch, and with nothing open) or
`platform` (owning nothing, in a change of the platform's tables). It says
`ready`; what it hears afterwards on stdin, a line, has it commit once more, and say how that ended.
Not here: stopping it (whoever started it).
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys

from holdfast.domain.platform import Requested
from holdfast.errors import PlatformError
from holdfast.journal.database import SqliteDatabase, database_at
from holdfast.journal.port import Group
from holdfast.platform.port import Change
from tests.support.journal_facts import armed


def say(word: str) -> None:
    """One line, at once."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def change_platform(url: str) -> None:
    """Be stopped in the middle of a change, as the API could be."""

    def change(change: Change) -> None:
        change.note(Requested(by="test", action="hang"))
        say("ready")
        sys.stdin.readline()

    database_at(url).platform().change(change)
    say("committed")


async def main(url: str, where: str) -> None:
    """Own it, be stopped, and try to go on."""
    database = database_at(url)
    owner = database.own("main")
    store = database.store()
    head = await store.acquire("main", "hung")
    head, _ = await store.commit(head, [Group((armed(1),))], 1)
    if where == "inside":
        assert isinstance(database, SqliteDatabase)
        connection = sqlite3.connect(database.name, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
    say("ready")
    sys.stdin.readline()
    try:
        await store.commit(head, [Group((armed(2),))], 2)
        say("committed")
    except PlatformError as error:
        say(type(error).__name__)
        try:
            await store.commit(head, [Group((armed(2),))], 2)
            say("committed")
        except PlatformError as again:
            say(type(again).__name__)
    await store.close()
    owner.release()


if __name__ == "__main__":
    if sys.argv[2] == "platform":
        change_platform(sys.argv[1])
    else:
        asyncio.run(main(sys.argv[1], sys.argv[2]))

"""Accounts that commands added, as one node has them: looked for beside it, and known on its host.

A node that finds others than it was begun with hands over and begins anew with them, as for a
release, one node after the other. It begins with those of a file of its own, so that it needs no
database to begin. Not here: what an account is (config.added), who may add one (app.accounts).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from holdfast import files
from holdfast.app.live.opening import database_of
from holdfast.config import Config
from holdfast.config.added import AddedAccount, Joined, joined
from holdfast.errors import PlatformError
from holdfast.journal.database import Database
from holdfast.platform.accounts import rows
from holdfast.telemetry.log import get_logger

log = get_logger("app.added")

LOOK_S: Final = 2.0
SETTLE_S: Final = 3.0
"""Until the first node begins anew: longer than a look, so that by then all have seen all."""
TURN_S: Final = 20.0
"""Between two nodes, in the order of their names."""
WARM_S: Final = 10.0
"""For how long every other node must have been there, so that it can take over."""

Beside = Callable[[], Mapping[str, float] | None]
"""The other nodes that live, by name, and for how many seconds each has been seen; None before it
is known."""


class Added:
    """The accounts of one node.

    Args:
        node: its name, by which it has its turn.

    Attributes:
        there: that it was begun with.
    """

    def __init__(self, config: Config, node: str) -> None:
        self._config = config
        self._node = node
        self._file = added_file(config.state_dir, config.cluster.node)
        self.there = self._read()

    def joined(self) -> Joined:
        """The node's configuration with them."""
        return joined(self._config, self.there)

    async def changed(self, beside: Beside) -> None:
        """Return when there are others, they are kept, and it is this node's turn to begin anew."""
        database, why = database_of(self._config, in_a_node=True), ""
        turn: Turn | None = None
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                others, now_s = beside(), time.monotonic()
                try:
                    found = await asyncio.to_thread(_found, database)
                    why = ""
                    if found == self.there:
                        turn = None
                        continue
                    turn = turn or Turn(self._node, now_s)
                    if others is not None and turn.has_come(now_s, others):
                        self._keep(found)
                        return
                except (PlatformError, OSError) as error:
                    if str(error) != why:  # the node trades on with those that it has
                        why = str(error)
                        log.warning("accounts not read", action="accounts_wait", why=why)
        finally:
            await asyncio.to_thread(database.close)

    def _read(self) -> tuple[AddedAccount, ...]:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=tuple[AddedAccount, ...])
        except FileNotFoundError:
            return ()
        except (OSError, msgspec.DecodeError) as error:  # they are in the database as well
            log.warning("not read", action="accounts_wait", file=str(self._file), why=str(error))
            return ()

    def _keep(self, found: tuple[AddedAccount, ...]) -> None:
        """For the next beginning.

        Raises:
            OSError: it cannot be kept, or not read again, and the next beginning would be in vain.
        """
        files.replace(self._file, msgspec.json.encode(found))
        if self._read() != found:
            raise OSError(f"seen: {self._file} is not as it was written; expected: that")


def as_known_here(config: Config) -> Config:
    """The configuration with the accounts that a node of this host was begun with last.

    It needs no database, and may be as old as that node.
    """
    return Added(config, config.cluster.node).joined().config


class Turn:
    """When a node may begin anew, counted from when it first had to."""

    def __init__(self, node: str, now_s: float) -> None:
        self._node = node
        self._since_s = now_s
        self._before: set[str] = set()  # nodes that go first; one of them may be away for its turn

    def has_come(self, now_s: float, beside: Mapping[str, float]) -> bool:
        """Whether it may begin now, beside these nodes (name, seconds that it has been seen)."""
        self._before |= {name for name in beside if name < self._node}
        waited_s = now_s - self._since_s
        return waited_s >= SETTLE_S + TURN_S * len(self._before) and all(
            seen_s >= WARM_S for seen_s in beside.values()
        )


def added_file(state_dir: str, node: str) -> Path:
    """Where a node keeps them; nodes of one host may share a directory."""
    return Path(state_dir) / ".".join(filter(None, ("accounts", node, "json")))


def _found(database: Database) -> tuple[AddedAccount, ...]:
    with closing(database.platform()) as store:
        return tuple(row.account for row in store.look(rows.every))

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

PATIENCE_S: Final = 3 * TURN_S
"""For how long a node that begins again and again is waited for, from one's own turn on."""
LONGEST_S: Final = 30 * TURN_S
"""After which others are waited for no more: nodes may have another name at each start."""

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
        told: list[str] = []
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
                    if others is None:
                        continue
                    if turn.has_come(now_s, others):
                        self._keep(found)
                        if left := [name for name, seen_s in others.items() if seen_s < WARM_S]:
                            log.warning("does not wait", action="accounts_turn", nodes=left)
                        return
                    if (awaited := turn.awaited(now_s, others)) and awaited != told:
                        told = awaited
                        log.info("waits", action="accounts_turn", nodes=awaited)
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
        self._cold_s: dict[str, float] = {}  # since when each has been waited for

    def has_come(self, now_s: float, beside: Mapping[str, float]) -> bool:
        """Whether it may begin now, beside these nodes (name, seconds that it has been seen)."""
        first = sum(name < self._node for name in beside)
        if now_s - self._since_s >= LONGEST_S + TURN_S * first:
            return True
        return self._is_due(now_s, beside) and not self.awaited(now_s, beside)

    def awaited(self, now_s: float, beside: Mapping[str, float]) -> list[str]:
        """Those of them that could not take over yet, and are waited for; none before its turn."""
        if not self._is_due(now_s, beside):
            return []
        cold = sorted(name for name, seen_s in beside.items() if seen_s < WARM_S)
        return [
            name for name in cold if now_s - self._cold_s.setdefault(name, now_s) < PATIENCE_S
        ]

    def _is_due(self, now_s: float, beside: Mapping[str, float]) -> bool:
        self._before |= {name for name in beside if name < self._node}
        return now_s - self._since_s >= SETTLE_S + TURN_S * len(self._before)


def added_file(state_dir: str, node: str) -> Path:
    """Where a node keeps them; nodes of one host may share a directory."""
    return Path(state_dir) / ".".join(filter(None, ("accounts", node, "json")))


def _found(database: Database) -> tuple[AddedAccount, ...]:
    with closing(database.platform()) as store:
        return tuple(row.account for row in store.look(rows.every))

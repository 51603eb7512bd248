"""The demo's nodes, seen from outside: which of them leads, which is warm, and what strikes them.

Lives here: a seat, in which a node that was struck down is started again, and what a node has
logged. Not here: who presses a key (control), or what nodes do.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from holdfast.app.demo.processes import Child

RESTART_AFTER_S: Final = 1.0  # who goes on has the machine to himself meanwhile
_WARM: Final = frozenset({"following", "trading"})
# All by the account's process or of it. That its node was deposed is the keeper's word, and may
# come when it follows again already.
_COLD: Final = frozenset({"resting", "fenced", "restart", "start_wait"})

# One line for each such commit; what fails by it is told in the same words, and is no commit.
_REFUSED: Final = "commit_refused"


class NodeLog:
    """What a node has logged, as far as `read` has seen it.

    Attributes:
        warm: accounts of which it said last that it follows or leads them.
        refused: how many of its commits the journal refused because another had taken it over.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = path.stat().st_size if path.exists() else 0
        self.warm: set[str] = set()
        self.refused = 0

    @property
    def is_warm(self) -> bool:
        """Whether there is one."""
        return bool(self.warm)

    def read(self) -> list[bytes]:
        """The whole lines that are new."""
        lines = []
        if self._path.exists():
            with self._path.open("rb") as log:
                log.seek(self._read)
                for line in log:
                    if not line.endswith(b"\n"):
                        break
                    self._read += len(line)
                    lines.append(line)
                    self._take(line)
        return lines

    def _take(self, line: bytes) -> None:
        if not line.startswith(b"{"):
            return
        said = json.loads(line)
        action, account = said.get("action"), said.get("account", "")
        if action == _REFUSED:
            self.refused += 1
        elif action in _WARM:
            self.warm.add(account)
        elif action in _COLD:
            self.warm.discard(account)


class Seat:
    """A place for a node; the next one follows when one was struck down.

    Attributes:
        child: the node that sits there, None before the first.
    """

    def __init__(self, name: str, config: Path, log: Path) -> None:
        self.name = name
        self.child: Child | None = None
        self._config = config
        self._path = log
        self._log = NodeLog(log)
        self._is_struck = False

    async def start(self) -> None:
        """Start a node."""
        self._log.warm.clear()
        self._is_struck = False
        words = ["node", "--config", str(self._config)]
        self.child = await Child.start(self.name, words, self._path)

    async def keep(self) -> None:
        """Start it again whenever it was struck down, by whomever, until cancelled.

        Raises:
            ConfigError, UnreachableError: it ended by itself.
        """
        while True:
            assert self.child is not None  # noqa: S101 - it was started
            await self.child.ended()
            if not (self._is_struck or self.child.was_killed):
                raise self.child.failure("ended")
            await self.child.kill()
            await asyncio.sleep(RESTART_AFTER_S)
            await self.start()

    def is_warm(self) -> bool:
        """Whether it follows or leads."""
        self._log.read()
        return self._log.is_warm

    def owns(self, pid: int) -> bool:
        """Whether a process is one of this node's."""
        try:
            return self.child is not None and os.getpgid(pid) == self.child.pid
        except ProcessLookupError:
            return False

    def strike(self, number: signal.Signals) -> None:
        """Send all of its processes a signal; after SIGKILL the next node follows."""
        self._is_struck = self._is_struck or number is signal.SIGKILL
        if self.child is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.child.pid, number)

    async def stop(self) -> None:
        """End the node, in order."""
        if self.child is not None:
            await self.child.stop()


class Nodes:
    """All nodes of one account."""

    def __init__(self, seats: Sequence[Seat]) -> None:
        self.seats = tuple(seats)

    @property
    def has_standby(self) -> bool:
        """Whether there is more than one."""
        return len(self.seats) > 1

    def of(self, pid: int) -> Seat | None:
        """Where a process belongs to."""
        return next((seat for seat in self.seats if seat.owns(pid)), None)

    def are_warm(self) -> bool:
        """Whether any of them could lead at once."""
        return all(seat.is_warm() for seat in self.seats)

    async def stop(self) -> None:
        """End them, all at once."""
        await asyncio.gather(*(seat.stop() for seat in self.seats))

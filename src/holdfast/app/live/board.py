"""The board that a node's processes share: memory that survives a fork, and pipes that only wake.

Whoever is restarted finds what was last said. Not here: the words (cluster.board), the heartbeat of
an account process (watch).
"""

from __future__ import annotations

import asyncio
import mmap
import os
import struct
import time
from collections.abc import Sequence
from contextlib import suppress

from holdfast.cluster.board import State, Wanted
from holdfast.telemetry.log import LEVELS

_CELL = struct.Struct("=Q")
_SIZE = _CELL.size
# Of an account: what is wanted, its state, whether it is cut off, a last sign, answers, and whether
# its key is refused.
_CELLS = 6
_SILENT, _ANSWERS = 1, 2  # 0: it was never asked


def lease_clock_ns() -> int:
    """A clock that never goes back, and goes on while the machine is suspended where there is one.

    It is the same in every process of a host.
    """
    return time.clock_gettime_ns(_LEASE_CLOCK)


_LEASE_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SharedBoard:
    """A `cluster.board.Board` across forks; make it before the first one.

    Args:
        accounts: all that will ever be asked for.
    """

    def __init__(self, accounts: Sequence[str]) -> None:
        self._places = {name: 1 + _CELLS * index for index, name in enumerate(accounts)}
        self._level = 1 + _CELLS * len(self._places)
        self._anew = self._level + 1
        self._memory = mmap.mmap(-1, _SIZE * (self._anew + 1))
        self._wakes = {name: _Bell() for name in accounts}
        self._keeper = _Bell()

    def lease(self, until_ns: int) -> None:
        """Nothing is armed by this node after `until_ns` of `lease_clock_ns`."""
        self._put(0, until_ns)

    @property
    def lease_left_s(self) -> float:
        """How long this node may go on without another renewal; 0 when it may not."""
        return max(0.0, (self._get(0) - lease_clock_ns()) / 1e9)

    def log_from(self, level: str) -> None:
        """From which level on lines are told."""
        self._put(self._level, 1 + LEVELS.index(level))

    def logs_from(self) -> str:
        """From which; empty until it was changed."""
        place = self._get(self._level)
        return LEVELS[place - 1] if place else ""

    def begin_anew(self) -> None:
        """The node is to hand over, and to begin again with other accounts."""
        self._put(self._anew, 1)

    def begins_anew(self) -> bool:
        """Whether it is."""
        return bool(self._get(self._anew))

    def fell_silent(self, account: str, since_ns: int) -> None:
        """When the last sign of the leader before was seen, on the clock of leases; 0 for none."""
        self._put(self._places[account] + 3, since_ns)

    def silent_s(self, account: str) -> float:
        """How long ago that was; 0 without one."""
        since_ns = self._get(self._places[account] + 3)
        return max(0.0, (lease_clock_ns() - since_ns) / 1e9) if since_ns else 0.0

    def want(self, account: str, wanted: Wanted) -> None:
        """What is wanted of an account from now on."""
        self._put(self._places[account], wanted)
        self._wakes[account].ring()

    def wanted(self, account: str) -> Wanted:
        """What is wanted of an account."""
        return Wanted(self._get(self._places[account]))

    def tell(self, account: str, state: State) -> None:
        """How far an account is."""
        self._put(self._places[account] + 1, state)
        self._keeper.ring()

    def state(self, account: str) -> State:
        """How far an account is."""
        return State(self._get(self._places[account] + 1))

    def reach(self, account: str, reaches: bool) -> None:
        """Whether its exchange answers an account."""
        if reaches != self.reaches(account):
            self._put(self._places[account] + 2, not reaches)
            self._keeper.ring()

    def reaches(self, account: str) -> bool:
        """Whether its exchange answers an account, as far as it knows."""
        return not self._get(self._places[account] + 2)

    def key(self, account: str, is_taken: bool) -> None:
        """Whether its exchange takes the key that an account has here."""
        if is_taken != self.has_key(account):
            self._put(self._places[account] + 5, not is_taken)
            self._keeper.ring()

    def has_key(self, account: str) -> bool:
        """Whether it does, as far as the account knows."""
        return not self._get(self._places[account] + 5)

    def exchange_answers(self, account: str, answers: bool) -> None:
        """Whether an account's exchange answered when it was last asked from here."""
        self._put(self._places[account] + 4, _ANSWERS if answers else _SILENT)

    def exchange_answered(self, account: str) -> bool | None:
        """Whether it did, whichever process asked; None before the first question has ended."""
        said = self._get(self._places[account] + 4)
        return said == _ANSWERS if said else None

    def may_lead(self, account: str) -> bool:
        """Whether an account may arm at this moment."""
        return self.wanted(account) is Wanted.LEAD and lease_clock_ns() < self._get(0)

    async def until(self, account: str, *wanted: Wanted) -> Wanted:
        """Return when what is wanted is one of these."""
        bell = self._wakes[account]
        while (now := self.wanted(account)) not in wanted:
            await bell.rung()
        return now

    async def told(self) -> None:
        """Return when an account may have told something since the last call."""
        await self._keeper.rung()

    def close(self) -> None:
        """Let go of it, when no process shares it any more."""
        for bell in (self._keeper, *self._wakes.values()):
            bell.close()
        self._memory.close()

    def _get(self, place: int) -> int:
        value: int = _CELL.unpack_from(self._memory, place * _SIZE)[0]
        return value

    def _put(self, place: int, value: int) -> None:
        _CELL.pack_into(self._memory, place * _SIZE, value)


class _Bell:
    """Wakes one process; what was rung while nobody listened is heard at once."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        for end in (self._read, self._write):
            os.set_blocking(end, False)

    def close(self) -> None:
        os.close(self._read)
        os.close(self._write)

    def ring(self) -> None:
        with suppress(BlockingIOError):  # full of rings that nobody has heard yet
            os.write(self._write, b"!")

    async def rung(self) -> None:
        loop = asyncio.get_running_loop()
        heard: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._read, _hear, heard)
        try:
            await heard
        finally:
            loop.remove_reader(self._read)
        with suppress(BlockingIOError):
            os.read(self._read, 4096)


def _hear(heard: asyncio.Future[None]) -> None:
    if not heard.done():
        heard.set_result(None)

"""What a simulated process replaces of other people's libraries, and of ours where they meet.

Not here: time (clock), planted bugs (bugs).
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import random
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import aiohappyeyeballs

from holdfast.app.live import bans, follower, process, trader, upkeep
from holdfast.app.live.trader import Trader
from holdfast.exchange.sockets import Socket
from holdfast.exchange.streams import _Session
from holdfast.journal.database import Database
from holdfast.simulation.clock import LIFE, WORLD
from holdfast.simulation.loop import VirtualLoop
from holdfast.simulation.node import SimNode
from holdfast.strategy import load
from holdfast.venues.binance.wire import Connection

T = TypeVar("T")

FOLLOW_S = 0.2
COMMANDS_S = 0.5


async def _no_socket(addr_infos: Any, **_options: Any) -> tuple[str, int]:
    """Where aiohttp wants to connect to; the loop opens the connection (see `VirtualLoop`)."""
    host, port = addr_infos[0][4][:2]
    return host, port


async def _at_once(function: Callable[..., T], *args: Any, **options: Any) -> T:
    """What asyncio would hand to a thread, of which there are none here."""
    return function(*args, **options)


def _number(kind: type[Any]) -> None:
    """Let sets of these be in the order in which they were made, not in that of their addresses."""
    made = itertools.count()
    begin = kind.__init__

    def numbered(self: Any, *args: Any, **options: Any) -> None:
        self.made_as = next(made)
        begin(self, *args, **options)

    kind.__init__ = numbered
    kind.__hash__ = lambda self: self.made_as  # type: ignore[assignment,misc]


STAYS_AWAY_UNTIL_NS: Final[dict[str, int]] = {}
"""World time until which each machine was told to stay away, as far as its processes know."""


class _BansOfMachine(bans.Bans):
    """Kept as long as the machine is there, whatever becomes of its processes.

    Args:
        kept: of each machine, by name.
    """

    def __init__(self, machine: str, kept: dict[str, bytes]) -> None:
        super().__init__(Path())
        self._machine, self._kept = machine, kept

    def _read(self) -> bytes:
        if self._machine not in self._kept:
            raise FileNotFoundError
        return self._kept[self._machine]

    def _write(self, body: bytes) -> None:
        self._kept[self._machine] = body
        STAYS_AWAY_UNTIL_NS[self._machine] = WORLD.now_ns + int(self.left_s() * 1e9)


def _kept_nowhere(*_: object) -> None:
    """No machine here has a directory of its own."""


def apply(
    loop: VirtualLoop, databases: Mapping[str, Database], nodes: Iterable[SimNode], seed: int
) -> None:
    """Let this process's nodes find their world.

    Args:
        databases: of each machine, by name.
    """
    # There is no other; asyncio's own answer asks the system each time which process this is.
    asyncio.get_running_loop = asyncio.events.get_running_loop = itertools.repeat(loop).__next__

    asyncio.to_thread = _at_once  # type: ignore[assignment]

    random.seed(seed)
    uuid.uuid4 = lambda: uuid.UUID(int=random.getrandbits(128))
    aiohappyeyeballs.start_connection = _no_socket  # type: ignore[assignment]

    for kind in (Connection, Socket, _Session):
        _number(kind)

    def database_of(_config: object, *, in_a_node: bool) -> Database:
        life = LIFE.get()
        assert life is not None  # noqa: S101 - only processes open a journal
        return databases[life.machine.name]

    follower.database_of = database_of  # type: ignore[attr-defined, assignment]

    kept: dict[str, bytes] = {}

    def bans_of(_config: object) -> bans.Bans:
        life = LIFE.get()
        assert life is not None  # noqa: S101 - as above
        return _BansOfMachine(life.machine.name, kept)

    bans.bans_of = bans_of  # type: ignore[assignment]

    # Standbys and operators' commands are looked after less often: half of a run would be that.
    follower.FOLLOW_S, upkeep.COMMANDS_S = FOLLOW_S, COMMANDS_S

    # Dozens of nodes begin in this process, each with the same strategies.
    load.find = functools.cache(load.find)

    at = {node.machine.name: node for node in nodes}
    leading = trader.leading

    @asynccontextmanager
    async def watched(*args: Any, **options: Any) -> AsyncIterator[Trader]:
        life = LIFE.get()
        assert life is not None  # noqa: S101 - as above
        async with leading(*args, **options) as leader:
            at[life.machine.name].trader = leader
            yield leader
        at[life.machine.name].trader = None

    process.leading = watched  # type: ignore[attr-defined]
    process.keep_symbols = _kept_nowhere  # type: ignore[attr-defined, assignment]

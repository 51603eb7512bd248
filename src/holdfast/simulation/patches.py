"""What a simulated process replaces of other people's libraries, and of ours where they meet.

Not here: time (clock), planted bugs (bugs).
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import aiohappyeyeballs

from holdfast.app.live import trader
from holdfast.journal.database import Database
from holdfast.simulation.clock import LIFE


async def _no_socket(addr_infos: Any, **_options: Any) -> tuple[str, int]:
    """Where aiohttp wants to connect to; the loop opens the connection (see `VirtualLoop`)."""
    host, port = addr_infos[0][4][:2]
    return host, port


def apply(databases: Mapping[str, Database], seed: int) -> None:
    """Let this process's nodes find their world.

    Args:
        databases: of each machine, by name.
    """
    random.seed(seed)
    aiohappyeyeballs.start_connection = _no_socket  # type: ignore[assignment]

    def database_of(_config: object) -> Database:
        life = LIFE.get()
        assert life is not None  # noqa: S101 - only processes open a journal
        return databases[life.machine.name]

    trader.database_of = database_of  # type: ignore[attr-defined, assignment]

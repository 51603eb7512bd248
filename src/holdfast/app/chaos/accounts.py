"""The accounts of a chaos run, each as its journal and the exchange tell it.

Not here: their orders at the first byte (orders), what is done to their leaders (run).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec

from holdfast.app.chaos.site import Site
from holdfast.app.demo.checker import Checker
from holdfast.app.demo.replica import Replica
from holdfast.app.live.leadership import Takeover


class Account:
    """One of them, followed.

    Attributes:
        replica: its journal, followed from outside.
        checker: compares it with the exchange's ledger.
    """

    def __init__(self, site: Site, name: str, api_key: str) -> None:
        self.name = name
        self.replica = Replica(site.store.database, name)
        self.checker = Checker(site.admin, self.replica, api_key)
        self._seen = 0

    @property
    def leader(self) -> Takeover | None:
        """Who took it over last."""
        return self.replica.leader

    def mark(self) -> None:
        """Count changes of the leader from here on."""
        self._seen = len(self.replica.failovers)

    @property
    def changes(self) -> list[Takeover]:
        """Changes of the leader since the mark."""
        return self.replica.failovers[self._seen :]

    def is_halted(self) -> bool:
        """Whether nothing new is begun, as far as its journal was read."""
        return bool(self.replica.state.halted)

    @property
    def held_up(self) -> set[str]:
        """Bots that wait for what became of an order, as far as its journal was read."""
        live = self.replica.state.live.values()
        return {order.armed.bot for order in live if order.in_doubt}

    async def halt(self, site: Site, reason: str) -> None:
        """Ask its leader for no more entries."""
        commands = site.store.database.commands()
        try:
            arguments = msgspec.json.encode({"reason": reason}).decode()
            await asyncio.to_thread(commands.submit, self.name, "halt", arguments, "chaos")
        finally:
            commands.close()


def takeovers(accounts: Iterable[Account]) -> int:
    """How often their journals changed hands."""
    return sum(len(account.replica.failovers) for account in accounts)

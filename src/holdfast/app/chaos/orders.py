"""New orders as they come out of the nodes: what a strike cost is read from them alone.

Lives here: which process each was of, the gap, the longest silence. Not here: seeing them (proxy).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from holdfast.app.chaos.proxy import Sent
from holdfast.app.demo.replica import Replica

POLL_S: Final = 0.05
_KEPT: Final = 200


class Watching(Protocol):
    """Sees new orders on their way (proxy_process)."""

    async def collect(self) -> tuple[Sent, ...]:
        """Those since the last call, in order."""
        ...


class Order(msgspec.Struct, frozen=True):
    """A new order at its first byte.

    Attributes:
        account: whose it is.
        boot_id: of the process that armed it.
        at_ns: `time.monotonic_ns`.
        bot: who wished it.
    """

    cid: str
    account: str
    boot_id: str
    at_ns: int
    bot: str


class Orders:
    """Follows the orders of all nodes.

    Attributes:
        gap_ms: from the last mark to the account's first order of another process; None before.
        silence_ms: since the last mark, the longest time without any order of the account.
        early: client order ids of which a byte was seen and, after that, no row was there; not of
            what was seen while a journal could not be read to its end.

    Args:
        replicas: of the accounts, by name.
    """

    def __init__(self, proxy: Watching, replicas: Mapping[str, Replica]) -> None:
        self._proxy = proxy
        self._replicas = replicas
        self._account = ""
        self._nameless: list[Sent] = []  # a journal cannot always be read
        self._marked_ns = 0
        self._struck = ""
        self._last_ns = 0
        self.recent: deque[Order] = deque(maxlen=_KEPT)
        self.gap_ms: float | None = None
        self.silence_ms: float | None = None
        self.early: dict[str, None] = {}

    def mark(self, at_ns: int, account: str, boot_id: str) -> None:
        """The account's process with this boot id was struck at this moment."""
        self._marked_ns, self._account, self._struck = at_ns, account, boot_id
        self._last_ns = at_ns
        self.gap_ms = self.silence_ms = None

    async def read(self) -> list[Order]:
        """What is new, in order; what the journal does not tell yet comes with a later call."""
        seen = await self._proxy.collect()
        self._nameless += seen
        for replica in self._replicas.values():
            replica.poll()
        if all(replica.is_whole for replica in self._replicas.values()):
            self.early |= {sent.cid: None for sent in seen if self._named(sent) is None}
        found = []
        while self._nameless:
            order = self._named(self._nameless[0])
            if order is None:
                break
            del self._nameless[0]
            found.append(order)
            self._take(order)
        return found

    async def without(self, bots: set[tuple[str, str]], within_s: float) -> set[tuple[str, str]]:
        """Those of `bots`, by account and name, that send no order from now on in so long."""
        until_s = time.monotonic() + within_s
        left = set(bots)
        await self.read()  # what was sent before
        while left and time.monotonic() < until_s:
            await asyncio.sleep(POLL_S)
            left -= {(order.account, order.bot) for order in await self.read()}
        return left

    def _named(self, sent: Sent) -> Order | None:
        for account, replica in self._replicas.items():
            attempt = replica.told.attempts.get(sent.cid)
            if attempt is not None:
                armed = attempt.armed
                return Order(sent.cid, account, armed.boot_id, sent.at_ns, armed.bot)
        return None

    def _take(self, order: Order) -> None:
        self.recent.append(order)
        if order.account != self._account or order.at_ns < self._marked_ns:
            return
        silence_ms = (order.at_ns - self._last_ns) / 1e6
        self._last_ns = order.at_ns
        self.silence_ms = max(self.silence_ms or 0.0, silence_ms)
        if self.gap_ms is None and order.boot_id != self._struck:
            self.gap_ms = (order.at_ns - self._marked_ns) / 1e6

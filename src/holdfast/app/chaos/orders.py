"""New orders as they come out of the nodes: what a strike cost is read from them alone.

Lives here: which process each was of, the gap, the longest silence. Not here: seeing them (proxy).
"""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from holdfast.app.chaos.proxy import Sent
from holdfast.app.chaos.proxy_process import Proxy
from holdfast.app.demo.replica import Replica

_KEPT: Final = 200


class Order(msgspec.Struct, frozen=True):
    """A new order at its first byte.

    Attributes:
        boot_id: of the process that armed it.
        at_ns: `time.monotonic_ns`.
    """

    cid: str
    boot_id: str
    at_ns: int


class Orders:
    """Follows the orders of all nodes.

    Attributes:
        gap_ms: from the last mark to the first order of another process; None before.
        silence_ms: since the last mark, the longest time without any order.
    """

    def __init__(self, proxy: Proxy, replica: Replica) -> None:
        self._proxy = proxy
        self._replica = replica
        self._nameless: list[Sent] = []  # a byte may be seen before its record is read
        self._marked_ns = 0
        self._struck = ""
        self._last_ns = 0
        self.recent: deque[Order] = deque(maxlen=_KEPT)
        self.gap_ms: float | None = None
        self.silence_ms: float | None = None

    def mark(self, at_ns: int, boot_id: str) -> None:
        """The process with this boot id was struck at this moment."""
        self._marked_ns, self._struck = at_ns, boot_id
        self._last_ns = at_ns
        self.gap_ms = self.silence_ms = None

    async def read(self) -> list[Order]:
        """What is new, in order; what the journal does not tell yet comes with a later call."""
        self._nameless += await self._proxy.collect()
        self._replica.poll()
        found = []
        while self._nameless:
            sent = self._nameless[0]
            attempt = self._replica.told.attempts.get(sent.cid)
            if attempt is None:
                break
            del self._nameless[0]
            order = Order(sent.cid, attempt.armed.boot_id, sent.at_ns)
            found.append(order)
            self._take(order)
        return found

    def _take(self, order: Order) -> None:
        self.recent.append(order)
        if not self._marked_ns or order.at_ns < self._marked_ns:
            return
        silence_ms = (order.at_ns - self._last_ns) / 1e6
        self._last_ns = order.at_ns
        self.silence_ms = max(self.silence_ms or 0.0, silence_ms)
        if self.gap_ms is None and order.boot_id != self._struck:
            self.gap_ms = (order.at_ns - self._marked_ns) / 1e6

"""Catching a leader in the middle of arming, to be stopped there.

The store's answers are held until it has journaled an order that it has not sent: then it waits to
hear of it, and nothing that it does can come between. Not here: stopping it (strikes).
"""

from __future__ import annotations

import asyncio
import time
from itertools import islice
from typing import Final

import msgspec

from holdfast.app.chaos.accounts import Account
from holdfast.app.chaos.orders import Orders
from holdfast.app.chaos.site import Links, Node
from holdfast.domain.order import AttemptState

# Calls of leases to the store run out after 0.3 s; bots arm every tenth of a second.
PATIENCE_S: Final = 0.25
_NEWEST: Final = 50  # attempts; of those that wait for a reply there are fewer
_LOOK_S: Final = 0.01  # an order whose answer came through before has left by then


async def caught_arming(node: Node, orders: Orders, account: Account, boot_id: str) -> bool:
    """Whether this process of the node is held while it arms; the store's answers stay held.

    Whoever calls opens the node's links again. False where it armed nothing in `PATIENCE_S`.
    """
    usual = Links()
    await node.link(Links(store=msgspec.structs.replace(usual.store, holds_down=True)))
    deadline_s = time.monotonic() + PATIENCE_S
    before: set[str] = set()
    while time.monotonic() < deadline_s:
        await orders.read()
        unsent = _unsent(orders, account, boot_id)
        if unsent & before:
            return True
        before = unsent
        await asyncio.sleep(_LOOK_S)
    return False


def _unsent(orders: Orders, account: Account, boot_id: str) -> set[str]:
    """Orders that the process has journaled, and of which no byte was seen."""
    sent = {order.cid for order in orders.recent}
    newest = islice(reversed(account.replica.told.attempts.items()), _NEWEST)
    return {
        cid for cid, attempt in newest
        if attempt.armed.boot_id == boot_id
        and attempt.state is AttemptState.ARMED
        and cid not in sent
    }  # fmt: skip

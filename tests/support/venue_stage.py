"""The stage on which a venue adapter is tried: an exchange with an account, faults, and requests.

Not here: what the adapter must do there (venue_contract), anything that knows a dialect.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any, Protocol

from holdfast.domain.order import OrderSpec, OrderType, Side, TimeInForce
from holdfast.venues.port import Cancellation, Placement, Purpose, Venue, VenueEvent, Verdict
from tests.support.waiting import PATIENCE_S

SYMBOL = "BTC/USDT"
# An order's window: long where its end is not the point, short where the answer never comes.
ROOMY_MS = 20_000
UNANSWERED_MS = 1_500
NEVER_ANSWERED = {"drop_reply", "drop_request"}
# Faults, with their parameters, that cost the reply to an order which the exchange executed.
EXECUTED_UNHEARD: list[tuple[str, dict[str, Any]]] = [
    ("drop_reply", {}),
    ("reset", {"when": "after"}),
    ("truncate_body", {}),
    ("garbage_json", {}),
    ("http_status", {"status": 502, "executed": True}),
    ("http_status", {"status": 504, "executed": True}),
    ("http_status", {"status": 403, "executed": True}),
    ("error_code", {"code": -1007, "executed": True}),
    ("error_code", {"code": -1006, "executed": True}),
    ("error_code", {"code": -1000, "status": 500, "executed": True}),
]
# The same for orders that never reached the engine: to the client they look no different.
LOST_UNHEARD: list[tuple[str, dict[str, Any]]] = [
    ("drop_request", {}),
    ("reset", {"when": "before"}),
    ("http_status", {"status": 502, "executed": False}),
    ("error_code", {"code": -1007, "executed": False}),
    ("error_code", {"code": -1008, "status": 503, "executed": False}),
    ("maintenance", {}),
]


class Stage(Protocol):
    """An exchange with one funded account (100,000 USDT and 10 BTC) and its adapter.

    The best bid of BTC/USDT is 59,999 and the best ask 60,000, one unit each.
    """

    @property
    def venue(self) -> Venue:
        """The adapter."""
        ...

    def fault(
        self, kind: str, *, path: str | None = None, method: str | None = None, **params: Any
    ) -> None:
        """Put a fault in force, once."""
        ...

    def lift(self) -> None:
        """Lift all faults."""
        ...

    async def place_by_hand(self, side: Side, price: Decimal, quantity: Decimal) -> None:
        """Rest a limit order on BTC/USDT as the account's owner."""
        ...

    def cut_streams(self) -> None:
        """Drop the user stream's connection."""
        ...

    async def stop(self) -> None:
        """Nobody listens there any more."""
        ...


OpenStage = Callable[[], AbstractAsyncContextManager[Stage]]


def spec(side: Side = Side.BUY, quantity: str = "0.01", price: str | None = None) -> OrderSpec:
    """A market order, or a limit order that rests."""
    if price is None:
        return OrderSpec(
            symbol=SYMBOL, side=side, type=OrderType.MARKET, quantity=Decimal(quantity)
        )
    return OrderSpec(
        symbol=SYMBOL,
        side=side,
        type=OrderType.LIMIT,
        quantity=Decimal(quantity),
        price=Decimal(price),
        time_in_force=TimeInForce.GTC,
    )


def placement(
    cid: str, order: OrderSpec, *, age_ms: int = 0, window_ms: int = ROOMY_MS
) -> Placement:
    """A request signed `age_ms` ago."""
    now_ms = time.time_ns() // 1_000_000
    return Placement(cid, order, now_ms - age_ms, window_ms, Purpose.ENTER)


def cancellation(target: str) -> Cancellation:
    """A cancel of `target` with an id of its own."""
    return Cancellation(f"c-{target}"[:36], target, SYMBOL, time.time_ns() // 1_000_000, ROOMY_MS)


async def place(venue: Venue, cid: str, order: OrderSpec, **options: int) -> Verdict:
    """Place, whatever the hook says."""
    return await venue.place(placement(cid, order, **options), lambda: None)


def window_under(kind: str) -> int:
    """The window of an order that a fault of this kind meets: only what hangs is worth a short one.

    On a connection that is there already, so that the order leaves within it on any machine.
    """
    return UNANSWERED_MS if kind in NEVER_ANSWERED else ROOMY_MS


async def next_event(
    events: AsyncIterator[VenueEvent], wanted: Callable[[VenueEvent], bool]
) -> VenueEvent:
    """The next event that is wanted."""
    async with asyncio.timeout(PATIENCE_S):
        async for event in events:
            if wanted(event):
                return event
    raise AssertionError("the stream ended")

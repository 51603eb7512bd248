"""Questions: a GET that either has a usable answer or raises what that means.

Not here: orders and cancels, whose missing answers are verdicts (client, verdict).
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from holdfast.errors import RejectedError, RetryableError
from holdfast.venues.binance import decode
from holdfast.venues.binance.gate import Gate, failure_of, unanswered
from holdfast.venues.binance.line import Line, UnansweredError
from holdfast.venues.binance.verdict import CLOSED, THROTTLED
from holdfast.venues.budget import Cost, Flight
from holdfast.venues.port import (
    ArchivedError,
    MaintenanceError,
    Purpose,
    ThrottledError,
    UnaskedError,
)

_MOST_BYTES: Final = 64_000_000  # a full exchangeInfo has tens of megabytes
_LATE: Final = -1021
_ARCHIVED: Final = -2026  # canceled or expired with nothing executed, 90 days ago
# About the account; all else is about the market.
_PRIVATE: Final = frozenset({
    "/api/v3/order", "/api/v3/orderList", "/api/v3/openOrders", "/api/v3/allOrders",
    "/api/v3/myTrades", "/api/v3/account",
})  # fmt: skip


async def ask(
    line: Line, gate: Gate, path_and_query: str, cost: Cost, purpose: Purpose, *, timeout_s: float
) -> bytes:
    """The body of a 2xx reply.

    Raises:
        RetryableError: no usable answer; ThrottledError, UnaskedError, MaintenanceError where
            that is why.
        RejectedError: the exchange refused the question; ArchivedError where that is why.
    """
    path = path_and_query.partition("?")[0]
    departed = gate.depart(purpose, cost)
    if not isinstance(departed, Flight):
        throttled = ThrottledError if gate.is_away else UnaskedError
        raise throttled(
            f"seen: no rate budget for GET {path}; expected: room in {departed:.3f} s; do: ask then"
        )
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    endpoint = "query" if path in _PRIVATE else "market"
    try:
        reply = await line.ask(
            "GET", path_and_query, timeout_s=timeout_s, max_bytes=_MOST_BYTES,
            on_reply=partial(gate.observe, flight=departed),
        )  # fmt: skip
    except UnansweredError as error:
        gate.on_answer(endpoint, unanswered(error.kind), loop.time() - began_s)
        raise RetryableError(f"seen: no answer to GET {path}: {error}; do: ask again") from error
    gate.on_answer(endpoint, failure_of(reply), loop.time() - began_s)
    if 200 <= reply.status < 300:
        return reply.body
    refusal = decode.refusal(reply.body)
    if refusal is not None and refusal.code == _LATE:
        gate.clock.forget()
    elif refusal is not None and reply.status in {400, 401}:
        refused = ArchivedError if refusal.code == _ARCHIVED else RejectedError
        raise refused(str(refusal.code), refusal.msg)
    told = f"seen: HTTP {reply.status} to GET {path}: {reply.body[:200]!r}; do: ask again"
    if reply.status in THROTTLED:
        raise ThrottledError(told)
    if refusal is not None and refusal.code == CLOSED:
        raise MaintenanceError(told)
    raise RetryableError(told)

"""Candles of what bots trade, asked of the exchange and kept for a moment.

Not here: the bars that bots decide on (live.history), prices (prices).
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import Final, NamedTuple

from holdfast.domain.market import NS_PER_S, Bar
from holdfast.domain.timeframe import span_start
from holdfast.platform.cache.port import Cache, NoCache
from holdfast.platform.cache.results import cache_result
from holdfast.venues.binance.clock import ServerClock
from holdfast.venues.binance.endpoints import Endpoints
from holdfast.venues.binance.gate import Gate
from holdfast.venues.binance.market import BinanceMarket

SHARE: Final = 0.05
"""Of the exchange's limits by address: charts must not cost a node its requests."""
KEPT: Final = 256
MOST_BARS: Final = 1000
FRESH_S: Final = 1.0


class _Wish(NamedTuple):
    endpoints: Endpoints
    symbol: str
    bar_s: int
    since_ns: int
    limit: int


Found = tuple[list[Bar], Bar | None]
"""Closed bars, oldest first, and the one that is forming."""


class Candles:
    """One market for each exchange, opened when it is first asked.

    Args:
        cache: of all processes: what has closed does not change, and asking for it costs requests
            that the exchange counts for the whole address.
    """

    def __init__(self, cache: Cache | None = None) -> None:
        kept = cache or NoCache()
        self._past = cache_result(lambda: kept)(self._closed)
        self._markets: dict[Endpoints, BinanceMarket] = {}
        self._kept: OrderedDict[_Wish, tuple[float, asyncio.Task[Found]]] = OrderedDict()

    async def find(
        self, endpoints: Endpoints, symbol: str, bar_s: int, until_ns: int | None, limit: int
    ) -> Found:
        """The last bars before `until_ns`, or by now.

        Raises:
            RetryableError, RejectedError, ConfigError: the exchange does not tell them.
        """
        span_ns = bar_s * NS_PER_S
        end_ns = time.time_ns() if until_ns is None else until_ns
        since_ns = span_start(end_ns, bar_s) - (limit - (until_ns is None)) * span_ns
        wish = _Wish(endpoints, symbol, bar_s, max(0, since_ns), limit)
        if end_ns + span_ns <= time.time_ns():
            return await self._past(wish), None
        return await asyncio.shield(self._asked(wish))

    async def _closed(self, wish: _Wish) -> list[Bar]:
        bars, _ = await asyncio.shield(self._asked(wish))
        return bars

    def _asked(self, wish: _Wish) -> asyncio.Task[Found]:
        """The same question is asked once for everybody."""
        kept = self._kept.get(wish)
        now_s = time.monotonic()
        if kept is not None and now_s - kept[0] < FRESH_S and not _has_failed(kept[1]):
            return kept[1]
        task = asyncio.create_task(self._ask(wish))
        self._kept[wish] = now_s, task
        self._kept.move_to_end(wish)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return task

    async def _ask(self, wish: _Wish) -> Found:
        if wish.endpoints not in self._markets:
            gate = Gate(ServerClock(time.monotonic_ns, time.time_ns), share=SHARE)
            self._markets[wish.endpoints] = BinanceMarket(wish.endpoints, gate=gate)
        market = self._markets[wish.endpoints]
        return await market.candles(wish.symbol, wish.bar_s, wish.since_ns, wish.limit)

    async def close(self) -> None:
        """Let the connections go."""
        for _, task in self._kept.values():
            task.cancel()
        for market in self._markets.values():
            await market.close()


def _has_failed(task: asyncio.Task[Found]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)

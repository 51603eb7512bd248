"""From a signal to the first byte of its order, on a durable journal and over real sockets.

A whole trader, as a node runs it, trades on a local exchange in another process; only its bars are
made here, so that they come as fast as orders can follow. Not here: the wire alone
(`order_entry`), the journal alone (`journal`).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from benchmarks import site
from benchmarks.row import Row
from holdfast.app.trader import Trader, trading
from holdfast.app.watch import Watch
from holdfast.config import load
from holdfast.domain.event import BarClosed
from holdfast.domain.market import Bar
from holdfast.execution import points

ORDERS = 2_000
WARM_UP = 200
PACE_S = 0.005
ANSWER_TIMEOUT_S = 10.0
BAR_NS = 1_000_000_000


def run() -> list[Row]:
    """Latency in wall time, cost in processor time of the trader's process with all its threads."""
    with site.folder() as home, site.exchange(home) as url:
        config, _ = site.write_config(home, url, "Flip")
        keys = {**os.environ, **site.keys(site.open_account(url))}
        paced, in_a_row = asyncio.run(_measure(config, keys))
    return [
        Row(
            what="signal to first byte, durable: p50", unit="ms",
            measured=paced.percentile(50), at_most=1,
        ),
        Row(
            what="signal to first byte, durable: p99", unit="ms",
            measured=paced.percentile(99), at_most=5,
        ),
        Row(
            what="CPU of the node per order, bar to booked fill", unit="ms",
            measured=paced.cpu_ms, at_most=0.7,
        ),
        Row(
            what="signal to first byte without a pause between orders: p50", unit="ms",
            measured=in_a_row.percentile(50),
        ),
        Row(
            what="CPU of the node per order without a pause between orders", unit="ms",
            measured=in_a_row.cpu_ms,
        ),
    ]  # fmt: skip


class Series(msgspec.Struct, frozen=True):
    """Orders one after the other.

    Attributes:
        waits_ms: from each bar to the first byte of its order.
        cpu_ms: processor time per order, pauses included.
    """

    waits_ms: list[float]
    cpu_ms: float

    def percentile(self, percent: int) -> float:
        """Of the waits."""
        return sorted(self.waits_ms)[len(self.waits_ms) * percent // 100]


class _Stopwatch:
    """Hears the points that an order passes; the last first byte, and when the answer is booked."""

    def __init__(self) -> None:
        self.left_s = 0.0
        self.booked = asyncio.Event()

    def reach(self, point: str) -> None:
        if point == points.IN_FLIGHT:
            self.left_s = time.perf_counter()
        elif point == points.ACKED:
            self.booked.set()


async def _measure(config: Path, environ: Mapping[str, str]) -> tuple[Series, Series]:
    """Orders at a pace, as on a market, and then without any pause."""
    os.environ.update(environ)  # where the configuration's references to secrets look
    watch = _Stopwatch()
    async with trading(load(config), Watch(), quarantine={}, reach=watch.reach) as trader:
        running = asyncio.create_task(trader.run())
        try:
            while not trader.stream_is_up:
                await asyncio.sleep(0.01)
            await _orders(trader, watch, WARM_UP, PACE_S)
            paced = await _orders(trader, watch, ORDERS, PACE_S)
            in_a_row = await _orders(trader, watch, ORDERS, 0.0)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
    counters = trader.account.counters
    assert counters.attempts == counters.acked == WARM_UP + 2 * ORDERS <= counters.fills, counters
    return paced, in_a_row


async def _orders(trader: Trader, watch: _Stopwatch, count: int, pause_s: float) -> Series:
    """One order after the other: the next signal comes `pause_s` after the last answer."""
    waits_ms = []
    cpu_s = time.process_time()
    for _ in range(count):
        bar = _next_bar(trader)
        watch.booked.clear()
        began_s = time.perf_counter()
        trader.take(BarClosed(bar))
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await watch.booked.wait()
        waits_ms.append((watch.left_s - began_s) * 1e3)
        await asyncio.sleep(pause_s)
    return Series(waits_ms, (time.process_time() - cpu_s) / count * 1e3)


def _next_bar(trader: Trader) -> Bar:
    """The second after the bot's newest one, at the market's price."""
    last = trader.bots[0].last_bar
    assert last is not None, "the bot has caught up before it trades"
    price = trader.engine.prices[site.SYMBOL]
    return Bar(
        site.SYMBOL, last.close_ns, last.close_ns + BAR_NS, price, price, price, price, last.volume
    )


if __name__ == "__main__":
    for row in run():
        print(row)

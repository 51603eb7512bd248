"""From a signal to the first byte of its order, on a durable journal and over real sockets.

A whole trader, as a node runs it, trades on a local exchange in another process; only its bars are
made here, so that they come as fast as orders can follow. Not here: the wire alone
(`order_entry`), the journal alone (`journal`).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from benchmarks import site
from benchmarks.row import Row
from holdfast.app.live.trader import Trader, trading
from holdfast.app.live.watch import Watch
from holdfast.config import load
from holdfast.domain.event import BarClosed
from holdfast.domain.market import Bar
from holdfast.execution import points

ORDERS = 2_000
WARM_UP = 200
PACE_S = 0.005
BOTS = 8  # bars of all symbols close at the same moment
ANSWER_TIMEOUT_S = 10.0
BAR_NS = 1_000_000_000


def run() -> list[Row]:
    """Latency in wall time, cost in processor time of the trader's process with all its threads."""
    with site.folder() as home, site.exchange(home) as url:
        lone = _measured(home, url, 1, (0.0, PACE_S))
        together = _measured(home, url, BOTS, (0.0,))
    in_a_row, paced, many = *lone, *together
    return [
        Row(
            what="signal to first byte, durable: p50", unit="ms",
            measured=in_a_row.percentile(50), at_most=1,
        ),
        Row(
            what="signal to first byte, durable: p99", unit="ms",
            measured=in_a_row.percentile(99), at_most=5,
        ),
        Row(
            what="CPU of the node per order, bar to booked fill", unit="ms",
            measured=in_a_row.cpu_ms, at_most=0.7,
        ),
        Row(
            what=f"the same, {BOTS} bots whose bars close together", unit="ms",
            measured=many.cpu_ms, at_most=0.7,
        ),
        Row(
            what="signal to first byte, 5 ms of idleness before each order: p50", unit="ms",
            measured=paced.percentile(50),
        ),
        Row(
            what="signal to first byte, 5 ms of idleness before each order: p99", unit="ms",
            measured=paced.percentile(99),
        ),
        Row(
            what="CPU of the node per order, 5 ms of idleness before each", unit="ms",
            measured=paced.cpu_ms,
        ),
    ]  # fmt: skip


class Series(msgspec.Struct, frozen=True):
    """Orders one after the other, or as many at a time as there are bots.

    Attributes:
        waits_ms: from each bar to the first byte of its last order.
        cpu_ms: processor time per order, pauses included.
    """

    waits_ms: list[float]
    cpu_ms: float

    def percentile(self, percent: int) -> float:
        """Of the waits."""
        return sorted(self.waits_ms)[len(self.waits_ms) * percent // 100]


class _Stopwatch:
    """Hears the points that orders pass: the last first byte, and when all answers are booked."""

    def __init__(self, orders: int) -> None:
        self.orders = orders
        self.left_s = 0.0
        self.booked = asyncio.Event()
        self._answers = 0

    def begin(self) -> None:
        """A bar closes."""
        self._answers = 0
        self.booked.clear()

    def reach(self, point: str) -> None:
        if point == points.IN_FLIGHT:
            self.left_s = time.perf_counter()
        elif point == points.ACKED:
            self._answers += 1
            if self._answers == self.orders:
                self.booked.set()


def _measured(home: Path, url: str, bots: int, pauses_s: Sequence[float]) -> list[Series]:
    config, _ = site.write_config(home, url, "Flip", bots)
    keys = {**os.environ, **site.keys(site.open_account(url))}
    return asyncio.run(_measure(config, keys, bots, pauses_s))


async def _measure(
    config: Path, environ: Mapping[str, str], bots: int, pauses_s: Sequence[float]
) -> list[Series]:
    """A series for each pause between orders."""
    os.environ.update(environ)  # where the configuration's references to secrets look
    watch = _Stopwatch(bots)
    rounds = ORDERS // bots
    async with trading(load(config), Watch(), quarantine={}, reach=watch.reach) as trader:
        running = asyncio.create_task(trader.run())
        try:
            while not trader.stream_is_up:
                await asyncio.sleep(0.01)
            await _orders(trader, watch, WARM_UP, PACE_S)
            found = [await _orders(trader, watch, rounds, pause_s) for pause_s in pauses_s]
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
    counters = trader.account.counters
    sent = bots * (WARM_UP + rounds * len(pauses_s))
    assert counters.attempts == counters.acked == sent <= counters.fills, counters
    return found


async def _orders(trader: Trader, watch: _Stopwatch, rounds: int, pause_s: float) -> Series:
    """One order of each bot after the other: the next bar comes `pause_s` after the last answer."""
    waits_ms = []
    cpu_s = time.process_time()
    for _ in range(rounds):
        bar = _next_bar(trader)
        watch.begin()
        began_s = time.perf_counter()
        trader.follower.take(BarClosed(bar))
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await watch.booked.wait()
        waits_ms.append((watch.left_s - began_s) * 1e3)
        await asyncio.sleep(pause_s)
    return Series(waits_ms, (time.process_time() - cpu_s) / (rounds * watch.orders) * 1e3)


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

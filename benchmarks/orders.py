"""Orders per second through the whole path in one process: step, risk, journal in memory, venue.

Every bar flips a strategy between long and flat: one decision, one order and one fill a bar.
Not here: sockets and disks.
"""

from __future__ import annotations

import gc
import statistics
import time
from decimal import Decimal

from benchmarks.row import Row
from holdfast.app.research.in_process import InProcess
from holdfast.domain.instrument import Instrument
from holdfast.domain.limits import Limits
from holdfast.domain.market import Bar
from holdfast.domain.order import Side
from holdfast.engine.bot import BotRuntime
from holdfast.exchange.flow import Place
from holdfast.strategy import FLAT, Strategy, Target, View, Wish

SIZES = (2_500, 10_000, 40_000)
ROUNDS = 3
BTC_USDT = Instrument(
    symbol="BTC/USDT",
    venue_symbol="BTCUSDT",
    base="BTC",
    quote="USDT",
    price_tick=Decimal("0.01"),
    quantity_step=Decimal("0.00001"),
    min_quantity=Decimal("0.00001"),
    max_quantity=Decimal(9000),
    min_notional=Decimal(5),
)
LIMITS = Limits(
    max_order_notional=Decimal(10_000),
    max_position_notional=Decimal(20_000),
    max_open_orders=10,
    max_orders_per_minute=100,
    max_daily_loss=Decimal(1_000_000),
    max_drawdown_pct=Decimal(90),
)


class Flip(Strategy):
    """Long and flat in turn."""

    quantity: Decimal = Decimal("0.01")

    def decide(self, now: View) -> Wish:
        return FLAT if now.position.quantity else Target(quantity=self.quantity)


def run() -> list[Row]:
    """Orders per second at each size (median of several runs), and how flat that is."""
    medians = {
        size: statistics.median(orders_per_s(size) for _ in range(ROUNDS)) for size in SIZES
    }
    largest = SIZES[-1]
    return [
        *(
            Row(what=f"orders through the path, {size} orders", unit="1/s", measured=medians[size])
            for size in SIZES[:-1]
        ),
        Row(
            what=f"orders through the path, {largest} orders",
            unit="1/s",
            measured=medians[largest],
            at_least=20_000,
        ),
        Row(
            what=f"the same, {largest} against {SIZES[0]} orders",
            unit="ratio",
            measured=medians[largest] / medians[SIZES[0]],
            at_least=0.85,
        ),
    ]


def orders_per_s(orders: int) -> float:
    """Run one path of `orders` orders and check that each was filled."""
    bot = BotRuntime("flip", Flip(), symbols=("BTC/USDT",), timeframe_s=60, limits=LIMITS)
    path = InProcess(
        (BTC_USDT,),
        (bot,),
        cash={"USDT": Decimal(1_000_000)},
        reporting="USDT",
        limits=LIMITS,
    )
    deep = Decimal(10_000)
    path.place(Place(0, "BTC/USDT", Side.SELL, Decimal("60001.00"), deep, 1))
    path.place(Place(0, "BTC/USDT", Side.BUY, Decimal("60000.00"), deep, 2))
    minute = 60_000_000_000
    price = Decimal("60000.50")
    bars = [
        Bar("BTC/USDT", i * minute, (i + 1) * minute, price, price, price, price, Decimal(1))
        for i in range(orders)
    ]
    gc.collect()
    began = time.perf_counter()
    for bar in bars:
        path.bar(bar)
    took_s = time.perf_counter() - began
    counters = path.engine.account.counters
    assert counters.attempts == counters.acked == counters.fills == orders, counters
    return orders / took_s


if __name__ == "__main__":
    for row in run():
        print(row)

"""Orders per second through the whole path in one process: step, risk, journal in memory, venue.

Every bar flips a strategy between long and flat: one decision, one order and one fill a bar.
Not here: sockets and disks.
"""

from __future__ import annotations

import gc
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import holdfast
from benchmarks.row import Row
from holdfast.app.in_process import InProcess
from holdfast.domain.instrument import Instrument
from holdfast.domain.limits import Limits
from holdfast.domain.market import Bar
from holdfast.domain.order import Side
from holdfast.engine.bot import BotRuntime
from holdfast.exchange.flow import Place
from holdfast.strategy import FLAT, Strategy, Target, View, Wish
from scripts import compiled_core

SIZES = (2_500, 10_000, 40_000)
ROUNDS = 3
PURE, COMPILED = "pure Python", "compiled core"
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
    """Orders per second at each size, of the sources and of the compiled core, and how flat."""
    lacking = compiled_core.why_not()
    builds: dict[str, Path | None] = {PURE: None}
    if lacking is None:
        builds[COMPILED] = compiled_core.build()
    measured: dict[tuple[str, int], list[float]] = {}
    for _ in range(ROUNDS):
        for size in SIZES:
            # Taking turns: what else runs on the machine meets both alike.
            for core, build in builds.items():
                measured.setdefault((core, size), []).append(_in_own_process(core, build, size))
    medians = {key: statistics.median(found) for key, found in measured.items()}
    return [*_rows(PURE, medians, "", None), *_rows(COMPILED, medians, lacking or "", 20_000)]


def _rows(
    core: str, medians: dict[tuple[str, int], float], skipped: str, at_least: float | None
) -> Iterator[Row]:
    smallest, largest = SIZES[0], SIZES[-1]
    for size in SIZES:
        yield Row(
            what=f"orders through the path, {core}, {size} orders",
            unit="1/s",
            measured=medians.get((core, size), 0.0),
            at_least=at_least if size == largest else None,
            skipped=skipped,
        )
    yield Row(
        what=f"the same, {core}, {largest} against {smallest} orders",
        unit="ratio",
        measured=medians.get((core, largest), 0.0) / medians.get((core, smallest), 1.0),
        at_least=0.85,
        skipped=skipped,
    )


def _in_own_process(core: str, build: Path | None, orders: int) -> float:
    """Orders per second of a new process, which must run the core that is meant."""
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.orders", str(orders)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(build or "")},
    )
    found, per_s = ran.stdout.strip().rsplit(" ", 1)
    if found != core:
        raise RuntimeError(f"seen: {found} was measured; expected: {core}")
    return float(per_s)


def orders_per_s(orders: int) -> float:
    """Run one path of `orders` orders and check that each was filled."""
    bot = BotRuntime("flip", Flip(), symbol="BTC/USDT", timeframe_s=60, limits=LIMITS)
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
    print(holdfast.core(), orders_per_s(int(sys.argv[1])))

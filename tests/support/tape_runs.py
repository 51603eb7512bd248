"""Backtests over a recorded minute of trades, which are read here without any code of the project.

Not here: recorded order books (`books`).
"""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from holdfast.app.markets.data import BarTable, load
from holdfast.app.research.front import backtest
from holdfast.lab.result import Result
from holdfast.strategy import FLAT, KEEP, Setup, Strategy, Target, View, Wish
from tests.support.recordings import recording

D = Decimal
S = 1_000_000_000
RAW = "ticks/binance-raw-ws/spot_btcusdt_20240808.gz"
ETH_RAW = "ticks/binance-raw-ws/spot_ethusdt_20240808.gz"


class Print(NamedTuple):
    """A recorded trade, as its message says."""

    at_ms: int
    price: Decimal
    quantity: Decimal
    sold: bool


@cache
def prints(name: str = RAW) -> list[Print]:
    """The trades of a recording, in their order."""
    found = []
    with gzip.open(recording(name), "rt") as lines:
        for line in lines:
            data = json.loads(line.partition(" ")[2]).get("data", {})
            if data.get("e") == "trade":
                found.append(Print(data["T"], D(data["p"]), D(data["q"]), data["m"]))
    return found


@cache
def table(name: str = RAW, timeframe: str = "1s") -> BarTable:
    """Its bars."""
    return load(recording(name), timeframe=timeframe)


def on_tape(strategy: Strategy, timeframe: str = "1s", **options: Any) -> Result:
    """A backtest over the trades of `RAW`, without fees unless told otherwise."""
    chosen = {"cash": 10_000_000, "fee_bps": 0, "trades": recording(RAW), **options}
    return backtest(strategy, table(timeframe=timeframe), **chosen)


class Often(Strategy):
    """Long at every other close, so much by the second; writes down what it saw, if anything."""

    looks: bool = False
    trades: bool = True
    every: str = ""
    log: Any = None

    def setup(self, on: Setup) -> None:
        self.on = on
        if self.looks:
            on.book(levels=7)
            on.trades()
        if self.every:
            on.every(self.every)

    def decide(self, now: View) -> Wish:
        if self.looks:
            (book,), (last,) = self.on.books.values(), self.on.last_trades.values()
            self.log.append((now.time_ns, book.bids, book.asks, last.price, last.quantity))
        wanted = often(now.time_ns)
        if wanted is None or not self.trades:
            return KEEP
        return Target(quantity=wanted) if wanted else FLAT


def often(at_ns: int) -> Decimal | None:
    """What `Often` wants to hold from a moment on; None when that does not change."""
    second = at_ns // S
    if second % 4 not in {1, 3}:
        return None
    return D(second % 7) / 4 + D("0.25") if second % 4 == 1 else D(0)

"""A seeded course of everything that the in-process path does, and what it left in the journal.

`python -m tests.support.course SEED ...` prints, as one JSON document, which core ran and how each
seed ended. Lives here: the course. Not here: what is compared with what (test_compiled_core).
"""

from __future__ import annotations

import hashlib
import random
import sys
from decimal import Decimal

import msgspec

from holdfast import core
from holdfast.app.in_process import InProcess
from holdfast.domain.event import OperatorAsked
from holdfast.domain.instrument import Instrument
from holdfast.domain.limits import Limits
from holdfast.domain.market import Bar
from holdfast.domain.order import Side
from holdfast.engine.bot import BotRuntime
from holdfast.exchange.flow import Place, Remove
from holdfast.ledger.state import to_bytes
from holdfast.strategy import FLAT, Strategy, Target, View, Wish
from holdfast.strategy.load import create

BARS = 400
MINUTE_NS = 60_000_000_000


class Flip(Strategy):
    """Long and flat in turn, each bar; the size comes from the seed."""

    quantity: Decimal = Decimal("0.01")

    def decide(self, now: View) -> Wish:
        return FLAT if now.position.quantity else Target(quantity=self.quantity)


class Failing(Strategy):
    """Raises at its fifth bar."""

    def decide(self, now: View) -> Wish:
        if now.bar.close_ns >= 5 * MINUTE_NS:
            raise ValueError("the fifth bar")
        return FLAT


class End(msgspec.Struct, frozen=True):
    """How a course ended.

    Attributes:
        chain: hash of the journal's last record, hex: it covers every byte before it.
        state: SHA-256 of the folded account, hex.
        facts: how often each kind of fact was journaled.
    """

    chain: str
    state: str
    facts: dict[str, int]


class Told(msgspec.Struct, frozen=True):
    """What one process found: its core, and the end of the course of each seed."""

    core: str
    ends: dict[int, End]


def instrument(symbol: str, tick: str, step: str) -> Instrument:
    """A symbol that trades against USDT."""
    base, quote = symbol.split("/")
    return Instrument(
        symbol=symbol,
        venue_symbol=base + quote,
        base=base,
        quote=quote,
        price_tick=Decimal(tick),
        quantity_step=Decimal(step),
        min_quantity=Decimal(step),
        max_quantity=Decimal(9000),
        min_notional=Decimal(5),
    )


MARKETS = {
    instrument("BTC/USDT", "0.01", "0.00001"): 60_000,
    instrument("ETH/USDT", "0.01", "0.0001"): 3_000,
}


def bots(luck: random.Random) -> list[BotRuntime]:
    """Two trend followers, two grids, a flipper whose limits bind, and one that fails."""
    tight = Limits(max_order_notional=Decimal(900), max_orders_per_minute=2, max_open_orders=4)
    loose = Limits(max_orders_per_minute=200)
    found = []
    for symbol, middle in (("BTC/USDT", 60_000), ("ETH/USDT", 3_000)):
        name = symbol[:3].lower()
        grid = {
            "low": str(middle * Decimal("0.97")),
            "high": str(middle * Decimal("1.03")),
            "cells": "8",
            "unit": str(Decimal(300) / middle),
        }
        found += [
            _bot(f"{name}-trend", create("sma_cross", {"fast": "2", "slow": "5"}), symbol, loose),
            _bot(f"{name}-grid", create("grid", grid), symbol, loose),
        ]
    size = Decimal(luck.randrange(1, 40)) / 1000
    found.append(_bot("flip", Flip(quantity=size), "BTC/USDT", tight))
    found.append(_bot("failing", Failing(), "ETH/USDT", loose))
    return found


def _bot(name: str, strategy: Strategy, symbol: str, limits: Limits) -> BotRuntime:
    return BotRuntime(name, strategy, symbol=symbol, timeframe_s=60, limits=limits)


def run(seed: int) -> End:
    """Trade the course of `seed` from its first bar to its last."""
    luck = random.Random(seed)
    limits = Limits(
        max_position_notional=Decimal(4_000),
        max_orders_per_minute=200,
        max_drawdown_pct=Decimal(2),
    )
    path = InProcess(
        tuple(MARKETS),
        bots(luck),
        cash={"USDT": Decimal(20_000)},
        reporting="USDT",
        limits=limits,
    )
    prices = {market.symbol: Decimal(price) for market, price in MARKETS.items()}
    keys: dict[str, list[int]] = {symbol: [] for symbol in prices}
    for minute in range(BARS):
        _operate(path, luck, minute)
        for market in MARKETS:
            _trade(path, luck, market, prices, keys[market.symbol], minute)
    records = list(path.store.read("main"))
    facts: dict[str, int] = {}
    for record in records:
        kind = type(record.fact).__name__
        facts[kind] = facts.get(kind, 0) + 1
    stream = path.store._streams["main"]
    return End(
        chain=stream.head.hash.hex(),
        state=hashlib.sha256(to_bytes(path.engine.account)).hexdigest(),
        facts=facts,
    )


def _operate(path: InProcess, luck: random.Random, minute: int) -> None:
    """Now and then a person halts, resumes, stops or starts something."""
    if luck.random() < 0.05:
        name = luck.choice(["halt", "resume", "resume", "stop", "start", "start"])
        bot = luck.choice(["flip", "btc-grid", "eth-trend", "nobody"])
        if name in {"halt", "resume"} and luck.random() < 0.5:
            bot = ""
        path.step(OperatorAsked(f"command-{minute}", name, "somebody", {"bot": bot}))


def _trade(
    path: InProcess,
    luck: random.Random,
    market: Instrument,
    prices: dict[str, Decimal],
    resting: list[int],
    minute: int,
) -> None:
    """The market moves: an old ladder goes, a new one comes, some take from it, the bar closes."""
    symbol, at_ns = market.symbol, minute * MINUTE_NS
    opened = prices[symbol]
    price = opened * (1 + Decimal(luck.randrange(-80, 81)) / 10_000)
    price -= price % market.price_tick
    prices[symbol] = price
    for key in resting:
        path.market.remove(Remove(at_ns, symbol, key))
    resting.clear()
    for side, sign in ((Side.BUY, -1), (Side.SELL, 1)):
        for level in range(1, 6):
            at = price * (1 + sign * Decimal(level) / 10_000)
            key = minute * 100 + len(resting) + 1
            quantity = Decimal(luck.randrange(1, 2000)) * market.quantity_step
            path.place(Place(at_ns, symbol, side, at - at % market.price_tick, quantity, key))
            resting.append(key)
    for _ in range(luck.randrange(3)):
        quantity = Decimal(luck.randrange(1, 3000)) * market.quantity_step
        side = luck.choice([Side.BUY, Side.SELL])
        path.place(Place(at_ns + 1, symbol, side, None, quantity))
    high, low = max(opened, price), min(opened, price)
    path.bar(Bar(symbol, at_ns, at_ns + MINUTE_NS, opened, high, low, price, Decimal(1)))


def main() -> None:
    """Run the seeds of the command line."""
    told = Told(core=core(), ends={seed: run(seed) for seed in map(int, sys.argv[1:])})
    sys.stdout.write(msgspec.json.encode(told).decode() + "\n")


if __name__ == "__main__":
    main()

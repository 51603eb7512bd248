"""What one market order costs in the matching engine alone, against a book that stays deep.

Funds, fees, books and reports included. Not here: the path in front of it (`orders`).
"""

from __future__ import annotations

import time
from decimal import Decimal

from benchmarks.row import Row
from holdfast.domain.instrument import Instrument
from holdfast.domain.order import Side
from holdfast.exchange.accounts import Account
from holdfast.exchange.flow import Place
from holdfast.exchange.matching import Engine
from holdfast.exchange.orders import Kind, Ticket

ORDERS = 20_000
ROUNDS = 5
SYMBOL = "BTC/USDT"
BTC_USDT = Instrument(
    symbol=SYMBOL,
    venue_symbol="BTCUSDT",
    base="BTC",
    quote="USDT",
    price_tick=Decimal("0.01"),
    quantity_step=Decimal("0.00001"),
    min_quantity=Decimal("0.00001"),
    max_quantity=Decimal(9000),
    min_notional=Decimal(5),
)


def run() -> list[Row]:
    """Microseconds of processor time per market order, the best of several runs."""
    measured = min(_us_per_order() for _ in range(ROUNDS))
    return [Row(what="matching: one market order", unit="µs", measured=measured, at_most=10)]


def _us_per_order() -> float:
    engine = Engine([BTC_USDT])
    account = Account(1, "key", "secret")
    account.balance("USDT").free = Decimal(10**12)
    for level in range(20):
        price = Decimal(60_000) + level
        engine.place(Place(0, SYMBOL, Side.SELL, price, Decimal(10**6), level + 1), 0)
    tickets = [
        Ticket(
            symbol=SYMBOL,
            side=Side.BUY,
            kind=Kind.MARKET,
            quantity=Decimal("0.001"),
            client_order_id=f"order{number}",
        )
        for number in range(ORDERS)
    ]
    start_s = time.process_time()
    for number, ticket in enumerate(tickets):
        engine.submit(account, ticket, number * 1000)
    return (time.process_time() - start_s) / ORDERS * 1e6

"""Whatever was recorded comes out again: prints as prints, candles as candles."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.domain.market import Bar
from holdfast.domain.market import Trade as Print
from holdfast.exchange.accounts import Account
from holdfast.exchange.catalogue import LISTINGS
from holdfast.exchange.flow import Place
from holdfast.exchange.matching import Engine
from holdfast.exchange.order_list import OrderList
from holdfast.exchange.orders import Change, Execution, Order, Trade
from holdfast.exchange.replay import RecordedMarket, ReplayFlow, prints_of_bars

BTC = LISTINGS["BTC/USDT"]
MINUTE_NS = 60 * 10**9

prices = st.integers(1, 10_000_000).map(lambda ticks: ticks * BTC.price_tick)
quantities = st.integers(1, 10_000_000).map(lambda steps: steps * BTC.quantity_step)


class Tape:
    """Keeps every print of an engine."""

    def __init__(self) -> None:
        self.trades: list[Trade] = []

    def on_order(self, order: Order, change: Change, execution: Execution | None) -> None:
        raise AssertionError("the house's orders are reported to nobody")

    def on_list(self, account: Account, order_list: OrderList) -> None:
        pass

    def on_trade(self, trade: Trade) -> None:
        self.trades.append(trade)


def tape_of(prints: list[Print]) -> list[tuple[int, Decimal, Decimal, bool]]:
    tape = Tape()
    engine = Engine([BTC], tape)
    for event in ReplayFlow([RecordedMarket(BTC, lambda: prints)]).events():
        if isinstance(event, Place):
            engine.place(event, event.at_ns)
        else:
            engine.remove(event)
    return [(t.at_ns, t.price, t.quantity, t.buyer_is_maker) for t in tape.trades]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10**9), prices, quantities, st.booleans()), max_size=40))
def test_any_prints_come_out_as_they_went_in(
    rows: list[tuple[int, Decimal, Decimal, bool]],
) -> None:
    rows.sort(key=lambda row: row[0])
    prints = [Print(at, "BTC/USDT", price, quantity, sold) for at, price, quantity, sold in rows]

    assert tape_of(prints) == rows


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    low, *between, high = sorted(draw(st.lists(prices, min_size=4, max_size=4)))
    opened, close = draw(st.permutations(between))
    volume = draw(st.integers(0, 10_000)) * BTC.quantity_step
    return Bar("BTC/USDT", MINUTE_NS, 2 * MINUTE_NS, opened, high, low, close, volume)


@settings(max_examples=100, deadline=None)
@given(bars())
def test_the_prints_of_any_candle_build_it_again(bar: Bar) -> None:
    prints = list(prints_of_bars([bar], BTC))
    found = [row.price for row in prints]

    assert sum(row.quantity for row in prints) == bar.volume
    assert all(bar.open_ns <= row.at_ns < bar.close_ns for row in prints)
    assert all(one.at_ns < two.at_ns for one, two in pairwise(prints))
    if prints:
        assert found[-1] == bar.close
        assert bar.low <= min(found) <= max(found) <= bar.high
    if bar.volume >= 4 * BTC.quantity_step:
        assert (found[0], max(found), min(found)) == (bar.open, bar.high, bar.low)

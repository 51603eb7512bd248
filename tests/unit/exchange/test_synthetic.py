"""The synthetic markets: repeatable, in order, on the grid, bounded, and alive."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from itertools import islice, pairwise, takewhile

import pytest

from holdfast.errors import ConfigError
from holdfast.exchange.accounts import Account
from holdfast.exchange.flow import FlowEvent, Place, Remove
from holdfast.exchange.matching import Engine
from holdfast.exchange.order_list import OrderList
from holdfast.exchange.orders import Change, Execution, Order, Trade
from holdfast.exchange.synthetic import MARKETS, SyntheticFlow, chosen_markets

SECOND_NS = 1_000_000_000


class Tape:
    """Keeps every print of an engine."""

    def __init__(self) -> None:
        self.trades: list[Trade] = []

    def on_order(self, order: Order, change: Change, execution: Execution | None) -> None:
        raise AssertionError("the house's orders are reported to nobody")

    def on_list(self, account: Account, order_list: OrderList) -> None:
        raise AssertionError("the house places no lists")

    def on_trade(self, trade: Trade) -> None:
        self.trades.append(trade)


def first(flow: SyntheticFlow, seconds: int) -> list[FlowEvent]:
    end_ns = flow.start_ns + seconds * SECOND_NS
    return list(takewhile(lambda event: event.at_ns < end_ns, flow.events()))


def apply(engine: Engine, events: Iterable[FlowEvent]) -> None:
    for event in events:
        if isinstance(event, Place):
            engine.place(event, event.at_ns)
        else:
            engine.remove(event)


def test_equal_seeds_give_equal_markets_and_others_do_not() -> None:
    def begin(seed: int) -> list[FlowEvent]:
        return list(islice(SyntheticFlow(seed, start_ns=5).events(), 3000))

    assert begin(7) == begin(7)
    assert begin(7) != begin(8)


def test_each_call_of_events_begins_anew() -> None:
    flow = SyntheticFlow(3)

    assert list(islice(flow.events(), 500)) == list(islice(flow.events(), 500))


def test_times_never_go_back_and_begin_at_the_start() -> None:
    events = list(islice(SyntheticFlow(1, start_ns=10**18).events(), 5000))

    assert events[0].at_ns == 10**18
    assert all(one.at_ns <= two.at_ns for one, two in pairwise(events))


def test_orders_lie_on_the_grid_of_their_market() -> None:
    flow = SyntheticFlow(2)
    grid = {item.symbol: item for item in flow.instruments}

    for event in islice(flow.events(), 20_000):
        if isinstance(event, Place):
            item = grid[event.symbol]
            assert event.quantity >= item.min_quantity
            assert event.quantity % item.quantity_step == 0
            assert event.price is None or (event.price > 0 and event.price % item.price_tick == 0)


def test_keys_are_unique_over_all_markets() -> None:
    events = islice(SyntheticFlow(4).events(), 20_000)
    keys = [event.key for event in events if isinstance(event, Place) and event.key]

    assert len(keys) == len(set(keys))


def test_live_orders_stay_bounded_and_both_sides_always_offer_a_price() -> None:
    flow = SyntheticFlow(5)
    engine = Engine(flow.instruments)
    opening = 32 * len(flow.instruments)
    events = flow.events()
    apply(engine, islice(events, opening))

    for event in islice(events, 40_000):
        apply(engine, [event])
        if isinstance(event, Place):
            market = engine.listings[event.symbol]
            assert len(market.house) <= 32
            assert len(market.book.bids) >= 3
            assert len(market.book.asks) >= 3


def test_the_rate_is_about_what_was_asked_for() -> None:
    counted = Counter(event.symbol for event in first(SyntheticFlow(6, events_per_s=50), 600))

    for symbol, number in counted.items():
        assert 40 <= number / 600 <= 60, symbol


def test_history_is_thin_but_for_its_end() -> None:
    events = first(SyntheticFlow(6, history_s=1800), 1800)
    busy_from_ns = (1800 - 120) * SECOND_NS
    thin = sum(1 for event in events if event.at_ns < busy_from_ns)

    assert thin / 1680 / 3 < 6
    assert (len(events) - thin) / 120 / 3 > 15


def test_markets_are_alive_and_move_together() -> None:
    flow = SyntheticFlow(9)
    tape = Tape()
    apply(Engine(flow.instruments, tape), first(flow, 900))
    closes = {
        item.symbol: _closes([t for t in tape.trades if t.symbol == item.symbol], 900)
        for item in flow.instruments
    }

    for prices in closes.values():
        crossings = _crossings(prices, 5, 20)
        assert 10 <= crossings <= 120, "averages over 5 and 20 bars of a second must cross"
    assert _correlation(closes["BTC/USDT"], closes["ETH/USDT"]) > 0.4


def test_sizes_taken_have_a_heavy_tail_and_arrivals_come_in_bursts() -> None:
    takes = [
        event.quantity
        for event in first(SyntheticFlow(11), 900)
        if isinstance(event, Place) and event.price is None and event.symbol == "BTC/USDT"
    ]
    ordered = sorted(takes)
    assert ordered[len(ordered) * 99 // 100] > 10 * ordered[len(ordered) // 2]

    per_second = Counter(event.at_ns // SECOND_NS for event in first(SyntheticFlow(11), 900))
    counts = [per_second[second] for second in range(900)]
    mean = sum(counts) / len(counts)
    variance = sum((count - mean) ** 2 for count in counts) / len(counts)
    assert variance > 3 * mean, "independent arrivals would have a variance equal to their mean"


def test_an_unknown_symbol_is_refused_with_what_there_is() -> None:
    with pytest.raises(ConfigError, match="seen: symbol 'DOGE/USDT'; expected: one of BTC/USDT"):
        chosen_markets(["DOGE/USDT"])


def test_chosen_markets_keep_the_order_asked_for() -> None:
    chosen = chosen_markets(["SOL/USDT", "BTC/USDT"])

    assert [market.instrument.symbol for market in chosen] == ["SOL/USDT", "BTC/USDT"]
    assert chosen_markets([]) == MARKETS


@pytest.mark.parametrize("rate", [0, -1])
def test_a_rate_that_is_not_positive_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="expected: more than zero"):
        SyntheticFlow(events_per_s=rate)


def test_removals_name_orders_that_were_placed() -> None:
    placed: set[int] = set()
    for event in islice(SyntheticFlow(12).events(), 10_000):
        if isinstance(event, Remove):
            assert event.key in placed
        elif event.key:
            placed.add(event.key)


def _closes(trades: list[Trade], seconds: int) -> list[float]:
    closes: list[float] = []
    by_second = {trade.at_ns // SECOND_NS: trade.price for trade in trades}
    last: Decimal = trades[0].price
    for second in range(seconds):
        last = by_second.get(second, last)
        closes.append(float(last))
    return closes


def _crossings(prices: list[float], fast: int, slow: int) -> int:
    above = [
        sum(prices[end - fast : end]) / fast > sum(prices[end - slow : end]) / slow
        for end in range(slow, len(prices))
    ]
    return sum(1 for one, two in pairwise(above) if one != two)


def _correlation(one: list[float], two: list[float]) -> float:
    """Of the log returns over ten seconds: a second's are blurred by the spread."""
    first_returns, second_returns = (
        [math.log(b / a) for a, b in pairwise(prices[::10])] for prices in (one, two)
    )
    mean_one = sum(first_returns) / len(first_returns)
    mean_two = sum(second_returns) / len(second_returns)
    pairs = list(zip(first_returns, second_returns, strict=True))
    covariance = sum((a - mean_one) * (b - mean_two) for a, b in pairs)
    spread = math.sqrt(
        sum((a - mean_one) ** 2 for a, _ in pairs) * sum((b - mean_two) ** 2 for _, b in pairs)
    )
    return covariance / spread

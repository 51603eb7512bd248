"""A replayed market: the tape is the recording, and orders of today take part in it."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise

import pytest

from holdfast.domain.market import Bar
from holdfast.domain.market import Trade as Print
from holdfast.domain.order import Side, TimeInForce
from holdfast.errors import ConfigError
from holdfast.exchange.accounts import Account
from holdfast.exchange.catalogue import LISTINGS, recorded_instrument
from holdfast.exchange.flow import FlowEvent, Place
from holdfast.exchange.matching import Engine
from holdfast.exchange.order_list import OrderList
from holdfast.exchange.orders import Change, Execution, Kind, Order, Status, Ticket, Trade
from holdfast.exchange.replay import RecordedMarket, ReplayFlow, prints_of_bars
from holdfast.market.columns import Kind as RecordingKind
from holdfast.market.read import open_recording
from tests.support.recordings import recording

BTC = LISTINGS["BTC/USDT"]
ETH = LISTINGS["ETH/USDT"]
MINUTE_NS = 60 * 10**9


class Tape:
    """Keeps every print of an engine."""

    def __init__(self) -> None:
        self.trades: list[Trade] = []

    def on_order(self, order: Order, change: Change, execution: Execution | None) -> None:
        pass

    def on_list(self, account: Account, order_list: OrderList) -> None:
        pass

    def on_trade(self, trade: Trade) -> None:
        self.trades.append(trade)


def apply(engine: Engine, events: Iterable[FlowEvent]) -> None:
    for event in events:
        if isinstance(event, Place):
            engine.place(event, event.at_ns)
        else:
            engine.remove(event)


def sold(at_ns: int, price: str, quantity: str = "0.5", symbol: str = "BTC/USDT") -> Print:
    return Print(at_ns, symbol, Decimal(price), Decimal(quantity), buyer_is_maker=True)


def bought(at_ns: int, price: str, quantity: str = "0.5", symbol: str = "BTC/USDT") -> Print:
    return Print(at_ns, symbol, Decimal(price), Decimal(quantity), buyer_is_maker=False)


def flow(prints: list[Print]) -> ReplayFlow:
    return ReplayFlow([RecordedMarket(BTC, lambda: prints)])


def seen(trades: Iterable[Trade | Print]) -> list[tuple[int, Decimal, Decimal, bool]]:
    return [(t.at_ns, t.price, t.quantity, t.buyer_is_maker) for t in trades]


PRINTS = [
    bought(1, "60000"), bought(2, "60001.50"), sold(2, "60001.49", "0.00001"), sold(9, "59000"),
    bought(10, "64000"), bought(11, "64000", "3"), sold(12, "63990.01", "0.25"),
]  # fmt: skip


def test_with_nobody_else_the_tape_is_the_recording() -> None:
    tape = Tape()
    apply(Engine([BTC], tape), flow(PRINTS).events())

    assert seen(tape.trades) == seen(PRINTS)


def test_real_trades_come_out_as_they_went_in() -> None:
    source = open_recording(recording("ticks/binance-raw-ws/spot_btcusdt_20240808.gz"))
    prints = list(source.trades())
    tape = Tape()

    apply(Engine([BTC], tape), flow(prints).events())

    assert seen(tape.trades) == seen(prints)


def test_a_market_order_finds_a_price_after_any_print() -> None:
    engine = Engine([BTC])
    events = list(flow(PRINTS).events())
    for event, following in pairwise(events):
        apply(engine, [event])
        if following.at_ns > event.at_ns:
            book = engine.listings["BTC/USDT"].book
            assert len(book.bids) >= 4
            assert len(book.asks) >= 4
            assert book.bids.best is not None
            assert book.asks.best is not None
            assert book.bids.best.price < book.asks.best.price


def resting(engine: Engine, side: Side, price: str, quantity: str) -> Order:
    account = Account(1, "key", "secret")
    account.balance("USDT").free = account.balance("BTC").free = Decimal(1_000_000)
    ticket = Ticket(
        symbol="BTC/USDT", side=side, kind=Kind.LIMIT, quantity=Decimal(quantity),
        price=Decimal(price), client_order_id="mine", time_in_force=TimeInForce.GTC,
    )  # fmt: skip
    return engine.submit(account, ticket, 0)


@pytest.mark.parametrize(
    ("side", "price", "prints", "executed"),
    [
        (Side.BUY, "59999", [sold(2, "59998")], "0.5"),
        (Side.BUY, "59999", [sold(2, "59999")], "0.5"),
        (Side.BUY, "59999", [sold(2, "59999"), sold(3, "59999", "0.7")], "1"),
        (Side.BUY, "59999", [sold(2, "59999.01")], "0"),
        (Side.BUY, "59999", [bought(2, "59999.50")], "0"),
        (Side.SELL, "60002", [bought(2, "60003")], "0.5"),
        (Side.SELL, "60002", [sold(2, "60003")], "0.5"),
        (Side.SELL, "60002", [bought(2, "60001.99")], "0"),
    ],
)
def test_an_order_trades_when_the_recorded_market_reaches_it(
    side: Side, price: str, prints: list[Print], executed: str
) -> None:
    engine = Engine([BTC])
    all_events = list(flow([bought(1, "60000"), *prints]).events())
    apply(engine, [event for event in all_events if event.at_ns == 1])
    order = resting(engine, side, price, "1")
    assert order.status is Status.NEW

    apply(engine, [event for event in all_events if event.at_ns > 1])

    assert order.executed >= Decimal(executed)
    assert (order.executed > 0) is (executed != "0")
    assert all(fill.price == order.price for fill in order.fills)


def test_recordings_of_several_symbols_run_by_one_clock() -> None:
    other = [bought(5, "3000", symbol="ETH/USDT"), bought(15, "3001", symbol="ETH/USDT")]
    both = ReplayFlow([RecordedMarket(BTC, lambda: PRINTS), RecordedMarket(ETH, lambda: other)])
    events = list(both.events())

    assert all(one.at_ns <= two.at_ns for one, two in pairwise(events))
    keys = [event.key for event in events if isinstance(event, Place) and event.key]
    assert len(keys) == len(set(keys))
    tape = Tape()
    apply(Engine(both.instruments, tape), events)
    assert seen(t for t in tape.trades if t.symbol == "ETH/USDT") == seen(other)


def test_a_clock_that_goes_back_waits() -> None:
    events = list(flow([bought(10, "60000"), bought(7, "60001")]).events())

    assert {event.at_ns for event in events} == {10}


@pytest.mark.parametrize("markets", [[], [RecordedMarket(BTC, list), RecordedMarket(BTC, list)]])
def test_each_symbol_must_be_there_once(markets: list[RecordedMarket]) -> None:
    with pytest.raises(ValueError, match="expected: at least one, each symbol once"):
        ReplayFlow(markets)


def bar(opened: str, high: str, low: str, close: str, volume: str) -> Bar:
    numbers = [Decimal(text) for text in (opened, high, low, close, volume)]
    return Bar("BTC/USDT", MINUTE_NS, 2 * MINUTE_NS, *numbers)


BARS = [
    bar("100", "110", "95", "105", "12.34567"),
    bar("105", "110", "95", "100", "0.00007"),
    bar("100", "100", "100", "100", "1"),
]


@pytest.mark.parametrize("candle", BARS)
def test_the_prints_of_a_candle_build_it_again(candle: Bar) -> None:
    prints = list(prints_of_bars([candle], BTC))
    prices = [print_.price for print_ in prints]

    assert (prices[0], max(prices), min(prices), prices[-1]) == (
        candle.open, candle.high, candle.low, candle.close,
    )  # fmt: skip
    assert sum(print_.quantity for print_ in prints) == candle.volume
    assert all(candle.open_ns <= print_.at_ns < candle.close_ns for print_ in prints)
    assert all(print_.price % BTC.price_tick == 0 for print_ in prints)


def test_a_rising_candle_visits_its_low_first_and_a_falling_one_its_high() -> None:
    rising = [print_.price for print_ in prints_of_bars([BARS[0]], BTC)]
    falling = [print_.price for print_ in prints_of_bars([BARS[1]], BTC)]

    assert rising.index(Decimal(95)) < rising.index(Decimal(110))
    assert falling.index(Decimal(110)) < falling.index(Decimal(95))


def test_takers_sell_on_the_way_down_and_buy_on_the_way_up() -> None:
    for one, two in pairwise(prints_of_bars([BARS[0]], BTC)):
        if one.price != two.price:
            assert two.buyer_is_maker is (two.price < one.price)


@pytest.mark.parametrize(("volume", "count"), [("0", 0), ("0.00001", 1), ("0.00003", 3)])
def test_a_candle_of_little_volume_has_few_prints(volume: str, count: int) -> None:
    prints = list(prints_of_bars([bar("100", "110", "95", "105", volume)], BTC))

    assert len(prints) == count
    assert sum(print_.quantity for print_ in prints) == Decimal(volume)
    assert not prints or prints[-1].price == Decimal(105)


def test_real_candles_come_out_as_they_went_in() -> None:
    source = open_recording(recording("ohlcv/binance-spot-2021-04-05/BTC_USDT-5m.json"))
    assert source.kind is RecordingKind.BARS
    bars = list(source.bars())[:500]
    item = recorded_instrument("BTC/USDT", 2, 6)
    tape = Tape()
    market = RecordedMarket(item, lambda: prints_of_bars(bars, item))

    apply(Engine([item], tape), ReplayFlow([market]).events())

    built: dict[int, list[Trade]] = {}
    for trade in tape.trades:
        built.setdefault(trade.at_ns // (5 * MINUTE_NS) * 5 * MINUTE_NS, []).append(trade)
    assert [bar.open_ns for bar in bars] == list(built)
    for candle in bars:
        prices = [trade.price for trade in built[candle.open_ns]]
        assert (prices[0], max(prices), min(prices), prices[-1]) == (
            candle.open, candle.high, candle.low, candle.close,
        )  # fmt: skip
        assert sum(trade.quantity for trade in built[candle.open_ns]) == candle.volume


def test_a_recording_on_the_listed_grid_keeps_the_listed_rules() -> None:
    assert recorded_instrument("BTC/USDT", 2, 5) is BTC


def test_a_recording_on_a_finer_grid_brings_its_own() -> None:
    item = recorded_instrument("BTC/USDT", 2, 6)

    assert (item.price_tick, item.quantity_step) == (Decimal("0.01"), Decimal("0.000001"))
    assert recorded_instrument("XRP/ETH", 8, 0).min_notional == Decimal("0.001")


def test_a_recording_with_absurd_precision_is_refused() -> None:
    with pytest.raises(ConfigError, match="12 decimal places"):
        recorded_instrument("BTC/USDT", 12, 5)

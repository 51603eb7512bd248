"""When an order fills in a bar, and at which price."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.domain.instrument import Instrument
from holdfast.domain.order import OrderSpec, OrderState, OrderType, Side, TimeInForce
from holdfast.lab.bar_venue import BarVenue, Outcome, Terms

D = Decimal
NO_COSTS = Terms(fee_rate=D(0))
BTC = Instrument(
    symbol="BTC/USDT",
    venue_symbol="BTCUSDT",
    base="BTC",
    quote="USDT",
    price_tick=D("0.01"),
    quantity_step=D("0.001"),
    min_quantity=D("0.001"),
    max_quantity=D(1000),
    min_notional=D(5),
)


def venue(terms: Terms = NO_COSTS, **balances: int) -> BarVenue:
    return BarVenue(BTC, terms, {a: D(n) for a, n in (balances or {"USDT": 1000}).items()})


def order(side: Side, kind: OrderType, price: str | None = None, quantity: str = "1") -> OrderSpec:
    limit = D(price) if price is not None else None
    is_stop = kind is OrderType.STOP_LOSS
    return OrderSpec(
        symbol="BTC/USDT",
        side=side,
        type=kind,
        quantity=D(quantity),
        price=None if is_stop else limit,
        stop_price=limit if is_stop else None,
    )


def bar(at: BarVenue, opened: str, low: str, high: str) -> list[Outcome]:
    return [*at.open(D(opened), 1), *at.inside(D(low), D(high), 1)]


def prices(outcomes: list[Outcome]) -> list[str]:
    return [str(outcome.fill.price) for outcome in outcomes if outcome.fill is not None]


def test_a_market_order_fills_at_the_next_open() -> None:
    at = venue()
    assert at.submit("a", order(Side.BUY, OrderType.MARKET), D(100)) is None
    assert prices(bar(at, "101", "99", "105")) == ["101"]
    assert at.free == {"USDT": D(899), "BTC": D(1)}
    assert bar(at, "101", "99", "105") == []


def test_slippage_moves_market_and_stop_orders_to_the_worse_tick() -> None:
    at = venue(Terms(fee_rate=D(0), slippage=D("0.001")), USDT=1000, BTC=1)
    at.submit("a", order(Side.BUY, OrderType.MARKET), D(100))
    at.submit("b", order(Side.SELL, OrderType.STOP_LOSS, "90"), D(100))
    assert prices(bar(at, "100.03", "90", "101")) == ["100.14", "89.91"]


@pytest.mark.parametrize(
    ("side", "limit", "opened", "low", "high", "filled_at"),
    [
        (Side.BUY, "100", "101", "100", "102", []),  # touched, not traded through
        (Side.BUY, "100", "101", "99.99", "102", ["100"]),
        (Side.BUY, "100", "98", "97", "102", ["98"]),  # the better of open and limit
        (Side.SELL, "100", "99", "98", "100", []),
        (Side.SELL, "100", "99", "98", "100.01", ["100"]),
        (Side.SELL, "100", "103", "99", "104", ["103"]),
    ],
)
def test_a_limit_fills_when_a_bar_trades_through_it(
    side: Side, limit: str, opened: str, low: str, high: str, filled_at: list[str]
) -> None:
    at = venue(USDT=1000, BTC=1)
    at.submit("a", order(side, OrderType.LIMIT, limit), D(100))
    assert prices(bar(at, opened, low, high)) == filled_at


@pytest.mark.parametrize(
    ("opened", "low", "filled_at"),
    [("95", "90.01", []), ("95", "90", ["90"]), ("85", "80", ["85"])],
)
def test_a_stop_fills_inside_the_bar_or_where_the_bar_jumped_over_it(
    opened: str, low: str, filled_at: list[str]
) -> None:
    at = venue(BTC=1)
    at.submit("a", order(Side.SELL, OrderType.STOP_LOSS, "90"), D(100))
    assert prices(bar(at, opened, low, "99")) == filled_at


def test_a_bar_that_reaches_stop_and_target_fills_the_stop_first_and_is_counted() -> None:
    at = venue(BTC=2)
    at.submit("stop", order(Side.SELL, OrderType.STOP_LOSS, "90"), D(100))
    at.submit("target", order(Side.SELL, OrderType.LIMIT, "110"), D(100))
    filled = []
    for outcome in at.inside(D(89), D(111), 1):
        filled.append(outcome.cid)
        at.cancel("target")  # what the owner of the position does once it is gone
    assert filled == ["stop"]
    assert at.ambiguous_bars == 1


def test_the_quick_look_never_passes_over_a_bar_that_fills() -> None:
    at = venue(USDT=1000, BTC=3)
    at.submit("bid", order(Side.BUY, OrderType.LIMIT, "95"), D(100))
    at.submit("stop", order(Side.SELL, OrderType.STOP_LOSS, "90"), D(100))
    at.submit("ask", order(Side.SELL, OrderType.LIMIT, "105"), D(100))
    assert (at.fall_to, at.rise_to) == (95.0, 105.0)
    at.cancel("bid")
    assert (at.fall_to, at.rise_to) == (90.0, 105.0)
    at.cancel("ask")
    at.cancel("stop")
    assert (at.fall_to, at.rise_to) == (float("-inf"), float("inf"))


def test_what_nobody_can_pay_for_is_refused() -> None:
    at = venue(USDT=150)
    at.submit("a", order(Side.BUY, OrderType.MARKET, quantity="2"), D(70))
    (refused,) = at.open(D(80), 1)  # it opened dearer than it closed
    assert (refused.state, refused.reason) == (OrderState.REJECTED, "160 USDT needed, 150 free")
    resting = at.submit("b", order(Side.BUY, OrderType.LIMIT, "100"), D(110))
    assert resting is not None
    assert resting.state is OrderState.NEW
    another = at.submit("c", order(Side.BUY, OrderType.LIMIT, "60"), D(110))
    assert another is not None
    assert another.state is OrderState.REJECTED  # the first one holds its money
    at.cancel("b")
    assert at.free["USDT"] == 150


def test_post_only_that_would_cross_is_refused() -> None:
    at = venue()
    crossing = at.submit("a", order(Side.BUY, OrderType.LIMIT_MAKER, "100"), D(100))
    assert crossing is not None
    assert crossing.state is OrderState.REJECTED


def test_immediate_or_cancel_fills_within_its_cap_at_the_next_open_or_not_at_all() -> None:
    at = venue()
    capped = OrderSpec(
        symbol="BTC/USDT", side=Side.BUY, type=OrderType.LIMIT, quantity=D(1), price=D(100),
        time_in_force=TimeInForce.IOC,
    )  # fmt: skip
    at.submit("a", capped, D(99))
    assert [o.state for o in at.open(D(101), 1)] == [OrderState.EXPIRED]
    at.submit("b", capped, D(99))
    assert prices(list(at.open(D("99.5"), 1))) == ["99.5"]


def test_fees_are_taken_in_quote_or_from_what_was_bought() -> None:
    in_quote, in_base = (
        venue(Terms(fee_rate=D("0.01"))),
        venue(Terms(fee_rate=D("0.01"), fee_in="base")),
    )
    for at in (in_quote, in_base):
        at.submit("a", order(Side.BUY, OrderType.MARKET), D(100))
        list(at.open(D(100), 1))
    assert in_quote.free == {"USDT": D(899), "BTC": D(1)}
    assert in_base.free == {"USDT": D(900), "BTC": D("0.99")}
    in_base.submit("b", order(Side.SELL, OrderType.MARKET, quantity="0.99"), D(100))
    list(in_base.open(D(100), 1))
    assert in_base.free == {"USDT": D("998.01"), "BTC": D(0)}

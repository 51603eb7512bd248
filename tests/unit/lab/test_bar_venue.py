"""When an order fills in a bar, and at which price."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import pytest

from holdfast.domain.instrument import Instrument
from holdfast.domain.market import Level
from holdfast.domain.order import OrderSpec, OrderState, OrderType, Side, TimeInForce
from holdfast.errors import ConfigError
from holdfast.lab.bar_venue import BarVenue
from holdfast.lab.depth import Depth
from holdfast.lab.settlement import Outcome, Terms

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
    return [str(fill.price) for outcome in outcomes for fill in outcome.fills]


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


def test_of_two_orders_that_a_bar_jumps_over_the_first_may_cancel_the_second() -> None:
    at = venue(BTC=2)
    at.submit("stop", order(Side.SELL, OrderType.STOP_LOSS, "90"), D(100))
    at.submit("other", order(Side.SELL, OrderType.STOP_LOSS, "95"), D(100))
    filled = []
    for outcome in at.open(D(80), 1):
        filled.append(outcome.cid)
        at.cancel("other")  # what the owner of the position does once it is gone
    assert filled == ["stop"]
    assert at.free["BTC"] == D(1)


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


# -- orders that are on their way ------------------------------------------------------------------

LATE = Terms(fee_rate=D(0), latency_ns=100)
OPENS, CLOSES = 1_000, 2_000  # a bar, in nanoseconds; what is sent at 1000 is there at 1100


def whole_bar(at: BarVenue, opened: str, low: str, high: str, closed: str) -> list[Outcome]:
    early = [*at.open(D(opened), OPENS, CLOSES), *at.meanwhile(D(opened))]
    at.lose_clock()
    return [*early, *at.inside(D(low), D(high), OPENS), *at.close(D(closed), CLOSES)]


def told(outcomes: list[Outcome]) -> list[tuple[str, str, str, int]]:
    """Order, state, price, time."""
    return [(o.cid, o.state.value, "".join(prices([o])), o.at_ns) for o in outcomes]


@pytest.mark.parametrize(
    ("sent", "filled"),
    [
        (900, ("a", "FILLED", "101", OPENS)),  # there as it opens
        (901, ("a", "FILLED", "104", CLOSES)),  # inside: the next price known is the close
        (1_899, ("a", "FILLED", "104", CLOSES)),
        (1_900, None),  # there as the next bar opens
    ],
)
def test_a_late_market_order_fills_at_the_first_price_known_when_it_is_there(
    sent: int, filled: tuple[str, str, str, int] | None
) -> None:
    at = venue(LATE)
    assert at.submit("a", order(Side.BUY, OrderType.MARKET), D(100), sent) is None
    found = told(whole_bar(at, "101", "99", "105", "104"))
    assert found == ([] if filled is None else [filled])
    assert at.at_market is (filled is None)
    if filled is None:
        assert prices(list(at.open(D(103), CLOSES, 3_000))) == ["103"]


def test_a_late_limit_is_there_from_the_close_of_the_bar_it_arrives_in() -> None:
    at = venue(LATE)
    at.submit("a", order(Side.BUY, OrderType.LIMIT, "100"), D(101), OPENS)
    assert told(whole_bar(at, "101", "90", "105", "104")) == [("a", "NEW", "", CLOSES)]
    assert prices(list(at.open(D(103), CLOSES, 3_000))) == []
    assert prices(list(at.inside(D(99), D(103), CLOSES))) == ["100"]


def test_a_late_stop_hurts_in_the_bar_it_arrives_in() -> None:
    at = venue(LATE, BTC=1)
    at.submit("a", order(Side.SELL, OrderType.STOP_LOSS, "95"), D(101), OPENS)
    found = told(whole_bar(at, "101", "90", "105", "104"))
    assert found == [("a", "NEW", "", 1_100), ("a", "FILLED", "95", 1_100)]


def test_a_late_stop_that_the_market_has_passed_fills_there_and_not_at_its_price() -> None:
    at = venue(LATE, BTC=1)
    at.submit("a", order(Side.SELL, OrderType.STOP_LOSS, "95"), D(101), OPENS)
    found = told(whole_bar(at, "93", "90", "94", "94"))
    assert found == [("a", "NEW", "", 1_100), ("a", "FILLED", "93", 1_100)]


def test_a_late_cancel_leaves_the_order_there_until_the_bar_it_arrives_in_is_over() -> None:
    at = venue(LATE, USDT=1000)
    at.submit("a", order(Side.BUY, OrderType.LIMIT, "100"), D(101), 0)
    at.submit("b", order(Side.BUY, OrderType.LIMIT, "90"), D(101), 0)
    assert [o.state.value for o in at.open(D(101), 500, OPENS)] == ["NEW", "NEW"]
    at.cancel("a", OPENS)
    at.cancel("b", OPENS)
    found = told(whole_bar(at, "101", "95", "105", "104"))
    assert found == [("a", "FILLED", "100", OPENS), ("b", "CANCELLED", "", CLOSES)]
    assert at.free == {"USDT": D(900), "BTC": D(1)}


def test_what_answers_something_inside_a_bar_is_there_at_its_end() -> None:
    at = venue(LATE, BTC=1)
    assert list(at.open(D(100), OPENS, CLOSES)) == []
    at.lose_clock()
    list(at.inside(D(99), D(101), OPENS))
    at.submit("a", order(Side.SELL, OrderType.MARKET), D(100), OPENS)
    assert list(at.now(D(101), OPENS)) == []  # it is not there yet
    assert told(list(at.close(D(98), CLOSES))) == [("a", "FILLED", "98", CLOSES)]


# -- orders that walk a book -----------------------------------------------------------------------


class Ladder:
    """The same book from a time on: bids below 100 and asks from 101, one unit each, ten of them.

    From `falls_ns` on everything is ten lower.
    """

    sha256 = coverage = "a ladder"

    def __init__(self, falls_ns: int = 10**9, since_ns: int = 0) -> None:
        self.falls_ns, self.since_ns = falls_ns, since_ns
        self.taken: list[Level] = []

    def levels(self, side: Side, at_ns: int) -> list[Level] | None:
        if at_ns < self.since_ns:
            return None
        by = 10 if at_ns >= self.falls_ns else 0
        steps = range(10)
        return [(D(101 - by + n if side is Side.BUY else 99 - by - n), D(1)) for n in steps]

    def when(
        self, side: Side, price: Decimal, since_ns: int, until_ns: int, *, falls: bool
    ) -> int | None:
        for at_ns in (since_ns, max(since_ns, self.falls_ns)):
            levels = self.levels(side, at_ns)
            if levels and at_ns <= until_ns:
                best = levels[0][0]
                if best <= price if falls else best >= price:
                    return at_ns
        return None

    def take(self, side: Side, parts: Sequence[Level]) -> None:
        self.taken += parts


def deep(terms: Terms, books: Ladder, *, fallback: bool = False, **balances: int) -> BarVenue:
    free = {asset: D(amount) for asset, amount in (balances or {"USDT": 1000}).items()}
    return BarVenue(BTC, terms, free, Depth(books, fallback=fallback))


def test_a_market_order_takes_level_by_level_when_it_arrives() -> None:
    books = Ladder()
    at = deep(LATE, books)
    at.submit("a", order(Side.BUY, OrderType.MARKET, quantity="2.5"), D(100), OPENS)
    (found,) = whole_bar(at, "200", "200", "200", "200")
    assert [(str(f.price), str(f.quantity), f.at_ns) for f in found.fills] == [
        ("101", "1", 1_100), ("102", "1", 1_100), ("103", "0.5", 1_100),
    ]  # fmt: skip
    assert len({fill.trade_id for fill in found.fills}) == 3
    assert found.state is OrderState.FILLED
    assert at.free == {"USDT": D("745.5"), "BTC": D("2.5")}
    assert books.taken == [(f.price, f.quantity) for f in found.fills]
    assert at.depth is not None
    assert (at.depth.walked, at.depth.missed) == (1, 0)


def test_what_the_book_or_a_cap_does_not_give_expires() -> None:
    at = deep(NO_COSTS, Ladder(), BTC=20, USDT=1000)
    capped = OrderSpec(
        symbol="BTC/USDT", side=Side.BUY, type=OrderType.LIMIT, quantity=D(5), price=D(102),
        time_in_force=TimeInForce.IOC,
    )  # fmt: skip
    at.submit("a", capped, D(100), OPENS)
    at.submit("b", order(Side.SELL, OrderType.MARKET, quantity="12"), D(100), OPENS)
    first, second = whole_bar(at, "200", "200", "200", "200")
    assert (first.state, prices([first])) == (OrderState.EXPIRED, ["101", "102"])
    assert second.state is OrderState.EXPIRED
    assert prices([second]) == [str(99 - n) for n in range(10)]
    assert at.free == {"USDT": D(1000 - 203 + 945), "BTC": D(20 + 2 - 10)}


def test_a_walk_that_cannot_be_paid_for_is_refused_whole() -> None:
    books = Ladder()
    at = deep(NO_COSTS, books, USDT=300)
    at.submit("a", order(Side.BUY, OrderType.MARKET, quantity="3"), D(100), OPENS)
    (found,) = whole_bar(at, "90", "90", "90", "90")
    assert (found.state, found.reason) == (OrderState.REJECTED, "306 USDT needed, 300 free")
    assert books.taken == []


def test_a_stop_walks_the_book_that_came_to_its_price() -> None:
    at = deep(NO_COSTS, Ladder(falls_ns=1_500), BTC=3)
    at.submit("a", order(Side.SELL, OrderType.STOP_LOSS, "95", quantity="2"), D(100), 500)
    (found,) = whole_bar(at, "100", "88", "100", "90")
    assert [(str(f.price), f.at_ns) for f in found.fills] == [("89", 1_500), ("88", 1_500)]


def test_a_stop_that_no_book_saw_fills_by_the_bar() -> None:
    at = deep(Terms(fee_rate=D(0), slippage=D("0.01")), Ladder(), BTC=3)
    at.submit("a", order(Side.SELL, OrderType.STOP_LOSS, "95", quantity="2"), D(100), 500)
    (found,) = whole_bar(at, "100", "94", "100", "99")
    assert prices([found]) == ["94.05"]
    assert at.depth is not None
    assert (at.depth.walked, at.depth.missed) == (0, 1)


def test_an_order_without_a_book_is_an_error_unless_bars_will_do() -> None:
    at = deep(LATE, Ladder(since_ns=1_200))
    at.submit("a", order(Side.BUY, OrderType.MARKET), D(100), OPENS)
    with pytest.raises(ConfigError, match=r"where no book is known .*--depth-fallback"):
        whole_bar(at, "101", "99", "105", "104")
    at = deep(LATE, Ladder(since_ns=1_200), fallback=True)
    at.submit("a", order(Side.BUY, OrderType.MARKET), D(100), OPENS)
    assert told(whole_bar(at, "101", "99", "105", "104")) == [("a", "FILLED", "104", CLOSES)]
    at = deep(NO_COSTS, Ladder(since_ns=1_200), fallback=True)
    at.submit("a", order(Side.BUY, OrderType.MARKET), D(100), OPENS)
    assert told(whole_bar(at, "101", "99", "105", "104")) == [("a", "FILLED", "101", OPENS)]

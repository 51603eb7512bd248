"""When an order fills on a tape of recorded trades, with and without recorded books."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec
import pytest

from holdfast.domain.instrument import Instrument
from holdfast.domain.market import Level, Trade
from holdfast.domain.order import OrderSpec, OrderState, OrderType, Side, TimeInForce
from holdfast.errors import ConfigError
from holdfast.lab.depth import Depth
from holdfast.lab.settlement import Outcome, Terms
from holdfast.lab.tape_venue import NEVER_NS, TapeVenue
from holdfast.market.book_replay import BookReplay
from holdfast.market.orderbook import Diff, Snapshot

D = Decimal
BTC = Instrument(
    symbol="BTC/USDT", venue_symbol="BTCUSDT", base="BTC", quote="USDT", price_tick=D("0.01"),
    quantity_step=D("0.001"), min_quantity=D("0.001"), max_quantity=D(1000), min_notional=D(5),
)  # fmt: skip
BUY, SELL = Side.BUY, Side.SELL
MARKET, LIMIT, STOP = OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LOSS
MAKER = OrderType.LIMIT_MAKER
WHOLE = Snapshot(
    1,
    bids=((D(100), D(5)), (D(99), D(8)), (D(97), D(1))),
    asks=((D(101), D(2)), (D(102), D(3)), (D(105), D(9))),
)


def levels(**told: str) -> tuple[Level, ...]:
    """`p99="3"` is three units at 99."""
    return tuple((D(name[1:]), D(quantity)) for name, quantity in told.items())


def books(*diffs: Diff, fallback: bool = False) -> Depth[BookReplay]:
    """Books that are known from 1 ns on: the snapshot takes effect with the first change."""
    first = Diff(1, 2, 2, (), ())
    return Depth(BookReplay("BTC/USDT", [WHOLE, first, *diffs]), fallback=fallback)


def venue(
    depth: Depth[BookReplay] | None = None, *, latency_ns: int = 0, slippage: str = "0"
) -> TapeVenue:
    terms = Terms(fee_rate=D(0), latency_ns=latency_ns, slippage=D(slippage))
    return TapeVenue(BTC, terms, {"USDT": D(10_000), "BTC": D(100)}, depth)


def spec(side: Side, kind: OrderType, price: str | None = None, quantity: str = "1") -> OrderSpec:
    named = None if price is None else D(price)
    is_stop = kind is STOP
    return OrderSpec(
        symbol="BTC/USDT", side=side, type=kind, quantity=D(quantity),
        price=None if is_stop else named, stop_price=named if is_stop else None,
    )  # fmt: skip


def seen(at: TapeVenue, at_ns: int, price: str, quantity: str = "1", *, sold: bool) -> list[str]:
    """What a print does."""
    trade = Trade(at_ns, "BTC/USDT", D(price), D(quantity), buyer_is_maker=sold)
    return told(at.print(trade))


def told(outcomes: Iterable[Outcome]) -> list[str]:
    found = []
    for one in outcomes:
        fills = [f"{fill.quantity}@{fill.price}" for fill in one.fills]
        found.append(" ".join([one.cid, one.state.value, *fills]))
    return found


# -- without books ---------------------------------------------------------------------------------


def test_a_market_order_fills_whole_at_the_first_print_from_its_arrival_on() -> None:
    at = venue(latency_ns=50, slippage="0.001")
    at.submit("a", spec(BUY, MARKET, quantity="3"), 100)
    assert at.next_ns == 150
    assert told(at.arrive(149)) == []
    assert seen(at, 149, "90", sold=True) == []
    assert told(at.arrive(150)) == []
    assert at.next_ns == NEVER_NS
    assert seen(at, 150, "100", "0.1", sold=True) == ["a FILLED 3@100.10"]
    assert at.is_idle


def test_an_order_up_to_a_cap_expires_when_the_first_print_is_beyond_it() -> None:
    at = venue()
    for cid, price in (("a", "100"), ("b", "99")):
        limit = spec(BUY, LIMIT, price)
        at.submit(cid, msgspec.structs.replace(limit, time_in_force=TimeInForce.IOC), 1)
    assert told(at.arrive(1)) == []
    assert seen(at, 2, "100", sold=True) == ["a FILLED 1@100", "b EXPIRED"]


def test_a_limit_fills_when_prints_go_through_it_and_no_more_than_they_traded() -> None:
    at = venue()
    at.submit("a", spec(BUY, LIMIT, "99", "2"), 1)
    assert told(at.arrive(1)) == ["a NEW"]
    assert seen(at, 2, "100", sold=True) == []
    assert seen(at, 3, "99", "50", sold=True) == [], "nobody knows who stood before it"
    assert seen(at, 4, "98.9", "0.5", sold=False) == ["a PARTIALLY_FILLED 0.5@99"]
    assert seen(at, 5, "98.9", "9", sold=True) == ["a FILLED 1.5@99"]
    assert at.free == {"USDT": D(10_000) - 198, "BTC": D(102)}


def test_a_limit_that_rests_gets_its_price_also_when_the_market_jumps_over_it() -> None:
    at = venue()
    seen(at, 1, "100", sold=True)
    at.submit("a", spec(BUY, LIMIT, "99", "2"), 1)
    list(at.arrive(1))
    assert seen(at, 2, "97", "0.5", sold=True) == ["a PARTIALLY_FILLED 0.5@99"]


def test_a_limit_beyond_the_market_takes_at_the_first_print() -> None:
    at = venue()
    at.submit("a", spec(BUY, LIMIT, "101"), 1)
    assert told(at.arrive(1)) == ["a NEW"]
    assert seen(at, 2, "100", "0.1", sold=False) == ["a FILLED 1@100"]
    at.submit("b", spec(SELL, MAKER, "100"), 3)
    assert told(at.arrive(3)) == ["b REJECTED"]


def test_a_stop_is_set_off_by_a_print_and_fills_at_its_price() -> None:
    at = venue(slippage="0.01")
    at.submit("a", spec(SELL, STOP, "95"), 1)
    assert told(at.arrive(1)) == ["a NEW"]
    assert at.free["BTC"] == 99
    assert seen(at, 2, "95.1", sold=True) == []
    assert seen(at, 3, "94", sold=True) == ["a FILLED 1@93.06"]
    at.submit("b", spec(SELL, STOP, "95"), 4)
    assert told(at.arrive(4)) == ["b NEW"], "it is past the market: it goes with the next print"
    assert seen(at, 5, "94.5", sold=True) == ["b FILLED 1@93.55"]


def test_a_cancel_arrives_after_what_came_before_it() -> None:
    at = venue(latency_ns=10)
    seen(at, 1, "100", sold=True)
    at.submit("a", spec(BUY, LIMIT, "99"), 1)
    assert told(at.arrive(11)) == ["a NEW"]
    at.cancel("a", 12)
    assert seen(at, 21, "98", "0.25", sold=True) == ["a PARTIALLY_FILLED 0.25@99"]
    assert told(at.arrive(22)) == ["a CANCELLED"]
    assert seen(at, 23, "98", sold=True) == []
    assert at.free == {"USDT": D(10_000) - 99 * D("0.25"), "BTC": D("100.25")}


def test_what_cannot_be_paid_is_refused() -> None:
    at = venue()
    at.submit("a", spec(BUY, LIMIT, "99", "102"), 1)
    at.submit("b", spec(SELL, STOP, "90", "101"), 1)
    at.submit("c", spec(BUY, MARKET, quantity="101"), 1)
    assert told(at.arrive(1)) == ["a REJECTED", "b REJECTED"]
    assert seen(at, 2, "100", sold=True) == ["c REJECTED"]
    assert at.free == {"USDT": D(10_000), "BTC": D(100)}


# -- in recorded books -----------------------------------------------------------------------------


def test_what_takes_walks_the_book_as_of_its_arrival() -> None:
    at = venue(books(Diff(60, 3, 3, (), levels(p101="0.5"))), latency_ns=50)
    at.submit("a", spec(BUY, MARKET, quantity="4"), 10)
    assert told(at.arrive(60)) == ["a FILLED 0.5@101 3@102 0.5@105"]


def test_a_limit_takes_up_to_its_price_and_waits_with_the_rest() -> None:
    at = venue(books())
    at.submit("a", spec(BUY, LIMIT, "102", "7"), 10)
    assert told(at.arrive(10)) == ["a PARTIALLY_FILLED 2@101 3@102"]
    assert at.free["USDT"] == 10_000 - 2 * 101 - 3 * 102 - 2 * 102
    assert seen(at, 11, "101.5", "0.5", sold=True) == ["a PARTIALLY_FILLED 0.5@102"]
    assert seen(at, 12, "102", "9", sold=True) == ["a FILLED 1.5@102"], "nobody is before it"


def test_a_limit_waits_behind_what_the_book_shows_at_its_price() -> None:
    at = venue(books())
    at.submit("a", spec(BUY, LIMIT, "99", "2"), 10)
    assert told(at.arrive(10)) == ["a NEW"]
    assert seen(at, 11, "99", "7", sold=True) == []
    assert seen(at, 12, "99", "100", sold=False) == [], "its taker bought: no bid was hit"
    assert seen(at, 13, "99", "2.5", sold=True) == ["a PARTIALLY_FILLED 1.5@99"]
    assert seen(at, 14, "99", "2.5", sold=True) == ["a FILLED 0.5@99"]


def test_the_queue_is_never_longer_than_what_is_shown() -> None:
    at = venue(books(Diff(20, 3, 3, levels(p99="1"), ()), Diff(30, 4, 4, levels(p99="50"), ())))
    at.submit("a", spec(BUY, LIMIT, "99", "2"), 10)
    list(at.arrive(10))
    assert seen(at, 20, "99", "8", sold=True) == [], "the change of that moment comes after it"
    at = venue(books(Diff(20, 3, 3, levels(p99="1"), ()), Diff(30, 4, 4, levels(p99="50"), ())))
    at.submit("a", spec(BUY, LIMIT, "99", "2"), 10)
    list(at.arrive(10))
    assert seen(at, 31, "99", "1.5", sold=True) == ["a PARTIALLY_FILLED 0.5@99"]


def test_beyond_the_snapshot_the_queue_is_not_known() -> None:
    at = venue(books())
    at.submit("a", spec(BUY, LIMIT, "90", "2"), 10)
    at.submit("b", spec(BUY, LIMIT, "98", "2"), 10)
    list(at.arrive(10))
    assert seen(at, 11, "98", "1", sold=True) == ["b PARTIALLY_FILLED 1@98"], "nothing stood there"
    assert seen(at, 12, "90", "100", sold=True) == ["b FILLED 1@98"]
    assert seen(at, 13, "89", "1", sold=True) == ["a PARTIALLY_FILLED 1@90"]


def test_a_post_only_order_looks_at_the_book() -> None:
    at = venue(books())
    for cid, price in (("a", "101"), ("b", "100.5")):
        at.submit(cid, spec(BUY, MAKER, price), 10)
    assert told(at.arrive(10)) == ["a REJECTED", "b NEW"]


def test_a_stop_walks_the_book_of_the_print_that_set_it_off() -> None:
    at = venue(books())
    at.submit("a", spec(SELL, STOP, "100", "6"), 10)
    list(at.arrive(10))
    assert seen(at, 11, "100", sold=True) == ["a FILLED 5@100 1@99"]


def test_where_no_book_is_known_what_takes_is_an_error_or_meets_the_next_print() -> None:
    for fallback in (False, True):
        at = venue(books(fallback=fallback))
        at.submit("a", spec(BUY, MARKET), 10)
        at.submit("b", spec(BUY, MARKET), 6_000_000_000)
        assert told(at.arrive(10)) == ["a FILLED 1@101"]
        if fallback:
            assert told(at.arrive(6_000_000_000)) == []
            assert seen(at, 6_000_000_001, "103", sold=True) == ["b FILLED 1@103"]
        else:
            with pytest.raises(ConfigError, match="depth-fallback"):
                list(at.arrive(6_000_000_000))


def test_the_book_is_shown_as_the_market_has_it_whatever_was_taken() -> None:
    at = venue(books())
    at.submit("a", spec(BUY, MARKET, quantity="4"), 10)
    list(at.arrive(10))
    found = at.best(2, 12)
    assert (found.bids, found.asks) == (levels(p100="5", p99="8"), levels(p101="2", p102="3"))
    assert not at.best(2, 6_000_000_000).bids, "five seconds after the last change it is unknown"
    assert not venue().best(2, 1).asks


def test_outcomes_tell_when_they_were() -> None:
    at = venue(latency_ns=5)
    seen(at, 1, "100", sold=True)
    at.submit("a", spec(BUY, LIMIT, "99"), 1)
    (new,) = at.arrive(6)
    (filled,) = at.print(Trade(9, "BTC/USDT", D(98), D(3), buyer_is_maker=True))
    assert (new.at_ns, filled.at_ns, filled.fills[0].at_ns) == (6, 9, 9)
    assert filled.state is OrderState.FILLED

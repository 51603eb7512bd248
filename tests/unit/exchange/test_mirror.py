"""A market that happens elsewhere: what taking and resting in it comes to, by the stated rule."""

# mypy: disable-error-code="comparison-overlap"
# A member of a StrEnum equals its text, and a Decimal its int, whatever their types say.
from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.exchange.errors import RefusedError
from holdfast.exchange.orders import Order
from tests.support.market import MirroredMarket, money


def fills(order: Order) -> list[tuple[str, str]]:
    return [(str(fill.price), str(fill.quantity)) for fill in order.fills]


def test_a_market_order_walks_the_book_and_leaves_it_as_it_is_for_all_to_see() -> None:
    market = MirroredMarket()
    order = market.order(market.account(), "BUY", "7")
    assert fills(order) == [("101", "5"), ("102", "2")]
    assert market.ladder("SELL") == [("101", "5"), ("102", "5")]
    assert market.diary.trades == [], "an execution here is no print there"
    assert market.listing.last_price is None


def test_what_was_taken_is_taken_until_the_level_is_told_anew() -> None:
    market = MirroredMarket()
    account = market.account()
    market.order(account, "BUY", "4")
    assert fills(market.order(account, "BUY", "3")) == [("101", "1"), ("102", "2")]
    market.tell(asks={"101": "2"})
    assert fills(market.order(account, "BUY", "4")) == [("101", "2"), ("102", "2")]
    assert fills(market.order(account, "BUY", "3")) == [("102", "1")], "the rest is gone"
    market.snapshot({"99": "5"}, {"101": "5", "102": "5"})
    assert fills(market.order(account, "BUY", "6")) == [("101", "5"), ("102", "1")]


def test_accounts_do_not_take_from_each_other() -> None:
    market = MirroredMarket()
    assert fills(market.order(market.account(), "BUY", "5")) == [("101", "5")]
    assert fills(market.order(market.account(), "BUY", "5")) == [("101", "5")]


def test_a_limit_order_takes_up_to_its_price_and_rests_with_what_is_left() -> None:
    market = MirroredMarket()
    account = market.account()
    order = market.order(account, "BUY", "8", "101", tif="GTC")
    assert (fills(order), order.remaining, order.status) == ([("101", "5")], 3, "PARTIALLY_FILLED")
    assert market.ladder("BUY") == [("99", "5"), ("98", "5")], "nobody sees it there"
    # Its own price was taken empty by itself, so nothing is ahead of it when sellers come.
    market.trade("SELL", "2", "101")
    assert order.remaining == 1


def test_a_resting_order_waits_for_all_that_was_there_before_it() -> None:
    market = MirroredMarket()
    order = market.order(market.account(), "BUY", "2", "99", tif="GTC")
    market.trade("SELL", "3", "99")
    assert order.executed == 0
    market.trade("SELL", "2.5", "99")
    assert order.executed == Decimal("0.5"), "five were ahead, so half a unit is left of the print"
    market.trade("SELL", "9", "99")
    assert (order.status, fills(order)) == ("FILLED", [("99", "0.5"), ("99", "1.5")])
    assert all(fill.is_maker for fill in order.fills)


def test_takers_of_the_same_side_fill_nothing_at_its_price() -> None:
    market = MirroredMarket()
    order = market.order(market.account(), "BUY", "1", "100", tif="GTC")
    market.trade("BUY", "50", "100")
    assert order.executed == 0
    market.trade("SELL", "0.5", "100")
    assert order.executed == Decimal("0.5"), "inside the spread nothing is ahead"


def test_a_print_through_its_price_fills_it_with_no_more_than_the_print() -> None:
    market = MirroredMarket()
    account = market.account(usdt="1000")
    order = market.order(account, "BUY", "3", "99", tif="GTC")
    market.trade("SELL", "2", "98")
    assert (fills(order), order.remaining) == ([("99", "2")], 1)
    market.trade("BUY", "2", "98")  # who sells at 98 would have sold to it at 99
    assert order.status == "FILLED"
    assert money(account, "USDT") == (1000 - 3 * 99, 0)


def test_a_smaller_level_can_have_no_more_ahead() -> None:
    market = MirroredMarket()
    order = market.order(market.account(), "SELL", "1", "101", tif="GTC")
    market.tell(asks={"101": "2"})
    market.tell(asks={"101": "9"})  # these came after it
    market.trade("BUY", "2.5", "101")
    assert order.executed == Decimal("0.5")
    market.tell(asks={"101": "0"})
    market.trade("BUY", "0.1", "101")
    assert order.executed == Decimal("0.6")


def test_beyond_what_a_snapshot_told_everything_may_be_ahead_until_the_level_is_told() -> None:
    market = MirroredMarket()
    order = market.order(market.account(), "BUY", "1", "95", tif="GTC")
    market.trade("SELL", "50", "95")
    assert order.executed == 0, "who knows how many wait there"
    market.snapshot({"97": "5"}, {"101": "5"})
    market.trade("SELL", "50", "95")
    assert order.executed == 0
    market.tell(bids={"95": "3"})
    market.trade("SELL", "3.4", "95")
    assert order.executed == Decimal("0.4")
    market.trade("SELL", "1", "94")
    assert order.status == "FILLED"


def test_one_print_fills_the_better_order_first_and_each_unit_once() -> None:
    market = MirroredMarket()
    account = market.account()
    low = market.order(account, "BUY", "2", "100", tif="GTC")
    later = market.order(account, "BUY", "2", "100", tif="GTC")
    market.trade("SELL", "3", "100")
    assert (low.executed, later.executed) == (2, 1)
    rival = market.order(market.account(), "BUY", "2", "100", tif="GTC")
    market.trade("SELL", "1", "100")
    assert (later.executed, rival.executed) == (2, 1), "accounts do not compete"


def test_a_print_from_before_the_book_it_joined_counts_for_nothing() -> None:
    market = MirroredMarket()
    market.tell(bids={"99": "1"})
    order = market.order(market.account(), "BUY", "1", "99", tif="GTC")
    market.trade("SELL", "5", "99", late_ns=10_000_000)
    assert order.executed == 0
    market.trade("SELL", "5", "99")
    assert order.status == "FILLED"


def test_a_cancelled_order_fills_no_more_and_its_funds_are_back() -> None:
    market = MirroredMarket()
    account = market.account(usdt="1000")
    order = market.order(account, "BUY", "3", "99", tif="GTC")
    market.engine.cancel(account, order, "c", market.now_ns)
    market.trade("SELL", "50", "90")
    assert (order.status, order.executed, money(account, "USDT")) == ("CANCELED", 0, (1000, 0))


def test_a_stop_fires_with_a_print_and_sells_into_the_book() -> None:
    market = MirroredMarket()
    order = market.order(market.account(), "SELL", "6", kind="STOP_LOSS", stop="97")
    market.trade("SELL", "1", "98")
    assert order.status == "NEW"
    market.trade("SELL", "1", "97")
    assert (order.status, fills(order)) == ("FILLED", [("99", "5"), ("98", "1")])


def test_while_the_book_is_not_known_nothing_happens_but_cancels() -> None:
    market = MirroredMarket()
    account = market.account()
    resting = market.order(account, "BUY", "1", "99", tif="GTC")
    other = market.order(account, "BUY", "1", "98", tif="GTC")
    stop = market.order(account, "SELL", "1", kind="STOP_LOSS", stop="90")
    market.lose()
    assert market.listing.status == "BREAK"
    for price in (None, "99"):
        with pytest.raises(RefusedError, match="Market is closed") as refusal:
            market.order(account, "BUY", "1", price, tif="GTC" if price else None)
        assert refusal.value.number == -1013
    market.trade("SELL", "50", "80")
    assert (resting.executed, stop.status) == (0, "NEW")
    assert market.ladder("BUY") == []
    market.engine.cancel(account, other, "c", market.now_ns)
    assert other.status == "CANCELED"

    market.snapshot({"80": "5"}, {"81": "5"})
    assert market.listing.status == "TRADING"
    assert resting.executed == 0, "only a print fills it"
    market.trade("BUY", "2", "81")
    assert (resting.status, fills(resting)) == ("FILLED", [("99", "1")])
    assert (stop.status, fills(stop)) == ("FILLED", [("80", "1")])


def test_post_only_and_fill_or_kill_look_at_the_mirrored_book() -> None:
    market = MirroredMarket()
    account = market.account()
    with pytest.raises(RefusedError, match="immediately match"):
        market.order(account, "BUY", "1", "101", kind="LIMIT_MAKER")
    assert market.order(account, "BUY", "6", "101", tif="FOK").status == "EXPIRED"
    assert market.order(account, "BUY", "6", "102", tif="FOK").status == "FILLED"
    assert market.order(account, "BUY", "5", "102", tif="FOK").status == "EXPIRED"


def test_prices_and_prints_are_those_of_the_mirrored_market() -> None:
    market = MirroredMarket()
    market.trade("BUY", "2", "101")
    assert (market.listing.last_price, market.listing.average.value) == (101, 101)
    (seen,) = market.diary.trades
    assert (seen.trade_id, seen.price, seen.quantity) == (7_001, 101, 2)
    order = market.order(market.account(), "BUY", "1")
    assert order.fills[0].trade_id == 1, "executions here have numbers of their own"


def test_an_order_of_an_earlier_run_waits_again_at_its_price_behind_everybody() -> None:
    before = MirroredMarket()
    account = before.account(usdt="1000")
    order = before.order(account, "BUY", "3", "99", tif="GTC")
    after = MirroredMarket()
    after.snapshot({"97": "5"}, {"98": "5"})  # the market has fallen through it meanwhile
    after.engine.restore(order)
    after.engine.resume(after.now_ns)
    assert order.executed == 0, "what traded while nobody watched fills nobody"
    after.trade("SELL", "1", "97")
    assert fills(order) == [("99", "1")]


def test_an_entry_that_a_print_fills_brings_a_pair_that_a_later_print_decides() -> None:
    market = MirroredMarket()
    account = market.account()
    market.trade("BUY", "1", "101")
    market.pair(account, "SELL", "1", "103", "97", entry=("BUY", "1", "99"))
    entry, loss, gain = account.orders.values()
    market.trade("SELL", "1", "98")  # through the entry
    assert (entry.status, loss.status, gain.status) == ("FILLED", "NEW", "NEW")
    market.trade("SELL", "1", "96")
    assert (loss.status, gain.status, gain.expiry) == ("FILLED", "EXPIRED", "OCO_TRIGGER")
    assert fills(loss) == [("99", "1")], "at market: what the book shows"


def test_a_list_is_refused_whole_while_the_book_is_not_known() -> None:
    market = MirroredMarket()
    account = market.account()
    market.trade("BUY", "1", "101")
    market.lose()
    with pytest.raises(RefusedError, match="Market is closed"):
        market.pair(account, "SELL", "1", "103", "97")
    assert account.orders == {}


def test_of_a_pair_one_order_fills_by_a_print_and_the_other_expires() -> None:
    market = MirroredMarket()
    market.trade("BUY", "1", "100")
    account = market.account(btc="5")
    market.pair(account, "SELL", "2", "101", "97")
    market.tell(asks={"101": "0"})
    market.trade("BUY", "3", "101")
    loss, gain = sorted(account.orders.values(), key=lambda order: order.order_id)
    assert (gain.status, fills(gain), loss.status) == ("FILLED", [("101", "2")], "EXPIRED")
    assert money(account, "BTC") == (3, 0)


def test_an_entry_that_a_print_fills_brings_its_exits_to_market() -> None:
    market = MirroredMarket()
    market.trade("BUY", "1", "100")
    account = market.account(btc="0")
    market.pair(account, "SELL", "2", "103", "97", entry=("BUY", "2", "100"))
    market.trade("SELL", "2", "99")
    entry, loss, gain = sorted(account.orders.values(), key=lambda order: order.order_id)
    assert (entry.status, loss.status, gain.status) == ("FILLED", "NEW", "NEW")
    market.trade("SELL", "1", "97")
    assert (loss.status, fills(loss), gain.status) == ("FILLED", [("99", "2")], "EXPIRED")

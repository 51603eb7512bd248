"""The matching engine: who trades with whom, at which price, and what is left of them."""

# mypy: disable-error-code="comparison-overlap"
# A member of a StrEnum equals its text, and a Decimal its int, whatever their types say.
from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from holdfast.exchange.errors import RefusedError
from holdfast.exchange.orders import Order
from tests.support.market import Market, money


def prices(order: Order) -> list[tuple[str, str]]:
    return [(str(fill.price), str(fill.quantity)) for fill in order.fills]


def test_takes_the_best_price_first_and_pays_what_the_book_asks() -> None:
    market = Market()
    market.house("SELL", "1", "102")
    market.house("SELL", "1", "100")
    market.house("SELL", "1", "101")
    order = market.order(market.account(), "BUY", "2.5", "102", tif="GTC")
    assert prices(order) == [("100", "1"), ("101", "1"), ("102", "0.5")]
    assert order.status == "FILLED"
    assert market.ladder("SELL") == [("102", "0.5")]


def test_serves_orders_at_one_price_in_order_of_arrival() -> None:
    market = Market()
    first, second = market.account(), market.account()
    early = market.order(first, "SELL", "1", "100", tif="GTC")
    late = market.order(second, "SELL", "1", "100", tif="GTC")
    market.order(market.account(), "BUY", "1.5")
    assert (early.status, late.status) == ("FILLED", "PARTIALLY_FILLED")
    assert late.remaining == Decimal("0.5")


def test_rests_what_a_limit_order_could_not_trade() -> None:
    market = Market()
    market.house("SELL", "1", "100")
    account = market.account(usdt="1000")
    order = market.order(account, "BUY", "3", "100", tif="GTC")
    assert (order.status, order.executed, order.remaining) == ("PARTIALLY_FILLED", 1, 2)
    assert market.ladder("BUY") == [("100", "2")]
    assert money(account, "USDT") == (700, 200)


def test_gives_the_price_improvement_back_at_once() -> None:
    market = Market()
    market.house("SELL", "1", "90")
    account = market.account(usdt="1000")
    market.order(account, "BUY", "2", "100", tif="GTC")
    assert money(account, "USDT") == (Decimal(1000 - 90 - 100), 100)


def test_fill_or_kill_trades_all_or_nothing() -> None:
    market = Market()
    market.house("SELL", "1", "100")
    market.house("SELL", "1", "101")
    account = market.account()
    killed = market.order(account, "BUY", "1.5", "100", tif="FOK")
    assert (killed.status, killed.executed) == ("EXPIRED", 0)
    assert money(account, "USDT") == (1_000_000, 0)
    filled = market.order(account, "BUY", "1.5", "101", tif="FOK")
    assert (filled.status, filled.executed) == ("FILLED", Decimal("1.5"))


def test_immediate_or_cancel_expires_the_rest_and_frees_its_funds() -> None:
    market = Market()
    market.house("SELL", "1", "100")
    account = market.account(usdt="1000")
    order = market.order(account, "BUY", "3", "100", tif="IOC")
    assert (order.status, order.executed) == ("EXPIRED", 1)
    assert market.ladder("BUY") == []
    assert money(account, "USDT") == (900, 0)


def test_a_market_order_expires_with_what_an_empty_book_could_not_give() -> None:
    market = Market()
    market.house("SELL", "1", "100")
    order = market.order(market.account(), "BUY", "3")
    assert (order.status, order.executed) == ("EXPIRED", 1)
    assert market.order(market.account(), "BUY", "3").executed == 0


def test_a_market_order_by_quote_amount_never_spends_more() -> None:
    market = Market()
    market.house("SELL", "1", "100")
    market.house("SELL", "5", "110")
    account = market.account(usdt="300")
    order = market.order(account, "BUY", None, quote="300")
    # 100 buys one, and 200 more buy 1.8 at 110 on a step of 0.1.
    assert (order.status, order.quantity) == ("FILLED", Decimal("2.8"))
    assert order.executed_cost == 298
    assert money(account, "USDT") == (2, 0)


def test_a_sale_by_quote_amount_raises_at_most_that() -> None:
    market = Market()
    market.house("BUY", "10", "100")
    account = market.account(usdt="0", btc="3")
    order = market.order(account, "SELL", None, quote="250")
    assert (order.executed, order.executed_cost) == (Decimal("2.5"), 250)
    assert money(account, "BTC") == (Decimal("0.5"), 0)


def test_post_only_is_refused_where_it_would_take() -> None:
    market = Market()
    market.house("SELL", "1", "100")
    account = market.account()
    with pytest.raises(RefusedError, match="immediately match and take") as refusal:
        market.order(account, "BUY", "1", "100", kind="LIMIT_MAKER")
    assert refusal.value.number == -2010
    assert market.order(account, "BUY", "1", "99", kind="LIMIT_MAKER").status == "NEW"


@pytest.mark.parametrize(
    ("side", "kind", "stop", "print_at", "fires"),
    [
        ("BUY", "STOP_LOSS", "105", "105", True),
        ("BUY", "STOP_LOSS", "105", "104", False),
        ("SELL", "STOP_LOSS", "95", "95", True),
        ("SELL", "STOP_LOSS", "95", "96", False),
        ("BUY", "TAKE_PROFIT", "95", "94", True),
        ("BUY", "TAKE_PROFIT", "95", "96", False),
        ("SELL", "TAKE_PROFIT", "105", "106", True),
        ("SELL", "TAKE_PROFIT", "105", "104", False),
    ],
)
def test_a_stop_fires_when_the_last_price_reaches_it(
    side: str, kind: str, stop: str, print_at: str, fires: bool
) -> None:
    market = Market()
    trade_at(market, "100")
    order = market.order(market.account(), side, "1", kind=kind, stop=stop)
    market.house("SELL", "9", "120")
    market.house("BUY", "9", "80")
    assert (order.status, order.is_working) == ("NEW", False)
    trade_at(market, print_at)
    assert order.is_working is fires
    assert order.status == ("FILLED" if fires else "NEW")


def test_a_stop_limit_rests_at_its_price_once_fired() -> None:
    market = Market()
    trade_at(market, "100")
    account = market.account(usdt="0", btc="1")
    order = market.order(
        account, "SELL", "1", "94", kind="STOP_LOSS_LIMIT", stop="95", tif="GTC"
    )
    assert money(account, "BTC") == (0, 1)
    trade_at(market, "93")
    assert (order.status, order.is_working) == ("NEW", True)
    assert ("94", "1") in market.ladder("SELL")
    market.house("BUY", "1", "94")
    assert order.status == "FILLED"
    assert order.fills[0].is_maker


def test_one_stop_may_fire_another() -> None:
    market = Market()
    trade_at(market, "100")
    first = market.order(market.account(), "SELL", "1", kind="STOP_LOSS", stop="95")
    second = market.order(market.account(), "SELL", "1", kind="STOP_LOSS", stop="90")
    market.house("BUY", "1", "89")
    market.house("BUY", "1", "88")
    trade_at(market, "95")
    assert [str(order.status) for order in (first, second)] == ["FILLED", "FILLED"]
    assert prices(second) == [("88", "1")]


def test_a_stop_on_the_wrong_side_of_the_price_is_refused() -> None:
    market = Market()
    trade_at(market, "100")
    with pytest.raises(RefusedError, match="trigger immediately"):
        market.order(market.account(), "SELL", "1", kind="STOP_LOSS", stop="100")


def test_a_fired_stop_that_cannot_pay_any_more_expires() -> None:
    market = Market()
    trade_at(market, "100")
    account = market.account(usdt="105")
    order = market.order(account, "BUY", "1", kind="STOP_LOSS", stop="105")
    market.house("SELL", "1", "110")
    trade_at(market, "106")
    assert (order.status, order.executed) == ("EXPIRED", 0)
    assert money(account, "USDT") == (105, 0)


@pytest.mark.parametrize(
    ("mode", "maker_status", "taker_status", "executed"),
    [
        ("EXPIRE_MAKER", "EXPIRED_IN_MATCH", "FILLED", "1"),
        ("EXPIRE_TAKER", "NEW", "EXPIRED_IN_MATCH", "0"),
        ("EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH", "0"),
        ("NONE", "FILLED", "FILLED", "1"),
    ],
)
def test_self_trade_prevention(
    mode: str, maker_status: str, taker_status: str, executed: str
) -> None:
    market = Market()
    account = market.account()
    own = market.order(account, "SELL", "1", "100", tif="GTC")
    market.house("SELL", "1", "101")
    taker = market.order(account, "BUY", "1", "101", tif="GTC", stp=mode)
    assert (own.status, taker.status) == (maker_status, taker_status)
    assert taker.executed == Decimal(executed)
    locked = 1 if maker_status == "NEW" else 0
    assert money(account, "BTC")[1] == locked
    assert money(account, "USDT")[1] == 0


def test_own_orders_are_no_liquidity_for_fill_or_kill() -> None:
    market = Market()
    account = market.account()
    own = market.order(account, "SELL", "1", "100", tif="GTC")
    order = market.order(account, "BUY", "1", "100", tif="FOK")
    assert (order.status, own.status) == ("EXPIRED", "NEW")


@pytest.mark.parametrize(
    ("plan", "side", "asset", "fee", "usdt", "btc"),
    [
        ({"asset": "received"}, "BUY", "BTC", "0.002", "800", "1.998"),
        ({"asset": "received"}, "SELL", "USDT", "0.2", "1199.8", "-2"),
        ({"asset": "quote"}, "BUY", "USDT", "0.2", "799.8", "2"),
        ({"asset": "quote"}, "SELL", "USDT", "0.2", "1199.8", "-2"),
        ({"asset": "base"}, "BUY", "BTC", "0.002", "800", "1.998"),
        ({"asset": "base"}, "SELL", "BTC", "0.002", "1200", "-2.002"),
        ({"asset": "BNB", "asset_price": Decimal(400)}, "BUY", "BNB", "0.0005", "800", "2"),
    ],
)
def test_fees_are_taken_in_the_asset_of_the_plan(
    plan: dict[str, Any], side: str, asset: str, fee: str, usdt: str, btc: str
) -> None:
    market = Market()
    market.house("BUY" if side == "SELL" else "SELL", "2", "100")
    account = market.account("1000", "10", taker=Decimal("0.001"), **plan)
    account.balance("BNB").free = Decimal(1)
    order = market.order(account, side, "2", "100", tif="IOC")
    (fill,) = order.fills
    assert (fill.fee_asset, fill.fee) == (asset, Decimal(fee))
    assert money(account, "USDT") == (Decimal(usdt), 0)
    assert money(account, "BTC") == (Decimal(10) + Decimal(btc), 0)
    assert money(account, "BNB")[0] == 1 - (Decimal(fee) if asset == "BNB" else 0)


def test_a_third_asset_that_cannot_pay_leaves_the_fee_to_what_was_received() -> None:
    market = Market()
    market.house("SELL", "2", "100")
    account = market.account("1000", "0", taker=Decimal("0.001"), asset="BNB")
    (fill,) = market.order(account, "BUY", "2").fills
    assert (fill.fee_asset, fill.fee) == ("BTC", Decimal("0.002"))


def test_maker_and_taker_pay_their_own_rates() -> None:
    market = Market()
    rates: dict[str, Any] = {
        "maker": Decimal("0.001"), "taker": Decimal("0.002"), "asset": "quote",
    }
    maker, taker = market.account(**rates), market.account(**rates)
    resting = market.order(maker, "SELL", "1", "100", tif="GTC")
    taking = market.order(taker, "BUY", "1", "100", tif="GTC")
    assert (resting.fills[0].fee, taking.fills[0].fee) == (Decimal("0.1"), Decimal("0.2"))
    assert resting.fills[0].trade_id == taking.fills[0].trade_id


@pytest.mark.parametrize(
    ("side", "quantity", "price", "usdt", "btc"),
    [
        ("BUY", "1.1", "100", "109", "0"),
        ("SELL", "1.1", "100", "0", "1"),
        ("BUY", "1.1", None, "109", "0"),
        ("SELL", "1.1", None, "0", "1"),
    ],
)
def test_a_refusal_for_lack_of_funds_leaves_nothing_behind(
    side: str, quantity: str, price: str | None, usdt: str, btc: str
) -> None:
    market = Market()
    market.house("SELL", "5", "100")
    account = market.account(usdt, btc)
    with pytest.raises(RefusedError, match="insufficient balance"):
        market.order(account, side, quantity, price, tif="GTC" if price else None)
    assert (money(account, "USDT"), money(account, "BTC")) == (
        (Decimal(usdt), 0), (Decimal(btc), 0),
    )
    assert not account.orders
    assert market.diary.reports == []
    assert market.order(market.account(), "BUY", "1").order_id == 1


def test_a_client_id_is_unique_among_open_orders_only() -> None:
    market = Market()
    account = market.account()
    order = market.order(account, "BUY", "1", "100", tif="GTC", name="mine")
    with pytest.raises(RefusedError, match="Duplicate order sent") as refusal:
        market.order(account, "BUY", "1", "100", tif="GTC", name="mine")
    assert refusal.value.number == -2010
    market.house("SELL", "1", "100")
    assert order.status == "FILLED"
    assert market.order(account, "BUY", "1", "100", tif="GTC", name="mine").order_id == 2


def test_another_account_may_use_the_same_client_id() -> None:
    market = Market()
    market.order(market.account(), "BUY", "1", "100", tif="GTC", name="mine")
    assert market.order(market.account(), "BUY", "1", "100", tif="GTC", name="mine").is_open


def test_cancelling_frees_the_funds_and_keeps_what_was_filled() -> None:
    market = Market()
    account = market.account(usdt="1000")
    order = market.order(account, "BUY", "3", "100", tif="GTC")
    market.house("SELL", "1", "100")
    market.engine.cancel(account, order, "undo", market.now_ns)
    assert (order.status, order.executed, order.cancel_id) == ("CANCELED", 1, "undo")
    assert money(account, "USDT") == (900, 0)
    with pytest.raises(RefusedError, match="Unknown order sent"):
        market.engine.cancel(account, order, "again", market.now_ns)


def test_nobody_cancels_the_order_of_another() -> None:
    market = Market()
    order = market.order(market.account(), "BUY", "3", "100", tif="GTC")
    with pytest.raises(RefusedError, match="Unknown order sent"):
        market.engine.cancel(market.account(), order, "x", market.now_ns)
    assert order.is_open


def test_cancelling_a_waiting_stop_frees_its_funds() -> None:
    market = Market()
    trade_at(market, "100")
    account = market.account(usdt="0", btc="1")
    order = market.order(account, "SELL", "1", kind="STOP_LOSS", stop="95")
    market.engine.cancel(account, order, "undo", market.now_ns)
    trade_at(market, "90")
    assert (order.status, order.executed) == ("CANCELED", 0)
    assert money(account, "BTC") == (1, 0)


def test_the_house_may_take_its_orders_back_once() -> None:
    market = Market()
    key = market.house("BUY", "1", "100")
    market.remove(key)
    market.remove(key)
    assert market.ladder("BUY") == []


def test_a_house_order_that_was_filled_cannot_be_removed_from_the_book() -> None:
    market = Market()
    key = market.house("BUY", "1", "100")
    market.house("SELL", "1", "100")
    market.house("BUY", "2", "100")
    market.remove(key)
    assert market.ladder("BUY") == [("100", "2")]


def test_a_halted_market_takes_nothing_but_cancels() -> None:
    market = Market()
    account = market.account()
    order = market.order(account, "BUY", "1", "100", tif="GTC")
    market.listing.rules = msgspec.structs.replace(market.listing.rules, is_trading=False)
    with pytest.raises(RefusedError, match="Market is closed"):
        market.order(account, "BUY", "1", "100", tif="GTC")
    market.house("SELL", "1", "100")
    assert order.status == "NEW"
    market.engine.cancel(account, order, "x", market.now_ns)
    assert order.status == "CANCELED"


def test_reports_tell_the_life_of_an_order_in_order() -> None:
    market = Market()
    market.house("SELL", "1", "100")
    account = market.account()
    order = market.order(account, "BUY", "3", "100", tif="GTC", name="a")
    market.house("SELL", "1", "100")
    market.engine.cancel(account, order, "x", market.now_ns)
    assert market.diary.reports == [
        ("a", "NEW", "NEW"),
        ("a", "TRADE", "PARTIALLY_FILLED"),
        ("a", "TRADE", "PARTIALLY_FILLED"),
        ("a", "CANCELED", "CANCELED"),
    ]


def test_order_ids_count_per_symbol_and_trade_ids_are_shared_by_both_sides() -> None:
    market = Market()
    market.order(market.account(), "SELL", "1", "100", tif="GTC")
    market.order(market.account(), "BUY", "1", "100", tif="GTC")
    assert [trade.trade_id for trade in market.diary.trades] == [1]
    assert market.diary.trades[0].buyer_is_maker is False


def trade_at(market: Market, price: str) -> None:
    """Print one trade of the house with itself inside the spread."""
    before = len(market.diary.trades)
    market.house("SELL", "0.1", price)
    market.house("BUY", "0.1", price)
    assert market.diary.trades[before].price == Decimal(price)

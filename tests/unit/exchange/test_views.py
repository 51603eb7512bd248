"""What a data source shows: each change from its own time on, none before an earlier one."""

from __future__ import annotations

from decimal import Decimal

from holdfast.exchange.views import AccountView, snapshot
from tests.support.market import Market


def test_a_change_shows_from_its_time_on() -> None:
    view, market = AccountView(), Market()
    order = market.order(market.account(), "BUY", "1", "100", tif="GTC", name="mine")
    view.feed(snapshot(order), visible_ns=50, now_ns=10)
    assert view.catch_up(49).order("BTC/USDT", 1) is None
    assert view.catch_up(50).latest_by_client_id("BTC/USDT", "mine") is not None
    assert list(view.open_orders) == [("BTC/USDT", 1)]


def test_a_later_change_never_overtakes_an_earlier_one() -> None:
    view = AccountView()
    view.feed({"BTC": (Decimal(1), Decimal(0))}, visible_ns=50, now_ns=10)
    view.feed({"BTC": (Decimal(2), Decimal(0))}, visible_ns=20, now_ns=20)
    assert view.catch_up(30).balances == {}
    assert view.catch_up(50).balances == {"BTC": (Decimal(2), Decimal(0))}


def test_a_snapshot_stands_still_while_the_order_goes_on() -> None:
    view, market = AccountView(), Market()
    account = market.account()
    order = market.order(account, "BUY", "1", "100", tif="GTC")
    view.feed(snapshot(order), visible_ns=0, now_ns=0)
    market.house("SELL", "1", "100")
    shown = view.order("BTC/USDT", order.order_id)
    assert shown is not None
    assert (str(shown.status), str(order.status)) == ("NEW", "FILLED")
    view.feed(snapshot(order), visible_ns=0, now_ns=0)
    assert view.open_orders == {}


def test_of_several_orders_with_one_client_id_the_latest_shows() -> None:
    view, market = AccountView(), Market()
    account = market.account()
    market.house("SELL", "5", "100")
    for quantity in ("1", "2"):
        order = market.order(account, "BUY", quantity, name="same")
        view.feed(snapshot(order), visible_ns=0, now_ns=0)
    latest = view.latest_by_client_id("BTC/USDT", "same")
    assert latest is not None
    assert latest.order_id == 2

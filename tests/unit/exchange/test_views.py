"""What a data source shows: each change from its own time on, none before an earlier one of its
aspect; and for how long an order can be queried."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.domain.order import Side
from holdfast.exchange.catalogue import LISTINGS
from holdfast.exchange.core import ARCHIVE_AFTER_S, Exchange, Source
from holdfast.exchange.orders import Kind, Ticket
from holdfast.exchange.views import AccountView, Aspect, ViewChange, snapshot
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


@pytest.mark.parametrize("late", Aspect)
def test_orders_trades_and_balances_show_each_after_a_lag_of_their_own(late: Aspect) -> None:
    view, market = AccountView(), Market()
    account = market.account()
    market.house("SELL", "5", "100")
    order = market.order(account, "BUY", "1", name="mine")
    for change in (order.fills[0], snapshot(order), {"BTC": (Decimal(1), Decimal(0))}):
        view.feed(change, visible_ns=0, now_ns=0)
    second = market.order(account, "BUY", "1", name="more")
    changes: dict[Aspect, ViewChange] = {
        Aspect.ORDERS: snapshot(second),
        Aspect.TRADES: second.fills[0],
        Aspect.BALANCES: {"BTC": (Decimal(2), Decimal(0))},
    }
    for aspect, later in changes.items():
        view.feed(later, visible_ns=50 if aspect is late else 20, now_ns=10)

    def shown() -> set[Aspect]:
        return {
            aspect
            for aspect, is_shown in (
                (Aspect.ORDERS, view.latest_by_client_id("BTC/USDT", "more") is not None),
                (Aspect.TRADES, len(view.executions["BTC/USDT"]) == 2),
                (Aspect.BALANCES, view.balances["BTC"][0] == 2),
            )
            if is_shown
        }

    view.catch_up(49)
    assert shown() == {*Aspect} - {late}
    view.catch_up(50)
    assert shown() == {*Aspect}


class Clock:
    """Exchange time that stands until it is moved."""

    def __init__(self) -> None:
        self.now_ns = 1_767_225_600_000_000_000

    def pass_s(self, seconds: float) -> None:
        self.now_ns += int(seconds * 1e9)


def test_an_order_that_ended_without_an_execution_is_archived_after_ninety_days() -> None:
    clock = Clock()
    exchange = Exchange([LISTINGS["BTC/USDT"]], now_ns=lambda: clock.now_ns)
    account = exchange.open_account({"USDT": Decimal(100_000)})
    order = exchange.submit(account, resting("mine"))
    clock.pass_s(ARCHIVE_AFTER_S + 1)
    assert not exchange.is_archived(order)  # open, however old

    exchange.cancel(account, order, "cancel")
    clock.pass_s(ARCHIVE_AFTER_S)
    assert not exchange.is_archived(order)
    clock.pass_s(1)
    assert exchange.is_archived(order)
    executed = snapshot(order)
    executed.executed = Decimal("0.0001")
    assert not exchange.is_archived(executed)
    assert exchange.view(account, Source.MEMORY).order("BTC/USDT", order.order_id) is not None


def resting(client_order_id: str) -> Ticket:
    """A bid that nobody takes."""
    return Ticket(
        symbol="BTC/USDT",
        side=Side.BUY,
        kind=Kind.LIMIT,
        quantity=Decimal("0.01"),
        client_order_id=client_order_id,
        price=Decimal(50_000),
    )

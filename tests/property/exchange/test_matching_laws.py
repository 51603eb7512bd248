"""What must hold after any orders: money is conserved, priority kept, the book uncrossed."""

# mypy: disable-error-code="comparison-overlap"
# A member of a StrEnum equals its text, whatever its type says.
from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.domain.money import ZERO
from holdfast.exchange.accounts import Account
from holdfast.exchange.errors import RefusedError
from holdfast.exchange.order_list import OrderList
from holdfast.exchange.orders import Order
from tests.support.market import Market

PLANS = ("received", "quote", "base", "BNB")
STARTED_WITH = {"USDT": Decimal(8000), "BTC": Decimal(80), "BNB": Decimal("0.01")}


class Step(NamedTuple):
    """One thing somebody does; `who` None is the house."""

    who: int | None
    verb: str
    side: str
    quantity: str
    price: str | None
    tif: str
    stop: str | None
    stp: str
    pick: int


steps = st.lists(
    st.builds(
        Step,
        who=st.sampled_from([None, 0, 1, 2, 3]),
        verb=st.sampled_from([
            "order", "order", "order", "quote", "stop", "pair", "entry", "cancel", "cancel",
        ]),
        side=st.sampled_from(["BUY", "SELL"]),
        quantity=st.integers(1, 60).map(lambda n: str(Decimal(n) / 10)),
        price=st.one_of(st.none(), *[st.integers(96, 104).map(str)] * 4),
        tif=st.sampled_from(["GTC", "GTC", "GTC", "IOC", "FOK"]),
        stop=st.integers(90, 110).map(str),
        stp=st.sampled_from(["EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH", "NONE"]),
        pick=st.integers(0, 100),
    ),
    min_size=10,
    max_size=60,
)


class Floor:
    """Four accounts with different fee plans that trade with each other and with the house."""

    def __init__(self) -> None:
        self.market = Market()
        rates = {"maker": Decimal("0.0007"), "taker": Decimal("0.0013")}
        self.accounts = [
            self.market.account("2000", "20", asset=plan, **rates) for plan in PLANS
        ]
        self.accounts[3].balance("BNB").free = Decimal("0.01")

    def perform(self, step: Step) -> Order | None:
        """Do it; a refusal is an outcome like any other. Returns the order it made, if any."""
        if step.who is None and step.verb == "cancel":
            keys = list(self.market.listing.house)
            if keys:
                self.market.remove(keys[step.pick % len(keys)])
            return None
        if step.who is None:
            self.market.house(step.side, step.quantity, step.price)
            return None
        account = self.accounts[step.who]
        if step.verb == "cancel":
            is_open = list(account.open_orders.values())
            if is_open:
                chosen = is_open[step.pick % len(is_open)]
                self.market.engine.cancel(account, chosen, "x", self.market.now_ns)
            return None
        try:
            if step.verb in {"pair", "entry"}:
                self._place_list(account, step)
                return None
            return self.market.order(account, step.side, **_wanted(step))
        except RefusedError:
            return None

    def _place_list(self, account: Account, step: Step) -> None:
        """A pair a little around the last price, or an entry at it that brings one."""
        last = self.market.listing.last_price or Decimal(100)
        other = "SELL" if step.side == "BUY" else "BUY"
        side = step.side if step.verb == "pair" else other
        wide = Decimal(1 + step.pick % 3)
        gain, loss = (last - wide, last + wide) if side == "BUY" else (last + wide, last - wide)
        self.market.pair(
            account, side, step.quantity, str(gain), str(loss),
            loss_limit=None if step.tif == "GTC" else str(last),
            entry=None if step.verb == "pair" else (step.side, step.quantity, str(last)),
        )

    def flows(self, asset: str) -> Decimal:
        """What the accounts' executions should have changed of an asset, in sum."""
        total = ZERO
        for account in self.accounts:
            for fill in account.executions:
                sign = 1 if fill.side.value == "BUY" else -1
                if asset == "BTC":
                    total += sign * fill.quantity
                if asset == "USDT":
                    total -= sign * fill.cost
                if fill.fee_asset == asset:
                    total -= fill.fee
        return total


def _wanted(step: Step) -> dict[str, Any]:
    if step.verb == "quote":
        return {"quantity": None, "quote": str(Decimal(step.quantity) * 40), "stp": step.stp}
    if step.verb == "stop":
        kind = "STOP_LOSS_LIMIT" if step.price else "TAKE_PROFIT"
        tif = step.tif if step.price else None
        return {
            "quantity": step.quantity, "price": step.price, "stop": step.stop, "kind": kind,
            "tif": tif, "stp": step.stp,
        }
    tif = step.tif if step.price else None
    return {"quantity": step.quantity, "price": step.price, "tif": tif, "stp": step.stp}


def performed(plan: list[Step]) -> Iterator[tuple[Floor, Step, Order | None]]:
    floor = Floor()
    for step in plan:
        yield floor, step, floor.perform(step)


@settings(max_examples=100, deadline=None)
@given(steps)
def test_money_is_conserved_and_never_negative(plan: list[Step]) -> None:
    for floor, _step, _order in performed(plan):
        for asset, start in STARTED_WITH.items():
            held = ZERO
            for account in floor.accounts:
                balance = account.balance(asset)
                assert balance.free >= 0, (asset, balance)
                assert balance.locked >= 0, (asset, balance)
                held += balance.free + balance.locked
            assert held == start + floor.flows(asset)


@settings(max_examples=100, deadline=None)
@given(steps)
def test_what_is_locked_is_what_open_orders_hold(plan: list[Step]) -> None:
    for floor, _step, _order in performed(plan):
        for account in floor.accounts:
            for asset, side in (("USDT", "BUY"), ("BTC", "SELL")):
                held = sum(
                    (
                        order.unit_hold * order.remaining
                        for order in account.open_orders.values()
                        if order.side.value == side
                    ),
                    ZERO,
                )
                assert account.balance(asset).locked == held
            for order in account.open_orders.values():
                if order.list_id not in account.executing_lists:  # else its pair holds for both
                    assert order.unit_hold, "it rests or waits and has locked nothing"


@settings(max_examples=200, deadline=None)
@given(steps)
def test_the_orders_of_a_list_are_one_intention(plan: list[Step]) -> None:
    for floor, _step, _order in performed(plan):
        for account in floor.accounts:
            for order_list in account.lists.values():
                _check_list(account, order_list)


def _check_list(account: Account, order_list: OrderList) -> None:
    orders = [account.orders[order_list.symbol, leg.order_id] for leg in order_list.legs]
    pair = [order for order in orders if order.order_id in order_list.pair_ids]
    assert sum(1 for order in pair if order.executed) <= 1
    assert sum(1 for order in pair if order.unit_hold and order.is_open) <= 1
    is_at_work = order_list.list_id in account.executing_lists
    assert order_list.is_executing is is_at_work
    entry = orders[0] if order_list.working_id is not None else None
    pending = [order for order in orders if order.status == "PENDING_NEW"]
    if is_at_work:
        assert not any(order.executed for order in pair)
        assert all(order.is_open for order in pair)
        assert bool(pending) is (entry is not None and entry.status != "FILLED")
    else:
        assert not pending
        assert sum(1 for order in orders if order.is_open) <= 1
    if any(order.executed for order in pair) and entry is not None:
        assert entry.status == "FILLED"


@settings(max_examples=100, deadline=None)
@given(steps)
def test_the_book_is_never_crossed_and_its_levels_add_up(plan: list[Step]) -> None:
    for floor, _step, _order in performed(plan):
        book = floor.market.listing.book
        bids, asks = list(book.bids.levels()), list(book.asks.levels())
        if bids and asks:
            assert bids[0].price < asks[0].price
        assert [level.price for level in bids] == sorted((x.price for x in bids), reverse=True)
        assert [level.price for level in asks] == sorted(x.price for x in asks)
        for level in bids + asks:
            assert level.quantity == sum(order.remaining for order in level.orders.values()) > 0


@settings(max_examples=100, deadline=None)
@given(steps)
def test_no_order_trades_past_its_limit_or_its_quantity(plan: list[Step]) -> None:
    floor = Floor()
    for step in plan:
        floor.perform(step)
    for account in floor.accounts:
        for order in account.orders.values():
            _check_order(account, order)


def _check_order(account: Account, order: Order) -> None:
    fills = [fill for fill in account.executions if fill.order_id == order.order_id]
    assert tuple(fills) == order.fills
    assert order.executed == sum((fill.quantity for fill in fills), ZERO) <= order.quantity
    assert order.executed_cost == sum((fill.cost for fill in fills), ZERO)
    assert order.executed + order.remaining == order.quantity
    if order.quote_quantity:
        assert order.executed_cost <= order.quote_quantity
    for fill in fills:
        if order.price is not None:
            is_buy = order.side.value == "BUY"
            assert fill.price <= order.price if is_buy else fill.price >= order.price
    if order.time_in_force.value == "FOK":
        assert order.executed in (0, order.quantity) or order.status == "EXPIRED_IN_MATCH"


class Resting(NamedTuple):
    """An order in the naive book."""

    price: Decimal
    arrival: int
    remaining: Decimal


def naive_trades(
    resting: list[Resting], limit: Decimal | None, quantity: Decimal, *, is_buy: bool
) -> tuple[list[tuple[Decimal, Decimal]], list[Resting], Decimal]:
    """Price-time priority as one would write it on paper: sort, then take from the front."""
    queue = sorted(resting, key=lambda o: (o.price if is_buy else -o.price, o.arrival))
    trades: list[tuple[Decimal, Decimal]] = []
    for position, order in enumerate(queue):
        beyond = limit is not None and (order.price > limit if is_buy else order.price < limit)
        if not quantity or beyond:
            return trades, queue[position:], quantity
        part = min(quantity, order.remaining)
        trades.append((order.price, part))
        quantity -= part
        if part < order.remaining:
            left = order._replace(remaining=order.remaining - part)
            return trades, [left, *queue[position + 1 :]], quantity
    return trades, [], quantity


@settings(max_examples=100, deadline=None)
@given(steps)
def test_trades_are_those_of_a_book_kept_by_sorting(plan: list[Step]) -> None:
    market = Market()
    books: dict[str, list[Resting]] = {"BUY": [], "SELL": []}
    for arrival, step in enumerate(plan):
        # A rich account for each order: only priority decides here.
        before = len(market.diary.trades)
        tif = None if step.price is None else step.tif.replace("FOK", "IOC")
        market.order(market.account(), step.side, step.quantity, step.price, tif=tif)
        other = "SELL" if step.side == "BUY" else "BUY"
        limit = None if step.price is None else Decimal(step.price)
        expected, books[other], left = naive_trades(
            books[other], limit, Decimal(step.quantity), is_buy=step.side == "BUY"
        )
        seen = [(trade.price, trade.quantity) for trade in market.diary.trades[before:]]
        assert seen == expected
        if left and limit is not None and tif == "GTC":
            books[step.side].append(Resting(limit, arrival, left))


@settings(max_examples=50, deadline=None)
@given(steps)
def test_equal_steps_give_equal_ends(plan: list[Step]) -> None:
    ends = []
    for _run in range(2):
        floor = Floor()
        for step in plan:
            floor.perform(step)
        ends.append((
            floor.market.diary.reports,
            floor.market.diary.trades,
            [sorted((a, b.free, b.locked) for a, b in x.balances.items()) for x in floor.accounts],
        ))
    assert ends[0] == ends[1]

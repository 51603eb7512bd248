"""A list in a backtest over recorded trades executes as one at the local exchange does.

The same book, the same changes of it and the same prints, told to the mirrored market that paper
trading runs on and to the venue of a backtest: the same fills, the same endings, the same money.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.market import Level, Trade
from holdfast.domain.money import ZERO
from holdfast.domain.order import OrderSpec, OrderState, OrderType, Side
from holdfast.exchange.errors import RefusedError
from holdfast.lab.depth import Depth
from holdfast.lab.settlement import Outcome, Terms
from holdfast.lab.tape_venue import TapeVenue
from holdfast.market.book_replay import BookReplay
from holdfast.market.orderbook import Diff, Snapshot
from tests.support.market import COIN, SYMBOL, MirroredMarket, money

D = Decimal
STEP_NS = 1_000_000
BIDS, ASKS = {"99": "5", "98": "5"}, {"101": "5", "102": "5"}
HELD = D(10)
STATES = {
    "NEW": OrderState.NEW, "PARTIALLY_FILLED": OrderState.PARTIALLY_FILLED,
    "FILLED": OrderState.FILLED, "EXPIRED": OrderState.EXPIRED, "CANCELED": OrderState.CANCELLED,
}  # fmt: skip


class News(NamedTuple):
    """A print (`who` took), or a level told anew."""

    is_print: bool
    who: str
    price: int
    quantity: str


Found = dict[str, tuple[list[tuple[Decimal, Decimal]], OrderState]]
"""Of the limit and of the stop: what executed at which price, and what became of it."""

news = st.lists(
    st.builds(
        News,
        is_print=st.sampled_from([True, True, True, False]),
        who=st.sampled_from(["BUY", "SELL"]),
        price=st.integers(93, 107),
        quantity=st.integers(0, 60).map(lambda tenths: str(D(tenths + 1) / 10)),
    ),
    min_size=1,
    max_size=30,
)


def at_the_exchange(
    plan: list[News], size: str, take: str, stop: str, last: str
) -> tuple[Found, Decimal, list[int]]:
    """What it makes of a pair, the free base units then, and when each event was."""
    market = MirroredMarket()
    account = market.account(btc=str(HELD))
    market.trade("BUY", "1", last)
    found: Found = {}
    try:
        market.pair(account, "SELL", size, take, stop)
    except RefusedError:
        found = dict.fromkeys(("limit", "stop"), ([], OrderState.REJECTED))
    times = [market.now_ns]
    for event in plan:
        if event.is_print:
            market.trade(event.who, event.quantity, str(event.price))
        else:
            level = {str(event.price): event.quantity if event.price != 100 else "0"}
            market.tell(*((level, None) if event.price < 100 else (None, level)))
        times.append(market.now_ns)
    for order in account.orders.values():
        name = "limit" if order.stop_price is None else "stop"
        fills = [(fill.price, fill.quantity) for fill in order.fills]
        found[name] = fills, STATES[order.status]
    return found, money(account, "BTC")[0], times


def in_a_backtest(
    plan: list[News], size: str, take: str, stop: str, last: str, times: list[int]
) -> tuple[Found, Decimal]:
    """The same with the venue of a backtest."""
    begins_ns, *at = times
    changes = [Diff(begins_ns, 101, 101, (), ())]
    for event, at_ns in zip(plan, at, strict=True):
        if not event.is_print:
            level = ((D(event.price), D(event.quantity if event.price != 100 else "0")),)
            sides = (level, ()) if event.price < 100 else ((), level)
            number = changes[-1].last_id + 1
            changes.append(Diff(at_ns, number, number, *sides))
    depth = Depth(BookReplay(SYMBOL, [Snapshot(100, _levels(BIDS), _levels(ASKS)), *changes]))
    venue = TapeVenue(COIN, Terms(fee_rate=ZERO), {"USDT": ZERO, "BTC": HELD}, depth)
    venue.last = D(last)
    limit = OrderSpec(
        symbol=SYMBOL, side=Side.SELL, type=OrderType.LIMIT_MAKER, quantity=D(size), price=D(take)
    )
    loss = OrderSpec(
        symbol=SYMBOL, side=Side.SELL, type=OrderType.STOP_LOSS, quantity=D(size),
        stop_price=D(stop),
    )  # fmt: skip
    venue.submit("limit", limit, begins_ns, mate=("stop", loss))
    outcomes = [*venue.arrive(begins_ns)]
    for event, at_ns in zip(plan, at, strict=True):
        if event.is_print:
            seen = Trade(at_ns, SYMBOL, D(event.price), D(event.quantity), event.who == "SELL")
            outcomes += venue.print(seen)
    found: Found = {}
    for outcome in outcomes:
        for one in (outcome, outcome.mate):
            if one is not None:
                _take(found, one)
    return found, venue.free["BTC"]


def _take(found: Found, outcome: Outcome) -> None:
    fills, _ = found.get(outcome.cid, ([], None))
    fills += [(fill.price, fill.quantity) for fill in outcome.fills]
    found[outcome.cid] = fills, outcome.state


def _levels(levels: dict[str, str]) -> tuple[Level, ...]:
    return tuple((D(price), D(quantity)) for price, quantity in levels.items())


@given(
    plan=news,
    size=st.sampled_from(["1", "2.5", "9"]),
    take=st.integers(101, 105),
    stop=st.integers(95, 99),
    last=st.sampled_from([*[100] * 6, *range(94, 107)]),
)
def test_a_list_executes_and_ends_as_one_at_the_exchange_does(
    plan: list[News], size: str, take: int, stop: int, last: int
) -> None:
    said = size, str(take), str(stop), str(last)
    there, free, times = at_the_exchange(plan, *said)
    here, free_here = in_a_backtest(plan, *said, times)
    assert here == there
    assert free_here == free

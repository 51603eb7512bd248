"""Reports in any order, more than once, from any side: the same final fold.

An order's true course is drawn, then the reports that tell of it are shuffled and repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.fact import (
    AnyFact,
    Armed,
    AttemptMoved,
    Filled,
    Ghost,
    RejectClosed,
)
from holdfast.domain.fill import Fill
from holdfast.domain.order import AttemptState, OrderSpec, OrderState, OrderType, Side
from holdfast.execution.evidence import facts_of
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState
from holdfast.venues.port import OrderReport

SPEC = OrderSpec(symbol="BTC/USDT", side=Side.BUY, type=OrderType.MARKET, quantity=Decimal(10))
ARMED = Armed(
    cid="c",
    intent_id="i",
    n=1,
    bot="bot",
    leg="BTC/USDT",
    seq=0,
    decision=0,
    spec=SPEC,
    boot_id="boot",
    timestamp_ms=0,
    window_ms=1000,
    reserve_asset="USDT",
    reserve=Decimal(1000),
)
IN_DOUBT = AttemptMoved(cid="c", state=AttemptState.IN_DOUBT)
BELIEVED: dict[str, tuple[AnyFact, ...]] = {
    "armed": (),
    "in doubt": (IN_DOUBT,),
    "rejected": (AttemptMoved(cid="c", state=AttemptState.REJECTED),),
    "acked": (AttemptMoved(cid="c", state=AttemptState.ACKED, order_state=OrderState.NEW),),
    "declared absent": (IN_DOUBT, AttemptMoved(cid="c", state=AttemptState.NEVER_EXECUTED)),
    "rejected for good": (
        AttemptMoved(cid="c", state=AttemptState.REJECTED),
        RejectClosed(cid="c", evidence="", server_ms=0),
    ),
    "not sent": (AttemptMoved(cid="c", state=AttemptState.NOT_SENT),),
}
GHOSTS = ("declared absent", "rejected for good", "not sent")


def fill(number: int, quantity: Decimal) -> Fill:
    return Fill(
        symbol="BTC/USDT",
        side=Side.BUY,
        trade_id=str(number),
        venue_order_id="7",
        cid="c",
        quantity=quantity,
        price=Decimal(100),
        fee=Decimal(0),
        fee_asset="USDT",
        at_ns=0,
    )


def report(state: OrderState, fills: Sequence[Fill], carried: int) -> OrderReport:
    """What the venue says after `fills`, of which the report carries the last `carried`."""
    return OrderReport(
        symbol="BTC/USDT",
        cid="c",
        order_id="7",
        side=Side.BUY,
        state=state,
        quantity=SPEC.quantity,
        executed=sum((f.quantity for f in fills), Decimal(0)),
        fills=tuple(fills[len(fills) - carried :]),
    )


@st.composite
def courses(draw: st.DrawFn) -> tuple[list[OrderReport], OrderReport]:
    """All reports of an order's life, shuffled and repeated, and the one that says how it ended."""
    parts = draw(st.lists(st.integers(1, 3), max_size=3))
    fills = [fill(n, Decimal(q)) for n, q in enumerate(parts, 1)]
    reports = [report(OrderState.NEW, [], 0)]
    for upto in range(1, len(fills) + 1):
        carried = draw(st.integers(0, upto))
        reports.append(report(OrderState.PARTIALLY_FILLED, fills[:upto], carried))
    rest = SPEC.quantity - sum(parts)
    ending = draw(st.sampled_from([OrderState.FILLED, OrderState.CANCELLED, OrderState.EXPIRED]))
    if ending is OrderState.FILLED:
        fills.append(fill(len(fills) + 1, rest))
    end = report(ending, fills, len(fills))  # the trades are found at last, by whatever way
    again = draw(st.lists(st.sampled_from([*reports, end]), max_size=6))
    return draw(st.permutations([*reports, end, *again])), end


def told(believed: str, reports: Sequence[OrderReport]) -> AccountState:
    """The fold after these reports, each execution taken in once as the books do."""
    state = AccountState()
    booked: set[str] = set()

    def add(fact: AnyFact) -> None:
        apply(state, state.seq + 1, 1, 0, fact)

    for fact in (ARMED, *BELIEVED[believed]):
        add(fact)
    for each in reports:
        order = state.order("c")
        assert order is not None
        fresh = tuple(Filled(fill=f, bot="bot") for f in each.fills if f.trade_id not in booked)
        booked.update(f.fill.trade_id for f in fresh)
        for fact in facts_of(order, each, fresh, "stream", 0):
            add(fact)
    return state


@given(st.sampled_from(sorted(set(BELIEVED) - {"not sent"})), courses())
def test_the_end_is_the_same_whatever_came_first(
    believed: str, course: tuple[list[OrderReport], OrderReport]
) -> None:
    reports, end = course
    state = told(believed, reports)
    order = state.order("c")
    assert order is not None
    assert (order.state, order.order_state) == (AttemptState.ACKED, end.state)
    assert order.executed == order.booked == end.executed
    assert state.holdings.get("BTC", Decimal(0)) == end.executed
    assert "c" not in state.live
    assert state.reserved("USDT") == 0


@given(st.sampled_from(sorted(BELIEVED)), courses())
def test_a_ghost_is_said_once_where_there_is_one_and_never_elsewhere(
    believed: str, course: tuple[list[OrderReport], OrderReport]
) -> None:
    reports, end = course
    state = told(believed, reports)
    assert state.counters.ghosts == (1 if believed in GHOSTS else 0)
    assert state.holdings.get("BTC", Decimal(0)) == end.executed, "a ghost's fills are booked too"


@given(courses())
def test_the_same_reports_again_prove_nothing(
    course: tuple[list[OrderReport], OrderReport],
) -> None:
    reports, _ = course
    state = told("in doubt", reports)
    order = state.order("c")
    assert order is not None
    assert [f for each in reports for f in facts_of(order, each, (), "query", 0)] == []


def test_a_ghost_comes_before_what_it_executed() -> None:
    state = told("declared absent", [])
    order = state.order("c")
    assert order is not None
    filled = (Filled(fill=fill(1, Decimal(10)), bot="bot"),)
    proven = facts_of(order, report(OrderState.FILLED, [fill(1, Decimal(10))], 1), filled, "s", 0)
    assert [type(f) for f in proven] == [Ghost, AttemptMoved, Filled]

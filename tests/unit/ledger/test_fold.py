"""The fold: every move of the two tables and no other, fills in any state, nothing twice."""

from __future__ import annotations

from decimal import Decimal
from itertools import product

import pytest

from holdfast.domain.fact import (
    AnyFact,
    Armed,
    AttemptMoved,
    BotStarted,
    CancelArmed,
    Decided,
    Filled,
    Ghost,
    Leg,
    OrderMoved,
    RejectClosed,
    TookOver,
)
from holdfast.domain.fill import Fill
from holdfast.domain.order import (
    ATTEMPT_MOVES,
    ORDER_MOVES,
    AttemptState,
    OrderSpec,
    OrderState,
    OrderType,
    Side,
)
from holdfast.errors import CorruptionError
from holdfast.journal.record import decode
from holdfast.ledger.fold import REMEMBERED, apply
from holdfast.ledger.state import AccountState, from_bytes, to_bytes

# The tables of the design, written down a second time: who changes one must change both.
ATTEMPT_TABLE = {
    ("ARMED", "ACKED"),
    ("ARMED", "REJECTED"),
    ("ARMED", "NOT_SENT"),
    ("ARMED", "IN_DOUBT"),
    ("IN_DOUBT", "ACKED"),
    ("IN_DOUBT", "NEVER_EXECUTED"),
    ("REJECTED", "ACKED"),
    ("NEVER_EXECUTED", "ACKED"),
}
TO_EACH_END = ("FILLED", "CANCELLED", "EXPIRED")
ORDER_TABLE = {
    *(("PENDING_NEW", to) for to in ("NEW", "PARTIALLY_FILLED", "REJECTED", *TO_EACH_END)),
    *(("NEW", to) for to in ("PARTIALLY_FILLED", "REJECTED", *TO_EACH_END)),
    *(("PARTIALLY_FILLED", to) for to in TO_EACH_END),
    *((end, "SETTLED") for end in (*TO_EACH_END, "REJECTED")),
}
WAY_TO: dict[AttemptState, tuple[AttemptState, ...]] = {
    AttemptState.ARMED: (),
    AttemptState.ACKED: (AttemptState.ACKED,),
    AttemptState.REJECTED: (AttemptState.REJECTED,),
    AttemptState.NOT_SENT: (AttemptState.NOT_SENT,),
    AttemptState.IN_DOUBT: (AttemptState.IN_DOUBT,),
    AttemptState.NEVER_EXECUTED: (AttemptState.IN_DOUBT, AttemptState.NEVER_EXECUTED),
}
ONE = Decimal(1)


class Book:
    """A fold that is fed fact by fact."""

    def __init__(self, *facts: AnyFact) -> None:
        self.state = AccountState()
        self.add(*facts)

    def add(self, *facts: AnyFact) -> None:
        for fact in facts:
            seq = self.state.seq + 1
            apply(self.state, seq, 1, seq * 1000, fact)


def armed(cid: str = "c", quantity: Decimal = ONE, decision: int = 0) -> Armed:
    return Armed(
        cid=cid,
        intent_id=f"intent {cid}",
        n=1,
        bot="bot",
        leg="BTC/USDT",
        seq=0,
        decision=decision,
        spec=OrderSpec(symbol="BTC/USDT", side=Side.BUY, type=OrderType.MARKET, quantity=quantity),
        boot_id="boot",
        timestamp_ms=0,
        window_ms=1000,
        reserve_asset="USDT",
        reserve=quantity * 100,
    )


def moved(state: AttemptState, order_state: OrderState | None = None, cid: str = "c") -> AnyFact:
    if state is AttemptState.ACKED and order_state is None:
        order_state = OrderState.NEW
    return AttemptMoved(cid=cid, state=state, order_state=order_state)


def filled(quantity: Decimal = ONE, trade_id: str = "1", cid: str = "c") -> Filled:
    return Filled(
        fill=Fill(
            symbol="BTC/USDT",
            side=Side.BUY,
            trade_id=trade_id,
            venue_order_id="9",
            cid=cid,
            quantity=quantity,
            price=Decimal(100),
            fee=Decimal(0),
            fee_asset="USDT",
            at_ns=1,
        ),
        bot="bot",
    )


@pytest.mark.parametrize(("before", "after"), [*product(AttemptState, repeat=2)])
def test_an_attempt_moves_as_the_table_says_and_in_no_other_way(
    before: AttemptState, after: AttemptState
) -> None:
    book = Book(armed(), *(moved(state) for state in WAY_TO[before]))
    assert (after in ATTEMPT_MOVES[before]) == ((before, after) in ATTEMPT_TABLE)
    if (before, after) in ATTEMPT_TABLE:
        book.add(moved(after))
        order = book.state.order("c")
        assert order is not None
        assert order.state is after
    else:
        with pytest.raises(CorruptionError, match=f"from {before} to {after}"):
            book.add(moved(after))


@pytest.mark.parametrize(("before", "after"), [*product(OrderState, repeat=2)])
def test_an_order_moves_as_the_table_says_and_in_no_other_way(
    before: OrderState, after: OrderState
) -> None:
    book = Book(armed(), moved(AttemptState.ACKED, before))
    assert (after in ORDER_MOVES[before]) == ((before, after) in ORDER_TABLE)
    news = OrderMoved(cid="c", state=after, executed=Decimal(0))
    if (before, after) in ORDER_TABLE or before is after:
        book.add(news)
        order = book.state.order("c")
        assert order is not None
        assert order.order_state is after
    else:
        with pytest.raises(CorruptionError, match=f"from {before} to {after}"):
            book.add(news)


@pytest.mark.parametrize("state", AttemptState)
def test_a_fill_is_booked_in_any_state(state: AttemptState) -> None:
    book = Book(armed(), *(moved(s) for s in WAY_TO[state]), filled())
    assert book.state.holdings == {"BTC": ONE, "USDT": Decimal(-100)}
    assert book.state.bots["bot"].positions["BTC/USDT"].quantity == ONE
    order = book.state.order("c")
    assert order is not None
    assert (order.booked, order.executed) == (ONE, ONE)


def test_what_may_still_execute_stays_live_and_the_rest_is_remembered() -> None:
    book = Book(armed("a"), armed("b"), armed("c"), armed("d"), armed("e"))
    book.add(
        moved(AttemptState.ACKED, cid="a"),
        moved(AttemptState.REJECTED, cid="b"),
        moved(AttemptState.NOT_SENT, cid="c"),
        AttemptMoved(cid="d", state=AttemptState.REJECTED, final=True),
        moved(AttemptState.IN_DOUBT, cid="e"),
    )
    assert (list(book.state.live), list(book.state.recent)) == (["a", "b", "e"], ["c", "d"])
    book.add(RejectClosed(cid="b", evidence="", server_ms=1))
    assert list(book.state.live) == ["a", "e"]


def test_an_order_is_over_only_when_its_fills_are_booked() -> None:
    book = Book(armed(), moved(AttemptState.ACKED))
    book.add(OrderMoved(cid="c", state=OrderState.FILLED, executed=ONE))
    assert "c" in book.state.live
    book.add(filled(Decimal("0.4")))
    assert "c" in book.state.live
    book.add(filled(Decimal("0.6"), trade_id="2"))
    assert "c" not in book.state.live


def test_an_attempt_declared_absent_that_shows_up_is_live_again() -> None:
    book = Book(armed(), moved(AttemptState.IN_DOUBT), moved(AttemptState.NEVER_EXECUTED))
    assert "c" not in book.state.live
    book.add(Ghost(cid="c", evidence="trade"), moved(AttemptState.ACKED))
    assert book.state.live["c"].is_working
    assert book.state.live["c"].is_ghost
    assert book.state.counters.ghosts == 1


def test_what_is_executed_never_falls() -> None:
    book = Book(armed(), moved(AttemptState.ACKED))
    for executed in ("0.5", "0.2"):
        book.add(OrderMoved(cid="c", state=OrderState.PARTIALLY_FILLED, executed=Decimal(executed)))
    assert book.state.live["c"].executed == Decimal("0.5")


def test_reserves_shrink_with_what_is_booked_and_end_with_the_order() -> None:
    book = Book(armed(quantity=Decimal(4)), moved(AttemptState.ACKED))
    assert book.state.reserved("USDT") == 400
    book.add(filled(ONE))
    assert book.state.reserved("USDT") == 300
    book.add(OrderMoved(cid="c", state=OrderState.CANCELLED, executed=ONE))
    assert book.state.reserved("USDT") == 0
    assert book.state.free("USDT") == -100


@pytest.mark.parametrize(
    "fact",
    [
        moved(AttemptState.ACKED, cid="nobody"),
        OrderMoved(cid="nobody", state=OrderState.NEW, executed=Decimal(0)),
        OrderMoved(cid="c", state=OrderState.NEW, executed=Decimal(0)),  # armed, not acknowledged
        RejectClosed(cid="c", evidence="", server_ms=0),  # not rejected
        armed("c"),
        Decided(
            bot="bot", number=2, key="2", config_version=1, wish="", legs=(), seen_ns=0
        ),  # after none
    ],
)
def test_what_contradicts_the_state_is_corruption(fact: AnyFact) -> None:
    book = Book(armed("c"))
    with pytest.raises(CorruptionError, match=r"seen: .*expected: "):
        book.add(fact)


@pytest.mark.parametrize("seq", [0, 1, 3])
def test_a_hole_in_the_stream_is_corruption(seq: int) -> None:
    book = Book(armed("c"))
    with pytest.raises(CorruptionError, match=f"record {seq} after 1; expected: 2"):
        apply(book.state, seq, 1, 0, moved(AttemptState.ACKED))


def test_a_new_decision_forgets_how_far_the_last_one_came() -> None:
    leg = Leg(leg="BTC/USDT", symbol="BTC/USDT", target=ONE)
    book = Book(BotStarted(bot="bot", config_version=1, config="", anchor_ns=0))
    for number in (1, 2):
        book.add(
            Decided(
                bot="bot",
                number=number,
                key=str(number),
                config_version=1,
                wish="",
                legs=(leg,),
                seen_ns=0,
            )
        )
        assert book.state.bots["bot"].progress == {}
        book.add(armed(f"c{number}", decision=number))
        assert book.state.bots["bot"].progress["BTC/USDT"].cid == f"c{number}"
    book.add(moved(AttemptState.NOT_SENT, cid="c1"))
    assert book.state.bots["bot"].progress["BTC/USDT"].misses == 0, "it is of an old decision"


def test_cancels_are_counted_with_the_time_of_the_last() -> None:
    book = Book(armed(), moved(AttemptState.ACKED))
    book.add(
        CancelArmed(
            cid="x", target="c", symbol="BTC/USDT", boot_id="b", timestamp_ms=0, window_ms=1
        )
    )
    order = book.state.live["c"]
    assert (order.cancels, order.cancelled_ns) == (1, 3000)


def test_only_so_many_closed_attempts_are_remembered() -> None:
    book = Book()
    for number in range(REMEMBERED + 10):
        book.add(armed(f"c{number}"), moved(AttemptState.NOT_SENT, cid=f"c{number}"))
    assert len(book.state.recent) == REMEMBERED
    assert next(iter(book.state.recent)) == "c10"
    assert book.state.live == {}


def test_the_last_trade_is_the_largest_number_not_the_last_seen() -> None:
    book = Book(armed(quantity=Decimal(5)), moved(AttemptState.ACKED))
    for trade_id in ("9", "10", "8"):
        book.add(filled(trade_id=trade_id))
    assert book.state.last_trade == {"BTC/USDT": "10"}


def test_an_account_is_the_first_one_that_a_leader_learnt_and_stays_it() -> None:
    """Also where the records and snapshots begin with those of programs that kept none."""
    before = b'{"v":2,"seq":1,"epoch":1,"at_ns":0,"fact":{"kind":"took_over","node":"a:1",'
    old = AccountState()
    apply(old, 1, 1, 0, decode(before + b'"boot_id":"b","version":"0"}}').fact)
    state = from_bytes(to_bytes(old).replace(b',"uid":""', b""))
    assert state is not None
    assert state.uid == ""
    for seq, uid in enumerate(("354937868", "", "77"), start=2):
        apply(state, seq, seq, 0, TookOver(node="a:1", boot_id="b", version="1", uid=uid))
    assert state.uid == "354937868"

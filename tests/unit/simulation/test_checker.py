"""What the checker holds commits, calls and executions against, apart from the fold."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.cluster.port import Claim
from holdfast.domain.fact import (
    AnyFact,
    Armed,
    BotRemoved,
    BotStarted,
    BotStopped,
    Decided,
    Draining,
    Halted,
    HaltLevel,
    InstrumentChanged,
    Leg,
    Quarantined,
    Released,
    Resumed,
)
from holdfast.domain.order import AttemptState, OrderState, OrderType, Side
from holdfast.exchange.accounts import Account
from holdfast.exchange.catalogue import LISTINGS
from holdfast.exchange.core import OrderReport
from holdfast.exchange.orders import Change, Execution, Kind, Order, Status
from holdfast.exchange.traffic import Call
from holdfast.journal.port import Head
from holdfast.journal.record import FORMAT, Record
from holdfast.ledger.state import LiveOrder
from holdfast.simulation.checker import Checker
from holdfast.simulation.clock import FIRST_S, WORLD
from tests.support import demo_world as world

PAIR = "BTC/USDT"
MOST = Decimal(1_000)


class Watched:
    """A checker, and what the store and the exchange tell it."""

    def __init__(self, *, is_meddled: bool = False) -> None:
        self.account = Account(1, world.KEY, "secret")
        self.account.balance("USDT").free = Decimal(100_000)
        self.checker = Checker(
            self.account, price=lambda _symbol: Decimal(1_000), traded=(PAIR,), breaks=False,
            most_held=MOST,
        )  # fmt: skip
        self.checker.is_meddled = is_meddled
        self.head = Head("main", 1, 1, 0, bytes(32))
        self.trades = 0
        self.checker.on_acquire(self.head)
        listed = msgspec.json.encode(LISTINGS[PAIR]).decode()
        self.commit(*world.opening(), InstrumentChanged(instrument=listed))

    def commit(self, *facts: AnyFact) -> None:
        seq = self.head.seq
        records = tuple(
            Record(FORMAT, seq + n, self.head.epoch, seq + n, fact)
            for n, fact in enumerate(facts, start=1)
        )
        self.head = msgspec.structs.replace(self.head, seq=seq + len(facts))
        self.checker.on_commit(self.head, records)

    def report(
        self, intent: int, side: Side, status: Status, *, traded: str = "", stop: str = ""
    ) -> Order:
        """The exchange changes an order of 0.1, or executes some of it at 1000, fee in base."""
        order = Order(
            account=None, sequence=1, symbol=PAIR, side=side, kind=Kind.MARKET,
            quantity=Decimal("0.1"), remaining=Decimal("0.1") - Decimal(traded or 0), price=None,
            created_ns=1, updated_ns=1, order_id=intent, client_order_id=world.cid(intent),
            status=status, stop_price=Decimal(stop) if stop else None,
        )  # fmt: skip
        fill = None
        if traded:
            self.trades += 1
            quantity = Decimal(traded)
            fill = Execution(
                PAIR, self.trades, intent, side, Decimal(1000), quantity, quantity * 1000,
                quantity / 1000, "BTC" if side is Side.BUY else "USDT", False, 1,
            )  # fmt: skip
        change = Change.TRADE if traded else Change.NEW
        self.checker.on_event(self.account, OrderReport(order, change, fill, 1))
        return order

    def found(self) -> list[str]:
        return [one.invariant for one in self.checker.violations]


@pytest.fixture
def watched() -> Watched:
    WORLD.now_s = FIRST_S
    return Watched()


def wished(number: int, *legs: Leg) -> Decided:
    return msgspec.structs.replace(world.decided(number), legs=legs)


def target(quantity: str, stop_pct: Decimal | None = None) -> Leg:
    return Leg(leg=PAIR, symbol=PAIR, target=Decimal(quantity), stop_pct=stop_pct)


def bought(intent: int, quantity: str = "0.1", **fields: object) -> Armed:
    """At market; what it sets aside says that the price is 1000."""
    return msgspec.structs.replace(
        world.armed(intent, Side.BUY, quantity), reserve=Decimal(quantity) * 1000, decision=1,
        **fields,
    )  # fmt: skip


# -- wishes ----------------------------------------------------------------------------------------


def test_what_a_target_asks_for_may_be_armed_in_parts_and_again_when_a_part_came_to_nothing(
    watched: Watched,
) -> None:
    watched.commit(wished(1, target("0.2")), bought(1), bought(2))
    watched.report(1, Side.BUY, Status.FILLED, traded="0.1")
    watched.commit(world.acked(2, OrderState.EXPIRED, "0"), bought(3))
    assert watched.found() == []


def test_a_wish_carried_out_under_two_intents_is_found_before_either_executes(
    watched: Watched,
) -> None:
    watched.commit(wished(1, target("0.1")), bought(1), bought(2))
    assert watched.found() == ["I14"]


def test_a_purchase_that_executed_counts_before_it_is_booked(watched: Watched) -> None:
    watched.commit(wished(1, target("0.1")), bought(1))
    watched.report(1, Side.BUY, Status.FILLED, traded="0.1")
    watched.commit(world.acked(1, OrderState.EXPIRED, "0"), bought(2))
    assert watched.found() == ["I14"]


def test_what_is_armed_without_a_standing_wish_is_found(watched: Watched) -> None:
    watched.commit(wished(1), bought(1))
    assert watched.found() == ["I14"]


def test_nothing_is_sold_below_a_target_unless_an_exit_fired(watched: Watched) -> None:
    watched.commit(wished(1, target("0.1")), bought(1))
    watched.report(1, Side.BUY, Status.FILLED, traded="0.1")
    sale = msgspec.structs.replace(world.armed(2, Side.SELL, "0.05"), decision=1)
    watched.commit(world.acked(1, OrderState.FILLED, "0.1"), sale)
    assert watched.found() == ["I14"]


def test_what_an_exit_left_may_be_sold_whatever_the_target(watched: Watched) -> None:
    watched.commit(wished(1, target("0.1")), bought(1))
    watched.report(1, Side.BUY, Status.FILLED, traded="0.1")
    stop = msgspec.structs.replace(
        world.armed(2, Side.SELL, "0.05"), leg=f"{PAIR}|stop", decision=1
    )
    watched.commit(world.acked(1, OrderState.FILLED, "0.1"), stop)
    watched.report(2, Side.SELL, Status.FILLED, traded="0.05")
    rest = msgspec.structs.replace(world.armed(3, Side.SELL, "0.04"), decision=1)
    watched.commit(world.acked(2, OrderState.FILLED, "0.05"), rest)
    assert watched.found() == []


def test_more_is_not_sold_than_there_is_and_the_parts_of_a_list_share_one_quantity(
    watched: Watched,
) -> None:
    watched.commit(wished(1, target("0.1", stop_pct=Decimal(1))), bought(1))
    watched.report(1, Side.BUY, Status.FILLED, traded="0.1")
    watched.commit(world.acked(1, OrderState.FILLED, "0.1"))
    parts = [
        msgspec.structs.replace(
            world.armed(2, Side.SELL, "0.09", n=n), leg=f"{PAIR}|exits", decision=1,
            list_cid="l" * 32, part=n, n=1,
        )
        for n in (1, 2)
    ]  # fmt: skip
    watched.commit(*parts)
    assert watched.found() == []
    watched.commit(msgspec.structs.replace(world.armed(3, Side.SELL, "0.01"), decision=1))
    assert watched.found() == ["I14"]


def test_of_a_level_of_quotes_there_is_one_order_at_a_time(watched: Watched) -> None:
    level = Leg(
        leg=f"{PAIR}|BUY|999", symbol=PAIR, side=Side.BUY, quantity=Decimal("0.1"),
        price=Decimal(999),
    )  # fmt: skip
    bid = msgspec.structs.replace(bought(1).spec, type=OrderType.LIMIT, price=Decimal(999))
    watched.commit(wished(1, level), bought(1, leg=level.leg, spec=bid))
    watched.commit(world.acked(1, OrderState.NEW, "0"))
    assert watched.found() == []
    watched.commit(bought(2, leg=level.leg, spec=bid))
    assert watched.found() == ["I14"]


@pytest.mark.parametrize(("stops", "missing"), [("", 1), ("950", 0)])
def test_a_position_whose_wish_has_a_stop_needs_it_at_the_exchange(
    watched: Watched, stops: str, missing: int
) -> None:
    watched.commit(wished(1, target("0.1", stop_pct=Decimal(5))), bought(1))
    watched.report(1, Side.BUY, Status.FILLED, traded="0.1")
    watched.commit(
        world.acked(1, OrderState.FILLED, "0.1"),
        msgspec.structs.replace(
            world.armed(2, Side.SELL, "0.0999"), leg=f"{PAIR}|stop", decision=1
        ),
    )
    resting = [watched.report(2, Side.SELL, Status.NEW, stop=stops)] if stops else []
    found = list(watched.checker.wishes.unprotected(resting, {PAIR: Decimal("0.001")}))
    assert len(found) == missing


# -- limits, halts and quarantine ------------------------------------------------------------------

WISH = wished(1, target("5"))


def test_a_limit_counts_what_may_yet_be_bought_whatever_the_platform_s_fold_says(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LiveOrder, "outstanding", Decimal(0))
    watched.commit(WISH, bought(1, "0.6"), world.acked(1, OrderState.NEW, "0"))
    assert watched.found() == []
    watched.commit(bought(2, "0.6"))
    assert watched.found() == ["I8"]


def test_a_limit_counts_what_executed_before_it_is_booked_and_what_an_order_left_no_more(
    watched: Watched,
) -> None:
    watched.commit(WISH, bought(1, "0.9"))
    watched.report(1, Side.BUY, Status.CANCELED, traded="0.1")
    watched.commit(world.acked(1, OrderState.CANCELLED, "0.1"), bought(2, "0.8"))
    assert watched.found() == []
    watched.report(2, Side.BUY, Status.FILLED, traded="0.1")
    watched.commit(bought(3, "0.3"))
    assert watched.found() == ["I8"]


STARTED = BotStarted(bot="trend", config_version=1, config="{}", anchor_ns=0)
STOPS: list[tuple[AnyFact, AnyFact]] = [
    (BotStopped(bot="trend", reason="r"), STARTED),
    (BotRemoved(bot="trend", by="operator"), STARTED),
    (
        Halted(level=HaltLevel.ENTRIES, reason="r", by="operator"),
        Resumed(by="operator"),
    ),
    (
        Halted(level=HaltLevel.ENTRIES, reason="r", by="operator", bot="trend"),
        Resumed(by="operator", bot="trend"),
    ),
    (Draining(bot="trend", by="operator"), Draining(bot="trend", by="operator", on=False)),
    (
        Quarantined(what="BTC", by="reconcile", evidence="e"),
        Released(what="BTC", by="operator", evidence="e"),
    ),
]


@pytest.mark.parametrize(("stop", "go"), STOPS)
def test_nothing_is_bought_while_it_is_stopped_even_where_it_is_said_to_reduce(
    stop: AnyFact, go: AnyFact
) -> None:
    WORLD.now_s = FIRST_S
    watched = Watched(is_meddled=True)
    watched.commit(WISH, stop, bought(1, reduces=True))
    assert watched.found() == ["I8"]
    watched.commit(go, bought(2))
    assert watched.found() == ["I8"]


def test_resuming_a_bot_resumes_no_account() -> None:
    WORLD.now_s = FIRST_S
    watched = Watched(is_meddled=True)
    halted = Halted(level=HaltLevel.ENTRIES, reason="r", by="operator")
    watched.commit(WISH, halted, Resumed(by="operator", bot="trend"), bought(1))
    assert watched.found() == ["I8"]


def test_nothing_is_bought_on_a_symbol_while_an_attempt_of_it_is_in_doubt(watched: Watched) -> None:
    doubt = world.attempt(1, AttemptState.IN_DOUBT)
    watched.commit(WISH, bought(1), doubt, bought(2))
    assert watched.found() == ["I8"]
    watched.commit(world.acked(1, OrderState.NEW, "0"), bought(3))
    assert watched.found() == ["I8"], "one that was found is in nobody's way"


def test_a_purchase_sets_something_aside(watched: Watched) -> None:
    watched.commit(WISH, msgspec.structs.replace(bought(1), reserve=Decimal(0)))
    assert watched.found() == ["I8"]


# -- rows, epochs and trades -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "found"),
    [
        ("POST", "/api/v3/order", ["I2"]),
        ("POST", "/api/v3/orderList/oco", ["I2"]),
        ("DELETE", "/api/v3/order", ["I2"]),
        ("DELETE", "/api/v3/openOrders", ["I2"]),
        ("GET", "/api/v3/openOrders", []),
    ],
)
def test_an_order_or_a_cancel_without_any_id_has_no_row(
    watched: Watched, method: str, path: str, found: list[str]
) -> None:
    watched.checker.on_call(
        Call(door="rest", method=method, path=path, params={"symbol": "X"}, api_key=world.KEY)
    )
    assert watched.found() == found


def test_two_leaders_of_one_epoch_are_found(watched: Watched) -> None:
    watched.checker.on_acquire(msgspec.structs.replace(watched.head, epoch=2))
    assert watched.found() == []
    watched.checker.on_acquire(msgspec.structs.replace(watched.head, epoch=2))
    assert watched.found() == ["I3"]


@pytest.mark.parametrize(
    ("before", "now", "is_fault"),
    [
        (Claim("main", "", 0), Claim("main", "a", 1), False),
        (Claim("main", "a", 1), Claim("main", "b", 2), False),
        (Claim("main", "b", 2), Claim("main", "b", 2, "a"), False),
        (Claim("main", "b", 2), Claim("main", "a", 1), True),  # as a renewal read it long ago
        (Claim("main", "b", 2), Claim("main", "a", 2), True),  # two took the same turn
    ],
)
def test_a_lease_is_given_back_to_nobody_by_what_was_read_before_it_was_taken(
    watched: Watched, before: Claim, now: Claim, is_fault: bool
) -> None:
    watched.checker.on_claim(before, now)
    assert watched.found() == (["I15"] if is_fault else [])


def test_a_trade_that_is_booked_twice_is_found_when_it_is(watched: Watched) -> None:
    watched.commit(wished(1, target("0.1")), bought(1))
    watched.report(1, Side.BUY, Status.FILLED, traded="0.1")
    fill = world.filled(1, 1, Side.BUY, "0.1", "1000", "0.0001", "BTC")
    watched.commit(world.acked(1, OrderState.FILLED, "0.1"), fill)
    assert watched.found() == []
    watched.commit(fill)
    assert watched.found() == ["I7"]

"""What the checker holds the purchases of several bots against: one account's money and limits."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.app.demo.told import Told
from holdfast.domain.fact import AnyFact, Armed, Refusal
from holdfast.domain.order import AttemptState, OrderState, Side
from holdfast.exchange.accounts import Account
from holdfast.exchange.orders import Execution, Kind, Order, Status
from holdfast.ledger.portfolio import Position
from holdfast.ledger.state import AccountState, BotState
from holdfast.simulation.clock import FIRST_S, WORLD
from holdfast.simulation.exposure import Exposure
from holdfast.simulation.sharing import CLOCKS_MS, Shared
from tests.support import demo_world as world

PAIR = "BTC/USDT"


class Pair:
    """Two bots, `one` and `two`, of an account that has 150 USDT; BTC costs 1000."""

    def __init__(self, most_together: Decimal | None = None) -> None:
        self.account = Account(1, world.KEY, "s")
        self.account.balance("USDT").free = Decimal(150)
        self.told = Told()
        self.exposure = Exposure(self.told)
        self.shared = Shared(self.account, self.told, self.exposure, most_together)

    def commit(self, *facts: AnyFact) -> list[str]:
        """Faults of the purchases among them."""
        found: list[str] = []
        self.shared.begin()
        for fact in facts:
            if isinstance(fact, Armed) and fact.spec.side is Side.BUY:
                found += self.shared.faults(fact)
            self.told.take(fact)
            self.exposure.take(fact)
            self.shared.take(fact)
        return found

    def execute(self, cid: str, quantity: str) -> None:
        """All of a purchase, or of an order by hand, at 1000."""
        amount = Decimal(quantity)
        order = Order(
            account=None, sequence=1, symbol=PAIR, side=Side.BUY, kind=Kind.MARKET,
            quantity=amount, remaining=Decimal(0), price=None, created_ns=1, updated_ns=1,
            order_id=1, client_order_id=cid, status=Status.FILLED,
        )  # fmt: skip
        fill = Execution(
            PAIR, 1, 1, Side.BUY, Decimal(1000), amount, amount * 1000, Decimal(0), "BTC", False, 1
        )
        self.account.balance("USDT").free -= fill.cost
        self.account.balance("BTC").free += amount
        self.exposure.report(order, fill)


@pytest.fixture
def pair() -> Pair:
    WORLD.now_s = FIRST_S
    return Pair()


def bought(intent: int, bot: str = "one", quantity: str = "0.1", **fields: object) -> Armed:
    return msgspec.structs.replace(
        world.armed(intent, Side.BUY, quantity), bot=bot, reserve=Decimal(quantity) * 1000, **fields
    )


def refused(bot: str, need: str) -> Refusal:
    spec = bought(9).spec
    return Refusal(bot=bot, leg=PAIR, rule="balance", seen=need, limit="0 USDT free", spec=spec)


DOUBT = world.attempt(1, AttemptState.IN_DOUBT)


@pytest.mark.parametrize("so_far", [(), (DOUBT,), (world.acked(1, OrderState.NEW, "0"),)])
def test_what_another_bot_s_order_may_yet_cost_is_not_spent_again(
    pair: Pair, so_far: tuple[AnyFact, ...]
) -> None:
    assert pair.commit(bought(1), *so_far) == []
    assert pair.commit(bought(2, "two", "0.05")) == []
    (fault,) = pair.commit(bought(3, "two", "0.01"))
    assert "where 0.0" in fault


def test_what_executed_costs_once_and_what_is_absent_costs_nothing(pair: Pair) -> None:
    pair.commit(bought(1), world.attempt(1, AttemptState.NEVER_EXECUTED), bought(2))
    pair.execute(world.cid(2), "0.1")
    assert pair.shared.available("USDT") == Decimal(50)
    pair.commit(world.acked(2, OrderState.FILLED, "0.1"))
    assert pair.shared.available("USDT") == Decimal(50)


def test_what_people_spend_is_not_held_against_the_platform(pair: Pair) -> None:
    pair.execute("web_1", "0.1")
    assert pair.commit(bought(1)) == []


def test_a_purchase_sets_money_aside_that_it_may_cost(pair: Pair) -> None:
    assert pair.commit(bought(1, reserve_asset="BTC")) != []


@pytest.mark.parametrize(("after_ms", "faults"), [(CLOCKS_MS - 100, 0), (CLOCKS_MS + 100, 1)])
def test_no_bot_buys_a_symbol_beside_a_doubt_of_another_that_is_known(
    pair: Pair, after_ms: int, faults: int
) -> None:
    def small(intent: int) -> Armed:
        return bought(intent, "two", "0.01", timestamp_ms=WORLD.now_ns // 1_000_000)

    pair.commit(bought(1), DOUBT)
    WORLD.now_s += 10
    assert pair.commit(small(2)) == []  # it may have been on its way when the doubt became durable
    WORLD.now_s += after_ms / 1000
    assert len(pair.commit(small(3))) == faults
    pair.commit(world.acked(1, OrderState.NEW, "0"))
    assert pair.commit(small(4)) == []


def test_a_limit_of_the_account_counts_what_all_bots_have_and_may_get() -> None:
    pair = Pair(most_together=Decimal(100))
    pair.commit(bought(1, "one", "0.04"), bought(2, "two", "0.03"))
    pair.execute(world.cid(1), "0.04")
    pair.commit(world.acked(1, OrderState.FILLED, "0.04"))
    assert pair.commit(bought(3, "two", "0.03")) == []
    assert len(pair.commit(bought(4, "one", "0.01"))) == 1


def test_what_another_holds_without_a_target_leaves_less_for_a_bot_that_has_one() -> None:
    pair = Pair(most_together=Decimal(100))
    pair.commit(bought(1, "two", quantity="0.06"))
    assert not pair.shared.is_too_much(PAIR, Decimal("0.04"), Decimal(1000))
    assert pair.shared.is_too_much(PAIR, Decimal("0.05"), Decimal(1000)), "one that may rest yet"
    pair.execute(world.cid(1), "0.06")
    assert pair.shared.is_too_much(PAIR, Decimal("0.05"), Decimal(1000)), "and one that executed"
    assert not Pair().shared.is_too_much(PAIR, Decimal(5), Decimal(1000))


def test_a_bot_waits_for_money_while_what_it_was_told_is_true(pair: Pair) -> None:
    pair.commit(bought(1), refused("two", "50"))
    assert pair.shared.waits == set()
    pair.commit(refused("two", "51"))
    assert pair.shared.waits == {"two"}
    pair.commit(bought(2, "two", "0.01"))
    assert pair.shared.waits == set()


@pytest.mark.parametrize(
    ("one", "two", "faults"), [("0.06", "0.04", 0), ("0.1", "0", 2), ("0.06", "0.05", 2)]
)
def test_each_bot_has_what_its_own_orders_made_and_together_that_is_what_there_is(
    pair: Pair, one: str, two: str, faults: int
) -> None:
    pair.commit(bought(1, "one", "0.06"), bought(2, "two", "0.04"))
    pair.execute(world.cid(1), "0.06")
    pair.execute(world.cid(2), "0.04")
    state = AccountState(
        bots={
            name: BotState(positions={PAIR: Position(quantity=Decimal(held))})
            for name, held in (("one", one), ("two", two))
        }
    )
    assert len(list(pair.shared.misattributed(state, is_meddled=False))) == faults


def test_what_people_brought_is_nobody_s_position(pair: Pair) -> None:
    pair.commit(bought(1, "one", "0.1"))
    pair.execute(world.cid(1), "0.1")
    pair.account.balance("BTC").free += 1
    held = {PAIR: Position(quantity=Decimal("0.1"))}
    state = AccountState(bots={"one": BotState(positions=held)})
    assert len(list(pair.shared.misattributed(state, is_meddled=False))) == 1
    assert list(pair.shared.misattributed(state, is_meddled=True)) == []

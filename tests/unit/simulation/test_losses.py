"""What a bot lost, by executions, and what a checker makes of an order after too large a loss."""

from __future__ import annotations

from decimal import Decimal

import pytest

from holdfast.app.demo.told import Told
from holdfast.domain.fact import AnyFact, Refusal
from holdfast.domain.order import Side
from holdfast.exchange.accounts import Account
from holdfast.exchange.orders import Execution, Kind, Order, Status
from holdfast.simulation.clock import FIRST_S, WORLD
from holdfast.simulation.exposure import Exposure
from holdfast.simulation.limits import PRICES_APART, BotLimits, Limited
from holdfast.simulation.losses import Losses
from tests.support import demo_world as world

PAIR = "BTC/USDT"
MOST = Decimal(100)


class Bot:
    """`trend` at an exchange that traded at `price` last."""

    def __init__(self) -> None:
        self.price = Decimal(1000)
        self.told = Told()
        self.exposure = Exposure(self.told)
        self.account = Account(1, world.KEY, "secret")
        self.losses = Losses(self.exposure, lambda _symbol: self.price, self.account, (PAIR,))
        self.limited = Limited(BotLimits(max_daily_loss=MOST), self.exposure, self.losses)

    def commit(self, fact: AnyFact) -> None:
        self.told.take(fact)
        self.exposure.take(fact)
        self.limited.take(fact)

    def execute(
        self, intent: int, side: Side, quantity: str, fee: str = "0", asset: str = "USDT"
    ) -> None:
        amount = Decimal(quantity)
        self.commit(world.armed(intent, side, quantity))
        order = Order(
            account=None, sequence=1, symbol=PAIR, side=side, kind=Kind.MARKET, quantity=amount,
            remaining=Decimal(0), price=None, created_ns=1, updated_ns=1, order_id=intent,
            client_order_id=world.cid(intent), status=Status.FILLED,
        )  # fmt: skip
        fill = Execution(
            PAIR, intent, intent, side, self.price, amount, amount * self.price, Decimal(fee),
            asset, False, 1,
        )  # fmt: skip
        self.exposure.report(order, fill)
        self.losses.executed("trend", fill)

    def refuse(self, seen: str) -> None:
        spec = world.armed(2, Side.BUY, "0.1").spec
        self.commit(
            Refusal(bot="trend", leg=PAIR, rule="max_daily_loss", seen=seen, limit="1", spec=spec)
        )

    @property
    def lost(self) -> tuple[Decimal, Decimal]:
        """At least, and at most."""
        return self.losses.of("trend")


def both(lost: int) -> tuple[Decimal, Decimal]:
    return Decimal(lost), Decimal(lost)


@pytest.fixture
def bot() -> Bot:
    WORLD.now_s = FIRST_S
    return Bot()


def test_a_position_is_worth_what_the_exchange_traded_at_last(bot: Bot) -> None:
    bot.execute(1, Side.BUY, "0.5")
    assert bot.lost == both(0)
    bot.price = Decimal(900)
    assert bot.lost == both(50)
    bot.execute(2, Side.SELL, "0.5")
    bot.price = Decimal(5000)
    assert bot.lost == both(50), "what is sold is worth no more"


@pytest.mark.parametrize(
    ("fee", "asset", "least", "most"),
    [("3", "USDT", "3", "3"), ("0.002", "BTC", "2", "2"), ("0.01", "BNB", "0", "0.5")],
)
def test_fees_are_a_loss_and_those_in_an_asset_without_a_price_may_be(
    bot: Bot, fee: str, asset: str, least: str, most: str
) -> None:
    bot.execute(1, Side.BUY, "0.5", fee, asset)
    assert bot.lost == (Decimal(least), Decimal(most))


@pytest.mark.parametrize(("lost", "faults"), [(MOST, 0), (MOST + PRICES_APART, 1)])
def test_who_lost_too_much_may_add_nothing(bot: Bot, lost: Decimal, faults: int) -> None:
    bot.execute(1, Side.BUY, "1")
    bot.price -= lost
    more = world.armed(2, Side.BUY, "0.1")
    assert len(list(bot.limited.faults(more, bot.price))) == faults


@pytest.mark.parametrize(("lost", "waits"), [(MOST, True), (MOST - PRICES_APART - 1, False)])
def test_who_is_refused_for_a_loss_waits_where_that_is_true(
    bot: Bot, lost: Decimal, waits: bool
) -> None:
    bot.execute(1, Side.BUY, "1")
    bot.price -= lost
    bot.refuse("1")
    assert ("trend" in bot.limited.waits) is waits
    bot.commit(world.armed(3, Side.BUY, "0.1"))
    assert not bot.limited.waits


@pytest.mark.parametrize(("asset", "waits"), [("ETH", True), ("BTC", False), ("USDT", False)])
def test_who_is_refused_since_nobody_knows_what_it_lost_waits_where_that_is_true(
    bot: Bot, asset: str, waits: bool
) -> None:
    """ETH that somebody paid in has no price where no bot trades it."""
    bot.account.balance("ETH")
    bot.account.balance(asset).locked = Decimal("0.003")
    bot.refuse("equity unknown")
    assert ("trend" in bot.limited.waits) is waits

"""What a bot may arm beside what it has armed lately, as a checker counts it."""

from __future__ import annotations

import msgspec
import pytest

from holdfast.app.demo.told import Told
from holdfast.domain.fact import Armed
from holdfast.domain.money import ZERO
from holdfast.domain.order import Side
from holdfast.exchange.accounts import Account
from holdfast.simulation.clock import EPOCH_NS, FIRST_S, WORLD
from holdfast.simulation.exposure import Exposure
from holdfast.simulation.limits import BotLimits, Limited
from holdfast.simulation.losses import Losses
from tests.support import demo_world as world

A_MINUTE, RESTING = 3, 3


class Bot:
    """`trend`, which may send three orders in a minute and have three of them rest."""

    def __init__(self, limits: BotLimits) -> None:
        self.told = Told()
        self.exposure = Exposure(self.told)
        account = Account(1, world.KEY, "secret")
        losses = Losses(self.exposure, lambda _symbol: ZERO, account, ("BTC/USDT",))
        self.limited = Limited(limits, self.exposure, losses)

    def arm(self, number: int, stamped_s: float, side: Side = Side.BUY) -> list[str]:
        """What is wrong with an order that is durable now and stamped then; it is taken."""
        fact = armed(number, stamped_s, side)
        is_bought = fact.spec.side is Side.BUY
        found = list(self.limited.faults(fact, fact.spec.quantity)) if is_bought else []
        for part in (self.told, self.exposure, self.limited):
            part.take(fact)
        return found


def armed(number: int, stamped_s: float, side: Side) -> Armed:
    stamp_ms = EPOCH_NS // 1_000_000 + round(stamped_s * 1_000)
    return msgspec.structs.replace(world.armed(number, side, "1"), timestamp_ms=stamp_ms)


def later(seconds: float) -> None:
    WORLD.now_s = FIRST_S + seconds


@pytest.fixture
def counted() -> Bot:
    later(0)
    return Bot(BotLimits(max_orders_per_minute=A_MINUTE))


def test_orders_of_a_minute_are_those_stamped_in_it_however_slow_the_journal_was(
    counted: Bot,
) -> None:
    later(4)  # what was decided in the first second is durable in the fourth
    for number in range(A_MINUTE):
        assert not counted.arm(number, 0.2 * number)
    later(61)
    assert not counted.arm(3, 61.0), "57 s after they were durable, a minute after they were sent"
    for number in (4, 5):
        assert not counted.arm(number, 61.0 + number / 10)
    assert counted.arm(6, 62.0) == [f"more than {A_MINUTE} in a minute"]


def test_sales_that_become_durable_with_a_purchase_were_approved_after_it(counted: Bot) -> None:
    for number in range(A_MINUTE - 1):
        assert not counted.arm(number, 0.0)
    assert not counted.arm(7, 0.0, Side.SELL)
    assert not counted.arm(8, 0.0), "the third: the sale beside it waited for no limit"
    later(1)
    assert counted.arm(9, 1.0), "by now it counts"


def test_exits_that_become_durable_with_a_purchase_do_not_rest_yet() -> None:
    later(0)
    bot = Bot(BotLimits(max_open_orders=RESTING))
    assert not bot.arm(1, 0.0)
    later(1)
    for number in (2, 3):
        bot.arm(number, 1.0, Side.SELL)
    assert not bot.arm(4, 1.0)
    later(2)
    assert bot.arm(5, 2.0) == [f"armed beside 4 that may rest, of {RESTING}"]

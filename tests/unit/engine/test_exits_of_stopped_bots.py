"""A bot that is stopped: what it holds keeps its stop, or gets it back."""

from __future__ import annotations

from holdfast.domain.order import OrderState, OrderType
from holdfast.strategy import Percent, Target
from tests.support.exits import ONE, D, holding, quote, spec_of, stop_of


def test_a_bot_that_is_stopped_while_its_stop_is_replaced_gets_it_back() -> None:
    """It makes no decisions any more; what it holds stays protected all the same."""
    world = holding(Target(quantity=ONE, stop=Percent(10), trail=True))
    world.bar(price=120)
    world.ask("stop", bot="bot")
    world.settle()
    assert spec_of(world)[1:] == (ONE, D(90))  # where it was: nothing trails while it is stopped
    world.bar(price=130)
    world.settle()
    world.check()


def test_a_bot_that_is_stopped_above_its_take_profit_gets_its_stop_back_all_the_same() -> None:
    """It takes no profit any more, for that would be a decision; so it must not lose its stop."""
    world = holding(Target(quantity=ONE, stop=Percent(10), take_profit=Percent(30), trail=True))
    world.bar(price=120)
    world.ask("stop", bot="bot")
    quote(world, 140)
    world.settle()
    assert world.held() == 1
    assert spec_of(world)[1:] == (ONE, D(90))
    world.check()


def test_what_a_stop_left_of_a_stopped_bots_position_has_a_stop_again() -> None:
    world = holding()
    stop = stop_of(world).armed.cid
    world.ask("stop", bot="bot")
    world.fill(stop, D("0.4"))
    world.end(stop, OrderState.EXPIRED)
    world.settle()
    assert spec_of(world) == (OrderType.STOP_LOSS, D("0.6"), D(98))
    world.check()

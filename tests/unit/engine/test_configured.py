"""Configuration from the journal: limits bind from the record on that sets them."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.domain.fact import BotConfigured, BotRemoved, BotStarted, BotStopped, LimitsSet
from holdfast.domain.limits import Limits
from holdfast.strategy import FLAT, Target
from tests.support.engine_world import World

ONE = Decimal(1)
_encoder = msgspec.json.Encoder(decimal_format="string")


def configured(version: int, *, anew: bool = False, **limits: object) -> BotConfigured:
    text = _encoder.encode({"limits": Limits(**limits)}).decode()  # type: ignore[arg-type]
    return BotConfigured(bot="bot", config_version=version, config=text, by="test", anew=anew)


def limits_set(**limits: object) -> LimitsSet:
    text = _encoder.encode(Limits(**limits)).decode()  # type: ignore[arg-type]
    return LimitsSet(limits=text, by="test")


def test_a_tightened_limit_of_a_bot_binds_at_once_and_a_loosened_one_lets_the_same_wish_pass() -> (
    None
):
    world = World()
    world.commit(configured(2, max_order_notional=Decimal(50)))
    world.wish(Target(quantity=ONE))
    world.bar()
    world.settle()
    assert world.held() == 0
    assert [refusal.rule for refusal in world.refusals] == ["max_order_notional"]
    world.commit(configured(3, max_order_notional=Decimal(500)))
    world.bar()
    world.settle()
    assert world.held() == 1
    assert world.account.bot("bot").config_version == 3


def test_what_only_reduces_passes_a_limit_that_was_tightened_below_the_position() -> None:
    world = World()
    world.wish(Target(quantity=ONE))
    world.bar()
    world.settle()
    world.commit(configured(2, max_position_notional=Decimal(10)))
    world.wish(FLAT)
    world.bar()
    world.settle()
    assert world.held() == 0


def test_limits_of_the_account_bind_at_once_until_the_file_decides_again() -> None:
    world = World()
    world.commit(limits_set(max_position_notional=Decimal(20)))
    world.wish(Target(quantity=ONE))
    world.bar()
    world.settle()
    assert world.held() == 0
    world.restart()  # another process, the same file
    world.bar()
    world.settle()
    assert world.held() == 0, "they are the journal's"
    world.commit(LimitsSet(limits="", by="test"))
    world.bar()
    world.settle()
    assert world.held() == 1


def test_a_drawdown_limit_that_is_set_while_it_trades_is_watched_from_then_on() -> None:
    world = World(cash=Decimal(1000))
    world.wish(Target(quantity=Decimal(9)))
    world.bar()
    world.settle()
    world.commit(limits_set(max_drawdown_pct=Decimal(10)))
    for price in (100, 80):
        for _ in range(6):
            world.bar(price=price)
    assert world.account.halted == "drawdown 18.00 % reached the limit of 10 %"


def test_a_running_bot_that_begins_anew_journals_where_its_indicators_begin() -> None:
    world = World()
    world.bar()
    runtime = world.engine.bots["bot"]
    state = world.account.bots["bot"]
    fact = configured(state.config_version + 1, anew=True)
    world.commit(fact)
    assert state.anchor_ns == 0
    (started,) = world.engine.start_bot(runtime, fact.config)
    assert isinstance(started, BotStarted)
    assert (started.config_version, started.config) == (fact.config_version, fact.config)
    assert runtime.first_bar is not None
    assert started.anchor_ns == runtime.first_bar.open_ns
    world.commit(started)
    assert world.engine.start_bot(runtime, fact.config) == ()


@pytest.mark.parametrize("failed", ["", "it raised"])
@pytest.mark.parametrize("is_same", [False, True])
def test_a_bot_that_does_not_run_begins_by_no_takeover_whatever_the_file_of_the_node(
    failed: str, *, is_same: bool
) -> None:
    world = World()
    state = world.account.bots["bot"]
    world.commit(BotStopped(bot="bot", reason=failed or "stop by ana", failed=bool(failed)))
    config = state.config if is_same else "{}"
    for fact in world.engine.start_bot(world.engine.bots["bot"], config):
        world.commit(fact)
    assert (state.running, state.failed, state.config) == (False, failed, config)
    world.ask("start", bot="bot")
    world.settle()
    assert (state.running, state.failed, state.config) == (True, "", config)


def test_a_removed_bot_stays_told_of_and_is_not_started_by_a_command() -> None:
    world = World()
    world.commit(BotRemoved(bot="bot", by="test"))
    state = world.account.bot("bot")
    assert (state.removed, state.running) == (True, False)
    world.ask("start", bot="bot")
    world.settle()
    assert not world.account.bot("bot").running

"""Commands of people, and losses that halt until a person resumes.

Not here: exits (test_exits), limits (test_risk).
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest

from holdfast.domain.fact import CommandTaken, Halted, Marked, Resumed
from holdfast.domain.limits import Limits
from holdfast.domain.order import Side
from holdfast.engine.marks import MARK_EVERY_NS
from holdfast.execution.drift import Difference, Flows
from holdfast.strategy import FLAT, Level, Quotes
from tests.support.engine_wishes import (
    DAY_NS,
    ONE,
    bids,
    resting,
    target,
    world_with,
)
from tests.support.engine_world import World, bot, flow


@pytest.mark.parametrize("whose", [{}, {"bot": "bot"}])
def test_a_halt_takes_entries_back_and_keeps_exits(whose: dict[str, str]) -> None:
    world = world_with(target("1"))
    world.settle()
    world.wish(Quotes(bids=[Level(Decimal(90), ONE)], asks=[Level(Decimal(110), ONE)]))
    world.bar()
    world.settle()
    world.ask("halt", **whose)
    world.settle()
    assert resting(world) == [(Side.SELL, Decimal(110), ONE)]
    world.bar()
    world.settle()
    assert [r.rule for r in world.refusals] == ["halted"]
    world.wish(FLAT)
    world.bar()
    world.settle()
    assert world.held() == 0, "an exit passes a halt"
    world.wish(target("1"))
    world.ask("resume", **whose)
    world.bar()
    world.settle()
    assert world.held() == 1


def test_a_stopped_bot_takes_everything_back_and_decides_no_more() -> None:
    world = world_with(bids(90))
    world.settle()
    world.ask("stop", bot="bot")
    world.settle()
    assert resting(world) == []
    assert world.bar() == []
    world.ask("start", bot="bot")
    world.bar()
    world.settle()
    assert len(resting(world)) == 1


@pytest.mark.parametrize("command", ["stop", "start", "halt", "resume"])
@pytest.mark.parametrize("name", ["", "nobody"])
def test_a_command_to_no_bot_makes_no_bot(command: str, name: str) -> None:
    world = World()
    world.ask(command, bot=name)
    assert list(world.account.bots) == ["bot"]


@pytest.mark.parametrize("command", ["stop", "start", "drain", "halt", "resume"])
def test_a_command_to_a_bot_that_is_none_is_refused_with_the_names_that_are(command: str) -> None:
    world = World()
    world.ask(command, bot="bto")
    (taken,) = [fact for fact in world.facts if isinstance(fact, CommandTaken)]
    assert taken.refused == "seen: no bot 'bto'; expected: one of bot; do: correct the name"
    assert not [fact for fact in world.facts if isinstance(fact, Halted | Resumed)]


def test_equity_is_marked_now_and_then_and_once_a_day_as_a_new_day() -> None:
    world = World()
    for _ in range(2 * 24 * 60):
        world.bar()
    marks = [fact for fact in world.facts if isinstance(fact, Marked)]
    gaps = {b.at_ns - a.at_ns for a, b in pairwise(marks) if not b.new_day}
    assert gaps == {MARK_EVERY_NS}
    days = [m.at_ns // DAY_NS for m in marks if m.new_day]
    assert days == sorted(set(days))
    assert len(days) == len({m.at_ns // DAY_NS for m in marks})
    assert [m.at_ns % DAY_NS for m in marks if m.new_day][1:] == [0, 0]


def test_a_new_process_does_not_begin_a_new_day() -> None:
    world = world_with(target("1"), limits=Limits(max_daily_loss=Decimal(10)))
    world.settle()
    world.bar()
    world.bar(price=50)
    world.restart()
    world.bar()
    for _ in range(10):
        world.bar()
    world.wish(target("2"))
    world.bar()
    world.settle()
    assert [r.rule for r in world.refusals] == ["max_daily_loss"]
    assert [f.new_day for f in world.facts if isinstance(f, Marked)].count(True) == 1


@pytest.mark.parametrize("price", [50, 150])
def test_a_bot_that_was_away_at_midnight_begins_the_day_with_what_it_had_made(price: int) -> None:
    limits = Limits(max_daily_loss=Decimal(200), max_orders_per_minute=None, price_band_pct=None)
    world = World(bot("bot", limits=limits), bot("other"))
    world.wish(target("10"))
    world.bar()
    world.settle()
    world.wish(FLAT)
    world.bar(price=price)
    world.settle()
    for _ in range(6):
        world.bar(price=100)
    made = (price - 100) * 10
    assert world.account.units.bot_last["bot"] == made
    equity = world.engine.marks.equity()
    assert equity is not None
    world.now_ns = world.now_ns // DAY_NS * DAY_NS + DAY_NS
    pnl = {"other": Decimal(0)}
    world.commit(Marked(at_ns=world.now_ns, equity=equity, pnl=pnl, prices={}, new_day=True))
    assert world.engine.marks.day_loss(world.engine.bots["bot"]) == 0
    world.wish(target("1"))
    world.bar()
    world.settle()
    assert world.refusals == []


def test_a_drawdown_halts_until_a_person_resumes_and_counts_from_there() -> None:
    limits = Limits(max_drawdown_pct=Decimal(10))
    world = World(limits=limits, cash=Decimal(1000))
    world.wish(target("9"))
    world.bar()
    world.settle()
    for price in (100, 80):
        for _ in range(6):
            world.bar(price=price)
    halts = [fact for fact in world.facts if isinstance(fact, Halted)]
    assert [h.reason for h in halts] == ["drawdown 18.00 % reached the limit of 10 %"]
    world.ask("resume")
    for _ in range(12):
        world.bar()
    assert world.account.halted == ""
    for _ in range(6):
        world.bar(price=60)
    assert world.account.halted.startswith("drawdown")


@pytest.mark.parametrize("whose", [{}, {"bot": "bot"}], ids=["account", "bot"])
def test_resuming_a_halt_of_another_cause_forgives_no_drawdown(whose: dict[str, str]) -> None:
    """Else a halt and a resume at the bottom would double what may be lost."""
    limits = Limits(max_drawdown_pct=Decimal(10))
    world = World(bot("bot", limits=limits), limits=limits, cash=Decimal(1000))
    world.wish(target("9"))
    world.bar()
    world.settle()
    for _ in range(6):
        world.bar(price=100)
    for _ in range(6):
        world.bar(price=92)  # 7.2 % lost
    world.ask("halt", **whose)
    world.ask("resume", **whose)
    for _ in range(6):
        world.bar(price=88)  # 10.8 % under the peak, 3.9 % under the price at the resume
    of = world.account if not whose else world.account.bots["bot"]
    assert of.halted.startswith("drawdown 10.80 %")


def test_a_drawdown_is_forgiven_although_another_halt_came_on_top_of_its_own() -> None:
    limits = Limits(max_drawdown_pct=Decimal(10))
    world = World(limits=limits, cash=Decimal(1000))
    world.wish(target("9"))
    world.bar()
    world.settle()
    for price in (100, 80):
        for _ in range(6):
            world.bar(price=price)
    world.ask("halt")
    world.restart()
    world.bar(price=80)
    world.ask("resume")
    for _ in range(12):
        world.bar(price=80)
    assert world.account.halted == ""


def test_a_bot_s_own_drawdown_halts_that_bot_alone() -> None:
    limits = Limits(max_drawdown_pct=Decimal(10), price_band_pct=None)
    world = World(bot("bot", limits=limits), bot("other"), cash=Decimal(1000))
    world.wish(target("8"))
    world.bar()
    world.settle()
    for price in (100, 80):
        for _ in range(6):
            world.bar(price=price)
    assert world.account.halted == ""
    assert world.account.bots["bot"].halted.startswith("drawdown 16.00 %")
    assert world.account.bots["other"].halted == ""


def test_taking_all_money_out_is_no_drawdown() -> None:
    world = World(limits=Limits(max_drawdown_pct=Decimal(90)), cash=Decimal("522.15"))
    world.wish(target("5"))
    world.bar()
    world.settle()
    world.bar(price=Decimal("15.57"))
    world.wish(FLAT)
    world.bar()
    world.settle()
    left = world.account.holdings["USDT"]
    for amount, equity in ((-left, left), (Decimal(300), Decimal(0))):
        world.commit(flow("USDT", amount, "transfer", equity=equity))
        for _ in range(6):
            world.bar()
        assert world.account.halted == ""
    loss = world.account.units.day_loss(Decimal(300))
    assert abs(loss - (Decimal("522.15") - left)) < Decimal("1e-30")


@pytest.mark.parametrize("moved", ["-300", "500"])
def test_a_balance_that_was_accepted_is_no_drawdown_and_hides_none(moved: str) -> None:
    limits = Limits(max_drawdown_pct=Decimal(20), max_daily_loss=Decimal(50))
    world = World(limits=limits, cash=Decimal(1000))
    for _ in range(6):
        world.bar()
    difference = Difference("USDT", Decimal(1000), 1000 + Decimal(moved))
    equity = world.engine.marks.equity()
    world.commit(Flows("USDT", lambda _asset: None, equity).of(difference, "a test"))
    for _ in range(6):
        world.bar()
    assert world.account.halted == ""
    world.wish(target("6"))
    world.bar()
    world.settle()
    world.bar(price=90)
    world.wish(target("7"))
    world.bar(price=90)
    world.settle()
    assert [r.rule for r in world.refusals] == ["max_daily_loss"]


def test_equity_that_cannot_be_told_stops_entries_under_a_loss_limit_and_never_exits() -> None:
    for limits in (Limits(max_daily_loss=ONE), Limits(max_drawdown_pct=ONE)):
        world = world_with(target("1"))
        world.settle()
        world.commit(flow("DOGE", Decimal(5)))
        world.restart_with(limits)
        world.wish(target("2"))
        world.bar()
        world.settle()
        assert [r.seen for r in world.refusals] == ["equity unknown"]
        world.wish(FLAT)
        world.bar()
        world.settle()
        assert world.held() == 0

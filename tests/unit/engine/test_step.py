"""The engine's step: from a bar to orders, what makes it act again, and what it leaves alone."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import msgspec
import pytest

from holdfast.domain.action import Arm, CancelOrder
from holdfast.domain.event import BarClosed, Ticked
from holdfast.domain.fact import BotStopped, Halted, Marked
from holdfast.domain.limits import Limits
from holdfast.domain.order import AttemptState, OrderState, OrderType, Side
from holdfast.engine.marks import MARK_EVERY_NS
from holdfast.ledger.state import to_bytes
from holdfast.strategy import FLAT, KEEP, Level, Quotes, Target
from tests.support.engine_world import BTC, FREE_LIMITS, SECOND_NS, World, bot, flow

ONE = Decimal(1)
DAY_NS = 86_400 * SECOND_NS


def target(quantity: str, key: str = "") -> Target:
    return Target(quantity=Decimal(quantity), key=key)


def bids(*prices: int, quantity: str = "1", post_only: bool = False) -> Quotes:
    levels = [Level(Decimal(price), Decimal(quantity)) for price in prices]
    return Quotes(bids=levels, post_only=post_only)


def resting(world: World) -> list[tuple[Side, Decimal | None, Decimal]]:
    specs = [order.armed.spec for order in world.working()]
    return sorted((s.side, s.price, s.quantity) for s in specs)


def world_with(wish: object, **options: object) -> World:
    """A world in which the bot has wished `wish` at one bar, and nothing was journaled yet."""
    world = World(**options)  # type: ignore[arg-type]
    world.wish(wish)
    world.bar()
    return world


# -- targets ---------------------------------------------------------------------------------------


def test_a_target_is_bought_at_market_and_then_there_is_silence() -> None:
    world = world_with(target("1.5"))
    world.settle()
    assert [(a.spec.side, a.spec.type, a.spec.quantity) for a in world.armed] == [
        (Side.BUY, OrderType.MARKET, Decimal("1.5"))
    ]
    assert world.held() == Decimal("1.5")
    assert world.bar() == []
    world.check()


def test_flat_sells_all_that_is_held() -> None:
    world = world_with(target("1.5"))
    world.settle()
    world.wish(FLAT)
    world.bar()
    world.settle()
    assert world.held() == 0
    assert [a.spec.side for a in world.armed] == [Side.BUY, Side.SELL]


def test_a_bot_that_begins_flat_journals_nothing() -> None:
    world = world_with(FLAT)
    assert (world.decided, world.arming) == ([], world.arming.__class__())


def test_keep_leaves_the_standing_wish() -> None:
    world = world_with(target("1"))
    world.settle()
    world.wish(KEEP)
    assert world.bar() == []
    assert len(world.decided) == 1


def test_a_decision_tells_the_bar_it_was_made_on() -> None:
    world = World()
    world.wish(target("1"))
    world.take(Ticked(world.now_ns + 90 * SECOND_NS))  # the node's clock is ahead of the bar
    world.bar()
    world.settle()
    assert [d.seen_ns for d in world.decided] == [world.now_ns]


def test_what_a_partial_fill_left_is_a_new_intent() -> None:
    world = world_with(target("2"))
    (first,) = world.arm()
    world.ack(first.cid, Decimal("0.5"))
    (second,) = world.arm()
    assert (second.spec.quantity, second.seq, second.n) == (Decimal("1.5"), 1, 1)
    assert second.intent_id != first.intent_id


@pytest.mark.parametrize("ends", ["never", "not_sent", "final reject", "closed reject"])
def test_an_attempt_that_proved_empty_is_followed_by_the_next_at_the_same_intent(ends: str) -> None:
    world = world_with(target("2"))
    (first,) = world.arm()
    match ends:
        case "never":
            world.doubt(first.cid)
            assert not world.arming
            world.never(first.cid)
        case "not_sent":
            world.not_sent(first.cid)
        case "final reject":
            world.reject(first.cid, final=True)
        case _:
            world.reject(first.cid, final=False)
            assert not world.arming
            world.close_reject(first.cid)
    assert not world.arming, "the next attempt waits a little"
    world.tick(0.3)
    (second,) = world.arm()
    assert (second.intent_id, second.n) == (first.intent_id, 2)


def test_refusals_of_the_venue_are_answered_ever_more_slowly() -> None:
    world = world_with(target("2"))
    waits = []
    for _ in range(12):
        (attempt,) = world.arm()
        world.reject(attempt.cid, final=True)
        waits.append(world.seconds_until_arming())
    assert waits[:4] == [0.25, 0.5, 1.0, 2.0]
    assert max(waits) == waits[-1] == 30.0


def test_parts_that_the_venue_refuses_one_after_the_other_are_not_a_storm() -> None:
    world = world_with(target("10"))
    world.settle()
    world.restart_with(Limits(max_order_notional=Decimal(200)))
    world.wish(FLAT)
    world.bar()
    parts = world.arm()
    assert len(parts) > 2
    for part in parts:
        world.reject(part.cid, final=True)
    assert not world.arming, "every refusal makes the next one wait"
    assert 0 < world.seconds_until_arming() < 1


def test_a_huge_target_is_asked_for_in_few_orders_at_a_time() -> None:
    world = world_with(target("1e30"))
    assert sum(len(arm.orders) for arm in world.arming) <= 16


def test_an_exit_larger_than_a_market_order_may_be_is_split() -> None:
    small = msgspec.structs.replace(BTC, market_max_quantity=Decimal(2))
    world = World(instruments=(small,))
    world.wish(target("5"))
    world.bar()
    world.settle()
    world.wish(FLAT)
    world.bar()
    world.settle()
    assert world.held() == 0
    assert world.refusals == []


def test_an_exit_is_never_blocked_by_a_notional_limit_under_the_smallest_order() -> None:
    world = world_with(target("1"))
    world.settle()
    world.restart_with(Limits(max_order_notional=ONE))
    world.wish(FLAT)
    world.bar()
    world.settle()
    assert world.held() == 0
    assert {a.spec.quantity for a in world.armed[1:]} == {BTC.smallest_order(Decimal(100))}


def test_an_exit_sells_what_the_account_really_has() -> None:
    world = world_with(target("1"))
    world.settle()
    world.commit(flow("BTC", Decimal("-0.0005"), "withdrawal"))
    world.wish(FLAT)
    world.bar()
    world.settle()
    assert world.armed[-1].spec.quantity == Decimal("0.999")
    assert world.refusals == []


def test_dust_is_never_traded_back_and_forth() -> None:
    world = world_with(target("1"))
    (attempt,) = world.arm()
    world.ack(attempt.cid, ONE, fee=Decimal("0.0009"), fee_asset="BTC")
    assert world.held() == Decimal("0.9991")
    for price in (100, 200, 50, 100):
        world.bar(price=price)
    assert len(world.armed) == 1
    world.wish(FLAT)
    world.bar()
    world.settle()
    assert world.held() == Decimal("0.0001")
    for price in (100, 200, 50, 100):
        world.bar(price=price)
    assert len(world.armed) == 2


# -- while something is in doubt -------------------------------------------------------------------


def test_nothing_is_bought_on_a_symbol_in_doubt_and_all_is_when_it_ends() -> None:
    world = World(bot("bot"), bot("other"))
    world.wish(target("1"))
    world.bar()
    (attempt,) = world.arm()
    world.doubt(attempt.cid)
    world.wish(target("1"), "other")
    world.bar()
    world.settle()
    assert {a.bot for a in world.armed} == {"bot"}
    assert [(r.bot, r.rule) for r in world.refusals] == [("other", "doubt")]
    world.ack(attempt.cid, ONE)
    world.settle()
    assert (world.held("bot"), world.held("other")) == (ONE, ONE)


def test_confirmed_holdings_are_sold_while_a_buy_is_in_doubt() -> None:
    world = world_with(target("1"))
    world.settle()
    world.wish(target("3"))
    world.bar()
    (attempt,) = world.arm()
    world.doubt(attempt.cid)
    world.wish(FLAT)
    world.bar()
    (exit_,) = world.arm()
    assert (exit_.spec.side, exit_.spec.quantity) == (Side.SELL, ONE)


def test_a_sell_in_doubt_is_not_sold_again() -> None:
    world = world_with(target("1"))
    world.settle()
    world.wish(FLAT)
    world.bar()
    (attempt,) = world.arm()
    world.doubt(attempt.cid)
    world.bar()
    assert not world.arming
    world.never(attempt.cid)
    world.tick(0.3)
    assert [a.n for a in world.arm()] == [2]


def test_a_provisional_rejection_blocks_its_side_until_it_closes() -> None:
    world = world_with(target("1"))
    (attempt,) = world.arm()
    world.reject(attempt.cid, final=False)
    world.wish(target("2"))
    world.bar()
    world.settle()
    assert [r.rule for r in world.refusals] == ["doubt"]
    assert len(world.armed) == 1
    world.close_reject(attempt.cid)
    world.tick(0.3)
    world.settle()
    assert world.held() == 2


def test_a_rejection_that_turns_out_to_have_executed_is_not_tried_again() -> None:
    world = world_with(target("1"))
    (attempt,) = world.arm()
    world.reject(attempt.cid, final=False)
    world.ack(attempt.cid, ONE)
    world.tick(60)
    assert world.bar() == []
    assert world.held() == 1


# -- resting quotes --------------------------------------------------------------------------------


def test_quotes_rest_exactly_as_wished() -> None:
    world = world_with(bids(90, 95))
    world.settle()
    world.wish(bids(95, 97))
    world.bar()
    world.settle()
    assert resting(world) == [(Side.BUY, Decimal(95), ONE), (Side.BUY, Decimal(97), ONE)]
    assert len(world.armed) == 3, "the level that stayed was left alone"


def test_a_partly_filled_level_is_met() -> None:
    world = world_with(bids(95))
    world.settle()
    world.fill(world.working()[0].armed.cid, Decimal("0.4"))
    world.bar()
    assert not world.arming
    assert not world.cancelling


def test_a_filled_level_is_wanted_again_only_at_the_next_bar() -> None:
    world = world_with(bids(95))
    world.settle()
    world.fill(world.working()[0].armed.cid, ONE)
    assert not world.arming
    world.bar()
    (again,) = world.arm()
    assert (again.seq, again.n) == (1, 1)


def test_two_levels_that_fall_on_one_tick_become_one_order() -> None:
    wish = Quotes(bids=[Level(Decimal("95.001"), ONE), Level(Decimal("95.009"), ONE)])
    world = world_with(wish)
    world.settle()
    assert resting(world) == [(Side.BUY, Decimal(95), Decimal(2))]


def test_post_only_leaves_out_what_would_cross() -> None:
    world = world_with(bids(95, 100, post_only=True))
    world.settle()
    assert [a.spec.type for a in world.armed] == [OrderType.LIMIT_MAKER]
    assert resting(world) == [(Side.BUY, Decimal(95), ONE)]
    world.bar(price=101)
    world.settle()
    assert [price for _, price, _ in resting(world)] == [95, 100]


def test_a_cancel_without_an_answer_is_asked_for_again() -> None:
    world = world_with(bids(95))
    world.settle()
    world.wish(FLAT)
    world.bar()
    world.settle_decision()
    world.cancel(answered=False)
    world.tick(1)
    assert not world.cancelling, "it was asked for a second ago"
    world.tick(3)
    assert len(world.cancelling) == 1
    world.cancel()
    assert world.working() == []


def test_an_order_found_by_the_cancel_that_settles_a_doubt_is_still_taken_back() -> None:
    world = world_with(bids(95))
    (attempt,) = world.arm()
    world.doubt(attempt.cid)
    world.wish(FLAT)
    world.bar()
    world.settle_decision()
    world.barrier(attempt.cid)
    world.ack(attempt.cid)
    world.tick(4)
    assert list(world.cancelling) == [attempt.cid]


def test_a_target_waits_until_the_quotes_before_it_are_gone() -> None:
    world = world_with(bids(90, 95))
    world.settle()
    world.wish(target("1"))
    world.bar()
    world.settle_decision()
    assert not world.arming
    world.fill(
        world.working()[0].armed.cid, ONE
    )  # one of them fills while its cancel is on its way
    world.settle()
    assert world.held() == 1
    assert resting(world) == []


def test_an_ask_is_cut_to_what_the_bot_holds() -> None:
    """A fee taken in base leaves a little less than one unit: it is sold all the same."""
    world = world_with(target("1"))
    (attempt,) = world.arm()
    world.ack(attempt.cid, ONE, fee=Decimal("0.001"), fee_asset="BTC")
    world.wish(Quotes(asks=[Level(Decimal(110), ONE)]))
    world.bar()
    world.settle()
    assert resting(world) == [(Side.SELL, Decimal(110), Decimal("0.999"))]
    assert world.bar() == []


def test_another_attempt_at_an_ask_is_never_for_more_than_the_one_before() -> None:
    """What came to be held meanwhile is sold under an intent of its own."""
    world = world_with(target("1"))
    (entry,) = world.arm()
    world.ack(entry.cid, Decimal("0.6"))  # the rest is asked for, and will not be needed
    world.wish(Quotes(asks=[Level(Decimal(110), ONE)]))
    (rest,) = world.arm()
    world.bar()
    (ask,) = world.arm()
    assert ask.spec.quantity == Decimal("0.6")
    world.ack(rest.cid, Decimal("0.4"))
    world.reject(ask.cid, final=True)
    world.tick(0.3)
    (again,) = world.arm()
    assert (again.spec.quantity, again.n) == (ONE, 1)
    assert again.intent_id != ask.intent_id


def test_entries_are_taken_back_at_once_although_armings_fail() -> None:
    world = world_with(bids(95))
    world.settle()
    world.wish(bids(95, 96))
    world.bar()
    world.ask("halt")
    assert not world.cancelling, "an arm is on its way"
    world.fail_arm()
    assert len(world.cancelling) == 1


def test_a_bot_does_not_sell_what_another_bot_holds() -> None:
    world = World(bot("bot"), bot("other"))
    world.wish(target("1"))
    world.wish(Quotes(asks=[Level(Decimal(110), ONE)]), "other")
    world.bar()
    world.settle()
    world.bar()
    world.settle()
    assert {a.bot for a in world.armed} == {"bot"}
    assert [(r.bot, r.rule) for r in world.refusals] == [("other", "holding")]


def test_a_level_that_the_step_cuts_to_nothing_is_refused_and_said() -> None:
    world = world_with(bids(95, quantity="0.0001"))
    world.settle()
    assert world.armed == []
    assert [(r.rule, r.seen) for r in world.refusals] == [
        ("filters", "quantity 0 is under the minimum 0.001")
    ]


# -- decisions -------------------------------------------------------------------------------------


def test_a_wish_with_a_key_of_its_own_is_decided_once() -> None:
    world = world_with(target("1", key="2026-11-21"))
    world.settle()
    world.wish(target("2", key="2026-11-21"))
    world.bar()
    world.settle()
    assert world.held() == 1


def test_a_key_that_looks_like_a_number_does_not_meet_a_decision_s_number() -> None:
    world = world_with(target("1", key="3"))
    world.settle()
    for quantity in ("2", "3", "4"):
        world.wish(target(quantity))
        world.bar()
        world.settle()
    assert world.held() == 4
    assert [d.number for d in world.decided] == [1, 2, 3, 4]


def test_a_bar_that_closes_while_an_order_is_being_journaled_is_decided_on_after_it() -> None:
    world = world_with(target("1"))
    world.wish(target("3"))
    world.bar()
    assert len(world.arming) == 1
    world.settle()
    assert world.held() == 3


def test_news_that_comes_while_a_decision_is_being_journaled_is_not_missed() -> None:
    world = world_with(bids(95, quantity="2"))
    world.settle()
    cid = world.working()[0].armed.cid
    world.wish(target("1"))
    world.bar()
    world.cancel()  # the order is gone before the decision is in
    world.settle()
    assert world.account.live.get(cid) is None
    assert world.held() == 1


# -- arming that fails -----------------------------------------------------------------------------


def test_an_arming_that_failed_is_tried_again_by_itself() -> None:
    world = world_with(target("1"))
    world.fail_arm()
    assert not world.arming, "not at once: whatever failed needs a moment"
    world.tick(0.3)
    world.settle()
    assert world.held() == 1


def test_orders_that_failed_under_a_decision_that_stands_are_tried_again_by_themselves() -> None:
    world = world_with(target("1"))
    world.fail_arm(decision_stands=True)
    assert not world.arming
    world.tick(0.3)
    world.settle()
    assert world.held() == 1


def test_armings_that_go_on_failing_are_tried_ever_more_slowly() -> None:
    world = world_with(target("1"))
    world.fail_arm(decision_stands=True)
    waits = []
    for _ in range(10):
        waits.append(world.seconds_until_arming())
        world.fail_arm()
    assert waits[:4] == [0.25, 0.5, 1.0, 2.0]
    assert waits[-1] == 30.0


def test_a_decision_that_is_still_being_journaled_is_not_made_twice() -> None:
    world = world_with(target("1"))
    decided = world.arming[0].decided
    world.fail_arm_of_orders_only()
    world.bar()
    assert not world.arming, "decision 1 is on its way"
    assert decided is not None
    world.commit(decided)
    world.tick(1)
    world.settle()
    assert [d.number for d in world.decided] == [1]
    assert world.held() == 1


def test_a_bar_that_closed_while_an_arming_failed_is_decided_on() -> None:
    world = world_with(target("1"))
    world.wish(target("2"))
    world.bar()
    world.fail_arm()
    world.tick(0.5)
    world.settle()
    assert world.held() == 2


# -- people ----------------------------------------------------------------------------------------


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


# -- marks, losses, drawdown -----------------------------------------------------------------------


def test_equity_is_marked_now_and_then_and_once_a_day_as_a_new_day() -> None:
    world = World()
    for _ in range(2 * 24 * 60):
        world.bar()
    marks = [fact for fact in world.facts if isinstance(fact, Marked)]
    gaps = {b.at_ns - a.at_ns for a, b in pairwise(marks)}
    assert gaps == {MARK_EVERY_NS}
    days = [m.at_ns // DAY_NS for m in marks if m.new_day]
    assert days == sorted(set(days))
    assert len(days) == len({m.at_ns // DAY_NS for m in marks})


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


# -- a new process ---------------------------------------------------------------------------------


def test_a_new_process_goes_on_with_what_the_last_one_left_undone() -> None:
    world = world_with(target("3"))
    (attempt,) = world.arm()
    world.ack(attempt.cid, ONE)
    world.restart()
    world.settle()
    assert world.held() == 3
    assert [(a.seq, a.n) for a in world.armed] == [(0, 1), (1, 1)]


def test_nothing_is_handed_out_before_the_new_process_is_told_to_go_on() -> None:
    """What start-up records must not make orders that nobody carries out."""
    world = world_with(bids(95))
    world.settle()
    cid = world.working()[0].armed.cid
    world.venue[cid].open = False  # it ended while nobody was looking
    world.wish(target("1"))
    world.bar()
    world.settle_decision()
    world.restart()
    world.settle()
    assert world.held() == 1


def test_what_was_armed_and_never_answered_is_not_sent_again() -> None:
    world = world_with(target("1"))
    (attempt,) = world.arm()
    world.restart()
    world.bar()
    assert not world.arming
    assert world.account.live[attempt.cid].state is AttemptState.IN_DOUBT
    world.ack(attempt.cid, ONE)
    assert not world.arming


def test_the_order_rate_is_not_forgotten_by_a_new_process() -> None:
    world = world_with(target("1"), limits=Limits(max_orders_per_minute=2))
    (first,) = world.arm()
    world.ack(first.cid, Decimal("0.1"))
    (second,) = world.arm()
    world.restart()
    world.ack(second.cid, Decimal("0.1"))
    assert not world.arming
    assert [r.rule for r in world.refusals] == ["max_orders_per_minute"]


# -- reading changes nothing -----------------------------------------------------------------------


def test_looking_at_the_account_leaves_the_fold_alone() -> None:
    world = World(bot("bot", limits=Limits(max_position_notional=Decimal(10_000))))
    before = to_bytes(world.account)
    world.bar()
    world.tick()
    world.wish(target("1"))
    world.engine.step(BarClosed(world.bar_at(world.prices["BTC/USDT"])))
    state = world.folded()
    assert to_bytes(world.account) == to_bytes(state)
    assert before != b""


# -- failures of a strategy ------------------------------------------------------------------------


def test_a_failed_strategy_stops_its_bot_once_and_costs_no_other_anything() -> None:
    world = World(bot("bot"), bot("other"))
    world.wish(bids(90))
    world.bar()
    world.settle()
    world.wish(ZeroDivisionError("division by zero"))
    world.wish(target("1"), "other")
    world.bar()
    world.bar()
    world.settle()
    stopped = [fact for fact in world.facts if isinstance(fact, BotStopped)]
    assert [(s.bot, s.failed, s.reason) for s in stopped] == [
        ("bot", True, "ZeroDivisionError: division by zero")
    ]
    assert not [o for o in world.working() if o.armed.bot == "bot"], "a safe state rests nothing"
    assert world.held("other") == 1


def test_an_action_list_is_the_same_for_the_same_course() -> None:
    def course() -> list[object]:
        world = world_with(bids(90, 95))
        world.settle()
        world.wish(target("1"))
        world.bar()
        world.settle()
        return [*world.facts]

    assert course() == course()


def test_bars_of_another_timeframe_or_symbol_are_no_business_of_the_bot() -> None:
    world = World(bot("bot"), bot("other", symbol="ETH/USDT"), limits=FREE_LIMITS)
    world.wish(target("1"), "other")
    world.bar()
    assert not world.arming


def test_a_bar_seen_twice_or_late_is_decided_on_once() -> None:
    world = World()
    world.wish(target("1"))
    bar = world.bar_at(Decimal(100))
    first = world.engine.step(BarClosed(bar))
    assert [type(a) for a in first] == [Arm] or Arm in [type(a) for a in first]
    again = world.engine.step(BarClosed(bar))
    assert not [a for a in again if isinstance(a, Arm | CancelOrder)]


def test_an_order_whose_fills_are_on_their_way_counts_as_filled() -> None:
    world = world_with(target("1"))
    (attempt,) = world.arm()
    world.ack(attempt.cid, ONE, book=False)
    assert world.held() == 0
    world.bar()
    assert not world.arming
    assert world.account.live[attempt.cid].order_state is OrderState.FILLED
    world.book(attempt.cid)
    assert world.held() == 1


def test_a_level_that_a_later_decision_kept_is_not_bid_again_before_the_next_bar() -> None:
    """It belongs to the earlier decision, and filled under the later one."""
    world = world_with(bids(99))
    world.settle()
    world.wish(bids(99, 98))
    world.bar()
    world.settle()
    (kept,) = [o.armed.cid for o in world.working() if o.armed.spec.price == 99]
    world.fill(kept, ONE)
    assert not world.arming
    world.tick(30)
    assert not world.arming
    world.bar()
    world.settle()
    assert resting(world) == [(Side.BUY, Decimal(98), ONE), (Side.BUY, Decimal(99), ONE)]
    world.check()


def test_a_key_that_was_used_before_is_done_whatever_came_between() -> None:
    world = world_with(target("1", key="monday"))
    world.settle()
    for key in ("tuesday", "monday", "tuesday"):
        world.wish(target("2", key=key))
        world.bar()
        world.settle()
    assert [d.key for d in world.decided] == ["wish BTC/USDT monday", "wish BTC/USDT tuesday"]
    assert world.held() == 2
    world.check()

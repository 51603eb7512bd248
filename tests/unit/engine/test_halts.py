"""The levels of a halt, and draining: what each takes back, what it lets pass, and how it ends."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from holdfast.domain.fact import (
    AnyFact,
    BreakerMoved,
    BreakerState,
    HaltLevel,
    InstrumentChanged,
    Maintenance,
    Quarantined,
    Released,
)
from holdfast.domain.instrument import TradingStatus
from holdfast.domain.order import AttemptState, OrderType, Side
from holdfast.strategy import FLAT, KEEP, Level, Percent, Quotes, Target
from tests.support.engine_world import BTC, World, bot

ONE = Decimal(1)
WHOSE = pytest.mark.parametrize("whose", [{}, {"bot": "bot"}], ids=["account", "bot"])


def holding(*, lists: bool = False, profit: Percent | None = None) -> World:
    """A bot that holds one unit with its stop, and wishes to."""
    world = World(lists=lists)
    world.wish(Target(quantity=ONE, stop=Percent(5), take_profit=profit))
    world.bar()
    world.settle()
    assert world.held() == 1
    return world


def quoting() -> World:
    """A bot that holds two units, bids below and asks above."""
    world = World()
    world.wish(Target(quantity=Decimal(2)))
    world.bar()
    world.settle()
    world.wish(Quotes(bids=[Level(Decimal(90), ONE)], asks=[Level(Decimal(110), ONE)]))
    world.bar()
    world.settle()
    assert len(world.working()) == 2
    return world


def sides(world: World) -> list[tuple[Side, OrderType]]:
    return [(o.armed.spec.side, o.armed.spec.type) for o in world.working()]


@WHOSE
def test_at_level_cancel_asks_are_taken_back_as_well_and_none_is_placed(
    whose: dict[str, str],
) -> None:
    world = quoting()
    world.ask("halt", level="cancel", **whose)
    world.settle()
    assert world.working() == []
    armed = len(world.armed)
    for _ in range(3):
        world.bar()
        world.settle()
    assert world.working() == []
    assert len(world.armed) == armed
    assert world.held() == 2
    world.ask("resume", **whose)
    world.bar()
    world.settle()
    assert len(world.working()) == 2


@pytest.mark.parametrize("lists", [False, True])
@WHOSE
def test_at_level_cancel_what_protects_a_position_stays_and_exits_go_on(
    whose: dict[str, str], lists: bool
) -> None:
    world = holding(lists=lists, profit=Percent(10))
    before = sides(world)
    world.ask("halt", level="cancel", **whose)
    world.settle()
    assert sides(world) == before
    assert not world.cancelling
    world.wish(FLAT)
    world.bar()
    world.settle()
    assert world.held() == 0


def test_at_level_cancel_a_limit_of_a_target_is_taken_back() -> None:
    world = World()
    world.wish(Target(quantity=ONE, limit=Decimal(98)))
    world.bar()
    world.settle()
    assert sides(world) == [(Side.BUY, OrderType.LIMIT)]
    world.ask("halt", level="cancel")
    world.settle()
    assert world.working() == []


@WHOSE
def test_at_level_flatten_stops_give_way_and_the_position_is_sold(whose: dict[str, str]) -> None:
    world = holding()
    world.ask("halt", level="flatten", **whose)
    world.settle()
    assert world.held() == 0
    assert world.working() == []
    sale = world.armed[-1]
    assert (sale.spec.side, sale.spec.type, sale.reduces) == (Side.SELL, OrderType.MARKET, True)
    assert world.account.bots["bot"].last_exits["BTC/USDT"].reason == "flatten"


def test_a_flattened_target_counts_as_spent_so_that_a_resume_alone_buys_nothing() -> None:
    world = holding()
    world.ask("halt", level="flatten")
    world.settle()
    world.ask("resume")
    world.bar()
    world.settle()
    assert world.held() == 0, "the wish is the one that was sold"
    world.wish(FLAT)
    world.bar()
    world.wish(Target(quantity=ONE))
    world.bar()
    world.settle()
    assert world.held() == 1, "a fresh wish counts"


def test_flatten_sells_what_a_quoting_and_what_a_stopped_bot_hold() -> None:
    world = World(bot("bot"), bot("other"))
    world.wish(Target(quantity=ONE))
    world.wish(Quotes(bids=[Level(Decimal(90), ONE)], asks=[Level(Decimal(110), ONE)]), "other")
    world.bar()
    world.settle()
    bid = next(o for o in world.working() if o.armed.bot == "other")
    world.fill(bid.armed.cid, ONE)
    world.settle()
    world.ask("stop", bot="bot")
    world.settle()
    assert world.held() == world.held("other") == 1
    world.ask("halt", level="flatten")
    world.settle()
    assert world.held() == world.held("other") == 0
    assert world.working() == []


def test_flatten_of_one_bot_leaves_the_others_alone() -> None:
    world = World(bot("bot"), bot("other"))
    for name in ("bot", "other"):
        world.wish(Target(quantity=ONE), name)
    world.bar()
    world.settle()
    world.ask("halt", level="flatten", bot="other")
    world.settle()
    assert world.held() == 1
    assert world.held("other") == 0


def test_a_buy_in_doubt_at_a_flatten_is_sold_when_it_turns_out_to_have_executed() -> None:
    world = World()
    world.wish(Target(quantity=ONE))
    world.bar()
    (buy,) = world.arm()
    world.doubt(buy.cid)
    world.ask("halt", level="flatten")
    assert world.held() == 0
    world.ack(buy.cid, ONE)
    world.settle()
    assert world.held() == 0
    assert world.armed[-1].leg.endswith("|flatten")


def test_a_sale_of_a_flatten_that_is_refused_is_tried_again() -> None:
    world = holding()
    world.ask("halt", level="flatten")
    while not world.arming:
        world.cancel()
    (sale,) = world.arm()
    world.reject(sale.cid, final=True)
    world.seconds_until_arming()
    world.settle()
    assert world.held() == 0


def test_stops_stay_while_a_flatten_cannot_sell_because_the_market_is_halted() -> None:
    world = holding()
    halted = msgspec.structs.replace(BTC, status=TradingStatus.HALTED)
    world.commit(InstrumentChanged(instrument=halted.to_text()))
    world.ask("halt", level="flatten")
    assert not world.cancelling
    assert sides(world) == [(Side.SELL, OrderType.STOP_LOSS)]
    world.commit(InstrumentChanged(instrument=BTC.to_text()))
    world.settle()
    assert world.held() == 0


def test_a_halt_on_top_of_another_never_lowers_the_level() -> None:
    world = quoting()
    world.ask("halt", level="cancel")
    world.settle()
    world.ask("halt", level="entries", reason="again")
    world.settle()
    assert (world.account.halt("bot"), world.account.halted) == (HaltLevel.CANCEL, "again")
    assert world.working() == []
    world.ask("halt", level="flatten", bot="bot")
    assert world.account.halt("bot") is HaltLevel.FLATTEN
    world.ask("resume", bot="bot")
    assert world.account.halt("bot") is HaltLevel.CANCEL, "the account's own is still there"
    world.ask("resume")
    assert world.account.halt("bot") is None


@pytest.mark.parametrize("level", list(HaltLevel))
@pytest.mark.parametrize("from_snapshot", [True, False])
def test_a_halt_survives_restarts_and_can_be_given_any_number_of_times(
    level: HaltLevel, from_snapshot: bool
) -> None:
    world = holding()
    for _ in range(3):
        world.ask("halt", level=level)
        world.restart(from_snapshot=from_snapshot)
        world.settle()
        assert world.account.halt("bot") is level
        halted_at = len(world.facts)
        world.wish(Target(quantity=Decimal(3)))
        world.bar()
        world.settle()
        assert not [f for f in world.armed if f in world.facts[halted_at:] and not f.reduces]
        assert world.held() == (0 if level is HaltLevel.FLATTEN else 1)
        world.ask("resume")
        world.wish(FLAT)
        world.bar()
        world.settle()
        world.wish(Target(quantity=ONE, stop=Percent(5)))
        world.bar()
        world.settle()
        assert world.held() == 1


def test_a_level_that_this_version_does_not_know_stops_entries() -> None:
    world = holding()
    world.ask("halt", level="freeze")
    assert world.account.halt("bot") is HaltLevel.ENTRIES
    assert world.account.order(world.armed[-1].cid) is not None
    world.wish(KEEP)
    world.bar()
    assert world.armed[-1].spec.type is OrderType.STOP_LOSS
    assert not [o for o in world.account.live.values() if o.state is AttemptState.ARMED]


# -- draining --------------------------------------------------------------------------------------


def test_a_bot_that_drains_leaves_as_it_wishes_and_enters_no_more() -> None:
    world = holding()
    world.ask("drain", bot="bot")
    world.settle()
    assert sides(world) == [(Side.SELL, OrderType.STOP_LOSS)], "its position stays protected"
    world.wish(Target(quantity=Decimal(2), stop=Percent(5)))
    world.bar()
    world.settle()
    assert world.held() == 1
    assert [r.rule for r in world.refusals] == ["draining"]
    world.wish(FLAT)
    world.bar()
    world.settle()
    assert world.held() == 0
    assert world.account.bots["bot"].running


def test_a_bot_that_drains_takes_its_bids_back_and_keeps_its_asks() -> None:
    world = quoting()
    world.ask("drain", bot="bot")
    world.settle()
    assert sides(world) == [(Side.SELL, OrderType.LIMIT)]


@pytest.mark.parametrize("from_snapshot", [True, False])
def test_draining_survives_restarts_until_the_bot_is_started(from_snapshot: bool) -> None:
    world = World(bot("bot"), bot("other"))
    world.ask("drain", bot="bot")
    world.restart(from_snapshot=from_snapshot)
    for name in ("bot", "other"):
        world.wish(Target(quantity=ONE), name)
    world.bar()
    world.settle()
    assert world.held() == 0
    assert world.held("other") == 1
    world.ask("start", bot="bot")
    world.settle()
    assert world.held() == 1


def test_a_resume_ends_no_drain() -> None:
    world = World()
    world.ask("drain", bot="bot")
    world.ask("halt", level="cancel")
    assert world.account.halt("bot") is HaltLevel.CANCEL
    world.ask("resume")
    world.ask("resume", bot="bot")
    assert world.account.halt("bot") is HaltLevel.ENTRIES


# -- an exchange that fails or differs ------------------------------------------------------------


@pytest.mark.parametrize(
    ("begins", "ends", "rule"),
    [
        (
            BreakerMoved(venue="binance", endpoint="query", state=BreakerState.OPEN),
            BreakerMoved(venue="binance", endpoint="query", state=BreakerState.HALF_OPEN),
            "circuit_breaker",
        ),
        (
            Maintenance(venue="binance", on=True),
            Maintenance(venue="binance", on=False),
            "maintenance",
        ),
        (
            Quarantined(what="BTC", by="reconcile", evidence="BTC differs"),
            Released(what="BTC", by="ana", evidence="seen"),
            "quarantine",
        ),
        (
            Quarantined(what="BTC/USDT", by="reconcile", evidence="a trade of nobody"),
            Released(what="BTC/USDT", by="ana", evidence="seen"),
            "quarantine",
        ),
    ],
)
def test_while_the_exchange_fails_or_differs_nothing_is_added_and_afterwards_it_is_by_itself(
    begins: AnyFact, ends: AnyFact, rule: str
) -> None:
    world = World(bot("bot"), bot("other"))
    world.wish(Target(quantity=ONE), "other")
    world.bar()
    world.settle()
    world.commit(begins)
    world.wish(Target(quantity=ONE))
    world.wish(FLAT, "other")
    world.bar()
    world.settle()
    assert world.held() == 0
    assert world.held("other") == 0, "exits go on"
    assert [refusal.rule for refusal in world.refusals] == [rule]
    world.restart()
    world.commit(ends)
    world.settle()
    assert world.held() == 1


def test_quarantine_of_one_asset_leaves_symbols_without_it_alone() -> None:
    world = World()
    world.commit(Quarantined(what="ETH", by="reconcile", evidence="ETH differs"))
    world.wish(Target(quantity=ONE))
    world.bar()
    world.settle()
    assert world.held() == 1


@pytest.mark.parametrize("what", ["BTC/USDT", "BTC", "USDT"])
def test_bids_for_what_is_in_quarantine_are_taken_back_until_it_is_released(what: str) -> None:
    world = quoting()
    world.commit(Quarantined(what=what, by="reconcile", evidence="it differs"))
    world.settle()
    world.bar()
    world.settle()
    assert sides(world) == [(Side.SELL, OrderType.LIMIT)]
    world.commit(Released(what=what, by="reconcile", evidence="it agrees"))
    world.bar()
    world.settle()
    assert sides(world) == [(Side.SELL, OrderType.LIMIT), (Side.BUY, OrderType.LIMIT)]


def test_a_bid_that_rests_alone_is_taken_back_in_quarantine_and_made_again_after_it() -> None:
    world = World()
    world.wish(Target(quantity=ONE, limit=Decimal(90)))
    world.bar()
    world.settle()
    world.commit(Quarantined(what="BTC", by="reconcile", evidence="it differs"))
    world.settle()
    assert world.working() == []
    world.commit(Released(what="BTC", by="reconcile", evidence="it agrees"))
    world.tick(1)
    world.settle()
    assert sides(world) == [(Side.BUY, OrderType.LIMIT)]


def test_a_bid_that_rests_stays_where_another_asset_is_in_quarantine() -> None:
    world = quoting()
    world.commit(Quarantined(what="ETH", by="reconcile", evidence="it differs"))
    world.settle()
    assert len(world.working()) == 2

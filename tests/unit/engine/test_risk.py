"""Each limit, of the bot and of the account: refuses what adds exposure, once, with its reason."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from holdfast.domain.instrument import TradingStatus
from holdfast.domain.limits import Limits
from holdfast.domain.order import Side
from holdfast.strategy import FLAT, KEEP, Level, Quotes, Target
from tests.support.engine_world import BTC, FREE_LIMITS, World, bot, flow

ONE = Decimal(1)
NONE = Limits(max_orders_per_minute=None, price_band_pct=None)
every_owner = pytest.mark.parametrize("whose", ["bot", "account"])


def limited(whose: str, **limits: Any) -> World:
    """A world in which the bot, or the account, has these limits and no others."""
    some = msgspec.structs.replace(NONE, **limits)
    if whose == "bot":
        return World(bot("bot", limits=some), bot("other"), cash=Decimal(100_000))
    return World(bot("bot"), bot("other"), limits=some, cash=Decimal(100_000))


def target(quantity: str) -> Target:
    return Target(quantity=Decimal(quantity))


def bids(*prices: str) -> Quotes:
    return Quotes(bids=[Level(Decimal(price), ONE) for price in prices])


def wished(world: World, *wishes: object) -> World:
    for wish in wishes:
        world.wish(wish)
        world.bar()
        world.settle()
    return world


def refused(world: World) -> list[tuple[str, str, str]]:
    return [(r.rule, r.seen, r.limit) for r in world.refusals]


@every_owner
@pytest.mark.parametrize(
    ("limits", "wishes", "refusal"),
    [
        (
            {"max_order_notional": Decimal(100)},
            (target("1"),),
            ("max_order_notional", "102", "100"),  # what it may cost at most
        ),
        (
            {"max_position_notional": Decimal(150)},
            (target("1"), target("2")),
            ("max_position_notional", "200", "150"),
        ),
        ({"max_open_orders": 1}, (bids("90", "95"),), ("max_open_orders", "2", "1")),
        ({"max_open_orders": 0}, (bids("90"),), ("max_open_orders", "1", "0")),  # none at all
        (
            {"price_band_pct": Decimal(5)},
            (bids("105.01"),),
            ("price_band", "105.01", "at most 105"),
        ),
        ({"symbols": ("ETH/USDT",)}, (target("1"),), ("symbols", "BTC/USDT", "ETH/USDT")),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_limit_refuses_with_its_reason(
    whose: str, limits: dict[str, Any], wishes: tuple[object, ...], refusal: tuple[str, str, str]
) -> None:
    world = wished(limited(whose, **limits), *wishes)
    assert refused(world) == [refusal]


@every_owner
def test_the_same_refusal_is_kept_once_however_often_it_is_wished(whose: str) -> None:
    world = limited(whose, price_band_pct=ONE)
    for price in (100, 99, 98):  # the band moves, the refusal is the same
        world.wish(bids("110"))
        world.bar(price=price)
        world.settle()
    assert [rule for rule, _, _ in refused(world)] == ["price_band"]


@every_owner
def test_a_new_decision_is_refused_anew(whose: str) -> None:
    world = wished(limited(whose, max_order_notional=ONE), target("1"), target("2"))
    assert [rule for rule, _, _ in refused(world)] == ["max_order_notional"] * 2


def test_a_limit_of_one_bot_does_not_bind_another() -> None:
    world = limited("bot", max_order_notional=ONE)
    world.wish(target("1"), "bot")
    world.wish(target("1"), "other")
    world.bar()
    world.settle()
    assert {r.bot for r in world.refusals} == {"bot"}
    assert world.held("other") == 1


def test_a_limit_of_the_account_counts_all_bots() -> None:
    world = limited("account", max_position_notional=Decimal(150))
    world.wish(target("1"), "bot")
    world.wish(target("1"), "other")
    world.bar()
    world.settle()
    assert [r.rule for r in world.refusals] == ["max_position_notional"]
    assert world.held("bot") + world.held("other") == 1


@every_owner
def test_the_order_rate_counts_a_minute(whose: str) -> None:
    world = limited(whose, max_orders_per_minute=2)
    world.wish(bids("90", "91", "92"))
    world.bar()
    world.settle()
    assert [rule for rule, _, _ in refused(world)] == ["max_orders_per_minute"]
    assert len(world.working()) == 2
    world.bar()
    world.settle()
    assert len(world.working()) == 3, "a minute later there is room again"


@every_owner
def test_open_orders_count_as_filled_for_the_position(whose: str) -> None:
    world = wished(limited(whose, max_position_notional=Decimal(150)), bids("90", "95"))
    assert refused(world) == [("max_position_notional", "200", "150")]


@every_owner
def test_executed_orders_count_before_their_fills_are_booked(whose: str) -> None:
    world = limited(whose, max_position_notional=Decimal(150))
    world.wish(target("1"))
    world.bar()
    (attempt,) = world.arm()
    world.ack(attempt.cid, ONE, book=False)
    wished(world, target("2"))
    assert refused(world) == [("max_position_notional", "200", "150")]


@every_owner
def test_a_daily_loss_stops_entries_and_no_exit(whose: str) -> None:
    world = wished(limited(whose, max_daily_loss=Decimal(10)), target("1"))
    world.bar(price=85)
    world.wish(target("2"))
    world.bar()
    world.settle()
    assert refused(world) == [("max_daily_loss", "15", "10")]
    wished(world, FLAT)
    assert world.held() == 0


@every_owner
def test_a_gain_is_no_loss(whose: str) -> None:
    world = wished(limited(whose, max_daily_loss=Decimal(10)), target("1"))
    world.bar(price=185)
    wished(world, target("2"))
    assert refused(world) == []


def test_equity_follows_each_price_and_each_fact() -> None:
    world = wished(World(bot("bot"), cash=Decimal(1000)), target("1"))
    before = world.engine.marks.equity()
    world.wish(KEEP)
    world.bar(price=110)
    moved = world.engine.marks.equity()
    assert before is not None
    assert moved == before + 10
    world.commit(flow("USDT", Decimal(5), "deposit", equity=moved))
    assert world.engine.marks.equity() == moved + 5


def test_money_that_left_is_no_loss() -> None:
    world = wished(limited("account", max_daily_loss=Decimal(10)), target("1"))
    world.bar()
    equity = world.engine.marks.equity()
    assert equity is not None
    withdrawal = flow("USDT", Decimal(-5000), "withdrawal", equity=equity)
    world.commit(withdrawal)
    wished(world, target("2"))
    assert refused(world) == []


@pytest.mark.parametrize("withdrawn", ["-5000", "-99800"])
def test_what_was_lost_stays_lost_when_money_leaves(withdrawn: str) -> None:
    world = wished(limited("account", max_daily_loss=Decimal(10)), target("1"))
    world.bar(price=80)
    equity = world.engine.marks.equity()
    world.commit(flow("USDT", Decimal(withdrawn), "withdrawal", equity=equity))
    wished(world, target("2"))
    assert refused(world) == [("max_daily_loss", "20", "10")]


def test_a_deposit_loses_nothing() -> None:
    world = wished(limited("account", max_daily_loss=Decimal(10)), target("1"))
    world.bar(price=95)
    equity = world.engine.marks.equity()
    world.commit(flow("USDT", Decimal(900_000), "deposit", equity=equity))
    wished(world, target("2"))
    assert refused(world) == []


def test_cash_that_is_set_aside_is_not_there() -> None:
    world = World(cash=Decimal(200))
    wished(world, bids("90", "91"), bids("90", "91", "92"))
    assert refused(world) == [("balance", "92", "19 USDT free")]


def test_cash_of_a_doubt_is_set_aside_for_all_bots_and_symbols() -> None:
    eth = msgspec.structs.replace(BTC, symbol="ETH/USDT", venue_symbol="ETHUSDT", base="ETH")
    world = World(
        bot("bot"), bot("other", symbol="ETH/USDT"), cash=Decimal(150), instruments=(BTC, eth)
    )
    world.wish(target("1"))
    world.bar()
    (attempt,) = world.arm()
    world.doubt(attempt.cid)
    world.wish(target("1"), "other")
    world.bar("ETH/USDT")
    world.settle()
    assert refused(world) == [("balance", "102", "48 USDT free")]
    world.never(attempt.cid)
    world.wish(FLAT)
    world.bar("ETH/USDT")
    world.settle()
    assert world.held("other", "ETH/USDT") == 1


def test_a_symbol_that_does_not_trade_is_left_alone() -> None:
    world = World(instruments=(msgspec.structs.replace(BTC, status=TradingStatus.HALTED),))
    wished(world, target("1"))
    assert refused(world) == [("instrument", "BTC/USDT HALTED", "TRADING")]


def test_an_order_under_the_venue_s_minimum_is_refused_with_the_filter_s_words() -> None:
    world = wished(World(), Quotes(bids=[Level(Decimal(90), Decimal("0.002"))]))
    assert refused(world) == [
        ("filters", "notional 0.18 is under the minimum 5", "the venue's filters")
    ]


def test_an_exit_far_below_the_market_is_kept_within_the_band() -> None:
    world = World(limits=msgspec.structs.replace(FREE_LIMITS, price_band_pct=Decimal(5)))
    wished(world, target("1"), Quotes(asks=[Level(Decimal(94), ONE)]))
    assert refused(world) == [("price_band", "94", "at least 95")]
    assert not [o for o in world.working() if o.armed.spec.side is Side.SELL]


def test_limits_on_exposure_do_not_bind_an_exit() -> None:
    tight = {
        "max_order_notional": ONE,
        "max_position_notional": ONE,
        "max_open_orders": 1,
        "max_orders_per_minute": 1,
        "max_daily_loss": Decimal("0.01"),
        "max_drawdown_pct": Decimal("0.01"),
    }
    world = wished(World(), target("0.2"))
    world.restart_with(Limits(**tight))  # type: ignore[arg-type]
    world.ask("halt")
    world.wish(FLAT)
    world.bar(price=50)
    world.settle()
    assert world.held() < BTC.smallest_order(Decimal(50))
    assert refused(world) == []


def test_a_refused_part_is_kept_once_although_a_smaller_one_passes() -> None:
    small = msgspec.structs.replace(BTC, max_quantity=Decimal(1))
    world = World(instruments=(small,), cash=Decimal(160))
    world.wish(Target(quantity=Decimal("3.5")))
    world.bar()
    world.settle()
    assert world.held() == Decimal("1.5")
    assert [refusal.rule for refusal in world.refusals] == ["balance"]
    world.check()

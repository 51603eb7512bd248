"""Shipped strategies that answer to indicators or a schedule, traded, also through a failover."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from decimal import Decimal

import pytest

from holdfast.domain.order import OrderType
from holdfast.errors import ConfigError
from holdfast.strategy import Strategy
from holdfast.strategy.load import create
from tests.support.engine_world import World, bot

ZERO = Decimal(0)
CASH = Decimal(100_000)

SMALL: dict[str, dict[str, object]] = {
    "bollinger_reversion": {"period": 5, "deviations": 1.5},
    "dca": {"amount": "50", "every_hours": 1},
    "donchian_breakout": {"entry_bars": 6, "exit_bars": 3},
    "macd_trend": {"fast": 3, "slow": 6, "signal": 3},
    "rebalance": {"weights": "BTC/USDT=0.5", "band": 0.01},
    "rsi_reversion": {"period": 4, "pause_bars": 3, "take_profit_pct": 3},
    "sma_cross": {"fast": 3, "slow": 7, "quantity": "0.5"},
}


def made(name: str, **more: object) -> Strategy:
    return create(name, {**SMALL[name], **more})


def close(world: World, price: Decimal | float) -> Decimal:
    """A bar closes at `price`, a stop that it is through fills, and the bot does what it likes."""
    exact = Decimal(str(price))
    for order in list(world.working()):
        spec = order.armed.spec
        if spec.stop_price is not None and exact <= spec.stop_price:
            world.prices["BTC/USDT"] = exact
            world.fill(order.armed.cid, spec.quantity)
    world.bar(price=exact)
    world.settle()
    return world.held()


def traded(strategy: Strategy, closes: Sequence[float]) -> tuple[World, list[Decimal]]:
    world = World(bot(strategy=strategy), cash=CASH)
    return world, [close(world, price) for price in closes]


def stops(world: World) -> list[Decimal | None]:
    return [
        order.armed.spec.stop_price
        for order in world.working()
        if order.armed.spec.type is OrderType.STOP_LOSS
    ]


def walk(count: int, seed: int) -> list[float]:
    source, price, found = random.Random(seed), 100.0, []
    for _ in range(count):
        price = round(price * math.exp(source.gauss(0, 0.015)), 2)
        found.append(price)
    return found


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("from_snapshot", [True, False])
def test_a_failover_after_every_bar_changes_no_decision(name: str, *, from_snapshot: bool) -> None:
    closes = walk(150, seed=5)
    calm, _ = traded(made(name), closes)
    world = World(bot(strategy=made(name)), cash=CASH)
    for price in closes:
        close(world, price)
        world.restart(from_snapshot=from_snapshot)
        world.settle()
        world.check()
    assert len(calm.decided) >= 3
    assert [(d.key, d.wish, d.legs) for d in world.decided] == [
        (d.key, d.wish, d.legs) for d in calm.decided
    ]
    assert [a.spec for a in world.armed] == [a.spec for a in calm.armed]


FALL = [100, 101, 100, 101, 100, 99, 97, 96]


def test_rsi_reversion_buys_the_dip_with_a_stop_and_leaves_at_the_mean() -> None:
    world, held = traded(made("rsi_reversion"), FALL)
    assert held[5] == 0
    assert held[6] > 0
    assert stops(world) == [Decimal("95.06")]  # 2 % under the first fill, at 97
    assert held[6] == Decimal("257.731"), "a quarter of it"
    assert close(world, 97) > 0, "between the bounds the wish stands"
    assert close(world, 99.5) == 0
    assert stops(world) == []


def test_rsi_reversion_pauses_after_a_stop_and_then_looks_again() -> None:
    world, held = traded(made("rsi_reversion"), FALL)
    assert held[-1] > 0
    assert [close(world, price) for price in (94, 93, 92, 91)][:3] == [ZERO, ZERO, ZERO]
    assert close(world, 90) > 0, "the pause is over, and it still falls"


def test_rsi_reversion_waits_for_the_mean_after_its_target() -> None:
    world, held = traded(made("rsi_reversion", leave_above=95), FALL)
    assert held[-1] > 0
    assert close(world, 100) == 0, "three percent above 97"
    assert [close(world, price) for price in (96, 92, 88)] == [ZERO] * 3


def test_rsi_reversion_with_a_trend_buys_only_above_the_mean_of_longer_bars() -> None:
    dip_in_a_rise = [*range(60, 120, 2), 116, 113, 110, 107]
    fall = [*range(200, 132, -2)]
    for closes, rises in ((dip_in_a_rise, True), (fall, False)):
        _, any_dip = traded(made("rsi_reversion"), closes)
        assert any(any_dip)
        _, held = traded(made("rsi_reversion", trend="5m", trend_period=5), closes)
        assert any(held) is rises, closes


@pytest.mark.parametrize("wrong", [{"trend_period": 1}, {"trend_period": 501}])
def test_rsi_reversion_refuses_a_trend_of_too_few_or_too_many_bars(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="expected: 2 to 500"):
        made("rsi_reversion", **wrong)


def test_donchian_breakout_buys_a_new_high_and_the_stop_follows() -> None:
    world, held = traded(made("donchian_breakout"), [100, 102, 101, 103, 102, 101, 102, 104])
    assert held[-2] == 0
    assert held[-1] > 0
    assert stops(world) == [Decimal("98.80")]
    close(world, 110)
    assert stops(world) == [Decimal("104.50")]
    close(world, 109)
    assert stops(world) == [Decimal("104.50")], "it never falls"
    assert close(world, 104) == 0
    assert world.account.bots["bot"].last_exits["BTC/USDT"].reason == "stop"


def test_donchian_breakout_buys_the_next_new_high_after_its_stop() -> None:
    world, held = traded(made("donchian_breakout"), [100, 102, 101, 103, 102, 101, 102, 104, 110])
    assert held[-1] > 0
    assert close(world, 104) == 0
    assert [close(world, price) for price in (106, 108, 109)] == [ZERO] * 3
    assert close(world, 111) > 0


def test_donchian_breakout_leaves_at_a_new_low() -> None:
    world, held = traded(made("donchian_breakout"), [100, 102, 101, 103, 102, 101, 102, 104, 105])
    assert held[-1] > 0
    assert close(world, 101.5) == 0
    assert world.account.bots["bot"].last_exits["BTC/USDT"].reason == "wish"


def test_macd_trend_is_long_while_the_line_is_above_zero_and_its_signal() -> None:
    rising = [100.0] * 8 + [100 * 1.01**n for n in range(1, 8)]
    world, held = traded(made("macd_trend"), [round(price, 2) for price in rising])
    assert held[7] == 0
    assert held[8] > 0
    assert close(world, 95) == 0
    falling, held = traded(made("macd_trend"), [100 - n for n in range(20)])
    assert set(held) == {ZERO}, "gaining, perhaps, but below zero"
    assert falling.armed == []


def test_bollinger_reversion_buys_below_the_band_and_leaves_at_the_middle() -> None:
    world, held = traded(made("bollinger_reversion"), [100, 101, 100, 101, 100, 97])
    assert held[-2] == 0
    assert held[-1] > 0
    assert stops(world) == [Decimal("93.12")]
    assert close(world, 98) > 0
    assert close(world, 100) == 0


def test_bollinger_reversion_stays_out_after_its_stop_until_the_middle() -> None:
    world, held = traded(made("bollinger_reversion"), [100, 101, 100, 101, 100, 97])
    assert held[-1] > 0
    assert [close(world, price) for price in (93, 85, 75)] == [ZERO] * 3
    close(world, 95)
    assert close(world, 60) > 0, "95 was above the middle"


def test_dca_buys_once_in_a_slot_whatever_the_price_does() -> None:
    world, held = traded(made("dca"), [100, 90, 80, 120])
    assert held == [Decimal("0.5")] * 4
    while len(world.decided) == 1:
        close(world, 50)
    assert world.held() == Decimal("1.5")
    first, second = world.decided
    assert second.seen_ns % 3_600_000_000_000 == 0, "with the bar that opens the slot"
    assert (first.key, second.key) == (
        f"wish BTC/USDT 1h slot {first.seen_ns // 3_600_000_000_000}",
        f"wish BTC/USDT 1h slot {second.seen_ns // 3_600_000_000_000}",
    )


def test_dca_does_not_buy_twice_when_its_order_is_in_doubt_over_a_restart() -> None:
    world = World(bot(strategy=made("dca")))
    world.bar(price=100)
    (armed,) = world.arm()
    world.restart()  # nobody knows whether it was sent
    for price in (100, 90, 80):
        world.bar(price=price)
    assert len(world.armed) == 1
    world.ack(armed.cid, armed.spec.quantity)
    world.settle()
    close(world, 70)
    assert world.held() == Decimal("0.5")


def test_dca_tries_again_within_the_slot_what_was_never_executed() -> None:
    world = World(bot(strategy=made("dca")))
    world.bar(price=100)
    (armed,) = world.arm()
    world.restart()
    world.never(armed.cid)
    world.seconds_until_arming()
    world.settle()
    assert [(a.intent_id, a.n) for a in world.armed] == [(armed.intent_id, 1), (armed.intent_id, 2)]
    assert world.held() == Decimal("0.5")
    assert close(world, 90) == Decimal("0.5")


def test_dca_leaves_out_a_slot_in_which_it_did_not_run() -> None:
    world = World(bot(strategy=made("dca")))
    close(world, 100)
    world.now_ns += 3 * 3_600_000_000_000
    close(world, 100)
    assert world.held() == Decimal(1)


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("rsi_reversion", {"buy_below": 45, "leave_above": 40}, "buy_below below leave_above"),
        ("donchian_breakout", {"exit_bars": 6}, "exit_bars below entry_bars"),
        ("macd_trend", {"fast": 6}, "fast below slow"),
        ("dca", {"amount": "0"}, "more than zero"),
        ("bollinger_reversion", {"deviations": 9}, "<= 5"),
    ],
)
def test_relations_and_bounds_are_kept(name: str, given: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        made(name, **given)

"""A memory is journaled with the decision that it was returned with, or nobody remembers it."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

import msgspec
import pytest

from holdfast.domain.fact import BotStopped
from holdfast.strategy import FLAT, KEEP, Level, Percent, Quotes, Strategy, Target, View, Wish
from holdfast.strategy.wish import Returned
from tests.support.engine_world import BTC, Counting, Scripted, World, bot

D = Decimal
ETH = msgspec.structs.replace(BTC, symbol="ETH/USDT", venue_symbol="ETHUSDT", base="ETH")


def counting(**others: object) -> World:
    return World(bot(strategy=Counting()), **others)  # type: ignore[arg-type]


def remembered(world: World) -> int:
    text = world.account.bots["bot"].memory
    return 0 if text is None else int(msgspec.json.decode(text)["memory"]["asked"])


def test_wish_and_memory_are_one_decision() -> None:
    world = counting()
    world.wish(Target(quantity=D(1)))
    world.bar()
    world.settle()
    (decided,) = world.decided
    assert decided.memory == '{"version":1,"memory":{"asked":1}}'
    assert (remembered(world), world.held()) == (1, D(1))


@pytest.mark.parametrize("wish", [KEEP, FLAT])
def test_a_memory_alone_is_a_decision_even_before_any_wish(wish: object) -> None:
    world = counting()
    world.wish(wish)
    for count in (1, 2):
        world.bar()
        world.settle_decision()
        assert remembered(world) == count
    assert [decided.legs for decided in world.decided] == [(), ()]
    world.wish(Target(quantity=D(1)))
    world.bar()
    world.settle()
    assert (remembered(world), world.held()) == (3, D(1))


def test_who_remembers_nothing_new_decides_nothing() -> None:
    class Still(Counting):
        def decide(self, now: View) -> Returned:
            return FLAT, now.memory

    world = World(bot(strategy=Still()))
    world.bar()
    assert not world.arming


@pytest.mark.parametrize(
    "wish", [Quotes(bids=[Level(D(90), D(2))]), Target(quantity=D(2), limit=D(90))]
)
def test_a_memory_alone_leaves_orders_and_positions_as_they_are(wish: Quotes | Target) -> None:
    world = counting()
    world.wish(wish)
    world.bar()
    world.settle()
    (resting,) = world.working()
    world.wish(KEEP)
    for _ in range(3):
        world.bar()
        world.settle()
    assert [order.armed.cid for order in world.working()] == [resting.armed.cid]
    world.fill(resting.armed.cid, D(1))
    world.bar()
    world.settle()
    assert [order.armed.cid for order in world.working()] == [resting.armed.cid]
    world.fill(resting.armed.cid, D(1))
    if isinstance(wish, Target):
        world.bar()
        world.settle()
        assert (world.held(), remembered(world)) == (D(2), 6)
        assert not world.working()
        assert len(world.armed) == 1


def test_a_level_that_filled_is_bid_again_at_the_next_bar_as_without_a_memory() -> None:
    for strategy in (Counting(), Scripted()):
        world = World(bot(strategy=strategy))
        world.wish(Quotes(bids=[Level(D(90), D(2))]))
        world.bar()
        world.settle()
        world.wish(KEEP)
        world.bar()
        world.settle()
        world.fill(world.working()[0].armed.cid, D(2))
        world.settle()
        assert not world.working()
        world.bar()
        world.settle()
        assert len(world.working()) == 1, strategy


def test_a_spent_wish_stays_spent_however_often_something_is_remembered() -> None:
    world = counting()
    world.wish(Target(quantity=D(2), stop=Percent(5)))
    world.bar()
    world.settle()
    (stop,) = world.working()
    for _ in range(3):
        world.bar()
        world.settle()
    assert [order.armed.cid for order in world.working()] == [stop.armed.cid]
    world.fill(stop.armed.cid, D(2))
    for _ in range(3):
        world.bar()
        world.settle()
    assert (world.held(), remembered(world)) == (D(0), 7)
    assert not world.working()


def test_what_was_not_journaled_was_not_remembered() -> None:
    world = counting()
    world.wish(Target(quantity=D(1)))
    world.bar()
    world.fail_arm()
    assert remembered(world) == 0
    world.seconds_until_arming()
    world.settle()
    assert (remembered(world), world.held()) == (1, D(1))


def test_the_next_decision_waits_until_the_memory_is_durable() -> None:
    world = counting()
    world.bar()
    world.bar()
    assert len(world.arming) == 1
    world.settle()
    assert remembered(world) == 2
    assert [decided.number for decided in world.decided] == [1, 2]


def test_a_new_process_remembers() -> None:
    world = counting()
    world.bar()
    world.settle()
    for from_snapshot in (True, False):
        world.restart(from_snapshot=from_snapshot)
        world.bar()
        world.settle()
    assert remembered(world) == 3


def test_a_memory_waits_for_the_last_of_the_wishes_that_it_came_with() -> None:
    both = ("BTC/USDT", "ETH/USDT")
    world = World(bot(strategy=Counting(), symbols=both), instruments=(BTC, ETH))
    world.bars_close(*both)
    world.settle()
    world.wish({symbol: Target(quantity=D(1), key="monday") for symbol in both})
    world.bars_close(*both)
    world.arm()
    assert (len(world.decided), remembered(world)) == (2, 1)
    world.settle()
    assert (len(world.decided), remembered(world)) == (3, 2)
    assert [world.held("bot", symbol) for symbol in both] == [1, 1]


def test_a_memory_waits_for_a_size_that_can_be_told() -> None:
    world = counting(instruments=(BTC, ETH), prices={"ETH/USDT": D(10)})
    world.engine.account.holdings["ETH"] = D(1)  # has no price yet, so equity cannot be told
    world.wish(Target(weight=0.5))
    world.bar()
    assert not world.arming
    assert remembered(world) == 0


class OtherVersion(Counting):
    """The next release of the strategy, which cannot read what the last one left."""

    class Memory(msgspec.Struct):
        version: ClassVar[int] = 2
        asked: int = 0


class Migrating(Counting):
    """The next release, done well."""

    class Memory(msgspec.Struct):
        version: ClassVar[int] = 2
        asked: int = 0

        @classmethod
        def migrate(cls, version: int, written: dict[str, int]) -> Migrating.Memory:
            return cls(written["asked"] * 100 + version)


class Falling(Counting):
    """The next release, whose migration raises."""

    class Memory(msgspec.Struct):
        version: ClassVar[int] = 2

        @classmethod
        def migrate(cls, version: int, written: dict[str, int]) -> Falling.Memory:
            raise KeyError("lost")


def released(world: World, strategy: Strategy) -> None:
    world.bots = (bot(strategy=strategy),)
    world.restart()


@pytest.mark.parametrize(
    ("strategy", "why"),
    [(OtherVersion(), "a memory of version 1 in the journal"), (Falling(), "KeyError: 'lost'")],
    ids=["other", "falling"],
)
def test_a_memory_of_another_version_stops_the_bot_at_the_start(
    strategy: Strategy, why: str
) -> None:
    world = counting()
    world.wish(Target(quantity=D(1)))
    world.bar()
    world.settle()
    released(world, strategy)
    stopped = world.facts[-1]
    assert isinstance(stopped, BotStopped)
    assert stopped.failed
    assert why in stopped.reason
    world.bar()
    assert not world.arming
    assert remembered(world) == 1


def test_a_memory_that_was_migrated_goes_on() -> None:
    world = counting()
    world.bar()
    world.settle()
    released(world, Migrating())
    world.bar()
    world.settle()
    assert remembered(world) == 102
    assert '"version":2' in (world.account.bots["bot"].memory or "")


def test_a_memory_too_large_stops_its_bot_alone() -> None:
    class Hoarder(Strategy):
        class Memory(msgspec.Struct):
            kept: str = ""

        def decide(self, now: View) -> tuple[Wish, Memory]:
            memory = now.memory
            memory.kept += "x" * 10_000
            return FLAT, memory

    world = World(bot(strategy=Hoarder()), bot("other"))
    world.wish(Target(quantity=D(1)), "other")
    for _ in range(2):
        world.bar()
        world.settle()
    failed = world.account.bots["bot"].failed
    assert "seen: a memory of 20,011 bytes; expected: at most 16,384" in failed
    assert world.held("other") == 1

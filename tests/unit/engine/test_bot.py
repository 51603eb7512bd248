"""A bot at work: what its strategy may do to it, and what that never does to others."""

from __future__ import annotations

import decimal
from collections.abc import Callable
from decimal import Decimal
from typing import ClassVar

import msgspec
import pytest

from holdfast.domain.fact import BotStopped
from holdfast.domain.market import Bar
from holdfast.domain.money import PRECISION
from holdfast.engine.bot import MOST_SAID, BotRuntime
from holdfast.engine.derived import derived_of, go_on, read_derived
from holdfast.errors import ConfigError
from holdfast.strategy import FLAT, KEEP, Setup, Strategy, Target, View, Wish
from holdfast.strategy.indicators import Sma
from holdfast.strategy.parameters import build
from tests.support.engine_world import FREE_LIMITS, World, bot

ONE = Decimal(1)


class Dumb:
    """A value that cannot even show itself."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


class DumbError(Exception):
    """An exception that cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no")


class OwnError(BaseException):
    """Not even an Exception."""


EXPECTED = "expected: Target, Quotes, FLAT or KEEP"


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (None, f"seen: decide returned None; {EXPECTED}"),
        (1.5, f"seen: decide returned 1.5; {EXPECTED}"),
        ("buy", f"seen: decide returned 'buy'; {EXPECTED}"),
        (
            {"ETH/USDT": KEEP},
            "seen: a wish of 'ETH/USDT'; expected: only of BTC/USDT, which the bot trades",
        ),
        ({"BTC/USDT": None}, f"seen: None wished of BTC/USDT; {EXPECTED}"),
        (Target, f"seen: decide returned <class 'holdfast.strategy.wish.Target'>; {EXPECTED}"),
        (Dumb(), f"seen: decide returned a Dumb; {EXPECTED}"),
        (ValueError("bad luck"), "ValueError: bad luck"),
        (DumbError(), "DumbError: (its text cannot be had)"),
        (SystemExit(3), "SystemExit: 3"),
        (GeneratorExit(), "GeneratorExit: "),
        (OwnError("mine"), "OwnError: mine"),
        (RecursionError("too deep"), "RecursionError: too deep"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_decide_does_stops_its_bot_with_the_reason_and_no_other(
    wish: object, reason: str
) -> None:
    world = World(bot("bot"), bot("other"))
    world.wish(wish)
    world.wish(Target(quantity=ONE), "other")
    world.bar()
    world.settle()
    stopped = [fact for fact in world.facts if isinstance(fact, BotStopped)]
    assert [(s.bot, s.failed, s.reason) for s in stopped] == [("bot", True, reason)]
    assert world.account.bots["bot"].failed == reason
    assert world.held("other") == 1


def test_a_long_complaint_is_cut() -> None:
    world = World()
    world.wish(ValueError("x" * 100_000))
    world.bar()
    assert len(world.account.bots["bot"].failed) == MOST_SAID


class Hoarder(Strategy):
    """Keeps something on itself, which a standby could not know."""

    def decide(self, now: View) -> Wish:
        self.seen = now.time_ns
        return FLAT


def test_assigning_to_self_in_decide_is_an_error_that_says_why() -> None:
    world = World(bot(strategy=Hoarder()))
    world.bar()
    assert "seen: self.seen = … after setup" in world.account.bots["bot"].failed
    assert "derive it from bars or now.position" in world.account.bots["bot"].failed


class Coarse(Strategy):
    """Sets a precision that would round everybody's money."""

    def decide(self, now: View) -> Wish:
        decimal.getcontext().prec = 3
        return FLAT


def test_a_strategy_s_own_precision_is_nobody_else_s() -> None:
    world = World(bot(strategy=Coarse()))
    world.bar()
    assert decimal.getcontext().prec == PRECISION


def _coarse() -> None:
    decimal.getcontext().prec = 3
    decimal.getcontext().rounding = decimal.ROUND_UP


class CoarseSetup(Strategy):
    """Sets one when it is set up."""

    def setup(self, on: Setup) -> None:
        _coarse()

    def decide(self, now: View) -> Wish:
        return FLAT


class CoarseLimit(CoarseSetup):
    """Sets one when it is made."""

    def __post_init__(self) -> None:
        _coarse()

    def setup(self, on: Setup) -> None:
        on.bars()


class CoarseIndicator:
    """Sets one at every bar, and when it is kept and taken up."""

    def __init__(self) -> None:
        self.value, self.ready, self.warmup = 0.0, True, 1

    def update(self, bar: Bar) -> None:
        _coarse()

    def state(self) -> dict[str, float]:
        _coarse()
        return {}

    def restore(self, state: dict[str, float]) -> None:
        _coarse()


class CoarseBeside(CoarseSetup):
    """Uses it beside one that is shipped."""

    def setup(self, on: Setup) -> None:
        on.bars().add(Sma(2))
        on.bars().add(CoarseIndicator())


class CoarseMemory(CoarseSetup):
    """Sets one when it reads what an older version wrote, and when a memory is made."""

    class Memory(msgspec.Struct):
        version: ClassVar[int] = 2
        seen: int = 0

        def __post_init__(self) -> None:
            _coarse()

        @classmethod
        def migrate(cls, version: int, written: object) -> CoarseMemory.Memory:
            _coarse()
            return cls(seen=version)

    def setup(self, on: Setup) -> None:
        on.bars()

    def decide(self, now: View) -> Wish:
        return FLAT, now.memory  # type: ignore[return-value]


def _made() -> None:
    build(CoarseLimit, {})


def _at_work(kind: type[Strategy]) -> Callable[[], None]:
    def run() -> None:
        world = World(bot(strategy=kind()))
        for _ in range(3):
            world.bar()
            world.settle()
        assert not world.account.bots["bot"].failed
        runtime = world.engine.bots["bot"]
        runtime.require_memory('{"version":1,"memory":{}}')
        body = derived_of(runtime, "")
        assert body is not None
        kept = read_derived(body)
        assert kept is not None
        go_on(world.engine.bots["bot"], kept)

    return run


@pytest.mark.parametrize(
    "run", [_made, *map(_at_work, (CoarseSetup, CoarseBeside, CoarseMemory))],
    ids=["parameters", "setup", "indicator", "memory"],
)  # fmt: skip
def test_no_code_of_an_author_s_sets_the_precision_of_others(run: Callable[[], None]) -> None:
    before = decimal.getcontext().copy()
    try:
        run()
        after = decimal.getcontext()
        assert (after.prec, after.rounding) == (PRECISION, before.rounding)
    finally:
        decimal.setcontext(before)


class Fussy:
    """An indicator that breaks at the third bar."""

    def __init__(self) -> None:
        self.value, self.ready, self.warmup, self.bars = 0.0, False, 2, 0

    def update(self, bar: Bar) -> None:
        self.bars += 1
        self.ready = self.bars >= 2
        if self.bars == 3:
            raise KeyError("third")


class WithFussy(Strategy):
    """Uses it."""

    def setup(self, on: Setup) -> None:
        on.bars().add(Fussy())

    def decide(self, now: View) -> Wish:
        return Target(quantity=ONE)


def test_an_indicator_that_raises_stops_its_bot_and_no_other() -> None:
    world = World(bot("bot", strategy=WithFussy()), bot("other"))
    world.wish(Target(quantity=ONE), "other")
    for _ in range(4):
        world.bar()
        world.settle()
    assert world.account.bots["bot"].failed == "indicator Fussy raised KeyError: 'third'"
    assert world.held("other") == 1
    world.ask("start", bot="bot")
    world.bar()
    assert world.account.bots["bot"].failed != "", "what it computes is not known any more"


def test_decide_is_not_asked_before_every_indicator_is_ready() -> None:
    world = World(bot(strategy=WithFussy()))
    world.bar()
    assert not world.arming
    world.bar()
    assert len(world.arming) == 1


class NoSetup(Strategy):
    """Cannot even be set up."""

    def setup(self, on: Setup) -> None:
        on.bars().sma(0)


def test_a_setup_that_raises_is_a_configuration_that_cannot_work() -> None:
    with pytest.raises(ConfigError, match="setup of bot mine's strategy raised ValueError"):
        BotRuntime("mine", NoSetup(), symbols=("BTC/USDT",), timeframe_s=60, limits=FREE_LIMITS)


def test_a_strategy_without_decide_says_so() -> None:
    world = World(bot(strategy=Strategy()))
    world.bar()
    assert world.account.bots["bot"].failed == (
        "NotImplementedError: Strategy has no decide(self, now) yet"
    )

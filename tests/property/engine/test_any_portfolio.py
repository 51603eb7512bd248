"""Bots with several symbols: the promises of an account hold whatever happens in which of them.

The courses and promises are those of one symbol (`test_any_course_of_events`); here bars come for
some symbols and not for others, wishes are of some or all, and symbols are given and taken away.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from holdfast.domain.action import Action
from holdfast.domain.order import AttemptState, Side, TimeInForce
from holdfast.strategy import FLAT, KEEP, Target
from tests.property.engine.test_any_course_of_events import (
    AnyCourse,
    above_zero,
    full_targets,
    plain_targets,
    quotes,
    shares,
)
from tests.support.engine_world import BTC, World, bot

ZERO = Decimal(0)
ETH = msgspec.structs.replace(BTC, symbol="ETH/USDT", venue_symbol="ETHUSDT", base="ETH")
BOTH = ("BTC/USDT", "ETH/USDT")
GIVEN = (BOTH, BOTH[::-1], BOTH[:1], BOTH[1:])
# From more than an order may buy to so little that one symbol is sold before another is bought.
CASH = (Decimal(1_000_000), Decimal(50_000), Decimal(300))

keyed = st.builds(
    lambda quantity, key: Target(quantity=quantity, key=key), above_zero, st.sampled_from("abc")
)
weights = st.sampled_from([0.2, 0.5, 1]).map(lambda weight: Target(weight=weight, band=0.05))
wishes = st.one_of(
    plain_targets, full_targets(), weights, keyed, quotes, st.just(FLAT), st.just(KEEP)
)
portfolios = st.dictionaries(st.sampled_from(BOTH), wishes)


class AnyPortfolio(AnyCourse):
    """A bot with two symbols, and one that trades the second of them beside it."""

    @initialize(cash=st.sampled_from(CASH))
    def begin(self, cash: Decimal) -> None:
        self.world = World(
            bot("bot", symbols=BOTH),
            bot("other", symbol="ETH/USDT"),
            instruments=(BTC, ETH),
            cash=cash,
        )
        self.world.bars_close(*BOTH)

    @rule(
        wished=portfolios,
        other=st.one_of(st.just(KEEP), plain_targets),
        closing=st.sampled_from([BOTH, BOTH, BOTH, *GIVEN]),
        btc=st.integers(80, 120),
        eth=st.integers(80, 120),
        at_once=st.integers(0, 3),
    )
    def a_bar_closes(
        self,
        wished: dict[str, object],
        other: object,
        closing: tuple[str, ...],
        btc: int,
        eth: int,
        at_once: int,
    ) -> None:
        """Bars of some symbols close; those that are missing are waited for, or not."""
        here = self.symbols()
        self.world.wish({symbol: wish for symbol, wish in wished.items() if symbol in here})
        self.world.wish(other, "other")
        # Prices move with whole closes only: a level that crossed is looked at again with the next.
        moves = {"BTC": btc, "ETH": eth} if set(here) <= set(closing) else {}
        self.world.bars_close(*closing, **moves)
        if at_once:
            self.arm_all()

    @precondition(lambda self: self.open_at_the_venue())
    @rule(data=st.data(), share=shares, in_base=st.booleans(), told=st.booleans())
    def an_order_executes(
        self, data: st.DataObject, share: Decimal, in_base: bool, told: bool
    ) -> None:
        world = self.world
        cid = data.draw(st.sampled_from(self.open_at_the_venue()))
        resting = world.venue[cid]
        spec = resting.armed.spec
        left = spec.quantity - resting.executed
        quantity = min(left, max(BTC.floor_quantity(left * share), BTC.quantity_step))
        if told:
            in_base = in_base and spec.side is Side.BUY
            fee = Decimal("0.0001") if in_base else Decimal("0.01")
            asset = spec.symbol.split("/")[0] if in_base else "USDT"
            world.fill(cid, quantity, fee=fee, fee_asset=asset)
        else:
            resting.executed += quantity
            resting.open = resting.executed < spec.quantity
            world.report(cid)

    @rule(symbols=st.sampled_from(GIVEN))
    def symbols_are_given_and_taken_away(self, symbols: tuple[str, ...]) -> None:
        """A new process with another configuration; refused where a position would be left."""
        world = self.world
        if world.account.elsewhere("bot", symbols):
            return
        known = {each.name: each for each in world.bots}
        world.bots = (bot("bot", symbols=symbols), known["other"])
        world.restart()

    # -- promises ----------------------------------------------------------------------------------

    def symbols(self) -> tuple[str, ...]:
        return self.world.engine.bots["bot"].symbols

    def all_bars_close(self) -> list[Action]:
        return self.world.bars_close(*BOTH)

    def is_reached(self, name: str) -> None:
        """Every target that may be traded is held but for dust, in each symbol by itself."""
        world = self.world
        state = world.account.bots[name]
        here = world.engine.bots[name]
        for leg in state.legs:
            symbol = leg.symbol
            if symbol not in here.symbols or leg.leg in here.refusals:
                continue
            if leg.target is None or leg.price is not None or leg.cap_pct is not None:
                continue
            spent = state.spent.get(symbol) == leg.episode
            target = ZERO if spent else leg.target
            dust = BTC.smallest_order(world.prices[symbol])
            missing = abs(world.held(name, symbol) - target)
            assert missing < max(dust, ZERO if spent else leg.band), (symbol, target)
            assert not self.resting(name, symbol)

    def resting(self, name: str, symbol: str) -> list[str]:
        return [
            o.armed.cid
            for o in self.world.working()
            if o.armed.bot == name
            and o.armed.spec.symbol == symbol
            and not o.exit
            and o.armed.spec.time_in_force is not TimeInForce.IOC
        ]


TestAnyPortfolio = AnyPortfolio.TestCase
TestAnyPortfolio.settings = settings(max_examples=100, stateful_step_count=50)


@given(
    steps=st.lists(
        st.tuples(
            st.integers(0, 4),
            st.integers(0, 4),
            st.sampled_from(["filled", "half", "doubt", "refused", "nothing", "restart"]),
        ),
        max_size=25,
    )
)
@example([(1, 1, "doubt"), (2, 2, "filled"), (0, 0, "restart"), (3, 1, "filled")])
@settings(max_examples=150)
def test_what_happens_in_one_symbol_changes_nothing_in_another(
    steps: list[tuple[int, int, str]],
) -> None:
    """BTC is always filled, and always held as wished: in as few orders as without the other."""
    world = World(bot("bot", symbols=BOTH), instruments=(BTC, ETH))
    world.bars_close(*BOTH)
    expected: list[Decimal] = []
    held = ZERO
    for btc, eth, answer in steps:
        sizes = {"BTC/USDT": Decimal(btc), "ETH/USDT": Decimal(eth)}
        world.wish({symbol: Target(quantity=size) for symbol, size in sizes.items()})
        world.bars_close(*BOTH)
        if btc != held:
            expected.append(abs(btc - held))
            held = Decimal(btc)
        while world.arming:
            world.arm()
            answered(world, answer)
        if answer == "restart":
            world.restart()
        assert world.held() == held
        world.check()
    traded = [fact.spec.quantity for fact in world.armed if fact.spec.symbol == "BTC/USDT"]
    assert traded == expected


def answered(world: World, answer: str) -> None:
    """BTC is filled; of ETH it depends."""
    for cid, attempt in list(world.unanswered.items()):
        quantity = attempt.spec.quantity
        if attempt.spec.symbol == "BTC/USDT" or answer == "filled":
            world.ack(cid, quantity)
        elif answer == "half":
            world.ack(cid, quantity / 2)
        elif answer == "doubt":
            world.doubt(cid)
        elif answer == "refused":
            world.reject(cid, final=True)
    for cid, order in list(world.account.live.items()):
        if answer == "filled" and order.state is AttemptState.IN_DOUBT:
            world.never(cid)

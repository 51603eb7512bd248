"""What an account is worth: which price counts, and when it is marked.

Not here: what a drawdown halts and whom it is forgiven (test_people), limits (test_risk).
"""

from __future__ import annotations

from decimal import Decimal

from holdfast.domain.fact import Marked
from holdfast.domain.limits import Limits
from tests.support.engine_wishes import DAY_NS, target, world_with
from tests.support.engine_world import MINUTE_NS, World

D = Decimal


def before_midnight(world: World, minutes: int) -> None:
    """So many minutes before a day ends, marked a moment ago."""
    world.now_ns = world.now_ns // DAY_NS * DAY_NS + DAY_NS - (minutes + 1) * MINUTE_NS
    world.bar()


def test_what_is_lost_in_a_day_s_first_minutes_is_in_its_loss() -> None:
    world = world_with(target("10"), limits=Limits(max_daily_loss=D(100), price_band_pct=None))
    world.settle()
    before_midnight(world, 3)
    for _ in range(3):
        world.bar()
    world.bar(price=80)
    for _ in range(6):
        world.bar(price=80)
    equity = world.engine.marks.equity()
    assert equity is not None
    assert world.account.units.day_loss(equity) == 200
    world.wish(target("11"))
    world.bar(price=80)
    world.settle()
    assert [r.rule for r in world.refusals] == ["max_daily_loss"]


def test_a_day_is_marked_once_as_it_begins() -> None:
    world = World()
    before_midnight(world, 3)
    for _ in range(8):
        world.bar()
    marks = [fact for fact in world.facts if isinstance(fact, Marked)][1:]
    assert [m.at_ns % DAY_NS // MINUTE_NS for m in marks] == [0, 5]
    assert [m.new_day for m in marks] == [True, False]



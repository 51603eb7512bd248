"""An account stepped by hand, with the matching engine as its venue."""

from __future__ import annotations

from decimal import Decimal

from holdfast.app.research.in_process import InProcess
from holdfast.domain.event import Ticked
from holdfast.domain.limits import Limits
from holdfast.domain.market import Bar
from holdfast.domain.order import Side
from holdfast.engine.bot import BotRuntime
from holdfast.exchange.flow import Place
from holdfast.strategy import FLAT, Strategy, Target, View, Wish
from tests.support.engine_world import BTC

D = Decimal
MINUTE_NS = 60_000_000_000
FREE = Limits(price_band_pct=None, max_orders_per_minute=None)


class BuyThenLeave(Strategy):
    def decide(self, now: View) -> Wish:
        return FLAT if now.position.quantity else Target(quantity=D(1))


def test_an_exit_that_finds_no_buyer_is_tried_again_after_its_pause_and_not_without_end() -> None:
    """The driver's clock goes with the engine's: else each try would count as long ago."""
    bot = BotRuntime("bot", BuyThenLeave(), symbols=("BTC/USDT",), timeframe_s=60, limits=FREE)
    path = InProcess((BTC,), (bot,), cash={"USDT": D(10_000)}, reporting="USDT", limits=FREE)
    path.place(Place(0, "BTC/USDT", Side.SELL, D(100), D(1), 1))  # and nobody buys
    for minute in range(2):
        opened_ns, price = minute * MINUTE_NS, D(100)
        path.bar(
            Bar("BTC/USDT", opened_ns, opened_ns + MINUTE_NS, price, price, price, price, D(1))
        )
    tries = path.engine.account.counters.attempts
    path.step(Ticked(2 * MINUTE_NS + 30_000_000_000))
    assert path.engine.account.counters.attempts == tries + 1

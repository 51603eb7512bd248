"""Exits in a backtest over trades that a test made up, and orders that come where there are none.

Not here: fills against recordings (test_tape_backtest).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from holdfast.app.research.simulated import Run
from holdfast.app.research.tape_backtest import TapeBacktest
from holdfast.domain.market import BarColumns, Trade
from holdfast.errors import ConfigError, RejectedError
from holdfast.lab.settlement import Terms
from holdfast.market.tape import Tape
from holdfast.strategy import KEEP, Percent, Setup, Strategy, Target, View, Wish
from tests.support.books import MS
from tests.support.engine_world import BTC
from tests.support.tape_runs import S

D = Decimal
EXITS = Target(quantity=D(1), stop=Percent(2), take_profit=Percent(4))


def bars(*closes: float) -> BarColumns:
    """Bars of ten seconds."""
    opens = [closes[0], *closes[:-1]]
    pairs = list(zip(opens, closes, strict=True))
    return BarColumns(
        "BTC/USDT", 10, [n * 10 * S for n in range(len(closes))], opens,
        [max(pair) for pair in pairs], [min(pair) for pair in pairs], list(closes),
        [1.0] * len(closes),
    )  # fmt: skip


def tape(*told: tuple[float, str]) -> dict[str, Tape]:
    """Trades of one unit, taken by sellers, at seconds and prices."""
    made = [
        Trade(int(at_s * 1000) * MS, "BTC/USDT", D(price), D(1), buyer_is_maker=True)
        for at_s, price in told
    ]
    return {"BTC/USDT": Tape("BTC/USDT", made, first_ns=made[0].at_ns)}


def run(strategy: Strategy, over: BarColumns, tapes: dict[str, Tape], **options: Any) -> Run:
    chosen = {"cash": D(100_000), "terms": Terms(fee_rate=D(0)), **options}
    return TapeBacktest(strategy, [over], instruments=[BTC], tapes=tapes, **chosen).run()


class Once(Strategy):
    """One wish at the first close, and no other."""

    wish: Any = KEEP

    def decide(self, now: View) -> Wish:
        found: Wish = self.wish if now.time_ns == 10 * S else KEEP
        return found


def told(found: Run) -> list[tuple[str, str, float]]:
    return [(fill.side.value, str(fill.price), fill.at_ns / S) for fill in found.fills]


def test_a_stop_leaves_at_the_print_that_reaches_it() -> None:
    prices = tape((1, "100"), (12, "100"), (15, "98.1"), (23, "97.5"), (24, "99"))
    found = run(Once(wish=EXITS), bars(100, 100, 97, 97), prices)
    assert told(found) == [("BUY", "100", 12.0), ("SELL", "97.5", 23.0)]


def test_a_take_profit_in_a_list_fills_at_its_price_when_a_print_goes_through_it() -> None:
    prices = tape((1, "100"), (12, "100"), (15, "104"), (16, "104.2"), (17, "90"))
    found = run(Once(wish=EXITS), bars(100, 100, 104, 104), prices)
    assert told(found) == [("BUY", "100", 12.0), ("SELL", "104.00", 16.0)]
    assert found.fills[-1].is_maker


def test_a_take_profit_that_executed_in_part_has_ended_its_stop_and_the_rest_is_sold() -> None:
    """The print was of one unit, two were held; the rest goes at the next print, a tick later."""
    wish = msgspec.structs.replace(EXITS, quantity=D(2))
    prices = tape((1, "100"), (12, "100"), (15, "104.2"), (16, "103.5"), (17, "90"))
    found = run(Once(wish=wish), bars(100, 100, 104, 104), prices)
    sold = [(fill.quantity, fill.price, fill.at_ns // S) for fill in found.fills[1:]]
    assert sold == [(D(1), D(104), 15), (D(1), D("103.5"), 16)]
    assert found.held["BTC/USDT"] == 0


def test_a_stop_of_a_list_ends_the_take_profit_and_a_list_that_comes_too_late_is_refused() -> None:
    prices = tape((1, "100"), (12, "100"), (15, "97.5"), (16, "110"), (17, "90"))
    found = run(Once(wish=EXITS), bars(100, 100, 97, 97), prices)
    assert told(found) == [("BUY", "100", 12.0), ("SELL", "97.5", 15.0)]
    late = Terms(fee_rate=D(0), latency_ns=S)
    prices = tape((1, "100"), (12, "100"), (12.5, "105"), (15, "105"), (17, "99"), (18, "99"))
    found = run(Once(wish=EXITS), bars(100, 100, 105, 105), prices, terms=late)
    assert found.rejected == 2
    assert told(found)[0] == ("BUY", "100", 12.0)
    assert found.held["BTC/USDT"] == 0


def test_without_lists_a_take_profit_is_watched_and_sold_at_the_next_print() -> None:
    prices = tape((1, "100"), (12, "100"), (15, "104.2"), (16, "103.9"), (17, "90"))
    alone = Terms(fee_rate=D(0), order_lists=False)
    found = run(Once(wish=EXITS), bars(100, 100, 104, 104), prices, terms=alone)
    assert told(found) == [("BUY", "100", 12.0), ("SELL", "103.9", 16.0)]
    assert run(Once(wish=EXITS), bars(100, 100, 104), tape((1, "100"))).fills == []


def test_an_order_where_no_trade_is_recorded_is_an_error_that_says_when() -> None:
    over, wish = bars(100, 100, 100, 100, 100), Target(quantity=D(1))
    with pytest.raises(ConfigError, match=r"arrives at 1970-01-01T00:00:10.*from 1970-.*00:25"):
        run(Once(wish=wish), over, tape((25, "100")))
    with pytest.raises(ConfigError, match=r"00:15.*from 1970-01-01T00:00:01.* to .*00:02"):
        run(Once(wish=wish), bars(*[100.0] * 5), tape((-1 + 2, "100"), (2, "100")),
            terms=Terms(latency_ns=5 * S))  # fmt: skip


def test_a_strategy_that_breaks_between_closes_says_in_which_bar() -> None:
    class Breaking(Strategy):
        def setup(self, on: Setup) -> None:
            on.every("5s")

        def decide(self, now: View) -> Wish:
            raise ValueError(f"at {now.time_ns // S}")

    with pytest.raises(RejectedError, match="at 10, in bar 0"):
        run(Breaking(), bars(100, 100), tape((1, "100")))

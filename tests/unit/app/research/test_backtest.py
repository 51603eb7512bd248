"""A backtest over bars, checked fill by fill against a calculation that shares no code with it."""

from __future__ import annotations

import random
import sys
from decimal import ROUND_DOWN, Decimal
from typing import Any, ClassVar

import msgspec
import pytest

from holdfast.app.research.backtest import Backtest
from holdfast.domain.limits import Limits
from holdfast.domain.market import Bar, BarColumns
from holdfast.domain.order import Side
from holdfast.errors import ConfigError, RejectedError
from holdfast.lab.settlement import Terms
from holdfast.strategy import (
    FLAT,
    KEEP,
    Percent,
    Setup,
    Sma,
    Strategy,
    Target,
    View,
    Wish,
)
from holdfast.strategy.play import play
from holdfast.strategy.shipped.grid import Grid
from holdfast.strategy.shipped.sma_cross import SmaCross
from tests.support.backtests import (
    BTC,
    MINUTE_NS,
    Attentive,
    Moody,
    OnlyUpdates,
    bars_of,
    run,
    trades,
    walk,
)

D = Decimal


def test_sma_cross_trades_exactly_as_worked_out_by_hand() -> None:
    bars = walk(5_000)
    found = run(SmaCross(fast=5, slow=20, quantity=D("0.5")), bars)

    cash, held, orders, fills = D(1_000_000), D(0), 0, []
    for at in range(19, len(bars)):
        fast = sum(D(str(c)) for c in bars.close[at - 4 : at + 1]) / 5
        slow = sum(D(str(c)) for c in bars.close[at - 19 : at + 1]) / 20
        wanted = D("0.5") if fast > slow else D(0)
        if wanted == held:
            continue
        orders += 1
        if at + 1 < len(bars):  # what the last close asks for has no bar to fill in
            price = D(str(bars.open[at + 1]))
            change = wanted - held
            fee = (D("0.5") * price * D("0.001")).quantize(D("0.00000001"), ROUND_DOWN)
            cash, held = cash - change * price - fee, wanted
            fills.append((at + 1, Side.BUY if change > 0 else Side.SELL, price, fee))

    assert len(fills) > 100
    made = zip(found.fill_times, found.fills, strict=True)
    assert [(at, f.side, f.price, f.fee) for at, f in made] == fills
    assert (found.cash, found.held["BTC/USDT"]) == (cash, held)
    assert found.final_equity == cash + held * D(str(bars.close[-1]))
    assert (found.orders, found.rejected, found.refused) == (orders, 0, 0)


class Fed(SmaCross):
    """The same, with indicators that must be fed bar by bar."""

    def setup(self, on: Setup) -> None:
        self.fast_ma = on.bars().add(OnlyUpdates(Sma(self.fast)))  # type: ignore[assignment]
        self.slow_ma = on.bars().add(OnlyUpdates(Sma(self.slow)))  # type: ignore[assignment]


def test_an_author_s_own_indicator_is_fed_bar_by_bar_with_the_same_result() -> None:
    bars = walk(1_000, seed=2)
    quick = run(SmaCross(fast=3, slow=8), bars)
    slow = run(Fed(fast=3, slow=8), bars)
    assert quick.fills == slow.fills


class Forgetful:
    """An author's own indicator that begins anew with each fourth bar."""

    warmup = 1
    value = 0.0
    ready = False

    def update(self, bar: Bar) -> None:
        self.ready = bool(bar.close_ns // MINUTE_NS % 4)


class Asked(Strategy):
    """Notes when it is asked."""

    noted: ClassVar[list[int]] = []

    def setup(self, on: Setup) -> None:
        on.bars().add(Forgetful())

    def decide(self, now: View) -> Wish:
        self.noted.append(now.time_ns // MINUTE_NS)
        return FLAT


def test_while_an_indicator_is_not_ready_the_strategy_is_not_asked_just_as_in_play() -> None:
    bars = walk(9)
    Asked.noted.clear()
    run(Asked(), bars)
    backtested = list(Asked.noted)
    Asked.noted.clear()
    play(Asked(), bars=[bars.bar(at) for at in range(9)])
    assert backtested == Asked.noted == [1, 2, 3, 5, 6, 7, 9]


def test_a_grid_buys_on_the_way_down_and_sells_on_the_way_up() -> None:
    bars = bars_of([100.0, 95.0, 90.0, 85.0, 90.0, 95.0, 100.0, 105.0], spread=0.1)
    grid = Grid(low=D(80), high=D(100), cells=4, unit=D("0.1"))
    found = run(grid, bars, terms=Terms(fee_rate=D(0)))
    assert [(f.side.value, f.price) for f in found.fills] == [
        ("BUY", D(95)), ("BUY", D(90)), ("BUY", D(85)),
        ("SELL", D(90)), ("SELL", D(95)), ("SELL", D(100)),
    ]  # fmt: skip
    assert found.held["BTC/USDT"] == 0
    assert found.cash == D("1_000_001.5")


class Breaks(Strategy):
    """Raises at the third bar."""

    def decide(self, now: View) -> Wish:
        if now.time_ns == 3 * MINUTE_NS:
            raise ZeroDivisionError("of mine")
        return FLAT


class Nonsense(Strategy):
    def decide(self, now: View) -> Wish:
        return None  # type: ignore[return-value]


class Exits(Strategy):
    """Ends the process at the second bar, or would."""

    def decide(self, now: View) -> Wish:
        if now.time_ns == 2 * MINUTE_NS:
            sys.exit("no data today")
        return FLAT


class Fragile:
    """An author's own indicator that breaks when it is fed the third bar."""

    warmup = 1
    value = 0.0
    ready = True

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def update(self, bar: Bar) -> None:
        if bar.close_ns == 3 * MINUTE_NS:
            raise self.error


class FragileOver(Fragile):
    """One that breaks over columns."""

    outputs = ("value",)

    def over(self, bars: BarColumns) -> list[list[float]]:
        raise self.error


class Declares(Strategy):
    """Has an indicator."""

    indicator: Any

    def setup(self, on: Setup) -> None:
        on.bars().add(self.indicator)

    def decide(self, now: View) -> Wish:
        return FLAT


@pytest.mark.parametrize(
    ("strategy", "told"),
    [(Breaks(), "bar 2.*ZeroDivisionError: of mine|ZeroDivisionError: of mine.*bar 2"),
     (Nonsense(), "decide returned None"),
     (Exits(), "SystemExit: no data today, in bar 1"),
     (Declares(Fragile(ZeroDivisionError("of mine"))),
      "indicator Fragile raised ZeroDivisionError: of mine, in bar 2"),
     (Declares(Fragile(SystemExit("enough"))),
      "indicator Fragile raised SystemExit: enough, in bar 2"),
     (Declares(FragileOver(KeyError("mine"))), "indicator FragileOver raised KeyError: 'mine'")],
)  # fmt: skip
def test_a_broken_strategy_ends_the_backtest_and_says_in_which_bar(
    strategy: Strategy, told: str
) -> None:
    with pytest.raises(RejectedError, match=told):
        run(strategy, bars_of([100.0] * 5))


def test_a_strategy_that_exits_while_it_is_set_up_is_told_of() -> None:
    class Leaves(Exits):
        def setup(self, on: Setup) -> None:
            sys.exit("no data today")

    with pytest.raises(ConfigError, match="strategy raised SystemExit: no data today"):
        run(Leaves(), bars_of([100.0] * 5))


# -- stops and take-profits ------------------------------------------------------------------------


class Always(Strategy):
    """One wish at every bar."""

    wish: Any = None

    def decide(self, now: View) -> Wish:
        found: Wish = self.wish
        return found


def candles(*rows: tuple[float, float, float, float]) -> BarColumns:
    opens, highs, lows, closes = (list(column) for column in zip(*rows, strict=True))
    times = [i * MINUTE_NS for i in range(len(rows))]
    return BarColumns("BTC/USDT", 60, times, opens, highs, lows, closes, [1.0] * len(rows))


FIRST = (100.0, 100.0, 100.0, 100.0)  # the wish is made at its close, bought at the next open
EXITS = Target(quantity=D(1), stop=Percent(2), take_profit=Percent(4))
FREE = Terms(fee_rate=D(0))


@pytest.mark.parametrize(
    ("bars", "made", "ambiguous"),
    [
        ([(100, 103, 99, 101), (101, 102, 97, 99)], [(1, "BUY", "100.0"), (2, "SELL", "98.00")], 0),
        ([(100, 103, 99, 101), (95, 96, 94, 95)], [(1, "BUY", "100.0"), (2, "SELL", "95.0")], 0),
        ([(100, 103, 97, 99)], [(1, "BUY", "100.0"), (1, "SELL", "98.00")], 0),
        ([(100, 105, 99, 103)], [(1, "BUY", "100.0"), (1, "SELL", "104.00")], 0),
        ([(100, 101, 99, 99), (106, 107, 99, 99)], [(1, "BUY", "100.0"), (2, "SELL", "106.0")], 0),
        ([(100, 105, 97, 103)], [(1, "BUY", "100.0"), (1, "SELL", "98.00")], 1),
    ],
)  # fmt: skip
def test_exits_fire_inside_the_bar_and_the_stop_before_the_take_profit(
    bars: list[tuple[float, float, float, float]], made: list[tuple[int, str, str]], ambiguous: int
) -> None:
    calm = [(100.0, 101.0, 99.0, 100.0)] * 3  # the wish is spent: nothing is bought again
    rows = [FIRST, *(tuple(map(float, row)) for row in bars), *calm]
    found = run(Always(wish=EXITS), candles(*rows), terms=FREE)  # type: ignore[arg-type]
    assert trades(found) == made
    assert found.ambiguous_bars == ambiguous


def test_a_trailing_stop_follows_the_closes() -> None:
    closes = [100.0, 100.0, 110.0, 120.0, 115.0, 100.0]
    wish = Target(quantity=D(1), stop=Percent(10), trail=True)
    found = run(Always(wish=wish), bars_of(closes, spread=0.5), terms=FREE)
    assert trades(found) == [(1, "BUY", "100.0"), (5, "SELL", "108.00")]


def test_a_weight_with_a_band_is_traded_back_only_outside_it() -> None:
    wish = Target(weight=0.5, band=0.1)
    bars = bars_of([100.0, 100.0, 120.0, 170.0, 170.0])
    found = run(Always(wish=wish), bars, terms=FREE, cash=D(10_000))
    assert [(at, side) for at, side, _ in trades(found)] == [(1, "BUY"), (4, "SELL")]
    assert found.held["BTC/USDT"] * 170 == pytest.approx(found.final_equity / 2, rel=D("0.001"))


class Cautious(Strategy):
    """Bought back five bars after a stop, not earlier."""

    def decide(self, now: View) -> Wish:
        last = now.last_exit
        if last is not None and last.reason == "stop" and last.bars_ago < 5:
            return FLAT
        return Target(quantity=D(1), stop=Percent(5))


def test_a_cool_down_counts_bars_since_the_exit() -> None:
    closes = [100.0, 100.0, 90.0, *[90.0] * 8]
    found = run(Cautious(), bars_of(closes, spread=0.5), terms=FREE)
    assert [(at, side) for at, side, _ in trades(found)] == [(1, "BUY"), (2, "SELL"), (8, "BUY")]


@pytest.mark.parametrize("seed", range(12))
def test_passing_over_bars_changes_nothing(seed: int) -> None:
    bars = walk(400, seed=seed)
    options: dict[str, Any] = {"instruments": (BTC,), "cash": D(100_000), "terms": Terms()}
    quick = Backtest(Moody(seed=seed), (bars,), **options).run()
    slow = Attentive(Moody(seed=seed), (bars,), **options).run()
    assert len(quick.fills) > 10
    assert trades(quick) == trades(slow)
    assert (quick.cash, quick.held) == (slow.cash, slow.held)


class Restless(Strategy):
    """Mostly plain targets, some that the cash does not reach for, some that are not plain."""

    seed: int = 0

    def decide(self, now: View) -> Wish:
        rng = random.Random(f"{self.seed} {now.bar.close}")
        if rng.random() < 0.4:
            return KEEP
        if rng.random() < 0.02:
            exits = Target(quantity=D(1), stop=Percent(1), episode=rng.choice(["", "a"]))
            others = [exits, Target(weight=0.4), Target(quantity=D(1), band=D("0.1"))]
            return rng.choice(others)
        # What it is told of itself is among what it decides on.
        last = now.last_exit
        told = (now.position.quantity, now.position.average_price, now.equity, now.orders, last)
        noise = random.Random(f"{self.seed} {now.time_ns} {told}")
        sizes = ["0", "0.0004", "0.5", "1", "1.2345", "2", "3.3", "40"]
        plain: list[Wish] = [FLAT, *(Target(quantity=D(size)) for size in sizes)]
        return noise.choice(plain)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("fee_in", ["quote", "base"])
def test_the_short_way_changes_nothing(seed: int, fee_in: Any) -> None:
    """Plain targets do without the engine; money, fills and counts are the same as with it."""
    bars = walk(600, seed=seed)
    small = msgspec.structs.replace(BTC, market_max_quantity=D(3))
    options: dict[str, Any] = {
        "instruments": (small,),
        "cash": D(62_000 if seed % 2 else 500_000),
        "terms": Terms(slippage=D("0.05") if seed % 3 == 0 else D(0), fee_in=fee_in),
    }
    short = Backtest(Restless(seed=seed), (bars,), **options)
    done, whole = short.run(), Attentive(Restless(seed=seed), (bars,), **options).run()
    assert len(done.fills) > 50
    assert trades(done) == trades(whole)
    assert (done.cash, done.held) == (whole.cash, whole.held)
    counts = (done.orders, done.rejected, done.refused, done.ambiguous_bars)
    assert counts == (whole.orders, whole.rejected, whole.refused, whole.ambiguous_bars)
    assert (short.engine.account.counters.attempts < done.orders) == (fee_in == "quote")


class AllIn(Strategy):
    def decide(self, now: View) -> Wish:
        return Target(quantity=D(1))


def test_limits_bind_as_they_do_live() -> None:
    found = run(AllIn(), bars_of([100.0] * 5), limits=Limits(max_order_notional=D(50)))
    assert (found.orders, found.refused) == (0, 1)
    assert found.final_equity == 1_000_000

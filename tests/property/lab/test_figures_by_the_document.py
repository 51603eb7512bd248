"""Every figure a second time, in plain Python from `docs/metrics.md` alone; and what must hold.

Not here: figures of runs that are known by heart (tests/unit/lab/test_figures).
"""

from __future__ import annotations

import math
import random
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.fill import Fill
from holdfast.domain.order import Side
from holdfast.lab.figures import Figures, figures

D = Decimal
DAY_NS = 86_400 * 10**9
HOUR_NS = 3_600 * 10**9
START_NS = 1_704_067_200 * 10**9  # 2024-01-01 00:00 UTC


class Given(NamedTuple):
    """What goes in, by the signs of the document."""

    cash: Decimal
    t: list[int]
    e: list[float]
    p: list[float]
    x: list[float]
    fills: list[Fill]
    dust: Decimal


def fill(side: Side, quantity: str, price: str, fee: str, asset: str, at_ns: int = 0) -> Fill:
    return Fill(
        symbol="BTC/USDT",
        side=side,
        trade_id=str(at_ns),
        venue_order_id="1",
        cid="",
        quantity=D(quantity),
        price=D(price),
        fee=D(fee),
        fee_asset=asset,
        at_ns=at_ns,
    )


def computed(run: Given) -> Figures:
    return figures(
        cash=run.cash,
        times_ns=run.t,
        equity=run.e,
        prices=run.p,
        exposure=run.x,
        fills=run.fills,
        dust=run.dust,
    )


def by_the_document(run: Given) -> dict[str, float | None]:
    """The formulas of the page, one after the other, as slowly as they are written."""
    c, e, n = float(run.cash), run.e, len(run.e)
    deep = deepest(c, e)
    growth = yearly(e[-1] / c, run.t[-1] - run.t[0])
    sharpe, sortino = ratios(run.t, e)
    profits = trips(run)
    convertible = all(one.fee == 0 or one.fee_asset in {"BTC", "USDT"} for one in run.fills)
    won, lost = sum(p for p in profits if p > 0), -sum(p for p in profits if p < 0)
    fees = sum(o.fee * (o.price if o.fee_asset == "BTC" else 1) for o in run.fills)
    exposed = sum(abs(x * value) > float(run.dust) for x, value in zip(run.x, e, strict=True))
    return {
        "round_trips": len(profits),
        "final_equity": e[-1],
        "return_pct": 100 * (e[-1] / c - 1),
        "buy_hold_return_pct": 100 * (run.p[-1] / run.p[0] - 1),
        "cagr_pct": growth,
        "max_drawdown_pct": deep,
        "longest_drawdown_days": longest(c, run.t, e),
        "sharpe": sharpe,
        "sortino": sortino,
        "calmar": growth / deep if growth is not None and deep >= 1e-10 else None,
        "exposure_pct": 100 * exposed / n,
        "win_rate_pct": 100 * sum(p > 0 for p in profits) / len(profits)
        if profits and convertible
        else None,
        "profit_factor": float(won / lost) if lost and convertible else None,
        "fees": float(fees) if convertible else None,
    }


def deepest(c: float, e: list[float]) -> float:
    return max(100 * (1 - e[i] / max(c, *e[: i + 1])) for i in range(len(e)))


def longest(c: float, t: list[int], e: list[float]) -> float:
    found, since, below = 0, t[0], False
    for i in range(len(e)):
        at_peak = e[i] >= max(c, *e[: i + 1])
        if below or not at_peak:
            found = max(found, t[i] - since)
        below = not at_peak
        if at_peak:
            since = t[i]
    return found / DAY_NS


def yearly(growth: float, span_ns: int) -> float | None:
    if span_ns == 0 or growth < 0:
        return None
    if growth == 0:
        return -100.0
    exponent = math.log(growth) * 365 * DAY_NS / span_ns
    return 100 * math.expm1(exponent) if exponent < 709 else None


def ratios(t: list[int], e: list[float]) -> tuple[float | None, float | None]:
    midnight = -(-t[0] // DAY_NS) * DAY_NS
    daily = []
    while midnight <= t[-1]:
        daily.append(next(e[i] for i in range(len(t) - 1, -1, -1) if t[i] <= midnight))
        midnight += DAY_NS
    m = len(daily) - 1
    if m < 2 or min(daily) <= 0:
        return None, None
    r = [after / before - 1 for before, after in pairwise(daily)]
    mean = math.fsum(r) / m
    s = math.sqrt(math.fsum((one - mean) ** 2 for one in r) / (m - 1))
    d = math.sqrt(math.fsum(min(one, 0) ** 2 for one in r) / m)
    root = math.sqrt(365)
    return root * mean / s if s >= 1e-12 else None, root * mean / d if d >= 1e-12 else None


def trips(run: Given) -> list[Decimal]:
    """Profits of the round trips, with the sells of a trip kept as they are until it ends."""
    held = cost = D(0)
    sells: list[Decimal] | None = None
    profits = []
    for one in run.fills:
        base_fee = one.fee if one.fee_asset == "BTC" else D(0)
        quote_fee = one.fee if one.fee_asset == "USDT" else D(0)
        if one.side is Side.BUY:
            held, cost = held + one.quantity - base_fee, cost + one.quantity * one.price + quote_fee
            if sells is None and held * one.price > run.dust:
                sells = []
        else:
            gone = cost * (one.quantity + base_fee) / held
            held, cost = held - one.quantity - base_fee, cost - gone
            if sells is not None:
                sells.append(one.quantity * one.price - quote_fee - gone)
                if held * one.price <= run.dust:
                    profits.append(sum(sells, D(0)))
                    sells = None
    return profits


def agree(run: Given) -> None:
    found = msgspec.structs.asdict(computed(run))
    expected = by_the_document(run)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if value is None:
            assert found[name] is None, name
        else:
            assert float(found[name]) == pytest.approx(value, rel=1e-7, abs=1e-9), name


def walk(seed: int, n: int, step_ns: int, drift: float, spread: float) -> Given:
    """A random walk that starts within a day, with holes, fees of all kinds and some dust."""
    chance = random.Random(seed)
    t, e, p, x = [], [], [], []
    now, value, price = START_NS + chance.randrange(DAY_NS), 10_000.0, 100.0
    for _ in range(n):
        now += step_ns * chance.choice((1, 1, 1, 1, 50))
        value *= 1 + chance.gauss(drift, spread)
        price *= 1 + chance.gauss(0, spread)
        t.append(now)
        e.append(value)
        p.append(price)
        x.append(chance.choice((0.0, 0.0004, 0.5, 1.0)))
    return Given(D(10_000), t, e, p, x, trades(chance), D(5))


def trades(chance: random.Random, many: int = 40) -> list[Fill]:
    """Buys and sells in parts, some of which leave dust behind."""
    fills: list[Fill] = []
    held = D(0)
    for number in range(many):
        price = D(chance.randrange(8_000, 12_000)) / 100
        if held * price <= 5 or chance.random() < 0.4:
            quantity = D(chance.randrange(100, 1_000)) / 1000
            asset = chance.choice(("BTC", "USDT"))
            fee = quantity / 1000 if asset == "BTC" else quantity * price / 1000
            fills.append(fill(Side.BUY, str(quantity), str(price), str(fee), asset, number))
            held += quantity - (fee if asset == "BTC" else 0)
        else:
            quantity = chance.choice((held, held.quantize(D("0.01"), "ROUND_DOWN"), held / 2))
            paid = str(quantity * price / 1000)
            fills.append(fill(Side.SELL, str(quantity), str(price), paid, "USDT", number))
            held -= quantity
    return fills


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("step_ns", [60 * 10**9, HOUR_NS, DAY_NS])
def test_random_walks_agree_with_the_document(seed: int, step_ns: int) -> None:
    agree(walk(seed, 300, step_ns, drift=(seed - 12) * 1e-4, spread=0.01))


@pytest.mark.parametrize(
    "equity",
    [
        [10_000.0],
        [9_000.0],
        [10_000.0] * 60,
        [10_000.0 * 1.001**i for i in range(60)],
        [10_000.0 - 100 * i for i in range(60)],
        [10_000.0 - 300 * i for i in range(60)],  # through zero
        [5_000.0, *[100.0] * 58, 0.0],
        [20_000.0, 10_000.0, 20_000.0, 10_000.0],
    ],
    ids=["one", "one lower", "flat", "even", "down", "negative", "ruin", "twice"],
)
@pytest.mark.parametrize("step_ns", [60 * 10**9, HOUR_NS, DAY_NS])
def test_edges_agree_with_the_document(equity: list[float], step_ns: int) -> None:
    n = len(equity)
    t = [START_NS + i * step_ns for i in range(n)]
    agree(Given(D(10_000), t, equity, [100.0 + i for i in range(n)], [0.0] * n, [], D(0)))


equities = st.lists(st.floats(1.0, 1e7), min_size=1, max_size=60)


def run_of(equity: list[float], step_ns: int = 6 * HOUR_NS, cash: str = "1000") -> Given:
    n = len(equity)
    t = [START_NS + i * step_ns for i in range(n)]
    return Given(D(cash), t, equity, [1.0] * n, [0.0] * n, [], D(0))


@given(equities)
def test_any_equity_agrees_with_the_document(equity: list[float]) -> None:
    agree(run_of(equity))


@given(equities, st.sampled_from([0.25, 4.0, 1024.0]))
def test_in_another_unit_of_money_only_the_money_differs(equity: list[float], unit: float) -> None:
    """Cents have the figures of dollars; powers of two scale without rounding."""
    before = computed(run_of(equity))
    scaled = run_of([value * unit for value in equity], cash=str(1000 * unit))
    after = computed(scaled)
    assert float(after.final_equity) == float(before.final_equity) * unit
    assert msgspec.structs.replace(after, final_equity=before.final_equity) == before


@given(st.lists(st.floats(0, 0.1), min_size=1, max_size=60))
def test_equity_that_never_falls_has_no_drawdown(gains: list[float]) -> None:
    equity = [1000.0]
    for gain in gains:
        equity.append(equity[-1] * (1 + gain))
    found = computed(run_of(equity))
    assert found.max_drawdown_pct == 0
    assert found.longest_drawdown_days == 0
    assert found.calmar is None
    assert found.sortino is None


@given(equities)
def test_bounds_hold(equity: list[float]) -> None:
    run = run_of(equity)
    found = computed(run)
    assert 0 <= found.max_drawdown_pct < 100
    assert 0 <= found.longest_drawdown_days <= (run.t[-1] - run.t[0]) / DAY_NS
    numbers = (value for value in msgspec.structs.asdict(found).values() if value is not None)
    assert all(math.isfinite(value) for value in numbers)


@given(equities)
def test_a_drawdown_is_not_less_for_more_bars(equity: list[float]) -> None:
    assert (
        computed(run_of(equity[: len(equity) // 2 + 1])).max_drawdown_pct
        <= computed(run_of(equity)).max_drawdown_pct
    )


@given(st.randoms(use_true_random=False))
def test_the_profits_of_trips_are_what_cash_and_holdings_changed_by(chance: random.Random) -> None:
    """Flat to flat without dust, every fee in quote: the profits are the cash that came in."""
    fills: list[Fill] = []
    cash = D(0)
    for number in range(chance.randrange(1, 12)):
        buys = [(D(chance.randrange(1, 500)) / 100, D(chance.randrange(1, 999))) for _ in range(3)]
        for quantity, price in buys:
            fills.append(fill(Side.BUY, str(quantity), str(price), "0.5", "USDT", number))
            cash -= quantity * price + D("0.5")
        whole = sum((quantity for quantity, _ in buys), D(0))
        price = D(chance.randrange(1, 999))
        fills.append(fill(Side.SELL, str(whole), str(price), "0.25", "USDT", number))
        cash += whole * price - D("0.25")
    run = run_of([1000.0])._replace(fills=fills)
    assert sum(trips(run), D(0)) == cash
    agree(run)

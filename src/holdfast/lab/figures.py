"""The figures of a run, each as `docs/metrics.md` defines it.

Lives here: their computation from equity, prices, exposure and fills. What is undefined is None:
never NaN, never infinite, never a zero that was not earned. Not here: round trips (round_trips).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

import msgspec
import polars as pl

from holdfast.domain.fill import Fill
from holdfast.domain.market import NS_PER_S
from holdfast.domain.money import ZERO
from holdfast.lab.round_trips import RoundTrip, fee_in_quote, is_convertible, round_trips

DAY_NS = 86_400 * NS_PER_S
DAYS_PER_YEAR = 365
# Returns are quotients of floats near one. A spread below this is their rounding and no risk.
ROUNDING = 1e-12


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a run came to; percentages are of 100, None is undefined.

    Attributes:
        round_trips: how many were finished.
        final_equity: quote units at the last bar's close, the open position at that close.
        buy_hold_return_pct: of the price, from the first bar's close to the last, without fees.
        max_drawdown_pct: the deepest fall from a peak, as a positive number.
        longest_drawdown_days: from a peak to the first bar at or above it again, or to the end.
        sharpe, sortino, calmar: per year of 365 days, riskless rate zero, from daily equity.
        exposure_pct: share of bars at whose close a position was held.
        win_rate_pct, profit_factor: over finished round trips.
        fees: quote units; None when one was taken in an asset without a price here.
    """

    round_trips: int
    final_equity: Decimal
    return_pct: float
    buy_hold_return_pct: float
    cagr_pct: float | None
    max_drawdown_pct: float
    longest_drawdown_days: float
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    exposure_pct: float
    win_rate_pct: float | None
    profit_factor: float | None
    fees: Decimal | None


def figures(
    *,
    cash: Decimal,
    times_ns: Sequence[int],
    equity: Sequence[float],
    prices: Sequence[float],
    exposure: Sequence[float],
    fills: Sequence[Fill],
    final_equity: Decimal | None = None,
    dust: Decimal = ZERO,
) -> Figures:
    """All figures of one run. A million bars take some tens of milliseconds.

    Args:
        cash: equity before the first bar, quote units, > 0.
        times_ns: the bars' closes, UTC nanoseconds, strictly ascending, at least one.
        equity: quote units at each close.
        prices: at each close, > 0.
        exposure: value of the position at each close, as a share of equity.
        fills: in the order of execution.
        final_equity: the exact value behind the last of `equity`, which is taken when this is None.
        dust: quote units; a position worth no more than this counts as none.

    Raises:
        ValueError: no bars, columns of different lengths, times that do not ascend, a number that
            is not finite, cash or price that is not positive, more sold than held.
    """
    bars = _columns(times_ns, equity, prices, exposure)
    start = float(cash)
    if not start > 0:
        raise ValueError(f"cash must be positive, seen {cash}")
    last = float(bars["equity"][-1])
    cagr = _cagr_pct(last / start, int(bars["time"][-1]) - int(bars["time"][0]))
    drawdown = max_drawdown_pct(bars["equity"], start)
    returns = daily_returns(bars["time"], bars["equity"])
    trips = round_trips(fills, dust)
    convertible = all(is_convertible(fill) for fill in fills)
    return Figures(
        round_trips=len(trips),
        final_equity=Decimal(repr(last)) if final_equity is None else final_equity,
        return_pct=(last / start - 1) * 100,
        buy_hold_return_pct=(float(bars["price"][-1]) / float(bars["price"][0]) - 1) * 100,
        cagr_pct=cagr,
        max_drawdown_pct=drawdown,
        longest_drawdown_days=_longest_drawdown_ns(bars, start) / DAY_NS,
        sharpe=_sharpe(returns),
        sortino=_sortino(returns),
        calmar=_ratio(cagr, drawdown),
        exposure_pct=_exposure_pct(bars, dust),
        win_rate_pct=_win_rate_pct(trips) if convertible else None,
        profit_factor=_profit_factor(trips) if convertible else None,
        fees=sum(map(fee_in_quote, fills), ZERO) if convertible else None,
    )


def even_prices(closes: Sequence[Sequence[float]]) -> Sequence[float]:
    """The price of what was bought and held: of one symbol its own, of several equal parts of them.

    Args:
        closes: of each symbol, at the same times.

    Returns:
        quote units at each close; of several symbols relative to the first close.
    """
    if len(closes) == 1:
        return closes[0]
    parts = ([close / column[0] for close in column] for column in closes)
    return [sum(each) / len(closes) for each in zip(*parts, strict=True)]


def peaks(equity: pl.Series, cash: float) -> pl.Series:
    """The highest equity up to each bar, never below the cash at the start."""
    return equity.cum_max().clip(lower_bound=cash)


def max_drawdown_pct(equity: pl.Series, cash: float) -> float:
    """The deepest fall below a peak, as a share of that peak, times 100; 0 when there is none."""
    deepest = (1 - equity / peaks(equity, cash)).max()
    assert isinstance(deepest, float)  # noqa: S101 - a float column that is not empty
    return deepest * 100


def daily_equity(times: pl.Series, equity: pl.Series) -> list[float]:
    """Equity at each 00:00 UTC from the first bar's close to the last's: the last known then."""
    first = -(-int(times[0]) // DAY_NS)
    last = int(times[-1]) // DAY_NS
    if first > last:
        return []
    midnights = pl.int_range(first, last + 1, eager=True, dtype=pl.Int64) * DAY_NS
    at = times.search_sorted(midnights, side="right")
    return list(equity.gather(at - 1))


def daily_returns(times: pl.Series, equity: pl.Series) -> list[float] | None:
    """Relative changes between successive midnights; None when equity was not positive at one."""
    daily = daily_equity(times, equity)
    if any(value <= 0 for value in daily):
        return None
    return [after / before - 1 for before, after in pairwise(daily)]


def _columns(
    times_ns: Sequence[int],
    equity: Sequence[float],
    prices: Sequence[float],
    exposure: Sequence[float],
) -> pl.DataFrame:
    given = {"time": times_ns, "equity": equity, "price": prices, "exposure": exposure}
    lengths = {name: len(values) for name, values in given.items()}
    if len(set(lengths.values())) != 1 or not times_ns:
        raise ValueError(f"a run has as many of each, and at least one; seen {lengths}")
    bars = pl.DataFrame(
        [
            pl.Series(name, values, dtype=pl.Int64 if name == "time" else pl.Float64)
            for name, values in given.items()
        ]
    )
    if not (bars["time"].diff().drop_nulls() > 0).all():
        raise ValueError("times must ascend strictly")
    for name in ("equity", "price", "exposure"):
        if not bars[name].is_finite().all():
            raise ValueError(f"{name} must be finite numbers")
    if not (bars["price"] > 0).all():
        raise ValueError("prices must be positive")
    return bars


def _cagr_pct(growth: float, span_ns: int) -> float | None:
    """The yearly growth that makes `growth` in `span_ns`, times 100."""
    if span_ns == 0 or growth < 0:
        return None
    try:
        return float((growth ** (DAYS_PER_YEAR * DAY_NS / span_ns) - 1) * 100)
    except OverflowError:  # a minute's gain, compounded for a year, is no number any more
        return None


def _longest_drawdown_ns(bars: pl.DataFrame, cash: float) -> int:
    """The longest time from a peak to the first close at or above it, or to the last close."""
    time = pl.col("time")
    peak = pl.when(pl.col("at_peak")).then(time).forward_fill()
    # Before the first close at a peak, the first close is the earliest time there is.
    since = peak.shift(1).fill_null(time.first())
    spells = bars.with_columns(at_peak=bars["equity"] >= peaks(bars["equity"], cash)).select(
        pl.when(~(pl.col("at_peak") & pl.col("at_peak").shift(1, fill_value=True)))
        .then(time - since)
        .otherwise(0)
        .max()
    )
    return int(spells.item())


def _sharpe(returns: list[float] | None) -> float | None:
    """Mean over sample deviation of the daily returns, times the root of 365."""
    if returns is None or len(returns) < 2:
        return None
    mean = math.fsum(returns) / len(returns)
    variance = math.fsum((value - mean) ** 2 for value in returns) / (len(returns) - 1)
    return _annual(mean, math.sqrt(variance))


def _sortino(returns: list[float] | None) -> float | None:
    """Mean over the root mean square of the losses (gains count as zero), times the root of 365."""
    if returns is None or len(returns) < 2:
        return None
    mean = math.fsum(returns) / len(returns)
    downside = math.fsum(min(value, 0.0) ** 2 for value in returns) / len(returns)
    return _annual(mean, math.sqrt(downside))


def _annual(mean: float, deviation: float) -> float | None:
    return None if deviation < ROUNDING else mean / deviation * math.sqrt(DAYS_PER_YEAR)


def _ratio(above: float | None, below: float) -> float | None:
    if above is None or below < ROUNDING * 100:
        return None
    return above / below


def _exposure_pct(bars: pl.DataFrame, dust: Decimal) -> float:
    held = (bars["exposure"] * bars["equity"]).abs() > float(dust)
    return float(held.sum()) / len(bars) * 100


def _win_rate_pct(trips: Sequence[RoundTrip]) -> float | None:
    if not trips:
        return None
    return sum(trip.profit > 0 for trip in trips) / len(trips) * 100


def _profit_factor(trips: Sequence[RoundTrip]) -> float | None:
    """What winning trips earned over what losing ones lost; None while none has lost."""
    won = sum((trip.profit for trip in trips if trip.profit > 0), ZERO)
    lost = -sum((trip.profit for trip in trips if trip.profit < 0), ZERO)
    return float(won / lost) if lost else None

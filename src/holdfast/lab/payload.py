"""Results as the report page reads them: few enough points to draw, every figure whole.

Lives here: reducing bars to points of several, months, and the document's shape, which
`dashboard/src/report/document.ts` repeats. Not here: the page (dashboard/), writing it (report).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import polars as pl

from holdfast.domain.fill import Fill
from holdfast.domain.market import NS_PER_S, BarColumns
from holdfast.domain.money import plain
from holdfast.lab.figures import even_prices, peaks
from holdfast.lab.result import Provenance, Result
from holdfast.lab.round_trips import is_convertible, round_trips

# More than the widest screen has pixels, so that one zoom shows more and the file stays small.
GRID_POINTS = 10_000
LISTED_FILLS = 50_000
# A page of several runs is not several times as large.
FEWEST_POINTS = 2_000
# What a chart can show; the figures are whole.
CHART_DIGITS = 7


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """Points of `bars_per_point` bars, and what the account came to at or in each.

    Attributes:
        first_s: the first point's close, seconds UTC; `steps_s` leads from each point to the next.
        equity, hold: at the close of the point: the strategy, and its cash held in the symbols.
        drawdown_pct: the worst within the point, zero or negative.
    """

    bars_per_point: int
    first_s: int
    steps_s: list[int]
    equity: list[float]
    hold: list[float]
    drawdown_pct: list[float]


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol's candles, one for each point of the grid.

    Attributes:
        exposure_pct: the position's value as a share of equity, the mean within the point.
    """

    symbol: str
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    exposure_pct: list[float]


class Month(msgspec.Struct, frozen=True):
    """The return of one calendar month in UTC; None when there was nothing left to lose."""

    year: int
    month: int
    return_pct: float | None


class Fills(msgspec.Struct, frozen=True, kw_only=True):
    """The newest fills as columns, exact; `total` counts those left out as well."""

    total: int
    first_s: int
    steps_s: list[int]
    buys: list[int]
    quantity: list[str]
    price: list[str]
    fee: list[str]
    fee_asset: list[str]
    symbol: list[str]


class Trips(msgspec.Struct, frozen=True, kw_only=True):
    """Finished round trips as columns; `first` and `last` are indices into the listed fills.

    Attributes:
        profit: quote units, exact to eight places; empty when a fee could not be converted.
    """

    total: int
    first: list[int]
    last: list[int]
    entry: list[float]
    exit: list[float]
    profit: list[float]
    return_pct: list[float]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One result, as the page shows it."""

    label: str
    name: str
    symbol: str
    timeframe: str
    cash: Decimal
    stats: Mapping[str, Any]
    provenance: Provenance
    assumptions: Mapping[str, str]
    terms: Mapping[str, str]
    grid: Grid
    markets: list[Market]
    months: list[Month]
    fills: Fills
    trips: Trips


def runs_of(results: Sequence[Result]) -> list[Run]:
    """The page's runs; several share the points that one would have, and so do several symbols."""
    charts = sum(len(result.markets) for result in results)
    points = max(GRID_POINTS // max(charts, 1), FEWEST_POINTS)
    listed = max(LISTED_FILLS // len(results), FEWEST_POINTS)
    return labelled([_run(result, points, listed) for result in results])


def _run(result: Result, points: int, listed: int) -> Run:
    each = -(-len(result.bars) // points)
    frame = pl.DataFrame(
        {
            "time": pl.Series(result.close_ns, dtype=pl.Int64),
            "equity": pl.Series(result.equity_at_close, dtype=pl.Float64),
            "hold": pl.Series(
                even_prices([bars.close for bars in result.markets]), dtype=pl.Float64
            ),
        }
    )
    return Run(
        label=result.name,
        name=result.name,
        symbol=result.symbol,
        timeframe=result.timeframe,
        cash=result.cash,
        stats=result.stats,
        provenance=result.provenance,
        assumptions=result.assumptions,
        terms=result.terms,
        grid=grid(frame, float(result.cash), each),
        markets=[
            _market(bars, share, each)
            for bars, share in zip(result.markets, _shares(result, frame), strict=True)
        ],
        months=months(frame, float(result.cash)),
        fills=_fills(result, listed),
        trips=_trips(result, listed),
    )


def grid(frame: pl.DataFrame, cash: float, each: int) -> Grid:
    """One point for `each` bars, the last may have fewer; the worst drawdown survives."""
    equity = frame["equity"]
    reduced = _points(
        frame.with_columns(drawdown_pct=(equity / peaks(equity, cash) - 1) * 100),
        each,
        pl.col("time").last() // NS_PER_S,
        pl.col("equity").last(),
        (pl.col("hold").last() * (cash / frame["hold"][0])).alias("hold"),
        pl.col("drawdown_pct").min(),
    )
    first_s, steps_s = _steps(reduced["time"])
    columns = reduced.drop("time").to_dict(as_series=False)
    return Grid(bars_per_point=each, first_s=first_s, steps_s=steps_s, **columns)


def _market(bars: BarColumns, share: pl.Series, each: int) -> Market:
    """Candles of `each` bars; extremes survive."""
    columns = {name: getattr(bars, name) for name in ("open", "high", "low", "close")}
    frame = pl.DataFrame(
        {name: pl.Series(values, dtype=pl.Float64) for name, values in columns.items()}
    )
    reduced = _points(
        frame.with_columns(exposure_pct=share * 100),
        each,
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.col("exposure_pct").mean(),
    )
    return Market(symbol=bars.symbol, **reduced.to_dict(as_series=False))


def _shares(result: Result, frame: pl.DataFrame) -> list[pl.Series]:
    """What each symbol's position was worth at each close, as a share of equity."""
    if len(result.markets) == 1:
        return [pl.Series(result.exposure, dtype=pl.Float64)]
    closes, equity = frame["time"], frame["equity"]
    found = []
    for bars in result.markets:
        fills = [fill for fill in result.executions if fill.symbol == bars.symbol]
        # What fills at a close is held from the next one on.
        moments = pl.Series([fill.at_ns for fill in fills], dtype=pl.Int64)
        since = closes.search_sorted(moments, side="right").cast(pl.Int64)
        changes = pl.DataFrame(
            {"at": since, "change": pl.Series([_change(fill) for fill in fills], dtype=pl.Float64)}
        )
        held = (
            pl.DataFrame({"at": pl.int_range(len(closes), eager=True)})
            .join(changes.group_by("at").sum(), on="at", how="left", maintain_order="left")
            .get_column("change").fill_null(0).cum_sum()
        )  # fmt: skip
        worth = held * pl.Series(bars.close, dtype=pl.Float64)
        found.append((worth / equity).replace([float("inf"), float("nan")], 0.0))
    return found


def _change(fill: Fill) -> float:
    """Base units that a fill brings; negative when it takes them away."""
    bought = fill.quantity if fill.side == "BUY" else -fill.quantity
    return float(bought - fill.fee if fill.symbol.startswith(f"{fill.fee_asset}/") else bought)


def _points(frame: pl.DataFrame, each: int, *columns: pl.Expr) -> pl.DataFrame:
    """One row for `each` rows, with as many digits as a chart shows."""
    return (
        frame.with_columns(point=pl.int_range(pl.len()) // each)
        .group_by("point", maintain_order=True)
        .agg(*columns)
        .drop("point")
        .with_columns(pl.selectors.float().round_sig_figs(CHART_DIGITS))
    )


def months(frame: pl.DataFrame, cash: float) -> list[Month]:
    """The return of each month with a bar; a bar that closes at its very end belongs to it."""
    moment = (frame["time"] - 1).cast(pl.Datetime("ns"))
    ends = (
        pl.DataFrame(
            {"year": moment.dt.year(), "month": moment.dt.month(), "equity": frame["equity"]}
        )
        .group_by("year", "month", maintain_order=True)
        .last()
    )
    found, before = [], cash
    for year, month, after in ends.iter_rows():
        found.append(Month(year, month, (after / before - 1) * 100 if before > 0 else None))
        before = after
    return found


def _fills(result: Result, listed: int) -> Fills:
    made = result.executions[-listed:]
    first_s, steps_s = _steps(pl.Series([fill.at_ns // NS_PER_S for fill in made], dtype=pl.Int64))
    return Fills(
        total=len(result.executions),
        first_s=first_s,
        steps_s=steps_s,
        buys=[int(fill.side == "BUY") for fill in made],
        quantity=[plain(fill.quantity) for fill in made],
        price=[plain(fill.price) for fill in made],
        fee=[plain(fill.fee) for fill in made],
        fee_asset=_one_or_each([fill.fee_asset for fill in made]),
        symbol=_one_or_each([fill.symbol for fill in made]),
    )


def _trips(result: Result, listed: int) -> Trips:
    left_out = max(len(result.executions) - listed, 0)
    trips = round_trips(result.executions, result.dust)
    shown = [trip for trip in trips if trip.first >= left_out]
    if not all(is_convertible(fill) for fill in result.executions):
        shown = []
    return Trips(
        total=len(trips),
        first=[trip.first - left_out for trip in shown],
        last=[trip.last - left_out for trip in shown],
        entry=_chart([trip.cost / trip.quantity for trip in shown]),
        exit=_chart([trip.proceeds / trip.quantity for trip in shown]),
        profit=[round(float(trip.profit), 8) for trip in shown],
        return_pct=_chart([trip.profit / trip.cost * 100 for trip in shown]),
    )


def _chart(values: Sequence[Decimal]) -> list[float]:
    return (
        pl.Series([float(one) for one in values], dtype=pl.Float64)
        .round_sig_figs(CHART_DIGITS)
        .to_list()
    )


def _steps(times_s: pl.Series) -> tuple[int, list[int]]:
    """The first time and the differences after it: a third of the digits."""
    if times_s.is_empty():
        return 0, []
    return int(times_s[0]), times_s.diff().drop_nulls().to_list()


def _one_or_each(values: list[str]) -> list[str]:
    """A column that says the same in every row, said once."""
    return values[:1] if len(set(values)) == 1 else values


def labelled(runs: Sequence[Run]) -> list[Run]:
    """The runs, each under a name that no other has: its strategy, then what sets it apart."""
    labels: list[str] = []
    for number, run in enumerate(runs, start=1):
        same = [other for other in runs if other.name == run.name]
        parts = [run.name]
        if len({other.symbol for other in same}) > 1:
            parts.append(run.symbol)
        for name, value in _choices(run).items():
            if any(_choices(other).get(name) != value for other in same):
                parts.append(f"{name}={value}")
        label = " ".join(parts)
        labels.append(f"{label} #{number}" if label in labels else label)
    return [
        msgspec.structs.replace(run, label=label)
        for run, label in zip(runs, labels, strict=True)
    ]


def _choices(run: Run) -> dict[str, Any]:
    """What somebody has chosen for it."""
    return {**run.provenance.params, **run.terms}

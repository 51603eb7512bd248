"""What a backtest hands back: bars, equity, fills, figures and where they came from.

Lives here: the values, and their views for a notebook. Not here: making them (the backtest driver),
the page that shows them (report).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from html import escape
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from holdfast.domain.fill import Fill
from holdfast.domain.market import NS_PER_S, BarColumns
from holdfast.domain.money import ZERO
from holdfast.lab.figures import Figures

_NOT_SHOWN = "–"
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """What a run was made of: the same of everything gives the same run."""

    data_sha256: str
    strategy_sha256: str
    params: Mapping[str, Any]
    version: str
    seed: int | None
    depth_sha256: str | None = None
    trades_sha256: str | None = None


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One finished backtest.

    Attributes:
        name: of the strategy.
        cash: quote units before the first bar.
        markets: the bars of each symbol, the bot's own first, all at the same closes, at least one:
            those that the strategy was asked at. Where one has none, its last price stands.
        equity_at_close: quote units at each bar's close.
        exposure: value of the position at each close, as a share of equity.
        executions: every fill, exact, in order.
        orders, rejected: how many were made, and refused by risk or venue.
        ambiguous_bars: in how many one bar reached stop and take-profit.
        depth_orders, bar_orders: how many orders walked a recorded book, and how many filled by
            bars although books were given; None without books.
        run_seconds: stepping only.
        dust: quote units; a position worth no more counts as none.
        assumptions: what the simulation took for granted, in words: name to text.
        terms: the same in numbers, as text: basis points, milliseconds.
        asked: whether the strategy was asked at all; it is not while its indicators wait for bars.
        warnings: what its author probably did not mean.
    """

    name: str
    cash: Decimal
    markets: Sequence[BarColumns]
    equity_at_close: Sequence[float]
    exposure: Sequence[float]
    executions: Sequence[Fill]
    figures: Figures
    provenance: Provenance
    orders: int = 0
    rejected: int = 0
    ambiguous_bars: int = 0
    depth_orders: int | None = None
    bar_orders: int | None = None
    run_seconds: float = 0.0
    dust: Decimal = ZERO
    assumptions: Mapping[str, str] = msgspec.field(default_factory=dict)
    terms: Mapping[str, str] = msgspec.field(default_factory=dict)
    asked: bool = True
    warnings: Sequence[str] = ()

    @property
    def bars(self) -> BarColumns:
        """Of the bot's own symbol."""
        return self.markets[0]

    @property
    def symbol(self) -> str:
        """The market that was traded, `BASE/QUOTE`; several with commas between them."""
        return ", ".join(bars.symbol for bars in self.markets)

    @property
    def timeframe(self) -> str:
        """Of the bars, as exchanges write it: `90s`, `1m`, `4h`, `1d`."""
        bar_s = self.bars.bar_s
        return next(f"{bar_s // size}{unit}" for unit, size in _UNITS if bar_s % size == 0)

    @property
    def close_ns(self) -> list[int]:
        """When each bar was closed: the first nanosecond after it, UTC."""
        length_ns = self.bars.bar_s * NS_PER_S
        return [open_ns + length_ns for open_ns in self.bars.open_ns]

    @property
    def stats(self) -> dict[str, Any]:
        """Every figure by its name in `holdfast backtest --json`, exact where it is money.

        With recorded books also `depth_orders` and `depth_share_pct`.
        """
        bars = len(self.bars)
        own = {
            "bars": bars,
            "orders": self.orders,
            "fills": len(self.executions),
            "ambiguous_bars": self.ambiguous_bars,
            "rejected": self.rejected,
            "run_seconds": self.run_seconds,
            "bars_per_second": bars / self.run_seconds if self.run_seconds > 0 else None,
        }
        if self.depth_orders is not None:
            own |= {"depth_orders": self.depth_orders, "depth_share_pct": self._depth_share_pct}
        return {**msgspec.structs.asdict(self.figures), **own}

    @property
    def equity(self) -> pl.DataFrame:
        """One row per bar: `time` (its close, UTC), `close`, `equity`, `exposure`."""
        return pl.DataFrame(
            {
                "time": _times(self.close_ns),
                "close": pl.Series(self.bars.close, dtype=pl.Float64),
                "equity": pl.Series(self.equity_at_close, dtype=pl.Float64),
                "exposure": pl.Series(self.exposure, dtype=pl.Float64),
            }
        )

    @property
    def fills(self) -> pl.DataFrame:
        """One row per fill, amounts as floats to calculate with; `executions` has them exactly."""
        made = self.executions
        amounts = ("quantity", "price", "fee")
        return pl.DataFrame(
            {
                "time": _times([fill.at_ns for fill in made]),
                "symbol": pl.Series([fill.symbol for fill in made], dtype=pl.String),
                "side": pl.Series([fill.side.value for fill in made], dtype=pl.String),
                **{
                    name: pl.Series([float(getattr(one, name)) for one in made], dtype=pl.Float64)
                    for name in amounts
                },
                "fee_asset": pl.Series([fill.fee_asset for fill in made], dtype=pl.String),
            }
        )

    @property
    def _depth_share_pct(self) -> float | None:
        walked, by_bars = self.depth_orders, self.bar_orders
        if walked is None or by_bars is None or not walked + by_bars:
            return None
        return walked / (walked + by_bars) * 100

    def report(self, path: str | Path) -> Path:
        """Write this run as one HTML file that opens offline; see `report.write_report`."""
        # The writer needs results; only this shorthand needs the writer.
        from holdfast.lab.report import write_report  # noqa: PLC0415

        return write_report(self, path)

    def save(self, path: str | Path) -> Path:
        """Keep this run in a file, to be compared later; see `comparison.save_run`."""
        from holdfast.lab.comparison import save_run  # noqa: PLC0415

        return save_run(self, path)

    def __repr__(self) -> str:
        """One line: a run has as many numbers as it has bars."""
        change = f"{self.figures.return_pct:+.2f} %"
        where = f"{self.name} on {self.symbol} {self.timeframe}"
        return f"Result({where}, {len(self.bars):,} bars, {change})"

    def _repr_html_(self) -> str:
        """The figures as a table, which is what a notebook shows of a result."""
        rows = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th>"
            f"<td style='text-align:right'>{escape(_shown(value))}</td></tr>"
            for name, value in self.stats.items()
        )
        first, last = (_date(self.bars.open_ns[at]) for at in (0, -1))
        title = f"{self.name} on {self.symbol}, {self.timeframe}, {first} to {last}"
        return f"<table><caption>{escape(title)}</caption><tbody>{rows}</tbody></table>"


def _times(times_ns: Sequence[int]) -> pl.Series:
    return pl.Series(times_ns, dtype=pl.Int64).cast(pl.Datetime("ns", "UTC"))


def _date(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns // NS_PER_S, UTC).date().isoformat()


def _shown(value: object) -> str:
    if value is None:
        return _NOT_SHOWN
    return f"{value:,.2f}" if isinstance(value, float | Decimal) else str(value)

"""`holdfast backtest`: run a strategy over recorded bars.

Not here: the run (app.research.front), the figures and the report (lab).
"""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.cli.account import JSON
from holdfast.cli.output import emit
from holdfast.cli.run_options import (
    Cash,
    Conservative,
    Data,
    Depth,
    DepthFallback,
    FeeAsset,
    FeeBps,
    LatencyMs,
    OrderLists,
    Param,
    SignalFiles,
    SlippageBps,
    StrategyName,
    Symbol,
    Timeframe,
    Trades,
    costs_of,
    note,
    parameters,
)
from holdfast.errors import ConfigError

if TYPE_CHECKING:
    from holdfast.app.research.front import Result
    from holdfast.market.bar_table import BarTable

# In place of a file, for a first look.
INVENTED = Path("invented")
FIGURES = (
    ("final equity", "final_equity", ""),
    ("return", "return_pct", " %"),
    ("buy and hold", "buy_hold_return_pct", " %"),
    ("per year", "cagr_pct", " %"),
    ("largest drawdown", "max_drawdown_pct", " %"),
    ("longest drawdown", "longest_drawdown_days", " days"),
    ("Sharpe", "sharpe", ""),
    ("Sortino", "sortino", ""),
    ("Calmar", "calmar", ""),
    ("in the market", "exposure_pct", " %"),
    ("round trips", "round_trips", ""),
    ("won", "win_rate_pct", " %"),
    ("profit factor", "profit_factor", ""),
    ("fees", "fees", ""),
    ("orders", "orders", ""),
    ("refused or rejected", "rejected", ""),
    ("ambiguous bars", "ambiguous_bars", ""),
)


def backtest(
    *,
    strategy: StrategyName,
    data: Data,
    param: Param = None,
    symbol: Symbol = None,
    timeframe: Timeframe = None,
    cash: Cash = "10000",
    fee_bps: FeeBps = "10",
    fee_asset: FeeAsset = "quote",
    slippage_bps: SlippageBps = "0",
    latency_ms: LatencyMs = "0",
    trades: Trades = None,
    depth: Depth = None,
    depth_fallback: DepthFallback = False,
    conservative: Conservative = False,
    order_lists: OrderLists = True,
    signal: SignalFiles = None,
    report: Annotated[Path | None, typer.Option(help="Write the report, one HTML file.")] = None,
    fills: Annotated[Path | None, typer.Option(help="Write every fill, exact, as CSV.")] = None,
    save: Annotated[Path | None, typer.Option(help="Keep the run for `holdfast compare`.")] = None,
    json: JSON = False,
) -> None:
    """Run a strategy over recorded bars, with the engine that trades live.

    Example: holdfast backtest --strategy sma_cross --data BTC_USDT-1h.feather --report run.html

    Example: holdfast backtest --strategy mine.py:Mine --param fast=7 --data btc.csv --json

    Example: holdfast backtest --strategy mine.py:Pair --data BTC_USDT-1d.csv --data ETH_USDT-1d.csv

    Example: holdfast backtest --strategy sma_cross --data raw.gz --timeframe 1s --depth raw.gz

    Example: holdfast backtest --strategy book.py:Lean --data raw.gz --timeframe 1m --trades raw.gz
    """
    from holdfast.app.research.front import backtest as run  # noqa: PLC0415
    from holdfast.app.research.front import create  # noqa: PLC0415

    if ":" in strategy:  # of somebody's own, which may log; the shipped ones do not
        from holdfast.app.logs import begin_brief_logs  # noqa: PLC0415

        begin_brief_logs()
    costs = costs_of(
        cash=cash, fee_bps=fee_bps, fee_asset=fee_asset, slippage_bps=slippage_bps,
        latency_ms=latency_ms, trades=trades, depth=depth, depth_fallback=depth_fallback,
        conservative=conservative, order_lists=order_lists, signal=signal,
    )  # fmt: skip
    made = create(strategy, parameters(param or []))
    result = run(made, tables(data, symbol=symbol, timeframe=timeframe), **costs)
    for warning in result.warnings:
        note(warning)
    written = _write(result, report, fills, save)
    if json:
        made_of = {
            "provenance": result.provenance, "terms": result.terms, "warnings": result.warnings,
        }  # fmt: skip
        emit({"depth_orders": None, "depth_share_pct": None, **result.stats, **made_of})
        return
    _show(result)
    for path in written:
        typer.echo(f"written: {path}")


def _write(
    result: Result, report: Path | None, fills: Path | None, save: Path | None
) -> list[Path]:
    if report is not None:
        result.report(report)
    if fills is not None:
        write_fills(result, fills)
    if save is not None:
        result.save(save)
    return [path for path in (report, fills, save) if path is not None]


def tables(data: list[Path], *, symbol: str | None, timeframe: str | None) -> list[BarTable]:
    """The bars in each file; a note on stderr where some are missing, or all are made up.

    Raises:
        ConfigError: one cannot be read, or `symbol` is to be that of several.
    """
    from holdfast.app.markets.data import invented_table, load  # noqa: PLC0415

    if data == [INVENTED] and not INVENTED.exists():
        note("an invented market, the same each time: it shows how things work, and no more")
        # Its name says so too, wherever the result is shown.
        return [invented_table(symbol or "INVENTED/USDT", timeframe or "1h")]
    if symbol is not None and len(data) > 1:
        raise ConfigError(
            f"seen: --symbol {symbol} and {len(data)} files; expected: files that tell their own "
            "symbols; do: leave --symbol out"
        )
    found = [load(path, symbol=symbol, timeframe=timeframe) for path in data]
    for path, table in zip(data, found, strict=True):
        gaps = table.gaps()
        if gaps:
            missing = sum(gap.missing for gap in gaps)
            note(
                f"{path}: {missing:,} bars are missing, the first after {gaps[0].from_}; "
                "`holdfast data check` lists them"
            )
    return found


def write_fills(result: Result, path: Path) -> None:
    """Every fill, exact, oldest first; the file appears whole or not at all.

    Raises:
        ConfigError: it cannot be written.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["at_ns", "symbol", "side", "quantity", "price", "fee", "fee_asset"])
    for fill in result.executions:
        amounts = (format(fill.quantity, "f"), format(fill.price, "f"), format(fill.fee, "f"))
        rows.writerow([fill.at_ns, fill.symbol, fill.side.value, *amounts, fill.fee_asset])
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_text(text.getvalue())
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise ConfigError(
            f"seen: {path} cannot be written ({error.strerror}); expected: a file name in a folder "
            "that exists and is yours; do: name another place"
        ) from error


def shown(value: Any) -> str:
    """A figure for people: whole, or with two decimals; a dash where it is undefined."""
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else f"{float(value):,.2f}"


def _show(result: Result) -> None:
    stats = result.stats
    typer.echo(f"{result.name} on {result.symbol} {result.timeframe}, {len(result.bars):,} bars")
    for label, name, unit in FIGURES:
        value = stats[name]
        typer.echo(f"  {label:<20} {shown(value):>16}{unit if value is not None else ''}")
    if result.depth_orders is not None:
        share = stats["depth_share_pct"]
        told = f"{result.depth_orders:,}" + ("" if share is None else f" ({share:.1f} %)")
        typer.echo(f"  {'orders in books':<20} {told:>16}")
    typer.echo(f"  {'speed':<20} {stats['bars_per_second']:>16,.0f} bars/s")
    terms = result.terms
    typer.echo(
        f"  assumed: fee {terms['fee_bps']} bp in {terms['fee_asset']}, slippage "
        f"{terms['slippage_bps']} bp, limits traded through by {terms['margin_bps']} bp, latency "
        f"{terms['latency_ms']} ms"
    )

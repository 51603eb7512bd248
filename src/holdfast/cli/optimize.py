"""`holdfast optimize`: search a strategy's parameters over recorded bars.

Not here: the search (app.research.search).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from holdfast.cli.account import JSON
from holdfast.cli.backtest import tables
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
    parameters,
)
from holdfast.errors import EXIT_FAILED

if TYPE_CHECKING:
    from holdfast.app.research.search import Progress, Search


def optimize(
    *,
    strategy: StrategyName,
    data: Data,
    objective: Annotated[str, typer.Option(help="The figure to make best.")] = "sharpe",
    trials: Annotated[int, typer.Option(help="How many parameter sets, per window.")] = 100,
    walk_forward: Annotated[
        int, typer.Option(help="So many windows, each judged on the bars after it.")
    ] = 0,
    space: Annotated[
        list[str] | None, typer.Option(help="name=low:high[:step]; repeat it for more.")
    ] = None,
    param: Param = None,
    jobs: Annotated[int, typer.Option(help="Processes; the result is the same.")] = 1,
    seed: Annotated[int | None, typer.Option(help="Makes the search repeatable.")] = None,
    study: Annotated[Path | None, typer.Option(help="Keep trials; the same command goes on.")] = (
        None
    ),
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
    json: JSON = False,
) -> None:
    """Search a strategy's parameters, and judge them on bars that the search did not see.

    Example: holdfast optimize --strategy sma_cross --data BTC_USDT-1h.feather --walk-forward 4

    Example: holdfast optimize --strategy a.py:Mine --data btc.csv --space size=1:9:2 --jobs 2

    Example: holdfast optimize --strategy rebalance --data BTC_USDT-1d.csv --data ETH_USDT-1d.csv
    """
    from holdfast.app.research.search import Task, search  # noqa: PLC0415

    costs = costs_of(
        cash=cash, fee_bps=fee_bps, fee_asset=fee_asset, slippage_bps=slippage_bps,
        latency_ms=latency_ms, trades=trades, depth=depth, depth_fallback=depth_fallback,
        conservative=conservative, order_lists=order_lists, signal=signal,
    )  # fmt: skip
    task = Task(strategy, parameters(param or []), costs)
    bars = tables(data, symbol=symbol, timeframe=timeframe)
    with _progress() as progress:
        found = search(
            task, bars, objective=objective, trials=trials, space=space or [],
            walk_forward=walk_forward, jobs=jobs, seed=seed,
            study=None if study is None else str(study), progress=progress,
        )  # fmt: skip
    if json:
        emit(_document(found))
    else:
        _show(found)
    if found.interrupted:
        typer.echo("stopped: this is what was found so far", err=True)
        raise typer.Exit(EXIT_FAILED)


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar on stderr, one line per window, where a person watches."""
    from rich.console import Console  # noqa: PLC0415  # slow
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    lines = {}
    with Bar(
        *columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal
    ) as bar:

        def show(window: int, done: int, trials: int) -> None:
            if window not in lines:
                lines[window] = bar.add_task(f"window {window}", total=trials)
            bar.update(lines[window], completed=done)

        yield show


def _document(found: Search) -> dict[str, object]:
    """All of it; the figures of each trial stay in the study."""
    whole = msgspec.structs.asdict(found)
    whole["trials"] = [
        {name: value for name, value in msgspec.structs.asdict(one).items() if name != "figures"}
        for one in found.trials
    ]
    return whole


def _show(found: Search) -> None:
    best = ", ".join(f"{name}={_number(value)}" for name, value in found.best["params"].items())
    states = [one.state for one in found.trials]
    typer.echo(f"best: {best}")
    typer.echo(f"  {found.objective} {_number(found.best['value'])} ({found.direction}d)")
    counts = ", ".join(f"{states.count(s)} {s}" for s in ("complete", "pruned", "failed"))
    typer.echo(f"  {len(states)} trials: {counts}")
    after = found.out_of_sample
    if after is None:
        typer.echo("  judged on the bars it was searched on: --walk-forward 4 asks what followed")
        return
    typer.echo(f"out-of-sample: {found.objective} {_number(after.value)}, all windows together")
    for inside, outside in zip(found.in_sample.windows, after.windows, strict=False):
        params = ", ".join(f"{name}={_number(value)}" for name, value in outside.params.items())
        typer.echo(
            f"  window {outside.window}: in-sample {_number(inside.value)}, out-of-sample "
            f"{_number(outside.value)}, {outside.first} to {outside.last}, {params}"
        )
    for text in found.warnings:
        typer.echo(f"warning: {text}", err=True)


def _number(value: object) -> str:
    return "–" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)

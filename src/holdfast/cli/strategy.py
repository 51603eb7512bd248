"""`holdfast strategy`: which strategies there are, a file to begin one with, and the five laws.

Not here: finding them (strategy.load), the laws (strategy.check).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from holdfast.cli.account import JSON
from holdfast.cli.output import emit
from holdfast.cli.run_options import Param, parameters

Symbols = Annotated[
    list[str] | None,
    typer.Option(help="BTC/USDT, the strategy's own first; repeat it for more."),
]
app = typer.Typer(no_args_is_help=True)


@app.callback()
def strategy() -> None:
    """Look at the strategies that a bot can run, begin one, and check it."""


@app.command("list")
def list_strategies(*, json: JSON = False) -> None:
    """Show the shipped strategies. Example: holdfast strategy list"""
    from holdfast.app.research.strategies import described  # noqa: PLC0415

    rows = described()
    if json:
        emit({"strategies": rows})
        return
    for row in rows:
        typer.echo(f"{row.name:<20} {row.about}")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A shipped strategy, or FILE:Class.")],
    *,
    param: Param = None,
    symbol: Symbols = None,
    timeframe: Annotated[str, typer.Option(help="Of the bars that it would decide on.")] = "1m",
    json: JSON = False,
) -> None:
    """Show a strategy's parameters with type, bounds and default, and what it looks at.

    Example: holdfast strategy show sma_cross

    Example: holdfast strategy show pair.py:Pair --symbol BTC/USDT --symbol ETH/USDT
    """
    from holdfast.app.research.strategies import describe  # noqa: PLC0415

    given = parameters(param or [])
    found = describe(name, given, symbols=symbol or ("BTC/USDT",), timeframe=timeframe)
    if json:
        emit(found)
        return
    typer.echo(f"{found.name}: {found.about}")
    for parameter, schema in found.parameters.items():
        typer.echo(f"  {parameter}: {_sentence(schema)}")
    if found.looks_at is not None:
        _show_lines("looks at", found.looks_at.lines())


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Of the strategy and its file, such as my_first.")],
    *,
    json: JSON = False,
) -> None:
    """Write NAME.py, a working strategy with comments to begin from. Never overwrites.

    Example: holdfast strategy new my_first
    """
    from holdfast.app.research.strategies import begin  # noqa: PLC0415

    file, kind = begin(name, Path())
    if json:
        emit({"file": str(file), "strategy": f"{file}:{kind}"})
        return
    typer.echo(f"written: {file}. Next:")
    typer.echo(f"  holdfast strategy check {file}:{kind}")
    typer.echo(f"  holdfast backtest --strategy {file}:{kind} --data invented --report {name}.html")
    typer.echo("and then with a file of real candles in place of `invented`")


@app.command()
def check(
    name: Annotated[str, typer.Argument(help="A shipped strategy, or FILE:Class.")],
    *,
    data: Annotated[
        list[Path] | None,
        typer.Option(help="Candles to try it on, repeat it per symbol; else an invented market."),
    ] = None,
    param: Param = None,
    symbol: Symbols = None,
    timeframe: Annotated[str | None, typer.Option(help="1h; otherwise the file's own.")] = None,
    json: JSON = False,
) -> None:
    """Try the five laws that keep live, backtest and failover the same. Exit code 1: one is broken.

    Example: holdfast strategy check my_first.py:MyFirst --data BTC_USDT-1h.feather

    Example: holdfast strategy check pair.py:Pair --symbol BTC/USDT --symbol ETH/USDT
    """
    from holdfast.app.research.strategies import check as tried  # noqa: PLC0415
    given = parameters(param or [])
    found = tried(name, given, data or (), symbols=symbol or (), timeframe=timeframe)
    if json:
        emit({"holds": found.holds, **msgspec.structs.asdict(found)})
    else:
        for law in found.laws:
            typer.echo(f"{law.verdict:<12} {law.law}")
            where = f"bar {law.bar}, {law.at}: " if law.bar is not None else ""
            if law.why:
                typer.echo(f"{'':<12}   {where}{law.why}")
        if found.looks_at is not None:
            _show_lines("looks at", found.looks_at.lines())
        typer.echo(
            f"{found.bars:,} bars, asked {found.decisions:,} times, "
            f"another wish {found.changes:,} times"
        )
        if found.decisions and not found.changes:
            typer.echo("It always wished the same, so this says little: try other data.")
    if not found.holds:
        raise typer.Exit(1)


def _show_lines(title: str, lines: Sequence[tuple[str, str]]) -> None:
    typer.echo(title)
    for label, words in lines:
        typer.echo(f"  {label}: {words}")


def _sentence(schema: dict[str, Any]) -> str:
    kind = "decimal" if schema.get("format") == "decimal" else schema.get("type", "any")
    bounds = ""
    if "minimum" in schema and "maximum" in schema:
        bounds = f", {schema['minimum']} to {schema['maximum']}"
    if "default" not in schema:
        return f"{kind}{bounds}"
    default = "empty" if schema["default"] == "" else schema["default"]
    return f"{kind}{bounds}, default {default}"

"""What a run over recorded bars is told, the same for every verb that makes such runs.

Lives here: the options, declared once, and what `app.research.front.backtest` makes of those that
say what trading costs. Not here: the verbs (backtest, optimize).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast.errors import ConfigError

StrategyName = Annotated[str, typer.Option(help="A shipped strategy, or FILE:Class.")]
Data = Annotated[
    list[Path],
    typer.Option(
        help="Candles or trades: CSV, JSON, Parquet, Feather; repeat it per symbol. `invented` is "
        "a made-up market."
    ),
]
Param = Annotated[list[str] | None, typer.Option(help="name=value; repeat it for more.")]
Symbol = Annotated[
    str | None, typer.Option(help="BTC/USDT; otherwise what the file tells.")
]
Timeframe = Annotated[str | None, typer.Option(help="1h; otherwise the file's own.")]
Cash = Annotated[str, typer.Option(help="Quote units to begin with.")]
FeeBps = Annotated[str, typer.Option(help="Fee in basis points: 10 is 0.1 %.")]
FeeAsset = Annotated[str, typer.Option(help="quote, or base: buys pay in what they buy.")]
SlippageBps = Annotated[str, typer.Option(help="Market and stop orders fill so much worse.")]
LatencyMs = Annotated[
    str, typer.Option(help="Orders and cancels arrive so much after the decision.")
]
Trades = Annotated[
    list[Path] | None,
    typer.Option(help="Recorded trades to fill by, or a folder of them; repeat."),
]
Depth = Annotated[
    list[Path] | None, typer.Option(help="Recorded books to walk, or a folder of them; repeat.")
]
DepthFallback = Annotated[
    bool, typer.Option("--depth-fallback", help="Fill without a book where none is recorded.")
]
Conservative = Annotated[
    bool,
    typer.Option(
        "--conservative", help="Slippage 5 bp, limits 2 bp, 250 ms in books and trades."
    ),
]
OrderLists = Annotated[
    bool,
    typer.Option(
        "--order-lists/--no-order-lists",
        help="Stop and take-profit rest as one (OCO), or the take-profit is watched.",
    ),
]
SignalFiles = Annotated[list[str] | None, typer.Option(help="NAME=FILE; repeat it for more.")]


def costs_of(
    *,
    trades: Sequence[Path] | None,
    depth: Sequence[Path] | None,
    signal: Sequence[str] | None,
    **plain: str | bool,
) -> dict[str, Any]:
    """The options that say what trading costs and what is seen, by the names that `backtest` has.

    Raises:
        ConfigError: a signal is no NAME=FILE.
    """
    return {
        **plain,
        "trades": None if trades is None else [str(path) for path in trades],
        "depth": None if depth is None else [str(path) for path in depth],
        "signals": parameters(signal or [], "--signal", "news=news.jsonl"),
    }


def parameters(
    given: Sequence[str], option: str = "--param", example: str = "fast=7"
) -> dict[str, str]:
    """`name=value` texts as a mapping.

    Raises:
        ConfigError: one has no `=`, or a name comes twice.
    """
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ConfigError(f"seen: {option} {text!r}; expected: name=value, such as {example}")
        if name in found:
            raise ConfigError(f"seen: {option} {name} twice; expected: one value")
        found[name] = value
    return found


def note(text: str) -> None:
    """Tell a person something beside the result."""
    typer.echo(f"note: {text}", err=True)

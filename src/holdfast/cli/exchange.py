"""`holdfast exchange`: a local exchange that speaks Binance Spot, for tests, demos and other bots.

Not here: the exchange, or which market it serves (app.local_exchange).
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.output import emit
from holdfast.errors import ConfigError

app = typer.Typer(no_args_is_help=True)


@app.callback()
def exchange() -> None:
    """Run an exchange on this machine, as strict as the real one."""


@app.command()
def serve(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="On 127.0.0.1; 0 takes a free one.")],
    data: Annotated[
        list[Path] | None,
        typer.Option(help="Replay recorded trades or candles; repeat it for more symbols."),
    ] = None,
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="Invent lively markets (the default).")
    ] = False,
    symbol: Annotated[
        list[str] | None,
        typer.Option(help="What to offer; with --data, the symbol of each recording in order."),
    ] = None,
    timeframe: Annotated[
        str | None, typer.Option(help="Length of a candle (5m) where a recording does not tell.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all chance: equal seeds, equal markets.")] = 0,
    speed: Annotated[
        float, typer.Option(min=0, help="Market seconds per second; 0 replays without waiting.")
    ] = 1.0,
    rate: Annotated[float, typer.Option(help="Events per second of each invented market.")] = 50.0,
    warm_up: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Seconds of history at the start (7200; with --data 0).",
            show_default=False,
        ),
    ] = None,
    faults: Annotated[
        Path | None, typer.Option(help="A JSON list of faults in force from the start.")
    ] = None,
    latency_ms: Annotated[
        float, typer.Option(min=0, help="Orders and cancels reach the exchange so much later.")
    ] = 0.0,
    limits: Annotated[Path | None, typer.Option(help="A JSON object of other rate limits.")] = None,
    state: Annotated[
        Path | None, typer.Option(help="A folder to keep accounts and orders in.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="As always here: one JSON line on stdout.")
    ] = False,
) -> None:
    """Serve until Ctrl-C. Prints {"listening": "http://127.0.0.1:PORT"} when it accepts orders.

    Example: holdfast exchange serve --port 8900 --synthetic --seed 7

    Example: holdfast exchange serve --port 8900 --data BTC_USDT-1m.json --speed 60
    """
    # The exchange takes a moment to import, and `--help` needs none of it.
    from holdfast.app.local_exchange import LocalExchange, run  # noqa: PLC0415

    del json
    if synthetic and data:
        raise ConfigError("seen: --synthetic and --data; expected: one of them; do: leave one out")
    choice = LocalExchange(
        port=port,
        data=tuple(data or ()),
        symbols=tuple(symbol or ()),
        bar_s=None if timeframe is None else _seconds(timeframe),
        seed=seed,
        speed=speed,
        warm_up_s=warm_up,
        events_per_s=rate,
        limits=limits, faults=faults, latency_ms=latency_ms, state=state,
    )  # fmt: skip
    asyncio.run(run(choice, lambda url: emit({"listening": url})))


def _seconds(timeframe: str) -> int:
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
    number, unit = timeframe[:-1], timeframe[-1:]
    if not number.isdigit() or int(number) < 1 or unit not in units:
        raise ConfigError(
            f"seen: --timeframe {timeframe!r}; expected: a number and one of s, m, h, d, w; "
            "do: write 5m for five minutes"
        )
    return int(number) * units[unit]

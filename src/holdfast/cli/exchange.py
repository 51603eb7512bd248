"""`holdfast exchange`: a local exchange that speaks Binance Spot, for tests, demos and other bots.

Not here: the exchange, or which market it serves (app.markets.local_exchange).
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.output import emit
from holdfast.errors import ConfigError

DATA = Annotated[
    list[Path] | None,
    typer.Option(help="Replay recorded trades or candles; repeat it for more symbols."),
]
SYMBOL = Annotated[
    list[str] | None,
    typer.Option(help="What to offer; with --data, the symbol of each recording in order."),
]
WARM_UP = Annotated[
    float | None,
    typer.Option(
        min=0, help="Seconds of history at the start (7200; with --data 0).", show_default=False
    ),
]
MIRROR = Annotated[
    str, typer.Option(help="Show the live market of this exchange (binance) instead.")
]
MIRROR_URL = Annotated[
    str, typer.Option("--mirror-url", help="Its REST root, where it is another than usual.")
]
MIRROR_STREAM_URL = Annotated[
    str, typer.Option("--mirror-stream-url", help="Its streams; else /stream of --mirror-url.")
]

app = typer.Typer(no_args_is_help=True)


@app.callback()
def exchange() -> None:
    """Run an exchange on this machine, as strict as the real one."""


@app.command()
def serve(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="On 127.0.0.1; 0 takes a free one.")],
    data: DATA = None,
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="Invent lively markets (the default).")
    ] = False,
    symbol: SYMBOL = None,
    timeframe: Annotated[
        str | None, typer.Option(help="Length of a candle (5m) where a recording does not tell.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all chance: equal seeds, equal markets.")] = 0,
    speed: Annotated[
        float, typer.Option(min=0, help="Market seconds per second; 0 replays without waiting.")
    ] = 1.0,
    rate: Annotated[float, typer.Option(help="Events per second of each invented market.")] = 50.0,
    warm_up: WARM_UP = None,
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
    mirror: MIRROR = "",
    mirror_url: MIRROR_URL = "",
    mirror_stream_url: MIRROR_STREAM_URL = "",
    json: Annotated[
        bool, typer.Option("--json", help="As always here: one JSON line on stdout.")
    ] = False,
) -> None:
    """Serve until Ctrl-C. Prints {"listening": "http://127.0.0.1:PORT"} when it accepts orders.

    Example: holdfast exchange serve --port 8900 --synthetic --seed 7

    Example: holdfast exchange serve --port 8900 --data BTC_USDT-1m.json --speed 60

    Example: holdfast exchange serve --port 8900 --mirror binance --symbol BTC/USDT
    """
    # The exchange takes a moment to import, and `--help` needs none of it.
    from holdfast.app.markets.local_exchange import LocalExchange, run  # noqa: PLC0415

    del json
    _require_one({"--synthetic": synthetic, "--data": bool(data), "--mirror": bool(mirror)})
    choice = LocalExchange(
        port=port,
        data=tuple(data or ()),
        symbols=tuple(symbol or ()),
        bar_s=None if timeframe is None else _seconds(timeframe),
        seed=seed,
        speed=speed,
        warm_up_s=warm_up,
        events_per_s=rate,
        limits=limits,
        faults=faults,
        latency_ms=latency_ms,
        state=state,
        mirror=mirror,
        mirror_url=mirror_url,
        mirror_stream_url=mirror_stream_url,
    )
    asyncio.run(run(choice, lambda url: emit({"listening": url}), _say))


def _require_one(given: dict[str, bool]) -> None:
    """ConfigError when more than one market was asked for."""
    chosen = [name for name, is_given in given.items() if is_given]
    if len(chosen) > 1:
        raise ConfigError(f"seen: {' and '.join(chosen)}; expected: one of them; do: leave one out")


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _seconds(timeframe: str) -> int:
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
    number, unit = timeframe[:-1], timeframe[-1:]
    if not number.isdigit() or int(number) < 1 or unit not in units:
        raise ConfigError(
            f"seen: --timeframe {timeframe!r}; expected: a number and one of s, m, h, d, w; "
            "do: write 5m for five minutes"
        )
    return int(number) * units[unit]

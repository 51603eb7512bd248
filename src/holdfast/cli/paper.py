"""`holdfast paper`: a strategy on live prices, with money that is not there.

Not here: the run (app.demo.run), or what is gone on with (app.paper).
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from holdfast.cli.demo import show_run
from holdfast.cli.exchange import MIRROR_STREAM_URL, MIRROR_URL
from holdfast.cli.run_options import parameters

STRATEGY = Annotated[str | None, typer.Option(help="A shipped strategy, or FILE:Class.")]
SYMBOL = Annotated[
    list[str] | None, typer.Option(help="BTC/USDT; repeat it for a strategy that trades several.")
]
MIRROR = Annotated[
    str | None, typer.Option(help="Trade on live prices of this exchange: binance.")
]


def paper(
    *,
    strategy: STRATEGY = None,
    symbol: SYMBOL = None,
    param: Annotated[list[str] | None, typer.Option(help="name=value; repeat it for more.")] = None,
    timeframe: Annotated[str | None, typer.Option(help="Length of a bar; 1m at first.")] = None,
    cash: Annotated[str | None, typer.Option(help="Quote units to begin with; 10000.")] = None,
    mirror: MIRROR = None,
    mirror_url: MIRROR_URL = "",
    mirror_stream_url: MIRROR_STREAM_URL = "",
    seed: Annotated[
        int | None, typer.Option(help="Of an invented market.", show_default=False)
    ] = None,
    latency_ms: Annotated[
        float | None,
        typer.Option(min=0, help="Orders arrive so much later; 0.", show_default=False),
    ] = None,
    duration: Annotated[
        float | None, typer.Option(min=0.1, help="Seconds to trade; otherwise until q or Ctrl-C.")
    ] = None,
    headless: Annotated[
        bool, typer.Option("--headless", help="No screen: progress on stderr.")
    ] = False,
    directory: Annotated[
        Path, typer.Option("--dir", help="Where it keeps everything, to go on from there.")
    ] = Path(".holdfast/paper"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw away what is there.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON document on stdout; no screen.")
    ] = False,
) -> None:
    """Trade without money and without keys: on live prices with --mirror, else on invented ones.

    Goes on where it was, with the same position, however it ended. Exit code 1 when an order was
    doubled, lost or left unresolved, 4 when the exchange to mirror does not answer.

    Example: holdfast paper --strategy sma_cross --symbol BTC/USDT --mirror binance

    Example: holdfast paper --dir .holdfast/paper
    """
    # All this takes a moment to import, and `--help` needs none of it.
    from holdfast.app.demo.run import Wanted  # noqa: PLC0415
    from holdfast.app.paper import Given, PaperPlan, paper_plan  # noqa: PLC0415

    given = Given(
        strategy=strategy,
        symbols=tuple(symbol or ()),
        timeframe=timeframe,
        params=parameters(param or []),
        cash=cash,
        mirror=mirror,
        mirror_url=mirror_url,
        mirror_stream_url=mirror_stream_url,
        seed=seed,
        latency_ms=latency_ms,
    )
    wanted = Wanted(directory=directory, fresh=fresh, duration_s=duration)
    show_run(
        wanted,
        PaperPlan,
        partial(paper_plan, given=given),
        on_screen=not (headless or json),
        json=json,
    )

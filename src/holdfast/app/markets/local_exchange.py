"""The local exchange as a whole: a market chosen by its user, behind the exchange's doors.

Lives here: joining reader, flow and server. Not here: options and output (cli.exchange).
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from decimal import Decimal
from pathlib import Path

import msgspec

from holdfast.app.markets.mirror import Mirror, open_mirror
from holdfast.domain.market import Bar, Trade
from holdfast.errors import ConfigError
from holdfast.exchange.catalogue import LISTINGS, recorded_instrument
from holdfast.exchange.faults import order_latency, read_faults
from holdfast.exchange.flow import Flow
from holdfast.exchange.limits import Limits
from holdfast.exchange.mirror import ASSUMPTION
from holdfast.exchange.replay import RecordedMarket, ReplayFlow, prints_of_bars
from holdfast.exchange.server import serve
from holdfast.exchange.synthetic import SyntheticFlow, chosen_markets
from holdfast.market.columns import Kind
from holdfast.market.read import Recording, open_recording
from holdfast.telemetry.log import configure
from holdfast.venues.binance.endpoints import Endpoints

MIRRORED = ("binance",)


class LocalExchange(msgspec.Struct, frozen=True, kw_only=True):
    """What a user may choose of a local exchange.

    Attributes:
        port: on loopback; 0 takes a free one.
        data: recordings to replay, one symbol each; empty invents a market.
        symbols: for recordings, their symbols in the same order where they do not tell; for an
            invented market, which of those on offer.
        bar_s: seconds of a candle where a recording does not tell.
        seed: of all chance.
        speed: market seconds per second; 0 replays as fast as possible.
        warm_up_s: seconds of history to have at the start; None is two hours of an invented market
            and nothing of a recording.
        events_per_s: of each invented market.
        limits, faults: JSON files, see the documentation of the exchange.
        latency_ms: by which orders and cancels reach it later than they were sent.
        state: a folder that keeps accounts and orders across restarts.
        mirror: the exchange whose live market to show instead; empty for none.
        mirror_url: its REST root where it is another than usual; the streams are then at `/stream`
            of the same address, unless `mirror_stream_url` says other.
    """

    port: int = 0
    data: tuple[Path, ...] = ()
    symbols: tuple[str, ...] = ()
    bar_s: int | None = None
    seed: int = 0
    speed: float = 1.0
    warm_up_s: float | None = None
    events_per_s: float = 50.0
    limits: Path | None = None
    faults: Path | None = None
    latency_ms: float = 0.0
    state: Path | None = None
    mirror: str = ""
    mirror_url: str = ""
    mirror_stream_url: str = ""


async def run(
    choice: LocalExchange, listening: Callable[[str], None], say: Callable[[str], None]
) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        listening: called once with the address, when connections are accepted.
        say: told what is assumed of the market, for people.

    Raises:
        ConfigError: a file, a symbol or the port is not usable; nothing was served.
        UnreachableError: the exchange to mirror does not answer.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    limits = None if choice.limits is None else _read_limits(choice.limits)
    faults = [] if choice.faults is None else read_faults(choice.faults)
    faults += order_latency(choice.latency_ms)
    default_s = 0.0 if choice.data else 7200.0
    warm_up_s = default_s if choice.warm_up_s is None else choice.warm_up_s
    async with AsyncExitStack() as stack:
        flow: Flow | Mirror
        if choice.mirror:
            say(ASSUMPTION)
            configure("info", stream=sys.stderr)
            flow = await stack.enter_async_context(_mirrored(choice))
        else:
            flow = market(choice, warm_up_s)
        running = await stack.enter_async_context(
            serve(
                flow,
                port=choice.port,
                seed=choice.seed,
                speed=choice.speed,
                warm_up_s=warm_up_s,
                limits=limits,
                faults=faults,
                state_dir=choice.state,
                now_ns=flow.now_ns if isinstance(flow, Mirror) else time.time_ns,
            )
        )
        listening(running.url)
        ended = asyncio.create_task(stop.wait(), name="signal to stop")
        await asyncio.wait({ended, running.market}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            return
        ended.cancel()
        # The market runs as long as the exchange: it can only have failed.
        running.market.result()


def _mirrored(choice: LocalExchange) -> AbstractAsyncContextManager[Mirror]:
    """The live market that was chosen; ConfigError when the choice contradicts itself."""
    if choice.mirror not in MIRRORED:
        raise ConfigError(
            f"seen: --mirror {choice.mirror!r}; expected: {', '.join(MIRRORED)}; do: choose it, or "
            "leave --mirror out for an invented market"
        )
    if choice.data or choice.speed != 1:
        raise ConfigError(
            "seen: --mirror with --data or --speed; expected: the market of now, at its own pace; "
            "do: leave them out"
        )
    symbols = choice.symbols or tuple(LISTINGS)
    if len(set(symbols)) != len(symbols):
        raise ConfigError(
            f"seen: symbols {', '.join(symbols)}; expected: each once; do: leave one out"
        )
    return open_mirror(_endpoints(choice), symbols)


async def check_mirror(choice: LocalExchange) -> None:
    """Ask the exchange to mirror for its symbols, and nothing more.

    Raises:
        ConfigError: the choice contradicts itself, or it does not list one of them.
        UnreachableError: it does not answer.
    """
    async with _mirrored(choice):
        pass


def _endpoints(choice: LocalExchange) -> Endpoints:
    usual = Endpoints()
    if not choice.mirror_url:
        stream_url = choice.mirror_stream_url or usual.stream_url
        return Endpoints(rest_url=usual.rest_url, stream_url=stream_url)
    rest_url = choice.mirror_url.rstrip("/")
    beside = f"{rest_url.replace('http', 'ws', 1)}/stream"
    return Endpoints(rest_url=rest_url, stream_url=choice.mirror_stream_url or beside)


def market(choice: LocalExchange, warm_up_s: float) -> Flow:
    """The market that was chosen.

    Raises:
        ConfigError: a recording or a symbol is not usable.
    """
    if choice.data:
        return _replay(choice)
    if choice.speed == 0:
        raise ConfigError(
            "seen: speed 0 with an invented market, which never ends; expected: more than 0; "
            "do: choose a speed, or replay a recording with --data"
        )
    return SyntheticFlow(
        choice.seed,
        history_s=int(warm_up_s * choice.speed),
        events_per_s=choice.events_per_s,
        markets=chosen_markets(choice.symbols),
    )


def _replay(choice: LocalExchange) -> ReplayFlow:
    if choice.symbols and len(choice.symbols) != len(choice.data):
        raise ConfigError(
            f"seen: {len(choice.data)} recordings and {len(choice.symbols)} symbols; "
            "expected: none, or one symbol for each recording in the same order; "
            "do: repeat --symbol as often as --data"
        )
    symbols: Sequence[str | None] = choice.symbols or [None] * len(choice.data)
    recordings = [
        open_recording(path, symbol=symbol, bar_s=choice.bar_s)
        for path, symbol in zip(choice.data, symbols, strict=True)
    ]
    try:
        return ReplayFlow([_recorded_market(recording) for recording in recordings])
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _recorded_market(recording: Recording) -> RecordedMarket:
    """Walks over the whole recording once: a broken row is found before the doors open."""
    if recording.kind is Kind.TRADES:
        numbers = _places((trade.price, trade.quantity) for trade in recording.trades())
        instrument = recorded_instrument(recording.symbol, *numbers)
        return RecordedMarket(instrument, recording.trades)
    numbers = _places((price, bar.volume) for bar in recording.bars() for price in _prices(bar))
    item = recorded_instrument(recording.symbol, *numbers)

    def prints() -> Iterable[Trade]:
        return prints_of_bars(recording.bars(), item)

    return RecordedMarket(item, prints)


def _prices(bar: Bar) -> tuple[Decimal, ...]:
    return bar.open, bar.high, bar.low, bar.close


def _places(numbers: Iterable[tuple[Decimal, Decimal]]) -> tuple[int, int]:
    """The most decimal places in prices and in quantities, zeros at the end not counted."""
    prices = quantities = 0
    for price, quantity in numbers:
        prices = _more_places(prices, price)
        quantities = _more_places(quantities, quantity)
    return prices, quantities


def _more_places(places: int, value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or -exponent <= places:
        return places
    exponent = value.normalize().as_tuple().exponent
    return max(places, -exponent) if isinstance(exponent, int) else places


def _read_limits(path: Path) -> Limits:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Limits)
    except OSError as error:
        raise ConfigError(
            f"seen: {path}: {error.strerror}; expected: a file of limits; do: check the path"
        ) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"seen: {path}: {error}; expected: a JSON object of limits; do: see docs/exchange.md"
        ) from error

"""The local exchange as a whole: a market chosen by its user, behind the exchange's doors.

Lives here: joining reader, flow and server. Not here: options and output (cli.exchange).
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from pathlib import Path

import msgspec

from holdfast.domain.market import Bar, Trade
from holdfast.errors import ConfigError
from holdfast.exchange.catalogue import recorded_instrument
from holdfast.exchange.faults import order_latency, read_faults
from holdfast.exchange.flow import Flow
from holdfast.exchange.limits import Limits
from holdfast.exchange.replay import RecordedMarket, ReplayFlow, prints_of_bars
from holdfast.exchange.server import serve
from holdfast.exchange.synthetic import SyntheticFlow, chosen_markets
from holdfast.market.columns import Kind
from holdfast.market.read import Recording, open_recording


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


async def run(choice: LocalExchange, listening: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        listening: called once with the address, when connections are accepted.

    Raises:
        ConfigError: a file, a symbol or the port is not usable; nothing was served.
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
    async with serve(
        market(choice, warm_up_s),
        port=choice.port,
        seed=choice.seed,
        speed=choice.speed,
        warm_up_s=warm_up_s,
        limits=limits,
        faults=faults,
        state_dir=choice.state,
    ) as running:
        listening(running.url)
        ended = asyncio.create_task(stop.wait(), name="signal to stop")
        await asyncio.wait({ended, running.market}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done():
            return
        ended.cancel()
        # The market runs as long as the exchange: it can only have failed.
        running.market.result()


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

"""Binance's public market as it is now: depth, trades and candles, without a key.

Lives here: synchronising books by the documented rules, when a book counts as known, and passing on
what is not needed here. Not here: matching on it (exchange.mirror), or the connection (feed).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from typing import Final, NoReturn
from urllib.parse import urlencode

import msgspec
from aiohttp import ClientSession

from holdfast.domain.instrument import Instrument
from holdfast.domain.market import BookLevels, Level, Trade
from holdfast.domain.money import parse
from holdfast.errors import ConfigError, RejectedError, RetryableError, UnreachableError
from holdfast.exchange.flow import Break, LiveEvent, Past, Refresh, Relay
from holdfast.market.orderbook import BookGapError, Diff, OrderBook, Snapshot
from holdfast.market.raw_messages import diff_of, snapshot_of, trade_of
from holdfast.telemetry.log import get_logger
from holdfast.venues.binance import decode, gate
from holdfast.venues.binance.decode import GarbledError
from holdfast.venues.binance.endpoints import Endpoints
from holdfast.venues.binance.feed import Feed, FeedLostError, Watch
from holdfast.venues.binance.listing import listing
from holdfast.venues.binance.market import INTERVALS
from holdfast.venues.binance.questions import Questions
from holdfast.venues.binance.request import listing_path, venue_symbol
from holdfast.venues.binance.subscription import Frame, Subscription
from holdfast.venues.port import StreamDown, StreamUp

_log = get_logger("app.mirror")

# A connection of which nothing was heard for three seconds, not even a pong, is as good as gone,
# and so is one that delivers what is older than that.
WATCH: Final = Watch(ping_every_s=2.0, silence_s=15.0)
STALE_MS: Final = 3_000
DEPTH_LEVELS: Final = 5_000
LATEST_TRADES: Final = 1_000
_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 10.0
_MS_NS: Final = 1_000_000
_RELAYED: Final = (*(f"kline_{name}" for name in INTERVALS.values()), "ticker", "miniTicker")
_DEPTH, _TRADE = "depth@100ms", "trade"
BOOKS: Final = (_DEPTH,)
"""To follow nothing but books."""
_COSTS: Final = {"/api/v3/klines": gate.KLINES, "/api/v3/ticker/24hr": gate.DAY_TICKER}


class _Row(msgspec.Struct):
    """A row of `/api/v3/trades`."""

    id: int
    price: str
    qty: str
    time: int
    isBuyerMaker: bool  # noqa: N815 - its name on the wire


class _Whole(msgspec.Struct, frozen=True):
    """A snapshot of a market, and the trades that led to it.

    Attributes:
        attempt: which of the market's attempts to know its book this is the answer to.
    """

    symbol: str
    attempt: int
    snapshot: Snapshot
    trades: tuple[Trade, ...]


class _Changed(msgspec.Struct, frozen=True):
    symbol: str
    diff: Diff


_Told = _Whole | _Changed | Trade | Relay
_rows = msgspec.json.Decoder(list[_Row])


class _Market:
    """One symbol on its way from one connection to the next.

    Attributes:
        held: trades that came while the book was not known, oldest first.
        attempt: rises whenever the book is lost.
        asking: for a snapshot, None when nobody does.
        is_cut: there are levels beyond the snapshot, not known until they change.
    """

    def __init__(self, instrument: Instrument) -> None:
        self.symbol = instrument.symbol
        self.book = OrderBook(instrument.symbol)
        self.held: deque[Trade] = deque(maxlen=LATEST_TRADES)
        self.attempt = 0
        self.asking: asyncio.Task[None] | None = None
        self.is_cut = False
        self._last_id = 0

    def is_new(self, trade: Trade) -> bool:
        """Whether it was not told before; a trade is told once, and never after a later one."""
        if trade.trade_id <= self._last_id:
            return False
        self._last_id = trade.trade_id
        return True

    def stop_asking(self) -> None:
        """Whatever is asked for is of no use any more."""
        if self.asking is not None:
            self.asking.cancel()
            self.asking = None

    def catch_up(self, trades: Sequence[Trade]) -> tuple[Trade, ...]:
        """The trades that nobody was told of, from an answer and from what was held."""
        by_id = {trade.trade_id: trade for trade in (*trades, *self.held)}
        self.held.clear()
        return tuple(by_id[number] for number in sorted(by_id) if self.is_new(by_id[number]))


class Mirror:
    """A live flow, see `exchange.flow.LiveFlow`. Made by `open_mirror`; `close` it.

    Every book is rebuilt from a snapshot and the changes after it. A change that does not follow on
    the last one, a frame that cannot be read, silence, and news that are late all end in the same
    way: the book is not known (`Break`) until a new snapshot fits.

    Args:
        kinds: the streams of each market; `BOOKS` for its book alone, else all that is mirrored.
    """

    def __init__(
        self,
        questions: Questions,
        stream_url: str,
        instruments: Sequence[Instrument],
        kinds: Sequence[str] = (_DEPTH, _TRADE, *_RELAYED),
    ) -> None:
        self._questions = questions
        self._stream_url = stream_url
        self._instruments = tuple(instruments)
        self._markets = {item.symbol: _Market(item) for item in instruments}
        self._symbols = {item.venue_symbol: item.symbol for item in instruments}
        self._feed: Feed[_Told] = Feed(
            "mirror", self._connect, on_refused=questions.gate.connection_refused
        )
        self._now_ns = 0
        self._tells_trades = _TRADE in kinds
        self._subscription = Subscription(
            [f"{item.venue_symbol.lower()}@{kind}" for item in instruments for kind in kinds]
        )

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """The markets mirrored."""
        return self._instruments

    @property
    def depths(self) -> Mapping[str, OrderBook]:
        """Their books."""
        return {symbol: market.book for symbol, market in self._markets.items()}

    def best(self, symbol: str, levels: int) -> BookLevels:
        """So many levels of each side of a book at most, the best first; none while unknown.

        Where the market has moved so far that the snapshot did not tell as many, another one is
        asked for with the next change, and until it is there the book is not known.
        """
        market = self._markets[symbol]
        found = market.book.best(levels)
        if market.is_cut and market.book.is_known:
            bid_edge, ask_edge = market.book.bid_edge, market.book.ask_edge
            told = not (found.bids and bid_edge and found.bids[-1][0] < bid_edge)
            told = told and not (found.asks and ask_edge and found.asks[-1][0] > ask_edge)
            if not told:
                self._lose(market, "the market has left the levels of its snapshot")
                return BookLevels(0, symbol)
        return msgspec.structs.replace(found, at_ns=found.at_ns or self.now_ns())

    def now_ns(self) -> int:
        """The exchange's time, UTC nanoseconds; never goes back."""
        self._now_ns = max(self._now_ns, self._questions.now_ms() * _MS_NS)
        return self._now_ns

    async def events(self) -> AsyncIterator[LiveEvent]:
        """See `LiveFlow.events`."""
        try:
            async for told in self._feed.events():
                for event in self._digest(told):
                    yield event
        finally:
            self._stop_asking()

    async def history(self, path: str, params: Mapping[str, str]) -> bytes:
        """See `LiveFlow.history`."""
        return await self._questions.ask(f"{path}?{urlencode(params)}", _COSTS[path])

    async def close(self) -> None:
        """Let all connections go."""
        await self._feed.close()
        self._stop_asking()
        await self._questions.close()

    # --- What was told ---------------------------------------------------------------------------

    def _digest(self, told: _Told | StreamUp | StreamDown) -> Iterator[LiveEvent]:
        match told:
            case Trade():
                market = self._markets[told.symbol]
                if not market.book.is_known:
                    market.held.append(told)
                elif market.is_new(told):
                    yield told
            case _Changed(symbol=symbol, diff=diff):
                yield from self._change(self._markets[symbol], diff)
            case _Whole(symbol=symbol):
                yield from self._begin(self._markets[symbol], told)
            case Relay():
                yield told
            case StreamDown(reason=reason):
                for market in self._markets.values():
                    yield self._lose(market, reason)
            case _:
                _log.info("the mirrored market is connected", action="mirror_up")

    def _change(self, market: _Market, diff: Diff) -> Iterator[LiveEvent]:
        try:
            is_known = market.book.apply(diff)
        except BookGapError as gap:
            yield self._lose(market, str(gap))
            market.book.apply(diff)  # it may be what the next snapshot needs
            is_known = False
        if is_known:
            yield Refresh(market.symbol, _prices(diff.bids), _prices(diff.asks))
        elif market.asking is None:
            self._start_asking(market)

    def _begin(self, market: _Market, whole: _Whole) -> Iterator[LiveEvent]:
        if whole.attempt != market.attempt:
            return
        market.asking = None
        try:
            market.book.restore(whole.snapshot)
        except BookGapError as gap:
            _log.info("a snapshot does not fit", action="mirror_again", why=str(gap))
            self._start_asking(market, _PAUSE_S)
            return
        told = max(len(whole.snapshot.bids), len(whole.snapshot.asks))
        market.is_cut = told >= DEPTH_LEVELS
        yield Past(market.symbol, market.catch_up(whole.trades))
        yield Refresh(market.symbol, is_whole=True)
        _log.info("the book is known", action="mirror_known", symbol=market.symbol)

    def _lose(self, market: _Market, why: str) -> Break:
        market.stop_asking()
        market.attempt += 1
        market.book.lose()
        _log.warning(
            "the book is not known: nothing is matched until it is",
            action="mirror_break", symbol=market.symbol, why=why,
        )  # fmt: skip
        return Break(market.symbol, why)

    # --- Snapshots -------------------------------------------------------------------------------

    def _start_asking(self, market: _Market, after_s: float = 0.0) -> None:
        market.asking = asyncio.create_task(self._ask_for_whole(market, after_s))

    async def _ask_for_whole(self, market: _Market, pause_s: float) -> None:
        """Ask until there is an answer; it comes in its turn among all that is told."""
        name, attempt, questions = venue_symbol(market.symbol), market.attempt, self._questions
        while True:
            await asyncio.sleep(pause_s)
            try:
                rows = b"[]"
                if self._tells_trades:
                    rows = await questions.ask(
                        f"/api/v3/trades?symbol={name}&limit={LATEST_TRADES}", gate.LATEST_TRADES
                    )
                depth = await questions.ask(
                    f"/api/v3/depth?symbol={name}&limit={DEPTH_LEVELS}", gate.WHOLE_DEPTH
                )
                trades = _trades(market.symbol, rows)
                whole = _Whole(market.symbol, attempt, _snapshot(depth), trades)
            except (RetryableError, RejectedError) as error:
                pause_s = min(max(_PAUSE_S, 2 * pause_s), _LONGEST_PAUSE_S)
                _log.warning(
                    "no book yet", action="mirror_wait", symbol=market.symbol, why=str(error)
                )
                continue
            with suppress(FeedLostError):  # nobody reads: the feed begins again, and so does this
                self._feed.put(whole)
            return

    def _stop_asking(self) -> None:
        for market in self._markets.values():
            market.stop_asking()

    # --- One connection --------------------------------------------------------------------------

    async def _connect(self, feed: Feed[_Told], session: ClientSession) -> NoReturn:
        await self._questions.learn_time()  # it may have been asleep for hours
        self._questions.gate.admit_connection()
        self._subscription.begin(feed)
        await feed.follow(
            session, self._stream_url, self._subscription.subscribe, self._take, WATCH
        )

    def _take(self, body: bytes) -> None:
        """Hand a frame on; one that cannot be read may have been a change, so it ends the feed."""
        frame = self._subscription.unwrap(body)
        if frame is None:
            return
        name, _, kind = frame.stream.partition("@")
        symbol = self._symbols.get(name.upper())
        if symbol is None:
            raise FeedLostError(f"a frame of {frame.stream!r}, which nobody asked for")
        if kind in _RELAYED:
            self._feed.put(Relay(frame.stream, msgspec.Raw(frame.payload)))
            return
        try:
            self._feed.put(self._told(symbol, frame))
        except (msgspec.MsgspecError, ValueError) as error:
            raise GarbledError(f"seen: {body[:200]!r} ({error}); expected: an event") from error

    def _told(self, symbol: str, frame: Frame) -> _Told:
        if frame.name == "trade":
            return trade_of(frame.payload, symbol)
        diff = diff_of(frame.payload)
        late_ms = self._questions.now_ms() - diff.at_ns // _MS_NS
        if late_ms > STALE_MS:
            raise FeedLostError(f"changes of the book come {late_ms} ms late")
        return _Changed(symbol, diff)


@asynccontextmanager
async def open_mirror(endpoints: Endpoints, symbols: Sequence[str]) -> AsyncIterator[Mirror]:
    """The markets called `symbols` of the exchange at `endpoints`, while the context lasts.

    Raises:
        ConfigError: it does not list one of them.
        UnreachableError: it does not answer.
    """
    questions = Questions(endpoints.rest_url)
    try:
        mirror = Mirror(questions, endpoints.stream_url, await _listed(questions, symbols))
        try:
            yield mirror
        finally:
            await mirror.close()
    finally:
        await questions.close()


async def _listed(questions: Questions, symbols: Sequence[str]) -> list[Instrument]:
    refused = ""
    found: dict[str, Instrument] = {}
    try:
        await questions.learn_time()
        body = await questions.ask(listing_path(symbols), gate.EXCHANGE_INFO)
        found = {item.symbol: item for item in listing(body).instruments}
    except RejectedError as refusal:
        refused = f" ({refusal})"
    except RetryableError as error:
        raise UnreachableError(
            f"seen: no answer from {questions.url} ({_core(error)}); expected: the public market "
            "data of the exchange to mirror; do: check the network, or leave --mirror out for an "
            "invented market"
        ) from error
    missing = [symbol for symbol in symbols if symbol not in found]
    if missing:
        raise ConfigError(
            f"seen: {', '.join(missing)}, not listed by {questions.url}{refused}; expected: its "
            "symbols, such as BTC/USDT; do: correct --symbol"
        )
    return [found[symbol] for symbol in symbols]


def _core(error: RetryableError) -> str:
    """What was seen, without the labels."""
    return str(error).removeprefix("seen: ").partition("; do:")[0]


def _prices(levels: Sequence[Level]) -> tuple[Decimal, ...]:
    return tuple(price for price, _ in levels)


def _snapshot(body: bytes) -> Snapshot:
    try:
        return snapshot_of(body)
    except (msgspec.MsgspecError, ValueError) as error:
        raise GarbledError(f"seen: {body[:200]!r} ({error}); expected: a book") from error


def _trades(symbol: str, body: bytes) -> tuple[Trade, ...]:
    try:
        return tuple(
            Trade(
                row.time * _MS_NS, symbol, parse(row.price), parse(row.qty), row.isBuyerMaker,
                row.id,
            )
            for row in decode.read(_rows, body)
        )
    except ValueError as error:
        raise GarbledError(f"seen: {body[:200]!r} ({error}); expected: trades") from error

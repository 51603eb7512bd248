"""Instruments and past bars of any exchange that ccxt knows, as exact numbers.

Lives here: `Archive`, read-only and public. Not here: orders, accounts, streams; ccxt is imported
only when an archive is opened, because that takes seconds.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Awaitable
from decimal import Decimal
from typing import Any, Final, TypeVar

from holdfast.domain.instrument import Instrument, TradingStatus
from holdfast.domain.market import Bar
from holdfast.domain.money import ZERO, parse
from holdfast.errors import ConfigError, RejectedError, RetryableError

_MS: Final = 1_000_000
_LARGEST_PAGE: Final = 1000
# What no exchange refuses, where ccxt does not know its maximum.
_SMALL_PAGE: Final = 100
_DAY_MS: Final = 86_400_000
# Where an exchange asks for patience and does not say how much.
_USUAL_PAUSE_S: Final = 10.0
_UNBOUNDED: Final = Decimal(9_000_000_000)

T = TypeVar("T")


class TooOftenError(RetryableError):
    """The exchange was asked too often.

    Attributes:
        after_s: seconds after which it may be asked again.
    """

    def __init__(self, told: str, after_s: float) -> None:
        super().__init__(told)
        self.after_s = after_s


def open_archive(name: str, url: str | None = None) -> Archive:
    """The archive of the exchange that ccxt calls `name`.

    Args:
        url: of a server that speaks as it does, such as the local exchange; None for its own.

    Raises:
        ConfigError: ccxt is not installed, or knows no such exchange.
    """
    try:
        ccxt = importlib.import_module("ccxt.async_support")
    except ImportError as error:
        raise ConfigError(
            f"seen: exchange {name!r} without ccxt; expected: ccxt to be installed; "
            "do: pip install 'holdfast[ccxt]'"
        ) from error
    if name not in ccxt.exchanges:
        raise ConfigError(
            f"seen: exchange {name!r}; expected: one of the {len(ccxt.exchanges)} that ccxt knows; "
            "do: look its name up at ccxt's list of exchanges"
        )
    exchange = getattr(ccxt, name)({"enableRateLimit": True})
    if url is not None:
        _lead_to(exchange, url)
    return Archive(exchange)


def _lead_to(exchange: Any, url: str) -> None:
    """Ask `url` instead of the exchange's own addresses, below the same paths."""
    for name, address in list(exchange.urls["api"].items()):
        if isinstance(address, str):
            exchange.urls["api"][name] = f"{url.rstrip('/')}/{''.join(address.split('/', 3)[3:])}"
    # Only the spot markets: Binance's other ones are other servers.
    exchange.options |= {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False}
    exchange.options["fetchMargins"] = False


class Archive:
    """What an exchange publishes about its markets and their past."""

    def __init__(self, exchange: Any) -> None:
        """Args: exchange: an asynchronous ccxt exchange; the archive closes it."""
        self._exchange = exchange
        self._page = _page_of(exchange)
        # ccxt then hands every number over as the text that the exchange sent.
        exchange.number = str

    async def instruments(self) -> tuple[Instrument, ...]:
        """All spot markets with their grids as of now.

        Raises:
            RetryableError, RejectedError: no usable answer; the exchange refused the question.
        """
        markets = await self._ask(self._exchange.load_markets(True))
        return tuple(self._instrument(each) for each in markets.values() if each.get("spot"))

    async def symbols(self) -> frozenset[str]:
        """The symbols of all its markets, `BASE/QUOTE` for spot.

        Raises:
            RetryableError, RejectedError: no usable answer; the exchange refused the question.
        """
        return frozenset(await self._ask(self._exchange.load_markets()))

    async def bars(self, symbol: str, timeframe_s: int, since_ns: int) -> list[Bar]:
        """Closed bars from `since_ns` on, oldest first, all of them (pages are joined).

        Raises: as `pages`.
        """
        return [bar async for page in self.pages(symbol, timeframe_s, since_ns) for bar in page]

    async def pages(
        self, symbol: str, timeframe_s: int, since_ns: int, until_ns: int | None = None
    ) -> AsyncIterator[list[Bar]]:
        """Closed bars that open from `since_ns` on and before `until_ns`, page by page.

        Each page is asked for when it is wanted; none is empty, and each lies after the one before.

        Args:
            until_ns: None goes on until now.

        Raises:
            ConfigError: the exchange has no bars of this length.
            RetryableError, RejectedError: no usable answer; the exchange refused the question.
        """
        timeframe = self._timeframe(timeframe_s)
        span_ms = timeframe_s * 1_000
        end_ms = await self.now_ms() - span_ms + 1
        if until_ns is not None:
            end_ms = min(end_ms, -(-until_ns // _MS))
        start_ms = -(-since_ns // _MS)
        while start_ms < end_ms:
            rows = await self._ask(
                self._exchange.fetch_ohlcv(symbol, timeframe, start_ms, self._page)
            )
            fresh = [row for row in rows if start_ms <= row[0] < end_ms]
            if fresh:
                start_ms = fresh[-1][0] + span_ms
                yield [_bar(symbol, row, span_ms) for row in fresh]
            elif any(row[0] >= end_ms for row in rows):
                return
            else:
                start_ms = await self._next_start_ms(symbol, start_ms, span_ms, end_ms)

    async def _next_start_ms(self, symbol: str, start_ms: int, span_ms: int, end_ms: int) -> int:
        """Where to ask next when nothing came.

        Some exchanges answer with the next bars there are, some with those of a window that begins
        where they were asked, which may lie years before the first bar: days find it quickly.
        """
        beyond_ms = start_ms + self._page * span_ms
        if span_ms >= _DAY_MS or "1d" not in (self._exchange.timeframes or {}):
            return beyond_ms
        day_ms = start_ms - start_ms % _DAY_MS
        while day_ms < end_ms:
            days = await self._ask(self._exchange.fetch_ohlcv(symbol, "1d", day_ms, self._page))
            later = [int(row[0]) for row in days if row[0] + _DAY_MS > beyond_ms]
            if later:
                return max(beyond_ms, later[0])
            day_ms += self._page * _DAY_MS
        return end_ms

    async def close(self) -> None:
        """Close the connections; may be called twice."""
        await self._exchange.close()

    async def now_ms(self) -> int:
        """The exchange's clock where it has one, else ours; Unix milliseconds."""
        if self._exchange.has.get("fetchTime"):
            return int(await self._ask(self._exchange.fetch_time()))
        return int(self._exchange.milliseconds())

    def _timeframe(self, timeframe_s: int) -> str:
        known: dict[str, Any] = self._exchange.timeframes or {}
        for name in known:
            if self._exchange.parse_timeframe(name) == timeframe_s:
                return name
        raise ConfigError(
            f"seen: bars of {timeframe_s} s; expected: one of {', '.join(known) or 'none at all'} "
            f"at {self._exchange.id}; do: choose one of them"
        )

    def _instrument(self, market: dict[str, Any]) -> Instrument:
        limits = market["limits"]
        amount = limits.get("amount") or {}
        return Instrument(
            symbol=market["symbol"],
            venue_symbol=market["id"],
            base=market["base"],
            quote=market["quote"],
            price_tick=self._step(market["precision"].get("price")),
            quantity_step=self._step(market["precision"].get("amount")),
            min_quantity=_number(amount.get("min"), ZERO),
            max_quantity=_number(amount.get("max"), _UNBOUNDED),
            min_notional=_number((limits.get("cost") or {}).get("min"), ZERO),
            market_max_quantity=_number((limits.get("market") or {}).get("max"), ZERO),
            status=TradingStatus.TRADING if market.get("active") else TradingStatus.HALTED,
        )

    def _step(self, precision: Any) -> Decimal:
        """The grid from what ccxt calls precision: a step, or a number of decimals."""
        if precision is None:
            return Decimal(1).scaleb(-8)
        value = parse(str(precision))
        mode = self._exchange.precisionMode
        if mode == _TICK_SIZE:
            return value
        if mode == _DECIMAL_PLACES:
            return Decimal(1).scaleb(-int(value))
        raise ConfigError(
            f"seen: {self._exchange.id} rounds to significant digits; expected: a fixed grid of "
            "prices; do: take another exchange"
        )

    async def _ask(self, question: Awaitable[T]) -> T:
        errors = importlib.import_module("ccxt.base.errors")
        try:
            return await question
        except (errors.RateLimitExceeded, errors.DDoSProtection) as error:
            raise TooOftenError(
                f"seen: {self._exchange.id} asks for patience: {error}; do: ask later",
                self._patience_s(),
            ) from error
        except errors.OperationFailed as error:
            raise RetryableError(
                f"seen: no answer from {self._exchange.id}: {error}; do: ask again"
            ) from error
        except errors.BaseError as error:
            raise RejectedError(type(error).__name__, str(error)) from error


    def _patience_s(self) -> float:
        headers = self._exchange.last_response_headers or {}
        told = next((text for name, text in headers.items() if name.lower() == "retry-after"), "")
        return float(told) if str(told).isdigit() else _USUAL_PAUSE_S


# ccxt's numbers for what it means by precision.
_DECIMAL_PLACES: Final = 2
_TICK_SIZE: Final = 4


def _page_of(exchange: Any) -> int:
    """How many candles may be asked for at once: some exchanges refuse more than their maximum."""
    spot = (exchange.features or {}).get("spot") or {}
    limit = (spot.get("fetchOHLCV") or {}).get("limit")
    return min(int(limit or _SMALL_PAGE), _LARGEST_PAGE)


def _number(text: Any, missing: Decimal) -> Decimal:
    return missing if text is None else parse(str(text)) or missing


def _bar(symbol: str, row: list[Any], span_ms: int) -> Bar:
    return Bar(
        symbol=symbol,
        open_ns=int(row[0]) * _MS,
        close_ns=(int(row[0]) + span_ms) * _MS,
        open=parse(row[1]),
        high=parse(row[2]),
        low=parse(row[3]),
        close=parse(row[4]),
        volume=parse(row[5]),
    )

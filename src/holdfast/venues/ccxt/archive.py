"""Instruments and past bars of any exchange that ccxt knows, as exact numbers.

Lives here: `Archive`, read-only and public. Not here: orders, accounts, streams; ccxt is imported
only when an archive is opened, because that takes seconds.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable
from decimal import Decimal
from typing import Any, Final, TypeVar

from holdfast.domain.instrument import Instrument, TradingStatus
from holdfast.domain.market import Bar
from holdfast.domain.money import ZERO, parse
from holdfast.errors import ConfigError, RejectedError, RetryableError

_MS: Final = 1_000_000
_PAGE: Final = 500
_UNBOUNDED: Final = Decimal(9_000_000_000)

T = TypeVar("T")


def open_archive(name: str) -> Archive:
    """The archive of the exchange that ccxt calls `name`.

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
    return Archive(getattr(ccxt, name)({"enableRateLimit": True}))


class Archive:
    """What an exchange publishes about its markets and their past."""

    def __init__(self, exchange: Any) -> None:
        """Args: exchange: an asynchronous ccxt exchange; the archive closes it."""
        self._exchange = exchange
        # ccxt then hands every number over as the text that the exchange sent.
        exchange.number = str

    async def instruments(self) -> tuple[Instrument, ...]:
        """All spot markets with their grids as of now.

        Raises:
            RetryableError, RejectedError: no usable answer; the exchange refused the question.
        """
        markets = await self._ask(self._exchange.load_markets(True))
        return tuple(self._instrument(each) for each in markets.values() if each.get("spot"))

    async def bars(self, symbol: str, timeframe_s: int, since_ns: int) -> list[Bar]:
        """Closed bars from `since_ns` on, oldest first, all of them (pages are joined).

        Raises:
            ConfigError: the exchange has no bars of this length.
            RetryableError, RejectedError: no usable answer; the exchange refused the question.
        """
        timeframe = self._timeframe(timeframe_s)
        span_ms = timeframe_s * 1_000
        now_ms = await self._now_ms()
        start_ms = -(-since_ns // _MS)
        found: list[Bar] = []
        while start_ms + span_ms <= now_ms:
            rows = await self._ask(
                self._exchange.fetch_ohlcv(symbol, timeframe, start_ms, _PAGE)
            )
            fresh = [row for row in rows if start_ms <= row[0] <= now_ms - span_ms]
            if not fresh:
                break
            found.extend(_bar(symbol, row, span_ms) for row in fresh)
            start_ms = fresh[-1][0] + 1
        return found

    async def close(self) -> None:
        """Close the connections; may be called twice."""
        await self._exchange.close()

    async def _now_ms(self) -> int:
        """The exchange's clock where it has one, else ours."""
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
        except errors.OperationFailed as error:
            raise RetryableError(
                f"seen: no answer from {self._exchange.id}: {error}; do: ask again"
            ) from error
        except errors.BaseError as error:
            raise RejectedError(type(error).__name__, str(error)) from error


# ccxt's numbers for what it means by precision.
_DECIMAL_PLACES: Final = 2
_TICK_SIZE: Final = 4


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

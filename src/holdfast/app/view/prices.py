"""The last price of each symbol, over connections of this process's own.

Not here: what a node sees, which has its own connections; candles (candles).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from holdfast.domain.market import Quote
from holdfast.errors import ConfigError
from holdfast.telemetry.log import get_logger
from holdfast.venues.binance.endpoints import Endpoints
from holdfast.venues.binance.market import BinanceMarket

log = get_logger("app.prices")

LOOK_S: Final = 1.0
_BAR_S: Final = 60  # the stream brings bars as well; nobody reads them


class Seen(msgspec.Struct, frozen=True):
    """A price.

    Attributes:
        price: quote units; the middle of bid and ask.
        at_ns: exchange time, UTC.
        seen_s: when it was heard, monotonic.
    """

    price: Decimal
    at_ns: int
    seen_s: float


class Prices:
    """Follows the quotes of symbols at one exchange.

    Args:
        wanted: the symbols, asked now and then: bots come and go.
        last: where prices are kept by symbol; several exchanges may share one.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        wanted: Callable[[], tuple[str, ...]],
        last: dict[str, Seen] | None = None,
    ) -> None:
        self._endpoints = endpoints
        self._wanted = wanted
        self.last = {} if last is None else last

    async def run(self) -> None:
        """Follow until cancelled, over reconnections and other wishes."""
        while True:
            symbols = self._wanted()
            following = asyncio.create_task(self._follow(symbols)) if symbols else None
            try:
                while set(self._wanted()) == set(symbols):
                    await asyncio.sleep(LOOK_S)
                    if following is not None and following.done():
                        following.result()
            except ConfigError as error:  # no such stream; another wish may be better
                log.warning("no prices", action="prices_refused", why=str(error))
                await asyncio.sleep(LOOK_S)
            finally:
                if following is not None:
                    following.cancel()
                    await asyncio.wait({following})

    async def _follow(self, symbols: tuple[str, ...]) -> None:
        market = BinanceMarket(self._endpoints)
        try:
            async for event in market.stream(symbols, _BAR_S):
                if isinstance(event, Quote) and event.bid is not None and event.ask is not None:
                    middle = (event.bid + event.ask) / 2
                    self.last[event.symbol] = Seen(middle, event.at_ns, time.monotonic())
        finally:
            await market.close()

    @property
    def age_s(self) -> float | None:
        """Of the oldest of the symbols' last prices; None while one of them has none."""
        return age_s(self.last, self._wanted())

    def by_asset(self, reporting: str) -> dict[str, Decimal]:
        """Reporting units per unit of each asset that is traded against it."""
        return by_asset(self.last, reporting)


def age_s(seen: Mapping[str, Seen], symbols: tuple[str, ...]) -> float | None:
    """Of the oldest of these symbols' prices; None while one has none, and without any symbol."""
    if not symbols or any(symbol not in seen for symbol in symbols):
        return None
    return time.monotonic() - min(seen[symbol].seen_s for symbol in symbols)


def by_asset(seen: Mapping[str, Seen], reporting: str) -> dict[str, Decimal]:
    """Reporting units per unit of each asset that is traded against it."""
    return {
        symbol.split("/")[0]: one.price
        for symbol, one in seen.items()
        if symbol.endswith(f"/{reporting}")
    }

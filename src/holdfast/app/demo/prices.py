"""The market as the demo's watcher sees it: the last price of each symbol, and how old it is.

Not here: what the node sees, which has its own connection.
"""

from __future__ import annotations

import time
from decimal import Decimal

from holdfast.domain.market import Quote
from holdfast.venues.binance.endpoints import Endpoints
from holdfast.venues.binance.market import BinanceMarket


class Prices:
    """Follows the quotes of `symbols` at the exchange at `url`.

    Attributes:
        last: quote units by symbol; the middle of bid and ask.
    """

    def __init__(self, url: str, symbols: tuple[str, ...]) -> None:
        stream = f"{url.replace('http', 'ws', 1)}/stream"
        self._market = BinanceMarket(Endpoints(rest_url=url, stream_url=stream))
        self._symbols = symbols
        self._seen_s: dict[str, float] = {}
        self.last: dict[str, Decimal] = {}

    async def run(self) -> None:
        """Follow until cancelled, over reconnections."""
        async for event in self._market.stream(self._symbols, 1):
            if isinstance(event, Quote) and event.bid is not None and event.ask is not None:
                self.last[event.symbol] = (event.bid + event.ask) / 2
                self._seen_s[event.symbol] = time.monotonic()

    @property
    def age_s(self) -> float | None:
        """Of the oldest of the symbols' last prices; None while one of them has none."""
        if len(self._seen_s) < len(self._symbols):
            return None
        return time.monotonic() - min(self._seen_s.values())

    def by_asset(self, reporting: str) -> dict[str, Decimal]:
        """Reporting units per unit of each asset that is traded against it."""
        return {
            symbol.split("/")[0]: price
            for symbol, price in self.last.items()
            if symbol.endswith(f"/{reporting}")
        }

    async def close(self) -> None:
        """Let the connections go."""
        await self._market.close()

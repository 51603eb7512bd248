"""A market with a heartbeat: deep books that stand still, and a small trade on each at every pulse.

Lives here: the flow, and a local exchange that runs it. So each symbol has candles of a second,
market orders always fill, and an order that rests inside the spread is hit soon. Not here: who
trades on it (`tests.support.node`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from holdfast.domain.instrument import Instrument
from holdfast.domain.order import Side
from holdfast.exchange.flow import FlowEvent, Place, Remove
from holdfast.exchange.limits import Limits
from holdfast.exchange.server import Running, serve

PRICES = {
    "BTC": 60_000, "ETH": 3_000, "SOL": 200, "LTC": 100,
    "DOT": 50, "XRP": 40, "ADA": 30, "XLM": 20,
}  # fmt: skip
SYMBOLS = tuple(f"{base}/USDT" for base in PRICES)
SPREAD = Decimal(1)
DEEP = Decimal(100_000)
PULSE = Decimal("0.5")
PULSE_NS = 100_000_000
HISTORY_S = 4
# Nothing in these tests is about the number of orders that an exchange allows.
ROOMY = Limits(
    weight_per_minute=600_000, orders_per_10s=10_000, raw_requests_per_5m=1_000_000,
    connections_per_5m=10_000,
)  # fmt: skip


class PulseFlow:
    """Bids one below and asks at each symbol's price; a market order at every pulse.

    Attributes:
        is_still: nobody trades while it is set; candles then end where they began.
    """

    def __init__(self, symbols: tuple[str, ...] = SYMBOLS) -> None:
        self.symbols = symbols
        self.is_still = False

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """Each symbol with a tick of a cent and a step of a hundred-thousandth."""
        return tuple(_instrument(symbol) for symbol in self.symbols)

    def events(self) -> Iterator[FlowEvent]:
        """Endless."""
        for key, symbol in enumerate(self.symbols):
            price = Decimal(PRICES[symbol.split("/")[0]])
            yield Place(0, symbol, Side.SELL, price, DEEP, 2 * key + 1)
            yield Place(0, symbol, Side.BUY, price - SPREAD, DEEP, 2 * key + 2)
        at_ns, side = 0, Side.BUY
        while True:
            at_ns += PULSE_NS
            side = side.opposite
            for symbol in self.symbols:
                if self.is_still:
                    yield Remove(at_ns, symbol, -1)  # time passes, nothing happens
                else:
                    yield Place(at_ns, symbol, side, None, PULSE)


def _instrument(symbol: str) -> Instrument:
    base, quote = symbol.split("/")
    return Instrument(
        symbol=symbol,
        venue_symbol=base + quote,
        base=base,
        quote=quote,
        price_tick=Decimal("0.01"),
        quantity_step=Decimal("0.00001"),
        min_quantity=Decimal("0.00001"),
        max_quantity=Decimal(9000),
        min_notional=Decimal(5),
        market_max_quantity=Decimal(1000),
    )


@asynccontextmanager
async def pulsing_exchange(
    flow: PulseFlow | None = None, **options: Any
) -> AsyncIterator[tuple[Running, PulseFlow]]:
    """A local exchange on a free port whose market pulses; options as for `serve`."""
    market = flow or PulseFlow()
    settings: dict[str, Any] = {"warm_up_s": HISTORY_S, "limits": ROOMY, **options}
    async with serve(market, **settings) as running:
        yield running, market

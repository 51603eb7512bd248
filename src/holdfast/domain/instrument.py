"""What can be traded, and on which grid of prices and quantities.

Not here: fetching them (venues) or limits of ours (engine.risk).
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from holdfast.domain.money import ZERO, ceil_to, floor_to, is_multiple, plain


class TradingStatus(StrEnum):
    """Whether the venue takes orders for an instrument now."""

    TRADING = "TRADING"
    HALTED = "HALTED"


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One spot market.

    Attributes:
        symbol: the unified name, `BASE/QUOTE`.
        venue_symbol: what the exchange calls it, such as `BTCUSDT`.
        price_tick: prices are multiples of it.
        quantity_step: quantities are multiples of it, in base units.
        min_quantity, max_quantity: inclusive bounds of one order, in base units.
        min_notional: smallest price x quantity of one order, in quote units.
        market_max_quantity: as `max_quantity` for market orders; 0 when there is no own bound.
        takes_lists: the venue takes a pair of orders here of which one ends the other (OCO).
    """

    symbol: str
    venue_symbol: str
    base: str
    quote: str
    price_tick: Decimal
    quantity_step: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    min_notional: Decimal
    market_max_quantity: Decimal = ZERO
    status: TradingStatus = TradingStatus.TRADING
    takes_lists: bool = False

    def to_text(self) -> str:
        """Canonical JSON, as the journal keeps it."""
        return _encoder.encode(self).decode()

    def floor_quantity(self, quantity: Decimal) -> Decimal:
        """`quantity` cut to the step: an exit never sells more than there is."""
        return floor_to(quantity, self.quantity_step)

    def floor_price(self, price: Decimal) -> Decimal:
        """`price` on the tick, not above: never pay more than was meant."""
        return floor_to(price, self.price_tick)

    def ceil_price(self, price: Decimal) -> Decimal:
        """`price` on the tick, not below: never ask less than was meant."""
        return ceil_to(price, self.price_tick)

    def smallest_order(self, price: Decimal) -> Decimal:
        """The smallest quantity worth an order at `price` (> 0): step, minimum and notional."""
        step = self.quantity_step
        steps, rest = divmod(self.min_notional, price * step)  # no quotient of 50 digits
        smallest = (steps + 1 if rest else steps) * step
        smallest = max(smallest, step)
        return max(self.min_quantity, smallest)

    def fault(self, quantity: Decimal, price: Decimal | None, at_market: Decimal) -> str | None:
        """Why the venue's filters would refuse an order, or None.

        Args:
            quantity: base units.
            price: the limit, or None for a market order.
            at_market: the price that a market order's notional is judged by.
        """
        if not is_multiple(quantity, self.quantity_step):
            return f"quantity {plain(quantity)} is off the step {plain(self.quantity_step)}"
        if quantity < self.min_quantity:
            return f"quantity {plain(quantity)} is under the minimum {plain(self.min_quantity)}"
        most = self.max_quantity
        if price is None and self.market_max_quantity:
            most = min(most, self.market_max_quantity)
        if quantity > most:
            return f"quantity {plain(quantity)} is over the maximum {plain(most)}"
        if price is not None and (price <= 0 or not is_multiple(price, self.price_tick)):
            return f"price {plain(price)} is off the tick {plain(self.price_tick)}"
        notional = quantity * (at_market if price is None else price)
        if notional < self.min_notional:
            return f"notional {plain(notional)} is under the minimum {plain(self.min_notional)}"
        return None


_encoder: Final = msgspec.json.Encoder(decimal_format="string")

"""exchangeInfo: the instruments with their filters, and the rate limits in force.

Not here: fetching it (client), keeping within the limits (venues.budget).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from holdfast.domain.instrument import Instrument, TradingStatus
from holdfast.domain.money import ZERO
from holdfast.venues.binance.decode import number, read
from holdfast.venues.budget import LimitKind, RateLimit


class _Filter(msgspec.Struct, rename="camel"):
    """Any filter; the fields of those that we know, empty in the others."""

    filter_type: str
    tick_size: str = "0"
    step_size: str = "0"
    min_qty: str = "0"
    max_qty: str = "0"
    min_notional: str = "0"


class _Symbol(msgspec.Struct, rename="camel"):
    symbol: str
    status: str
    base_asset: str
    quote_asset: str
    filters: list[_Filter]
    base_asset_precision: int = 8
    quote_asset_precision: int = 8
    is_spot_trading_allowed: bool = True
    oco_allowed: bool = False


class _RateLimit(msgspec.Struct, rename="camel"):
    rate_limit_type: str
    interval: str
    interval_num: int
    limit: int


class _ExchangeInfo(msgspec.Struct, rename="camel"):
    symbols: list[_Symbol]
    rate_limits: list[_RateLimit] = []


class Listing(msgspec.Struct, frozen=True):
    """What the exchange offers now: its spot markets and its rate limits."""

    instruments: tuple[Instrument, ...]
    limits: tuple[RateLimit, ...]


_decoder = msgspec.json.Decoder(_ExchangeInfo)

_INTERVAL_MS: Final = {"SECOND": 1_000, "MINUTE": 60_000, "HOUR": 3_600_000, "DAY": 86_400_000}
_KINDS: Final = {
    "REQUEST_WEIGHT": LimitKind.WEIGHT,
    "ORDERS": LimitKind.ORDERS,
    "RAW_REQUESTS": LimitKind.REQUESTS,
}
# The exchange's way of saying "no bound".
_UNBOUNDED: Final = Decimal(9_000_000_000)


def listing(body: bytes) -> Listing:
    """The listing in an exchangeInfo body.

    Raises:
        GarbledError: the body is not of the documented shape.
    """
    info = read(_decoder, body)
    return Listing(
        tuple(_instrument(each) for each in info.symbols if each.is_spot_trading_allowed),
        tuple(
            RateLimit(_KINDS[each.rate_limit_type], interval_ms * each.interval_num, each.limit)
            for each in info.rate_limits
            if each.rate_limit_type in _KINDS
            and (interval_ms := _INTERVAL_MS.get(each.interval)) is not None
        ),
    )


def _instrument(row: _Symbol) -> Instrument:
    by_type = {each.filter_type: each for each in row.filters}
    none = _Filter(filter_type="")
    price = by_type.get("PRICE_FILTER", none)
    lot = by_type.get("LOT_SIZE", none)
    market_lot = by_type.get("MARKET_LOT_SIZE", none)
    notional = by_type.get("NOTIONAL") or by_type.get("MIN_NOTIONAL") or none
    # A zero switches a rule off; what is left is the precision of the asset itself.
    return Instrument(
        symbol=f"{row.base_asset}/{row.quote_asset}",
        venue_symbol=row.symbol,
        base=row.base_asset,
        quote=row.quote_asset,
        price_tick=number(price.tick_size) or Decimal(1).scaleb(-row.quote_asset_precision),
        quantity_step=number(lot.step_size) or Decimal(1).scaleb(-row.base_asset_precision),
        min_quantity=number(lot.min_qty),
        max_quantity=number(lot.max_qty) or _UNBOUNDED,
        min_notional=number(notional.min_notional),
        market_max_quantity=number(market_lot.max_qty) or ZERO,
        status=TradingStatus.TRADING if row.status == "TRADING" else TradingStatus.HALTED,
        takes_lists=row.oco_allowed,
    )

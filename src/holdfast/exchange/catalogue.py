"""The markets the local exchange can list, with the trading rules the real one has for them.

Lives here: instruments as data, and rules for a market known only by a recording. Not here: orders.
"""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

from holdfast.domain.instrument import Instrument
from holdfast.errors import ConfigError


def _spot(  # one row of the table below
    symbol: str, tick: str, step: str, max_quantity: str, market_max_quantity: str
) -> Instrument:
    base, quote = symbol.split("/")
    return Instrument(
        symbol=symbol,
        venue_symbol=base + quote,
        base=base,
        quote=quote,
        price_tick=Decimal(tick),
        quantity_step=Decimal(step),
        min_quantity=Decimal(step),
        max_quantity=Decimal(max_quantity),
        min_notional=Decimal(5),
        market_max_quantity=Decimal(market_max_quantity),
    )


LISTINGS: dict[str, Instrument] = {
    item.symbol: item
    for item in (
        _spot("BTC/USDT", "0.01", "0.00001", "9000", "120"),
        _spot("ETH/USDT", "0.01", "0.0001", "9000", "2500"),
        _spot("SOL/USDT", "0.01", "0.001", "90000", "25000"),
    )
}


# The smallest order that the real exchange takes, by what it is paid in; 5 for dollars and euros.
_MIN_NOTIONAL = {"BTC": Decimal("0.0001"), "ETH": Decimal("0.001"), "BNB": Decimal("0.01")}
_MOST_PLACES = 8


def recorded_instrument(symbol: str, price_places: int, quantity_places: int) -> Instrument:
    """The instrument for a recording whose numbers have so many decimal places.

    That is the one listed here when the recording lies on its grid, else one on the grid of the
    recording: exchanges change their grids over the years.

    Raises:
        ConfigError: more places than an exchange has.
    """
    if max(price_places, quantity_places) > _MOST_PLACES:
        raise ConfigError(
            f"seen: {symbol} with {price_places} decimal places in prices and {quantity_places} in "
            f"quantities; expected: at most {_MOST_PLACES}; do: check that no column was computed"
        )
    tick, step = Decimal(1).scaleb(-price_places), Decimal(1).scaleb(-quantity_places)
    known = LISTINGS.get(symbol)
    if known is not None and known.price_tick <= tick and known.quantity_step <= step:
        return known
    base, quote = symbol.split("/")
    return Instrument(
        symbol=symbol,
        venue_symbol=base + quote,
        base=base,
        quote=quote,
        price_tick=tick,
        quantity_step=step,
        min_quantity=step,
        max_quantity=Decimal(90_000_000),
        min_notional=_MIN_NOTIONAL.get(quote, Decimal(5)),
    )


def listing(symbol: str, offered: Collection[str]) -> Instrument:
    """The instrument called `symbol`.

    Raises:
        ConfigError: it is not among those `offered`.
    """
    if symbol not in offered:
        raise ConfigError(
            f"seen: symbol {symbol!r}; expected: one of {', '.join(sorted(offered))}; "
            "do: choose among these, or replay a recording of it with --data"
        )
    return LISTINGS[symbol]

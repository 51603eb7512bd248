"""What the venue port asks, written as Binance query text (unsigned).

Not here: signing and sending (signing, client), reading answers (decode, verdict).
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import quote

from holdfast.domain.money import plain
from holdfast.domain.order import OrderType, TimeInForce
from holdfast.venues.port import Cancellation, Placement

_LISTING = "/api/v3/exchangeInfo"
_NEEDS_TIME_IN_FORCE = frozenset({OrderType.LIMIT, OrderType.STOP_LOSS_LIMIT})


def venue_symbol(symbol: str) -> str:
    """`BTC/USDT` as the exchange writes it: `BTCUSDT`."""
    return symbol.replace("/", "")


def _escaped(text: str) -> str:
    """`text` as a query value; the wire takes the query as it is, so nothing may slip through."""
    return text if text.isascii() and text.isalnum() else quote(text, safe="")


def listing_path(symbols: Collection[str]) -> str:
    """Where the markets called `symbols` are listed; all of them when it is empty."""
    names = ",".join(f'"{venue_symbol(symbol)}"' for symbol in dict.fromkeys(symbols))
    return f"{_LISTING}?symbols={_escaped(f'[{names}]')}" if names else _LISTING


def placement_query(placement: Placement) -> str:
    """The unsigned query of a new order; equal placements give equal bytes."""
    spec = placement.spec
    parts = [
        f"symbol={_escaped(venue_symbol(spec.symbol))}&side={spec.side.value}&type={spec.type.value}",
        f"&quantity={plain(spec.quantity)}",
    ]
    if spec.price is not None:
        parts.append(f"&price={plain(spec.price)}")
    if spec.stop_price is not None:
        parts.append(f"&stopPrice={plain(spec.stop_price)}")
    if spec.type in _NEEDS_TIME_IN_FORCE:
        parts.append(f"&timeInForce={(spec.time_in_force or TimeInForce.GTC).value}")
    parts.append(
        f"&newClientOrderId={_escaped(placement.cid)}&newOrderRespType=FULL"
        f"&recvWindow={placement.window_ms}&timestamp={placement.timestamp_ms}"
    )
    return "".join(parts)


def cancellation_query(cancellation: Cancellation) -> str:
    """The unsigned query of a cancel, which carries an id of its own."""
    by_id = f"&orderId={_escaped(cancellation.order_id)}" if cancellation.order_id else ""
    return (
        f"symbol={_escaped(venue_symbol(cancellation.symbol))}{by_id}"
        f"&origClientOrderId={_escaped(cancellation.target)}"
        f"&newClientOrderId={_escaped(cancellation.cid)}"
        f"&recvWindow={cancellation.window_ms}&timestamp={cancellation.timestamp_ms}"
    )

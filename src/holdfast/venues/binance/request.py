"""What the venue port asks, written as Binance query text (unsigned).

Not here: signing and sending (signing, client), reading answers (decode, verdict).
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import quote

from holdfast.domain.money import plain
from holdfast.domain.order import OrderSpec, OrderType, TimeInForce
from holdfast.venues.port import Cancellation, ListPlacement, Placement

_LISTS = {2: ("oco", ("above", "below")), 3: ("otoco", ("working", "pendingAbove", "pendingBelow"))}
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


def page_params(symbol: str, id_name: str, from_id: str, since_ms: int) -> dict[str, str | int]:
    """What asks for a page of a list, the longest there is: from an id on, else since a time."""
    params: dict[str, str | int] = {"symbol": venue_symbol(symbol), "limit": 1000}
    if from_id:
        params[id_name] = from_id
    elif since_ms:
        params["startTime"] = since_ms
    return params


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


def list_path(placement: ListPlacement) -> str:
    """Where an order list of so many orders is placed."""
    return f"/api/v3/orderList/{_LISTS[len(placement.orders)][0]}"


def list_query(placement: ListPlacement) -> str:
    """The unsigned query of a new order list; equal placements give equal bytes."""
    first, last = placement.orders[0].spec, placement.orders[-1].spec
    kind, names = _LISTS[len(placement.orders)]
    parts = [f"symbol={_escaped(venue_symbol(first.symbol))}"]
    if kind == "oco":
        parts.append(f"&side={last.side.value}&quantity={plain(last.quantity)}")
    else:
        parts += [
            f"&workingSide={first.side.value}&workingQuantity={plain(first.quantity)}",
            f"&pendingSide={last.side.value}&pendingQuantity={plain(last.quantity)}",
        ]
    for name, order in zip(names, placement.orders, strict=True):
        parts.append(_listed_query(name, order.cid, order.spec))
    parts.append(
        f"&listClientOrderId={_escaped(placement.list_cid)}&newOrderRespType=FULL"
        f"&recvWindow={placement.window_ms}&timestamp={placement.timestamp_ms}"
    )
    return "".join(parts)


def _listed_query(name: str, cid: str, spec: OrderSpec) -> str:
    parts = [f"&{name}Type={spec.type.value}"]
    if spec.price is not None:
        parts.append(f"&{name}Price={plain(spec.price)}")
    if spec.stop_price is not None:
        parts.append(f"&{name}StopPrice={plain(spec.stop_price)}")
    if spec.type in _NEEDS_TIME_IN_FORCE:
        parts.append(f"&{name}TimeInForce={(spec.time_in_force or TimeInForce.GTC).value}")
    parts.append(f"&{name}ClientOrderId={_escaped(cid)}")
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

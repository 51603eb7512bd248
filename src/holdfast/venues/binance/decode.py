"""Binance bodies and events, read into domain values; what does not fit is garbled, never guessed.

Lives here: shapes of orders, trades, balances and user events. Not here: what an answer proves
(verdict), exchangeInfo (listing), bars and quotes (market).
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, TypeVar

import msgspec

from holdfast.domain.fill import Fill
from holdfast.domain.money import parse
from holdfast.domain.order import OrderState, Side
from holdfast.errors import RetryableError
from holdfast.venues.port import Balance, BalanceReport, ListReport, MoneyMoved, OrderReport

MS: Final = 1_000_000  # nanoseconds

T = TypeVar("T")


class GarbledError(RetryableError):
    """A body is not what the exchange's documentation says; it proves nothing."""


class Refusal(msgspec.Struct, frozen=True):
    """The exchange's own error body."""

    code: int
    msg: str = ""


_STATES: Final = {
    "NEW": OrderState.NEW,
    "PENDING_NEW": OrderState.PENDING_NEW,
    "PARTIALLY_FILLED": OrderState.PARTIALLY_FILLED,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELLED,
    "REJECTED": OrderState.REJECTED,
    "EXPIRED": OrderState.EXPIRED,
    "EXPIRED_IN_MATCH": OrderState.EXPIRED,
}


_EXECUTING: Final = "EXECUTING"  # of a list; the others are ALL_DONE and REJECT


class _Leg(msgspec.Struct):
    """One entry of `fills` in the reply to a new order."""

    price: str
    qty: str
    commission: str
    commissionAsset: str  # noqa: N815 - the exchange's own name
    tradeId: int  # noqa: N815


class _Order(msgspec.Struct, rename="camel"):
    """An order, as replies, queries and cancels show it."""

    symbol: str
    order_id: int
    client_order_id: str
    side: Side
    status: str
    orig_qty: str
    executed_qty: str
    price: str
    orig_client_order_id: str = ""
    time: int = 0
    transact_time: int = 0
    update_time: int = 0
    fills: list[_Leg] = []
    expiry_reason: str = ""


class _ListedOrder(msgspec.Struct, rename="camel"):
    client_order_id: str


class _OrderList(msgspec.Struct, rename="camel"):
    """An order list, as replies and queries show it; queries without reports."""

    order_list_id: int
    list_client_order_id: str
    list_order_status: str
    symbol: str
    orders: list[_ListedOrder]
    transaction_time: int = 0
    order_reports: list[_Order] = []


class _Reports(msgspec.Struct, rename="camel"):
    """Only whether a reply is about a list."""

    order_reports: list[_Order]


class _Trade(msgspec.Struct, rename="camel"):
    """One row of myTrades."""

    symbol: str
    id: int
    order_id: int
    price: str
    qty: str
    commission: str
    commission_asset: str
    time: int
    is_buyer: bool
    is_maker: bool


class _Balance(msgspec.Struct):
    asset: str
    free: str
    locked: str


class _Account(msgspec.Struct):
    balances: list[_Balance]


class _ServerTime(msgspec.Struct, rename="camel"):
    server_time: int


class _Tag(msgspec.Struct):
    e: str


class _ExecutionReport(msgspec.Struct):
    """The user stream's word on one order; letters are the exchange's."""

    s: str
    c: str
    S: Side
    q: str
    p: str
    x: str
    X: str
    i: int
    z: str
    T: int
    l: str = "0"  # noqa: E741
    L: str = "0"
    n: str = "0"
    N: str | None = None
    t: int = -1
    m: bool = False
    r: str = ""
    C: str = ""
    O: int = 0  # noqa: E741


class _ListStatusOrder(msgspec.Struct):
    c: str


class _ListStatus(msgspec.Struct):
    """The user stream's word on one order list."""

    s: str
    g: int
    L: str
    C: str
    T: int
    O: list[_ListStatusOrder]  # noqa: E741


class _AssetPosition(msgspec.Struct):
    a: str
    f: str
    l: str  # noqa: E741


class _AccountPosition(msgspec.Struct):
    E: int
    B: list[_AssetPosition]


class _BalanceUpdate(msgspec.Struct):
    a: str
    d: str
    T: int


_refusal = msgspec.json.Decoder(Refusal)
_order = msgspec.json.Decoder(_Order)
_orders = msgspec.json.Decoder(list[_Order])
_order_list = msgspec.json.Decoder(_OrderList)
_reports = msgspec.json.Decoder(_Reports)
_list_status = msgspec.json.Decoder(_ListStatus)
_trades = msgspec.json.Decoder(list[_Trade])
_account = msgspec.json.Decoder(_Account)
_server_time = msgspec.json.Decoder(_ServerTime)
_tag = msgspec.json.Decoder(_Tag)
_execution = msgspec.json.Decoder(_ExecutionReport)
_position = msgspec.json.Decoder(_AccountPosition)
_moved = msgspec.json.Decoder(_BalanceUpdate)


def read(decoder: msgspec.json.Decoder[T], body: bytes | msgspec.Raw) -> T:
    """`body` by `decoder`.

    Raises:
        GarbledError: it is no JSON, or not of the documented shape.
    """
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        shown = bytes(body)[:200]
        raise GarbledError(f"cannot read the exchange's reply {shown!r}: {error}") from error


def number(text: str) -> Decimal:
    """An exact, finite number from its text.

    Raises:
        GarbledError: `text` is no such number.
    """
    try:
        return parse(text)
    except ValueError as error:
        raise GarbledError(f"the exchange sent a number that is none: {error}") from error


def refusal(body: bytes) -> Refusal | None:
    """The error in `body`, or None when it holds none that can be read."""
    try:
        return _refusal.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def order(body: bytes, names: Mapping[str, str]) -> OrderReport:
    """The order in the reply to a placement, a cancel or a query.

    Args:
        names: venue symbol to unified symbol; a name that is missing is passed through.
    """
    return _order_report(read(_order, body), names)


def orders(body: bytes, names: Mapping[str, str]) -> list[OrderReport]:
    """The orders of a list, as `order`."""
    return [_order_report(each, names) for each in read(_orders, body)]


def reports(body: bytes, names: Mapping[str, str]) -> list[OrderReport]:
    """The orders in the reply to a cancel or to a new list: one, or all of a list."""
    try:
        found = _reports.decode(body).order_reports
    except (msgspec.DecodeError, UnicodeDecodeError):
        return [order(body, names)]
    return [_order_report(each, names) for each in found]


def order_list(body: bytes, names: Mapping[str, str]) -> ListReport:
    """The order list in the answer to a query; what became of its orders is not in it."""
    row = read(_order_list, body)
    return ListReport(
        symbol=names.get(row.symbol, row.symbol),
        list_cid=row.list_client_order_id,
        list_id=str(row.order_list_id),
        is_over=row.list_order_status != _EXECUTING,
        cids=tuple(each.client_order_id for each in row.orders),
        at_ns=row.transaction_time * MS,
    )


def fills(body: bytes, names: Mapping[str, str]) -> list[Fill]:
    """Executions of myTrades, in trade-id order; they carry no client order id."""
    rows = read(_trades, body)
    found = [
        Fill(
            symbol=names.get(row.symbol, row.symbol),
            side=Side.BUY if row.is_buyer else Side.SELL,
            trade_id=str(row.id),
            venue_order_id=str(row.order_id),
            cid="",
            quantity=number(row.qty),
            price=number(row.price),
            fee=number(row.commission),
            fee_asset=row.commission_asset,
            at_ns=row.time * MS,
            is_maker=row.is_maker,
        )
        for row in sorted(rows, key=lambda row: row.id)
    ]
    return [fill for fill in found if fill.quantity > 0]


def balances(body: bytes) -> dict[str, Balance]:
    """Every asset of the account that is not zero."""
    found = {
        row.asset: Balance(row.asset, number(row.free), number(row.locked))
        for row in read(_account, body).balances
    }
    return {asset: held for asset, held in found.items() if held.free or held.locked}


def server_time_ms(body: bytes) -> int:
    """The exchange's clock."""
    return read(_server_time, body).server_time


def event_name(event: bytes | msgspec.Raw) -> str:
    """The name of a user or market event."""
    return read(_tag, event).e


def user_event(
    event: bytes | msgspec.Raw, names: Mapping[str, str]
) -> OrderReport | ListReport | BalanceReport | MoneyMoved | None:
    """A user event as a domain value, or None for a kind that says nothing to us."""
    match event_name(event):
        case "executionReport":
            return _execution_report(read(_execution, event), names)
        case "listStatus":
            status = read(_list_status, event)
            return ListReport(
                symbol=names.get(status.s, status.s),
                list_cid=status.C,
                list_id=str(status.g),
                is_over=status.L != _EXECUTING,
                cids=tuple(each.c for each in status.O),
                at_ns=status.T * MS,
            )
        case "outboundAccountPosition":
            position = read(_position, event)
            return BalanceReport(
                tuple(Balance(held.a, number(held.f), number(held.l)) for held in position.B),
                position.E * MS,
            )
        case "balanceUpdate":
            moved = read(_moved, event)
            return MoneyMoved(moved.a, number(moved.d), moved.T * MS)
        case _:
            return None


def _state(status: str, executed: Decimal) -> OrderState:
    if status == "PENDING_CANCEL":  # documented as unused; until it is cancelled it may execute
        return OrderState.PARTIALLY_FILLED if executed else OrderState.NEW
    state = _STATES.get(status)
    if state is None:
        raise GarbledError(
            f"seen: order status {status!r}; expected: one of {', '.join(_STATES)}; "
            "do: look the order up at the exchange, and report this status"
        )
    return state


def _reason(status: str) -> str:
    """Self-trade prevention is a status of its own at the exchange; here it is a reason."""
    return status if status == "EXPIRED_IN_MATCH" else ""


def _limit(text: str) -> Decimal | None:
    """The limit price; market orders show zero."""
    return number(text) or None


def _order_report(row: _Order, names: Mapping[str, str]) -> OrderReport:
    symbol = names.get(row.symbol, row.symbol)
    # A cancel's reply shows the cancel's own id, and the order's id as the original.
    cid = row.orig_client_order_id or row.client_order_id
    at_ns = (row.transact_time or row.update_time) * MS
    executed = number(row.executed_qty)
    return OrderReport(
        symbol=symbol,
        cid=cid,
        order_id=str(row.order_id),
        side=row.side,
        state=_state(row.status, executed),
        quantity=number(row.orig_qty),
        executed=executed,
        price=_limit(row.price),
        reason=row.expiry_reason or _reason(row.status),
        fills=tuple(
            Fill(
                symbol=symbol,
                side=row.side,
                trade_id=str(leg.tradeId),
                venue_order_id=str(row.order_id),
                cid=cid,
                quantity=number(leg.qty),
                price=number(leg.price),
                fee=number(leg.commission),
                fee_asset=leg.commissionAsset,
                at_ns=at_ns,
            )
            for leg in row.fills
        ),
        at_ns=at_ns,
        placed_ns=row.time * MS,
    )


def _execution_report(row: _ExecutionReport, names: Mapping[str, str]) -> OrderReport:
    symbol = names.get(row.s, row.s)
    # On a cancel `c` is the cancel's id and `C` the order's; otherwise `C` is empty or equal.
    cid = row.C if row.x == "CANCELED" and row.C else row.c
    executed = number(row.z)
    booked: tuple[Fill, ...] = ()
    last = number(row.l)
    price = number(row.L)
    # A trade without a price or an id cannot be booked; `executed` still makes the caller ask.
    if row.x == "TRADE" and row.t >= 0 and last > 0 and price > 0:
        booked = (
            Fill(
                symbol=symbol,
                side=row.S,
                trade_id=str(row.t),
                venue_order_id=str(row.i),
                cid=cid,
                quantity=last,
                price=price,
                fee=number(row.n),
                fee_asset=row.N or "",
                at_ns=row.T * MS,
                is_maker=row.m,
            ),
        )
    refused_because = "" if row.r == "NONE" else row.r
    return OrderReport(
        symbol=symbol,
        cid=cid,
        order_id=str(row.i),
        side=row.S,
        state=_state(row.X, executed),
        quantity=number(row.q),
        executed=executed,
        price=_limit(row.p),
        reason=refused_because or _reason(row.X),
        fills=booked,
        at_ns=row.T * MS,
        placed_ns=row.O * MS,
    )

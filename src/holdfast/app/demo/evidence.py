"""The exchange's evidence: its true ledger and the signed requests it saw, decoded from admin JSON.

Not here: what it is compared with (told) or how (audit).
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

OPEN_STATUSES = frozenset({"NEW", "PENDING_NEW", "PARTIALLY_FILLED"})


class LedgerOrder(msgspec.Struct, frozen=True, rename="camel"):
    """An order that the exchange accepted.

    Attributes:
        symbol: as on the wire, `BTCUSDT`.
        side, type, time_in_force, status: the exchange's words.
        price, stop_price: None where the kind of order has none.
        orig_qty, executed_qty: base units.
        updated_ns: exchange time of its last change.
    """

    api_key: str
    symbol: str
    order_id: int
    client_order_id: str
    side: str
    type: str
    time_in_force: str
    price: Decimal | None
    stop_price: Decimal | None
    orig_qty: Decimal
    status: str
    executed_qty: Decimal
    updated_ns: int = msgspec.field(name="updated_ns")

    @property
    def is_open(self) -> bool:
        """Whether it may still execute."""
        return self.status in OPEN_STATUSES


class LedgerExecution(msgspec.Struct, frozen=True, rename="camel"):
    """One side of a trade, as the exchange booked it; amounts as in `domain.fill.Fill`."""

    api_key: str
    symbol: str
    trade_id: int
    client_order_id: str
    side: str
    price: Decimal
    qty: Decimal
    commission: Decimal
    commission_asset: str
    at_ns: int = msgspec.field(name="at_ns")

    @property
    def key(self) -> tuple[str, str]:
        """Symbol on the wire and trade id: what identifies it."""
        return self.symbol, str(self.trade_id)


class LedgerBalance(msgspec.Struct, frozen=True):
    """What an account has of one asset."""

    free: Decimal
    locked: Decimal


class Ledger(msgspec.Struct, frozen=True):
    """The truth at one moment.

    Attributes:
        at_ns: exchange time at which it was taken.
        balances: by API key, then by asset.
    """

    at_ns: int
    orders: tuple[LedgerOrder, ...]
    executions: tuple[LedgerExecution, ...]
    balances: dict[str, dict[str, LedgerBalance]]

    def of(self, api_key: str) -> Ledger:
        """The part of one account."""
        return Ledger(
            at_ns=self.at_ns,
            orders=tuple(order for order in self.orders if order.api_key == api_key),
            executions=tuple(fill for fill in self.executions if fill.api_key == api_key),
            balances={api_key: self.balances.get(api_key, {})},
        )


class LedgerPart(Ledger, frozen=True):
    """What `GET /admin/ledger` tells: all of the ledger, or what has changed.

    Attributes:
        whole: whether it is all there is.
        next: from where to ask the next time.
    """

    whole: bool = True
    next: int = 0


class LedgerCopy:
    """A copy of the ledger that is fed with what has changed.

    A ledger grows with every order, and whoever tells all of it again and again is busy with that.

    Attributes:
        next: from where to ask for the next part; 0 while there is nothing.
    """

    def __init__(self) -> None:
        self.next = 0
        self._orders: dict[tuple[str, int], LedgerOrder] = {}
        self._executions: dict[tuple[str, tuple[str, str]], LedgerExecution] = {}

    def take(self, part: LedgerPart) -> Ledger:
        """The whole ledger, as it was when `part` was told."""
        if part.whole:
            self._orders.clear()
            self._executions.clear()
        for order in part.orders:
            self._orders[order.symbol, order.order_id] = order
        for fill in part.executions:
            self._executions[fill.api_key, fill.key] = fill
        self.next = part.next
        return Ledger(
            at_ns=part.at_ns,
            orders=tuple(self._orders.values()),
            executions=tuple(self._executions.values()),
            balances=part.balances,
        )


class SignedRequest(msgspec.Struct, frozen=True, rename="camel"):
    """A signed request that reached the exchange's doors.

    Attributes:
        copy: 1, or more for what the network (a fault) made of one request.
    """

    method: str
    path: str
    params: dict[str, str]
    api_key: str
    copy: int = 1


class _Requests(msgspec.Struct):
    requests: tuple[SignedRequest, ...]


def read_ledger(body: bytes) -> LedgerPart:
    """The body of `GET /admin/ledger`."""
    return msgspec.json.decode(body, type=LedgerPart)


def read_requests(body: bytes) -> tuple[SignedRequest, ...]:
    """The body of `GET /admin/requests`, in order of arrival."""
    return msgspec.json.decode(body, type=_Requests).requests

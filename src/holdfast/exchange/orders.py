"""What the local exchange knows of an order: the request, its life, its executions.

Not here: prices meeting each other (`matching`) or how any of it looks on the wire (`payloads`).
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from holdfast.domain.money import ZERO
from holdfast.domain.order import Side, TimeInForce

if TYPE_CHECKING:
    from holdfast.exchange.accounts import Account


class Kind(StrEnum):
    """Every order type the exchange takes."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"
    LIMIT_MAKER = "LIMIT_MAKER"
    STOP_LOSS = "STOP_LOSS"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_LIMIT = "TAKE_PROFIT_LIMIT"

    @property
    def waits_for_trigger(self) -> bool:
        """Whether it stays out of the book until a trade reaches its stop price."""
        return self in _TRIGGERED

    @property
    def has_limit(self) -> bool:
        """Whether it carries a limit price."""
        return self in _LIMITED


_TRIGGERED: Final = frozenset(
    {Kind.STOP_LOSS, Kind.STOP_LOSS_LIMIT, Kind.TAKE_PROFIT, Kind.TAKE_PROFIT_LIMIT}
)
_LIMITED: Final = frozenset(
    {Kind.LIMIT, Kind.LIMIT_MAKER, Kind.STOP_LOSS_LIMIT, Kind.TAKE_PROFIT_LIMIT}
)


class Status(StrEnum):
    """The exchange's own words for the state of an order."""

    NEW = "NEW"
    PENDING_NEW = "PENDING_NEW"  # until the working order of its list is filled
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"  # self-trade prevention took it out


_OPEN: Final = (Status.NEW, Status.PARTIALLY_FILLED, Status.PENDING_NEW)


class Expiry(StrEnum):
    """Why an order expired."""

    REJECTED = "REJECTED"  # it could not be placed when its time had come
    OCO_TRIGGER = "OCO_TRIGGER"
    OTO_PHASE_ONE_EXPIRED = "OTO_PHASE_ONE_EXPIRED"
    UNFILLED_IOC = "UNFILLED_IOC_QUANTITY_EXPIRED"
    UNFILLED_FOK = "UNFILLED_FOK_ORDER_EXPIRED"
    NO_LIQUIDITY = "INSUFFICIENT_LIQUIDITY"


class Change(StrEnum):
    """Why an order report is sent (the exchange's execution type)."""

    NEW = "NEW"
    TRADE = "TRADE"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    TRADE_PREVENTION = "TRADE_PREVENTION"


class SelfTrade(StrEnum):
    """What happens when an order would meet one of the same account."""

    NONE = "NONE"
    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"


class Ticket(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A request for an order, parsed and nothing more.

    Attributes:
        symbol: unified, `BASE/QUOTE`.
        quantity: base units; None for a market order by quote amount.
        quote_quantity: quote units to spend or to raise, for market orders only.
        client_order_id: the caller's name for it, never empty.
        self_trade: None takes the account's default.
    """

    symbol: str
    side: Side
    kind: Kind
    quantity: Decimal | None
    client_order_id: str
    quote_quantity: Decimal | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce | None = None
    self_trade: SelfTrade | None = None


class Terms(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How an order is accepted, beside its ticket.

    Attributes:
        quantity: base units.
        unit_hold: what was locked for it per base unit.
        list_id: its list, below 0 without one.
        is_pending: whether it waits for the working order of its list.
    """

    quantity: Decimal
    unit_hold: Decimal
    list_id: int = -1
    is_pending: bool = False


class Execution(msgspec.Struct, frozen=True, gc=False):
    """One side of a trade, as the owner of that side sees it.

    Attributes:
        trade_id: counts per symbol; both sides of a trade share it.
        cost: price x quantity, quote units.
        fee: what was taken, in units of `fee_asset`.
    """

    symbol: str
    trade_id: int
    order_id: int
    side: Side
    price: Decimal
    quantity: Decimal
    cost: Decimal
    fee: Decimal
    fee_asset: str
    is_maker: bool
    at_ns: int


class OrderFields(msgspec.Struct, kw_only=True):
    """What an order says of itself, apart from whose it is.

    Attributes:
        sequence: the exchange-wide order of arrival in a book: time priority.
        order_id: counts per symbol, as at the real exchange, so it is not unique across symbols;
            0 for the house.
        quantity: base units asked for; what was executed, for a market order by quote amount.
        remaining: base units that may still execute.
        unit_hold: funds locked per remaining base unit, 0 when nothing is locked or when the other
            order of its pair holds them for both.
        is_working: in the book, or matched already; False while it waits for its trigger or for
            the working order of its list.
        cancel_id: the client id of the request that cancelled it.
        list_id: the list it was placed with, below 0 without one.
        expiry: why it expired; None for self-trade prevention and all that did not.
    """

    sequence: int
    symbol: str
    side: Side
    kind: Kind
    quantity: Decimal
    remaining: Decimal
    price: Decimal | None
    created_ns: int
    updated_ns: int
    order_id: int = 0
    client_order_id: str = ""
    quote_quantity: Decimal = ZERO
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    self_trade: SelfTrade = SelfTrade.NONE
    status: Status = Status.NEW
    executed: Decimal = ZERO
    executed_cost: Decimal = ZERO
    unit_hold: Decimal = ZERO
    is_working: bool = True
    working_ns: int = 0
    house_key: int = 0
    cancel_id: str = ""
    list_id: int = -1
    expiry: Expiry | None = None

    @property
    def is_open(self) -> bool:
        """Whether it may still execute."""
        return self.status in _OPEN


class Order(OrderFields, kw_only=True):
    """An order the exchange has accepted; only the matching engine changes it.

    Attributes:
        account: the owner, None for the house.
        fills: its executions in order.
    """

    account: Account | None
    fills: tuple[Execution, ...] = ()

    @property
    def owner(self) -> int:
        """The number of the account, 0 for the house."""
        return 0 if self.account is None else self.account.number


def accepted(account: Account, ticket: Ticket, terms: Terms, at_ns: int) -> Order:
    """The order of a ticket, to be numbered and entered."""
    order = Order(
        account=account,
        sequence=0,
        symbol=ticket.symbol,
        side=ticket.side,
        kind=ticket.kind,
        quantity=terms.quantity,
        remaining=terms.quantity,
        price=ticket.price,
        created_ns=at_ns,
        updated_ns=at_ns,
        client_order_id=ticket.client_order_id,
        self_trade=ticket.self_trade or account.self_trade,
        unit_hold=terms.unit_hold,
        list_id=terms.list_id,
    )
    if ticket.stop_price is None and not terms.is_pending:
        order.working_ns = at_ns
    else:
        order.stop_price = ticket.stop_price
        order.is_working = False
    if terms.is_pending:
        order.status = Status.PENDING_NEW
    if ticket.time_in_force is not None:
        order.time_in_force = ticket.time_in_force
    if ticket.quote_quantity is not None:
        order.quote_quantity = ticket.quote_quantity
    return order


class Trade(msgspec.Struct, frozen=True, gc=False):
    """A print on the public tape.

    Attributes:
        trade_id: counts per symbol from 1.
        buyer_is_maker: whether the seller took.
    """

    symbol: str
    trade_id: int
    price: Decimal
    quantity: Decimal
    cost: Decimal
    buyer_is_maker: bool
    at_ns: int

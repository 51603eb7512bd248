"""Orders, fills, positions, balances, equity: what an account did and has.

Not here: bots and accounts themselves (bots, accounts), prices (market).
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from holdfast.api.shapes.base import Amount, Out
from holdfast.domain.order import AttemptState, OrderState, OrderType, Side, TimeInForce


class OrderCondition(StrEnum):
    """An order in one word."""

    UNDER_WAY = "under_way"  # armed; the answer is on its way
    IN_DOUBT = "in_doubt"  # nobody knows yet
    OPEN = "open"  # the exchange has it
    FILLED = "filled"
    CANCELLED = "cancelled"  # also expired
    REFUSED = "refused"  # by the exchange, or never sent
    ABSENT = "absent"  # proved never to have executed


class Order(Out, frozen=True, kw_only=True):
    """An order as the journal tells it.

    Attributes:
        cid: client order id, unique in its account.
        order_id: the exchange's; null until it is known.
        list_cid: of the order list that it is part of.
        condition: in one word; `attempt` and `state` say it exactly.
        attempt: what is known of the request.
        state: what the exchange says of the order.
        executed: base units.
        seq: of the record that armed it.
    """

    account: str
    cid: str
    bot: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: TimeInForce | None = None
    quantity: Amount
    price: Amount | None = None
    stop_price: Amount | None = None
    executed: Amount
    condition: OrderCondition
    attempt: AttemptState
    state: OrderState | None = None
    order_id: str | None = None
    list_cid: str | None = None
    protects: bool = False
    seq: int
    armed_at: datetime
    changed_at: datetime


class Orders(Out, frozen=True, kw_only=True):
    """A page of orders, newest first."""

    items: tuple[Order, ...]
    next_cursor: str | None = None


class JournalEntry(Out, frozen=True, kw_only=True):
    """One record of an account's stream.

    Attributes:
        seq, epoch: its place, and of which leader.
        kind: of the fact, such as `armed` or `filled`.
        told: the same in one sentence for people.
        fact: all that it says.
    """

    seq: int
    epoch: int
    at: datetime
    kind: str
    told: str
    fact: dict[str, Any]


class OrderStory(Out, frozen=True, kw_only=True):
    """An order, and every record about it, its cancels and its fills, in order."""

    order: Order
    timeline: tuple[JournalEntry, ...]


class Fill(Out, frozen=True, kw_only=True):
    """One execution.

    Attributes:
        at: the exchange's time.
        fee, fee_asset: what it cost, in whichever asset.
        held: the bot's position after it, base units; null when no bot is known.
    """

    account: str
    seq: int
    at: datetime
    bot: str | None = None
    symbol: str
    side: Side
    quantity: Amount
    price: Amount
    fee: Amount
    fee_asset: str
    is_maker: bool
    trade_id: str
    order_id: str
    cid: str | None = None
    held: Amount | None = None


class Fills(Out, frozen=True, kw_only=True):
    """A page of fills, newest first."""

    items: tuple[Fill, ...]
    next_cursor: str | None = None


class Position(Out, frozen=True, kw_only=True):
    """What a bot holds in a symbol; empty ones are left out.

    Attributes:
        quantity: base units.
        average_price: quote units per base unit.
        price: the last one known; null when there is none.
        value: quote units at that price.
        pnl: quote units since the bot began, open quantity included.
        unrealised: of it what is still open.
        stop, take_profit: where it is left.
    """

    account: str
    bot: str
    symbol: str
    quantity: Amount
    average_price: Amount
    price: Amount | None = None
    value: Amount | None = None
    pnl: Amount | None = None
    unrealised: Amount | None = None
    stop: Amount | None = None
    take_profit: Amount | None = None


class Positions(Out, frozen=True, kw_only=True):
    """All open positions, by account, bot and symbol."""

    items: tuple[Position, ...]


class Balance(Out, frozen=True, kw_only=True):
    """What an account has of an asset, by its own journal.

    Attributes:
        total: free and locked together.
        reserved: set aside for orders that may still execute.
        value: in the reporting currency; null without a price.
    """

    account: str
    asset: str
    total: Amount
    free: Amount
    reserved: Amount
    value: Amount | None = None


class Balances(Out, frozen=True, kw_only=True):
    """All balances that are not zero, by account and asset."""

    items: tuple[Balance, ...]


class EquityPoint(Out, frozen=True, kw_only=True):
    """What all holdings were worth at a moment.

    Attributes:
        equity: reporting units.
        drawdown_pct: below the highest point of the series so far; 0 at a new one.
    """

    at: datetime
    equity: Amount
    drawdown_pct: Amount


class EquitySeries(Out, frozen=True, kw_only=True):
    """Equity and drawdown over time, oldest first, thinned to at most so many points as asked.

    Attributes:
        max_drawdown_pct: of all points, those left out included.
        as_of_seq: the journal position that it reaches to, where it is of one account.
    """

    account: str | None = None
    bot: str | None = None
    reporting: str
    items: tuple[EquityPoint, ...]
    max_drawdown_pct: Amount
    as_of_seq: int | None = None

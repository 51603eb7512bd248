"""Orders: what may be asked for, the identity of an attempt, and the two tables of states.

An *intent* is one thing a decision wants done. An *attempt* is one signed request to do it; a
*venue order* is what the exchange made of it. Not here: sending, or what to do in a state.
"""

from __future__ import annotations

import hashlib
import uuid
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec


class Side(StrEnum):
    """The side of an order or a fill."""

    BUY = "BUY"
    SELL = "SELL"

    @property
    def opposite(self) -> Side:
        """The other side."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    """The order kinds that derivation uses; the local exchange knows more."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    LIMIT_MAKER = "LIMIT_MAKER"
    STOP_LOSS = "STOP_LOSS"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"


class TimeInForce(StrEnum):
    """How long a limit order may rest."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


class AttemptState(StrEnum):
    """What is known of one signed request (a member's comment is its promise)."""

    ARMED = "ARMED"  # journaled with its id and deadline; a byte may or may not have left
    ACKED = "ACKED"  # positive evidence: the venue has, or had, this order
    REJECTED = "REJECTED"  # the venue said no; provisional until its horizon has passed
    NOT_SENT = "NOT_SENT"  # proven by the arming process: no byte left, none can
    IN_DOUBT = "IN_DOUBT"  # anything else, until evidence or the horizon settles it
    NEVER_EXECUTED = "NEVER_EXECUTED"  # absent after the horizon, the evidence is kept


ATTEMPT_MOVES: dict[AttemptState, frozenset[AttemptState]] = {
    AttemptState.ARMED: frozenset(
        {
            AttemptState.ACKED,
            AttemptState.REJECTED,
            AttemptState.NOT_SENT,
            AttemptState.IN_DOUBT,
        }
    ),
    AttemptState.IN_DOUBT: frozenset({AttemptState.ACKED, AttemptState.NEVER_EXECUTED}),
    # A duplicated request can execute once and be refused once, and the refusal may arrive first.
    AttemptState.REJECTED: frozenset({AttemptState.ACKED}),
    # A ghost: an execution of something declared absent. Booked and alarmed, never hidden.
    AttemptState.NEVER_EXECUTED: frozenset({AttemptState.ACKED}),
    AttemptState.NOT_SENT: frozenset(),
    AttemptState.ACKED: frozenset(),
}


class OrderState(StrEnum):
    """What the venue says of an order it took."""

    PENDING_NEW = "PENDING_NEW"  # order lists only
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    SETTLED = "SETTLED"  # terminal, and the balances agree

    @property
    def is_open(self) -> bool:
        """Whether it may still execute."""
        return self in OPEN


OPEN: Final = frozenset({OrderState.PENDING_NEW, OrderState.NEW, OrderState.PARTIALLY_FILLED})

ORDER_MOVES: dict[OrderState, frozenset[OrderState]] = {
    OrderState.PENDING_NEW: frozenset(
        {
            OrderState.NEW,
            OrderState.PARTIALLY_FILLED,
            OrderState.FILLED,
            OrderState.CANCELLED,
            OrderState.REJECTED,
            OrderState.EXPIRED,
        }
    ),
    OrderState.NEW: frozenset(
        {
            OrderState.PARTIALLY_FILLED,
            OrderState.FILLED,
            OrderState.CANCELLED,
            OrderState.REJECTED,
            OrderState.EXPIRED,
        }
    ),
    OrderState.PARTIALLY_FILLED: frozenset(
        {
            OrderState.FILLED,
            OrderState.CANCELLED,
            OrderState.EXPIRED,
        }
    ),
    OrderState.FILLED: frozenset({OrderState.SETTLED}),
    OrderState.CANCELLED: frozenset({OrderState.SETTLED}),
    OrderState.REJECTED: frozenset({OrderState.SETTLED}),
    OrderState.EXPIRED: frozenset({OrderState.SETTLED}),
    OrderState.SETTLED: frozenset(),
}


class OrderSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is asked of the venue, fully determined: the body of a signed request.

    Attributes:
        symbol: unified, `BASE/QUOTE`.
        quantity: base units, > 0, on the instrument's step.
        price: the limit in quote units per base unit; None for market and plain stop orders.
        stop_price: the trigger; None unless a stop.
        time_in_force: for orders with a limit price only.
    """

    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce | None = None


class IdKind(StrEnum):
    """The ninth digit of a client order id."""

    ORDER = "0"
    CANCEL = "c"
    EMERGENCY = "e"


_INTENTS: Final = hashlib.sha1(
    uuid.uuid5(uuid.NAMESPACE_DNS, "intents.holdfast").bytes, usedforsecurity=False
)
# The first digit of a UUID's fourth group says its variant in two bits.
_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


def deployment_tag(name: str) -> str:
    """Eight hex digits that mark every order of one deployment at the exchange."""
    return hashlib.sha256(f"holdfast deployment {name}".encode()).hexdigest()[:8]


def intent_id(bot: str, key: str, leg: str, seq: int) -> str:
    """The UUIDv5 of an intent: the same decision, leg and remainder always give the same id."""
    digest = _INTENTS.copy()
    digest.update(f"{bot}\0{key}\0{leg}\0{seq}".encode())
    text = digest.hexdigest()
    variant = _VARIANT[text[16]]
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"


def is_emergency(cid: str) -> bool:
    """Whether the id is of the kind that is used without a journal."""
    return cid[8:9] == IdKind.EMERGENCY.value


def client_order_id(
    *,
    tag: str,
    account: str,
    generation: int,
    intent_id: str,
    n: int,
    part: int = 0,
    kind: IdKind = IdKind.ORDER,
) -> str:
    """The id an attempt carries to the exchange: 32 hex digits, the same for the same attempt.

    Args:
        tag: `deployment_tag` of this deployment.
        generation: of the journal; restoring a backup bumps it, so that ids never repeat.
        intent_id: the intent (for a cancel: the attempt that it cancels).
        n: the attempt's number within the intent, from 1.
        part: 0 of an order that stands alone and of a list itself, from 1 of a list's orders.
    """
    digest = hashlib.blake2b(
        f"{account}\0{generation}\0{intent_id}\0{n}\0{part}".encode(), digest_size=12
    ).hexdigest()
    return tag + kind + digest[:23]

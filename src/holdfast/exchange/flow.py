"""What moves the local market, as a stream of small frozen events.

Lives here: the events that a market yields and the exchange applies: house orders of one that is
made here (synthetic, or a recording), and what another exchange tells of one that is mirrored. Not
here: how they are made (`synthetic`, `replay`, app.mirror) or matched (`matching`, `mirror`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from decimal import Decimal
from typing import Protocol, runtime_checkable

import msgspec

from holdfast.domain.instrument import Instrument
from holdfast.domain.market import Trade
from holdfast.domain.order import Side


class Place(msgspec.Struct, frozen=True):
    """A house order.

    Attributes:
        at_ns: market time, UTC nanoseconds; never before the previous event's.
        symbol: unified, `BASE/QUOTE`.
        side: the order's side.
        price: the limit; None takes at market.
        quantity: base units, on the instrument's step.
        key: unique handle to remove it by; 0 for an order that must not rest (IOC).
    """

    at_ns: int
    symbol: str
    side: Side
    price: Decimal | None
    quantity: Decimal
    key: int = 0


class Remove(msgspec.Struct, frozen=True):
    """Take the house order `key` from the book; nothing happens when it has gone."""

    at_ns: int
    symbol: str
    key: int


FlowEvent = Place | Remove


class Flow(Protocol):
    """A market to trade in."""

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """The markets offered, in the order shown to clients."""
        ...

    def events(self) -> Iterator[FlowEvent]:
        """All events in time order; endless when synthetic, finite for a recording."""
        ...


# --- A mirrored market ---------------------------------------------------------------------------


class Depth(Protocol):
    """Another exchange's book of one symbol, as it is known here: `market.orderbook.OrderBook`."""

    @property
    def is_known(self) -> bool:
        """Whether it is that exchange's book; while it is not, it is empty."""
        ...

    @property
    def last_id(self) -> int:
        """The last change in it, while it is known."""
        ...

    @property
    def at_ns(self) -> int:
        """When that change was told, by that exchange's clock, UTC nanoseconds; 0 at first."""
        ...

    @property
    def bid_edge(self) -> Decimal | None:
        """Lower bids are known only once they change; None when nothing is known to be bid."""
        ...

    @property
    def ask_edge(self) -> Decimal | None:
        """Higher asks are known only once they change; None when nothing is known to be asked."""
        ...

    def bids(self) -> Iterator[tuple[Decimal, Decimal]]:
        """Price and quantity, the highest first."""
        ...

    def asks(self) -> Iterator[tuple[Decimal, Decimal]]:
        """Price and quantity, the lowest first."""
        ...

    def bid_at(self, price: Decimal) -> Decimal:
        """What is bid at a price, 0 for nothing."""
        ...

    def ask_at(self, price: Decimal) -> Decimal:
        """What is asked at a price, 0 for nothing."""
        ...


class Refresh(msgspec.Struct, frozen=True):
    """The depth of `symbol` has changed at these prices, or, when `is_whole`, is known anew."""

    symbol: str
    bids: tuple[Decimal, ...] = ()
    asks: tuple[Decimal, ...] = ()
    is_whole: bool = False


class Past(msgspec.Struct, frozen=True):
    """Trades of a time in which nobody watched, oldest first: they are history and fill nobody."""

    symbol: str
    trades: tuple[Trade, ...]


class Break(msgspec.Struct, frozen=True):
    """The depth of `symbol` is not known any more, because of `why`: nothing is matched."""

    symbol: str
    why: str


class Relay(msgspec.Struct, frozen=True):
    """What that exchange sent on `stream` (`btcusdt@kline_1m`), to be passed on as it is."""

    stream: str
    body: msgspec.Raw


LiveEvent = Refresh | Trade | Past | Break | Relay


@runtime_checkable
class LiveFlow(Protocol):
    """A market that happens elsewhere, now."""

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """The markets mirrored, in the order shown to clients."""
        ...

    @property
    def depths(self) -> Mapping[str, Depth]:
        """By symbol; each is as its last event says when that event is read, and until the next."""
        ...

    def events(self) -> AsyncIterator[LiveEvent]:
        """All events in the order told, over reconnections, until cancelled."""
        ...

    async def history(self, path: str, params: Mapping[str, str]) -> bytes:
        """That exchange's own answer to an unsigned question.

        Raises:
            RejectedError: it refused the question.
            RetryableError: it gave no usable answer.
        """
        ...

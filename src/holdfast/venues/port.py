"""The venue port: a dozen verbs, most of them for reading the truth back.

Lives here: `Venue`, what it is asked and what it answers. A reply is digested into a `Verdict` by
the venue's own allow-lists with default *unknown*. Not here: retries, there are none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

import msgspec

from holdfast.domain.fill import Fill
from holdfast.domain.instrument import Instrument
from holdfast.domain.market import Bar
from holdfast.domain.order import OrderSpec, OrderState, Side
from holdfast.errors import RejectedError, RetryableError


class Purpose(StrEnum):
    """Why a request is made; the rate budget keeps a reserve for all but ENTER and READ."""

    ENTER = "enter"  # adds exposure
    REDUCE = "reduce"  # exits, protective stops
    CANCEL = "cancel"  # and the question for the time, by which all of them are signed
    RESOLVE = "resolve"  # settles a doubt, reconciles
    READ = "read"


class Placement(msgspec.Struct, frozen=True):
    """One signed request for a new order; sent at most once.

    Attributes:
        timestamp_ms, window_ms: signed deadline, exchange time (float only if sub-ms is needed).
    """

    cid: str
    spec: OrderSpec
    timestamp_ms: int
    window_ms: int
    purpose: Purpose


class ListedOrder(msgspec.Struct, frozen=True):
    """One order of a list."""

    cid: str
    spec: OrderSpec


class ListPlacement(msgspec.Struct, frozen=True):
    """One signed request for an order list; sent at most once, taken whole or not at all.

    Two orders are a pair on one side and of one quantity, of which one ends the other (OCO): first
    the one above the market, then the one below. Three are such a pair behind an order that it
    waits for until that has wholly filled (OTOCO), which comes first.

    Attributes:
        list_cid: the list's own client id.
        timestamp_ms, window_ms: signed deadline, exchange time.
    """

    list_cid: str
    orders: tuple[ListedOrder, ...]
    timestamp_ms: int
    window_ms: int
    purpose: Purpose


class Cancellation(msgspec.Struct, frozen=True):
    """One signed request to cancel the order whose client order id is `target`.

    Of an order list it ends every order.

    Attributes:
        order_id: the venue's own id of it, when several orders carry that client order id; both
            must fit. Empty otherwise.
    """

    cid: str
    target: str
    symbol: str
    timestamp_ms: int
    window_ms: int
    order_id: str = ""


class OrderReport(msgspec.Struct, frozen=True, kw_only=True):
    """A venue order as the venue reports it, from a reply, a query or the stream.

    Attributes:
        cid: the client order id the order was placed with (on a cancel: the original one).
        executed: base units filled so far.
        fills: executions that the same report carries, empty when it carries none.
        at_ns: exchange time of the report, 0 when it has none.
        placed_ns: exchange time at which it took the order, 0 when the report does not say.
    """

    symbol: str
    cid: str
    order_id: str
    side: Side
    state: OrderState
    quantity: Decimal
    executed: Decimal
    price: Decimal | None = None
    reason: str = ""
    fills: tuple[Fill, ...] = ()
    at_ns: int = 0
    placed_ns: int = 0


class ThrottledError(RetryableError):
    """The rate limits, by our own count or the exchange's word, leave no room now."""


class UnaskedError(ThrottledError):
    """By our own count there is no room until a window ends, so nothing was asked.

    Of the exchange it says nothing, unlike a refusal or a ban.
    """


class MaintenanceError(RetryableError):
    """The exchange says that it is closed for a while."""


class ArchivedError(RejectedError):
    """The exchange has put an order away: it ended long ago, without an execution.

    Positive evidence, but not of any moment: exchanges have said so of orders that were new.
    """


class Answer(StrEnum):
    """What a reply to a new order or a cancel proves."""

    ACKED = "acked"  # parsed 2xx body that names our id
    EXISTS = "exists"  # an open order with this id exists: query it
    REJECTED = "rejected"  # on the allow-list of definite refusals
    ABSENT = "absent"  # cancel only: no such open order
    NOT_SENT = "not_sent"  # proven that no byte left and none can
    UNKNOWN = "unknown"  # everything else


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """A reply, digested.

    Attributes:
        final: with REJECTED: no copy of the request can have executed.
        report: with ACKED; of a list placed, of its first order.
        others: further orders of the same list, which the same reply tells of.
        code: venue code or HTTP status or exception name, as text.
        evidence: what was seen, for people, never a secret.
        is_throttled: rate limits were the reason, by our own count or the exchange's word.
        in_maintenance: the exchange says that it is closed for a while.
    """

    answer: Answer
    code: str = ""
    evidence: str = ""
    final: bool = False
    report: OrderReport | None = None
    others: tuple[OrderReport, ...] = ()
    is_throttled: bool = False
    in_maintenance: bool = False

    @property
    def reports(self) -> tuple[OrderReport, ...]:
        """All that the reply tells of, empty when it tells of none."""
        return () if self.report is None else (self.report, *self.others)


class Balance(msgspec.Struct, frozen=True):
    """One asset of the account; `locked` is held by open orders."""

    asset: str
    free: Decimal
    locked: Decimal


class ListReport(msgspec.Struct, frozen=True):
    """An order list as the venue tells of it; what became of its orders, their own reports say.

    Attributes:
        list_cid, list_id: the client's id of it and the venue's.
        is_over: none of its orders can execute any more; also said of one that was refused.
        cids: of its orders.
    """

    symbol: str
    list_cid: str
    list_id: str
    is_over: bool
    cids: tuple[str, ...]
    at_ns: int = 0


class TimeSample(msgspec.Struct, frozen=True):
    """One reading of the exchange's clock.

    Attributes:
        server_ms: what it said.
        sent_ns, received_ns: local *monotonic* clock around the question.
    """

    server_ms: int
    sent_ns: int
    received_ns: int


class BalanceReport(msgspec.Struct, frozen=True):
    """Balances as the stream reports them; assets not named did not change."""

    balances: tuple[Balance, ...]
    at_ns: int


class MoneyMoved(msgspec.Struct, frozen=True):
    """A deposit, withdrawal or transfer, reported by the stream."""

    asset: str
    amount: Decimal
    at_ns: int


class StreamUp(msgspec.Struct, frozen=True):
    """The user stream delivers from here on; anything before may have been missed."""


class StreamDown(msgspec.Struct, frozen=True):
    """The user stream is silent or gone; polling goes on."""

    reason: str


VenueEvent = OrderReport | ListReport | BalanceReport | MoneyMoved | StreamUp | StreamDown


class Venue(Protocol):
    """One account at one exchange. Nothing here retries; reads raise when unanswered.

    Reads raise RetryableError (no usable answer: says nothing about orders; ThrottledError and
    MaintenanceError are of that kind), RejectedError (the venue refused the question, e.g. a
    revoked key). Asked for one order they raise ArchivedError where the venue has put it away.
    """

    async def instruments(self, symbols: Collection[str] = ()) -> tuple[Instrument, ...]:
        """The spot markets called `symbols`, with their filters as of now.

        All that there are without `symbols`, and when one of them is not listed: who asked can then
        say which one was meant. That may be thousands.
        """
        ...

    async def time(self) -> TimeSample:
        """The exchange's clock."""
        ...

    def delay_s(self, purpose: Purpose, count: int = 1) -> float:
        """How long `count` requests for `purpose`, together, must wait for rate budget.

        0 when they may go now; infinite when so many never fit at once, and must go in parts.
        Asked *before* arming, because an armed attempt's deadline runs.
        """
        ...

    async def place(self, placement: Placement, on_first_byte: Callable[[], None]) -> Verdict:
        """Send one new order once, and digest the answer.

        `on_first_byte` is called before the first byte can leave. NOT_SENT is answered only when
        it was not called and can no longer be. Never raises but for cancellation.
        """
        ...

    async def place_list(
        self, placement: ListPlacement, on_first_byte: Callable[[], None]
    ) -> Verdict:
        """As `place`, of an order list: the answer is about all of its orders alike."""
        ...

    async def cancel(self, cancellation: Cancellation) -> Verdict:
        """Send one cancel once. ACKED carries the order's final report, and its list's."""
        ...

    async def order(self, symbol: str, cid: str, purpose: Purpose) -> OrderReport | None:
        """The newest order with this client id, or None when it is not visible (yet)."""
        ...

    async def order_by_id(
        self, symbol: str, order_id: str, purpose: Purpose
    ) -> OrderReport | None:
        """The order with this id of the venue's own, or None when it is not visible (yet).

        Of a cancelled order `cid` may be the id of the cancel.
        """
        ...

    async def order_list(self, list_cid: str, purpose: Purpose) -> ListReport | None:
        """The newest order list with this client id, or None when it is not visible (yet)."""
        ...

    async def open_orders(self, symbol: str, purpose: Purpose) -> list[OrderReport]:
        """All open orders of a symbol, ours or not."""
        ...

    async def all_orders(
        self, symbol: str, purpose: Purpose, *, from_order_id: str = "", since_ms: int = 0
    ) -> list[OrderReport]:
        """Orders, ours or not and ended ones too, in the order of their ids, at most 1000.

        From `from_order_id` on (inclusive), else placed since `since_ms`, else the newest ones.
        Of a cancelled order `cid` may be the id of the cancel.
        """
        ...

    async def fills(
        self, symbol: str, purpose: Purpose, *, from_trade_id: str = "", since_ms: int = 0
    ) -> list[Fill]:
        """Executions in trade-id order, at most 1000; ask again from the last id for more.

        From `from_trade_id` on (inclusive), else since `since_ms`, else from the very first one.
        """
        ...

    async def balances(self, purpose: Purpose) -> dict[str, Balance]:
        """Every asset that is not zero."""
        ...

    def events(self) -> AsyncIterator[VenueEvent]:
        """The user stream, reconnecting for ever; starts with StreamUp or StreamDown."""
        ...

    async def close(self) -> None:
        """Close connections; may be called twice."""
        ...


class MarketData(Protocol):
    """Public market data of one exchange."""

    async def bars(self, symbol: str, timeframe_s: int, since_ns: int) -> list[Bar]:
        """Closed bars from `since_ns` on, oldest first, all of them (pages are joined)."""
        ...

    def stream(
        self, symbols: tuple[str, ...], timeframe_s: int, traded: tuple[str, ...] = ()
    ) -> AsyncIterator[object]:
        """Closed `Bar`s and `Quote`s as they happen, reconnecting for ever; gaps are not filled.

        Of the symbols in `traded` every `Trade` too, as far as it is read before the next one.

        Yields StreamUp after each (re)connect, StreamDown when it is silent or gone.
        """
        ...

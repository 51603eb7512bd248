"""A venue that answers what a test put there, without a network.

Not here: the account that is traded on it (`execution_world`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from decimal import Decimal
from typing import Any

from holdfast.domain.fill import Fill
from holdfast.domain.instrument import Instrument
from holdfast.venues.budget import Cost, RateBudget
from holdfast.venues.port import (
    Answer,
    ArchivedError,
    Balance,
    Cancellation,
    ListPlacement,
    ListReport,
    OrderReport,
    Placement,
    Purpose,
    TimeSample,
    VenueEvent,
    Verdict,
)

ORDER = Cost(weight=1, orders=1)
CANCEL = Cost(weight=1)
START_MS = 1_767_225_605_000


class ScriptedVenue:
    """Answers what a test put here; everything else is empty, and no request needs to wait.

    Attributes:
        orders: what a query by id finds, by client order id; of those in `archived` it says that
            they are put away.
        owners: what a query by symbol and order id finds.
        open: what `open_orders` lists.
        ever: what `all_orders` pages through, in order of the venue's ids.
        trades: what `fills` pages through, in order of trade id.
        cancels: what it was sent; `cancelled` are the ids of the orders that they name.
        placed: ids of the orders it was sent, and `lists` the lists.
        on_place, on_list, on_cancel: what it answers.
        on_trades: raised instead of listing trades.
        rates: what orders must fit into; None is without bounds.
    """

    def __init__(self) -> None:
        self.orders: dict[str, OrderReport] = {}
        self.archived: set[str] = set()
        self.open: list[OrderReport] = []
        self.ever: list[OrderReport] = []
        self.owners: dict[tuple[str, str], OrderReport] = {}
        self.trades: list[Fill] = []
        self.held: dict[str, Balance] = {}
        self.cancels: list[Cancellation] = []
        self.placed: list[str] = []
        self.lists: list[ListPlacement] = []
        self.on_list = Verdict(answer=Answer.UNKNOWN, evidence="scripted")
        self.page = 1000
        self.on_place: Callable[[Placement], Coroutine[Any, Any, Verdict]] = self._unanswered
        self.on_cancel = Verdict(answer=Answer.ABSENT)
        self.raised: Exception | None = None
        self.on_trades: Exception | None = None
        self.rates: RateBudget | None = None

    def holds(self, **amounts: str) -> None:
        """What it says the account has, and nothing else."""
        self.held = {
            asset: Balance(asset, Decimal(text), Decimal(0)) for asset, text in amounts.items()
        }

    async def _unanswered(self, _placement: Placement) -> Verdict:
        return Verdict(answer=Answer.UNKNOWN, evidence="scripted")

    @property
    def cancelled(self) -> list[str]:
        return [cancellation.target for cancellation in self.cancels]

    async def instruments(self, _symbols: Collection[str] = ()) -> tuple[Instrument, ...]:
        return ()

    async def time(self) -> TimeSample:
        raise AssertionError("nobody asks a scripted venue for the time")

    def delay_s(self, purpose: Purpose, count: int = 1) -> float:
        if self.rates is None:
            return 0.0
        cost = CANCEL if purpose is Purpose.CANCEL else ORDER
        return self.rates.delay_s(purpose, cost.times(count), START_MS, 0)

    async def place(self, placement: Placement, on_first_byte: Callable[[], None]) -> Verdict:
        if self.rates is not None:
            if self.delay_s(placement.purpose) > 0:
                return Verdict(answer=Answer.NOT_SENT, code="rate_budget")
            self.rates.spend(ORDER, START_MS)
        on_first_byte()
        self.placed.append(placement.cid)
        return await self.on_place(placement)

    async def place_list(
        self, placement: ListPlacement, on_first_byte: Callable[[], None]
    ) -> Verdict:
        on_first_byte()
        self.lists.append(placement)
        return self.on_list

    async def order_list(self, _list_cid: str, _purpose: Purpose) -> ListReport | None:
        return None

    async def cancel(self, cancellation: Cancellation) -> Verdict:
        self.cancels.append(cancellation)
        return self.on_cancel

    async def order(self, _symbol: str, cid: str, _purpose: Purpose) -> OrderReport | None:
        if self.raised is not None:
            raise self.raised
        if cid in self.archived:
            raise ArchivedError("-2026", "scripted")
        return self.orders.get(cid)

    async def order_by_id(
        self, symbol: str, order_id: str, _purpose: Purpose
    ) -> OrderReport | None:
        return self.owners.get((symbol, order_id))

    async def open_orders(self, symbol: str, _purpose: Purpose) -> list[OrderReport]:
        return [report for report in self.open if report.symbol == symbol]

    async def all_orders(
        self, symbol: str, _purpose: Purpose, *, from_order_id: str = "", since_ms: int = 0
    ) -> list[OrderReport]:
        found = [
            report
            for report in self.ever
            if report.symbol == symbol
            and int(report.order_id) >= int(from_order_id or 0)
            and (from_order_id or report.placed_ns >= since_ms * 1_000_000)
        ]
        return found[: self.page] if from_order_id or since_ms else found[-self.page :]

    async def fills(
        self, symbol: str, _purpose: Purpose, *, from_trade_id: str = "", since_ms: int = 0
    ) -> list[Fill]:
        if self.on_trades is not None:
            raise self.on_trades
        first = int(from_trade_id or 0)
        found = [
            fill
            for fill in self.trades
            if fill.symbol == symbol
            and int(fill.trade_id) >= first
            and fill.at_ns >= since_ms * 1_000_000
        ]
        return found[: self.page]

    async def balances(self, _purpose: Purpose) -> dict[str, Balance]:
        return dict(self.held)

    async def events(self) -> AsyncIterator[VenueEvent]:
        nothing: tuple[VenueEvent, ...] = ()
        for event in nothing:
            yield event

    async def close(self) -> None:
        return

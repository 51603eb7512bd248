"""Execution without a network: a journal in memory, the fold of it, and a venue that is scripted.

Not here: the engine; nothing is decided, tests arm what they need themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from copy import copy
from decimal import Decimal
from typing import Any

from holdfast.config import ReconcilePolicy
from holdfast.domain.event import ArmFailed, Committed
from holdfast.domain.fact import AnyFact, Armed, AttemptMoved, CashFlow, Filled, Opened
from holdfast.domain.fill import Fill
from holdfast.domain.instrument import Instrument
from holdfast.domain.order import (
    AttemptState,
    OrderSpec,
    OrderState,
    OrderType,
    Side,
    client_order_id,
    deployment_tag,
)
from holdfast.execution.attempts import Identity
from holdfast.execution.books import Books
from holdfast.execution.breaker import Breakers
from holdfast.execution.clock import ExchangeClock
from holdfast.execution.desk import Desk
from holdfast.execution.guarded import GuardedVenue
from holdfast.execution.reconcile import Reconciler
from holdfast.execution.recorder import Recorder
from holdfast.execution.resolve import Resolver
from holdfast.execution.sweep import Sweep
from holdfast.journal.memory import MemoryStore
from holdfast.journal.port import Outcome, Store
from holdfast.journal.writer import JournalWriter
from holdfast.ledger.fold import REMEMBERED, apply
from holdfast.ledger.state import AccountState, LiveOrder
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
    Venue,
    VenueEvent,
    Verdict,
)

ORDER = Cost(weight=1, orders=1)
CANCEL = Cost(weight=1)
TAG = deployment_tag("test")
START_MS = 1_767_225_605_000
WINDOW_MS = 500
ONE = Decimal(1)


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


class ExecutionWorld:
    """All of execution over one account, at a time that stands until it is moved."""

    def __init__(
        self,
        store: Store,
        writer: JournalWriter,
        policy: ReconcilePolicy,
        venue: Venue | None = None,
    ) -> None:
        self.account = AccountState()
        self.facts: list[AnyFact] = []
        self.rates: dict[str, Decimal] = {}  # reporting units by asset
        self.mono_ns = 0
        self.broken: list[BaseException] = []
        self.failed: list[ArmFailed] = []
        self.venue = ScriptedVenue()
        self._asked: Venue = venue or self.venue
        self.clock = ExchangeClock(lambda: self.mono_ns)
        self.clock.take(TimeSample(START_MS, 0, 0))
        self.recorder = Recorder(writer, self._committed, self.broken.append)
        self._store, self._writer, self._policy = store, writer, policy
        self._noting: set[asyncio.Task[Outcome]] = set()
        self._wire()

    def _wire(self) -> None:
        mono_ns = lambda: self.mono_ns  # noqa: E731
        self.breakers = Breakers("binance", self.account, mono_ns, self._moved)
        self.asked = asked = GuardedVenue(self._asked, self.breakers)
        self.books = self.new_books()
        self.desk = Desk(
            account=self.account,
            identity=Identity(TAG, "main", 1, "boot"),
            venue=asked,
            recorder=self.recorder,
            books=self.books,
            clock=self.clock,
            on_failed=self.failed.append,
            mono_ns=mono_ns,
            breakers=self.breakers,
        )
        self.sweep = Sweep(self.account, asked, self.books, lambda: True)
        self.resolver = Resolver(
            account=self.account,
            venue=asked,
            books=self.books,
            desk=self.desk,
            sweep=self.sweep,
            clock=self.clock,
        )
        self.reconciler = Reconciler(
            account=self.account,
            venue=asked,
            books=self.books,
            sweep=self.sweep,
            recorder=self.recorder,
            clock=self.clock,
            symbols=("BTC/USDT",),
            policy=self._policy,
            rate=self.rates.get,
            equity=lambda: self.account.equity(self.rates),
        )

    def reborn(self) -> ExecutionWorld:
        """The same account in a process that has just begun: nothing but the journal is known."""
        again = copy(self)
        again._wire()
        return again

    def _moved(self, fact: AnyFact) -> None:
        noting = asyncio.create_task(self.recorder.record(fact))
        self._noting.add(noting)
        noting.add_done_callback(self._noting.discard)

    def _committed(self, event: Committed) -> None:
        apply(self.account, event.seq, 1, event.at_ns, event.fact)
        self.facts.append(event.fact)
        if isinstance(event.fact, Filled):
            self.reconciler.booked(event.fact.fill)

    def new_books(self) -> Books:
        """Books as a process has them that has just begun."""
        return Books(
            self.account,
            self.recorder,
            self.clock,
            lambda _asset, _quote: None,
            self._policy,
            find=lambda cid: self._store.attempt("main", cid),
        )

    def sample(self) -> TimeSample:
        """The exchange's clock as it shows now."""
        return TimeSample(START_MS + self.mono_ns // 1_000_000, self.mono_ns, self.mono_ns)

    def pass_s(self, seconds: float) -> None:
        """Time passes, here and at the exchange."""
        self.mono_ns += int(seconds * 1_000_000_000)

    async def arm(
        self,
        number: int,
        symbol: str = "BTC/USDT",
        side: Side = Side.BUY,
        price: Decimal | None = None,
    ) -> Armed:
        """A durable attempt, as `attempt`; nothing is sent."""
        attempt = self.attempt(number, symbol, side, price)
        await self.recorder.record(attempt)
        return attempt

    def attempt(
        self,
        number: int,
        symbol: str = "BTC/USDT",
        side: Side = Side.BUY,
        price: Decimal | None = None,
    ) -> Armed:
        """An attempt at one unit, at the market or at a limit, that the journal does not know."""
        intent = f"00000000-0000-5000-8000-{number:012d}"
        return Armed(
            cid=client_order_id(tag=TAG, account="main", generation=1, intent_id=intent, n=1),
            intent_id=intent,
            n=1,
            bot="bot",
            leg=symbol,
            seq=0,
            decision=number,
            spec=OrderSpec(
                symbol=symbol,
                side=side,
                type=OrderType.MARKET if price is None else OrderType.LIMIT,
                quantity=ONE,
                price=price,
            ),
            boot_id="boot",
            timestamp_ms=self.clock.earliest_ms(),
            window_ms=WINDOW_MS,
            reserve_asset="USDT",
            reserve=Decimal(100),
        )

    async def doubt(self, number: int, symbol: str = "BTC/USDT") -> LiveOrder:
        """An attempt of which nobody knows what became."""
        attempt = await self.arm(number, symbol)
        await self.recorder.record(AttemptMoved(cid=attempt.cid, state=AttemptState.IN_DOUBT))
        return self.account.live[attempt.cid]

    async def forget(self, attempt: Armed) -> None:
        """Let so many attempts come and go that the fold remembers this closed one no more."""
        for number in range(REMEMBERED):
            gone = self.attempt(100_000 + number, attempt.spec.symbol)
            await self.recorder.record(
                gone, AttemptMoved(cid=gone.cid, state=AttemptState.NOT_SENT, evidence="a test")
            )
        assert self.account.order(attempt.cid) is None

    def of_kind(self, kind: type[AnyFact]) -> list[Any]:
        """The facts of one kind, in order."""
        return [fact for fact in self.facts if isinstance(fact, kind)]

    async def drain(self) -> None:
        """Return when everything that was started has been written."""
        if self._noting:
            await asyncio.wait(self._noting)
        await self._writer.drain()
        await asyncio.sleep(0)


async def world(
    policy: ReconcilePolicy = ReconcilePolicy.HALT,
    cash: str = "1000",
    *,
    store: Store | None = None,
    venue: Venue | None = None,
) -> ExecutionWorld:
    """An account that has been opened with some USDT.

    Args:
        store: a journal of the test's own, instead of one in memory.
        venue: a real one, to be asked instead of the scripted one.
    """
    store = store or MemoryStore()
    writer = JournalWriter(store, await store.acquire("main", "test"))
    made = ExecutionWorld(store, writer, policy, venue)
    await made.recorder.record(
        Opened(account="main", deployment=TAG, generation=1, reporting="USDT"),
        CashFlow(asset="USDT", amount=Decimal(cash), reason="opening", evidence="", at_ns=0),
    )
    made.venue.held["USDT"] = Balance("USDT", Decimal(cash), Decimal(0))
    return made


def report(
    attempt: Armed,
    state: OrderState = OrderState.FILLED,
    *,
    order_id: str = "7",
    executed: str = "1",
    fills: tuple[Fill, ...] = (),
) -> OrderReport:
    """What the venue says of an attempt."""
    return OrderReport(
        symbol=attempt.spec.symbol,
        cid=attempt.cid,
        order_id=order_id,
        side=attempt.spec.side,
        state=state,
        quantity=attempt.spec.quantity,
        executed=Decimal(executed),
        fills=fills,
    )


def fill(
    trade_id: int,
    order_id: str = "7",
    symbol: str = "BTC/USDT",
    *,
    side: Side = Side.BUY,
    cid: str = "",
    at_ms: int = START_MS,
) -> Fill:
    """An execution of one unit at 100; as `myTrades` tells it, without a client order id."""
    return Fill(
        symbol=symbol,
        side=side,
        trade_id=str(trade_id),
        venue_order_id=order_id,
        cid=cid,
        quantity=ONE,
        price=Decimal(100),
        fee=Decimal(0),
        fee_asset="USDT",
        at_ns=at_ms * 1_000_000,
    )

"""Execution without a network: a journal in memory, the fold of it, and a venue that is scripted.

Not here: the venue (`scripted_venue`); the engine: nothing is decided, tests arm what they need
themselves.
"""

from __future__ import annotations

import asyncio
from copy import copy
from decimal import Decimal
from typing import Any

from holdfast.config import ReconcilePolicy
from holdfast.domain.event import ArmFailed, Committed
from holdfast.domain.fact import AnyFact, Armed, AttemptMoved, CashFlow, Filled, Opened
from holdfast.domain.fill import Fill
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
from holdfast.venues.port import OrderReport, TimeSample, Venue
from tests.support.scripted_venue import START_MS, ScriptedVenue

TAG = deployment_tag("test")
WINDOW_MS = 500
ONE = Decimal(1)


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

    def flows(self) -> list[Decimal]:
        """Money that came or went since the account was opened."""
        return [flow.amount for flow in self.of_kind(CashFlow)[1:]]

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
    made.venue.holds(USDT=cash)
    return made


async def traded(policy: ReconcilePolicy) -> ExecutionWorld:
    """An account with one booked trade, and one more at the exchange by an order of somebody."""
    at = await world(policy)
    attempt = await at.arm(1)
    await at.books.report(report(attempt, fills=(fill(5, cid=attempt.cid),)), "reply")
    at.venue.trades = [fill(5), fill(6, "8")]
    at.venue.holds(BTC="2", USDT="800")
    return at


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

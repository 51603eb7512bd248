"""The resolver: what is in doubt is asked after until evidence or the horizon settles it.

Lives here: `next_step`, the pure rule, and the loop that follows it, symbol by symbol, and ends
strays. No local clock decides anything. Not here: what a report means (evidence).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from enum import Enum

import msgspec

from holdfast.domain.fact import AttemptMoved, RejectClosed
from holdfast.domain.money import ZERO
from holdfast.domain.order import AttemptState, OrderState, OrderType
from holdfast.errors import RejectedError, RetryableError
from holdfast.execution.books import Books
from holdfast.execution.clock import ExchangeClock
from holdfast.execution.desk import Desk, budget
from holdfast.execution.evidence import HORIZON_MS
from holdfast.execution.sweep import Stranger, Sweep
from holdfast.ledger.state import AccountState, LiveOrder
from holdfast.telemetry.log import get_logger
from holdfast.venues.port import Answer, ArchivedError, Purpose, Venue

log = get_logger("execution.resolve")

# With this much of the horizon left, a cancel is worth sending even for an order meant to rest.
LAST_CALL_MS = 4_000
_RESTING = frozenset(OrderType) - {OrderType.MARKET}
_ROUND_S = (0.1, 0.2, 0.4, 0.8, 1.0)
_STRAYS = ""  # in place of a symbol


class Step(Enum):
    """What to do about one attempt that is not settled."""

    ASK = "ask"
    BARRIER = "barrier"
    CONCLUDE = "conclude"


def next_step(order: LiveOrder, earliest_ms: int, *, barrier_done: bool) -> Step:
    """What is due for an attempt in doubt, or provisionally rejected.

    Args:
        earliest_ms: the exchange's clock shows at least this.
        barrier_done: a cancel was answered after no copy of the request could be accepted any more.
    """
    deadline_ms = order.armed.timestamp_ms + order.armed.window_ms
    if earliest_ms > deadline_ms + HORIZON_MS:
        return Step.CONCLUDE
    if order.state is not AttemptState.IN_DOUBT or barrier_done or earliest_ms <= deadline_ms:
        return Step.ASK
    rests = order.armed.list_cid or order.armed.spec.type in _RESTING
    if rests and earliest_ms < deadline_ms + HORIZON_MS - LAST_CALL_MS:
        return Step.ASK  # the wish may still want it: cancel only when about to declare absence
    return Step.BARRIER


class Findings(msgspec.Struct):
    """What one look at a symbol showed, and the exchange's time before it began.

    Attributes:
        visible, archived: client order ids of attempts that it showed, and of those that the
            exchange says it has put away.
    """

    asked_ms: int
    trades: list[Stranger]
    visible: set[str]
    archived: set[str] = msgspec.field(default_factory=set)


class Resolver:
    """Settles the doubts of one account; ends only when cancelled."""

    def __init__(
        self,
        *,
        account: AccountState,
        venue: Venue,
        books: Books,
        desk: Desk,
        sweep: Sweep,
        clock: ExchangeClock,
    ) -> None:
        self._account = account
        self._venue = venue
        self._books = books
        self._desk = desk
        self._sweep = sweep
        self._clock = clock
        self._barriers: set[str] = set()
        self._news = asyncio.Event()
        books.strays.watch(self.wake)

    def wake(self) -> None:
        """Something is newly in doubt, or is at the exchange and must not be."""
        self._news.set()

    def open_doubts(self) -> list[LiveOrder]:
        """Attempts of this account that are not settled, in arming order."""
        return [
            order
            for order in self._account.live.values()
            if order.in_doubt or (order.state is AttemptState.REJECTED and not order.closed)
        ]

    async def run(self) -> None:
        """Go on until cancelled; a doubt waits for no answer about another symbol."""
        rounds: dict[str, asyncio.Task[None]] = {}
        news: asyncio.Task[bool] | None = None
        try:
            while True:
                due = self._due()
                if not due:
                    self._barriers.clear()
                for what in sorted(due - rounds.keys()):
                    rounds[what] = asyncio.create_task(self._go_round(what))
                news = news or asyncio.create_task(self._news.wait())
                await asyncio.wait(
                    {news, *rounds.values()}, return_when=asyncio.FIRST_COMPLETED
                )
                for what in [what for what, each in rounds.items() if each.done()]:
                    rounds.pop(what).result()
                if news.done():
                    news = None
                    self._news.clear()
        finally:
            ending = [*rounds.values(), *([news] if news else ())]
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)

    def _due(self) -> set[str]:
        """Symbols with doubts, and `_STRAYS` when there are any."""
        due = {order.armed.spec.symbol for order in self.open_doubts()}
        return due | {_STRAYS} if self._books.strays.due() else due

    async def _go_round(self, what: str) -> None:
        """Ask until nothing of it is in doubt: quickly at first, then once a second."""
        quiet = 0
        while what in self._due():
            await (self.end_strays() if what == _STRAYS else self.settle(what))
            await asyncio.sleep(_ROUND_S[min(quiet, len(_ROUND_S) - 1)])
            quiet += 1

    async def settle(self, symbol: str) -> None:
        """One round over the doubts on `symbol`; unanswered questions are left to the next."""
        doubts = [o for o in self.open_doubts() if o.armed.spec.symbol == symbol]
        await budget(self._venue, Purpose.RESOLVE)
        try:
            findings = await self._look(symbol, doubts)
        except RetryableError as error:
            log.info("no answer about doubts", action="resolve_wait", symbol=symbol, why=str(error))
            return
        except RejectedError as error:
            log.warning("the venue refuses questions", action="resolve_refused", why=str(error))
            return
        for order in doubts:
            await self._take(order, findings)

    async def end_strays(self) -> None:
        """One round over orders that no attempt stands for: cancel what is open, book the rest."""
        for stray in self._books.strays.due():
            symbol = stray.armed.spec.symbol
            if stray.is_open:
                await self._desk.cancel_stray(stray)
            if stray.is_settled:
                continue
            await budget(self._venue, Purpose.RESOLVE)
            try:
                await self._sweep.trades(symbol, since_ms=stray.armed.timestamp_ms - 1000)
            except (RetryableError, RejectedError) as error:
                log.info("no answer", action="stray_wait", symbol=symbol, why=str(error))

    async def _look(self, symbol: str, doubts: Iterable[LiveOrder]) -> Findings:
        """Ask by id, over open orders, and over trades; positive evidence is booked at once."""
        asked_ms = self._clock.surely_ms()
        visible: set[str] = set()
        archived: set[str] = set()
        for order in doubts:
            try:
                report = await self._venue.order(symbol, order.armed.cid, Purpose.RESOLVE)
            except ArchivedError:
                archived.add(order.armed.cid)
                continue
            if report is not None:
                visible.add(order.armed.cid)
                await self._books.report(report, "query by id")
        if all(order.armed.cid in visible for order in doubts):
            return Findings(asked_ms, [], visible)
        for report in await self._venue.open_orders(symbol, Purpose.RESOLVE):
            if self._account.order(report.cid) is not None:
                visible.add(report.cid)
                await self._books.report(report, "open orders")
        since_ms = min(order.armed.timestamp_ms for order in doubts) - 1000
        strangers = await self._sweep.trades(symbol, since_ms=since_ms)
        return Findings(asked_ms, strangers, visible, archived)

    async def _take(self, order: LiveOrder, findings: Findings) -> None:
        """Do what is due for one attempt after a look that did not show it."""
        cid = order.armed.cid
        if cid in findings.visible or order not in self.open_doubts():
            return
        step = next_step(order, findings.asked_ms, barrier_done=cid in self._barriers)
        if step is Step.BARRIER:
            verdict = await self._desk.cancel_once(order.armed, barrier=True)
            if verdict.answer in {Answer.ABSENT, Answer.ACKED}:
                self._barriers.add(cid)
        elif step is Step.CONCLUDE:
            await self._conclude(order, findings)

    async def _conclude(self, order: LiveOrder, findings: Findings) -> None:
        cid = order.armed.cid
        if any(not s.cid and s.fill.side is order.armed.spec.side for s in findings.trades):
            return  # a trade whose order the exchange cannot name yet may be this one's
        is_archived = cid in findings.archived
        seen = (
            f"{'archived' if is_archived else 'absent'} by id, absent from open orders and from "
            f"{len(findings.trades)} unknown trades, all asked after exchange time "
            f"{findings.asked_ms}, deadline {order.armed.timestamp_ms + order.armed.window_ms}"
        )
        if order.state is AttemptState.REJECTED and not is_archived:
            await self._books.close_reject(
                RejectClosed(cid=cid, evidence=seen, server_ms=findings.asked_ms)
            )
            return
        if order.state is AttemptState.IN_DOUBT and cid not in self._barriers:
            verdict = await self._desk.cancel_once(order.armed, barrier=True)
            if verdict.answer is not Answer.ABSENT:
                return  # found, or no answer: another round
            self._barriers.add(cid)
        moved = AttemptMoved(
            cid=cid,
            state=AttemptState.NEVER_EXECUTED,
            evidence=seen,
            server_ms=findings.asked_ms,
        )
        if is_archived:  # it was there, and ended without an execution
            moved = msgspec.structs.replace(
                moved, state=AttemptState.ACKED, order_state=OrderState.EXPIRED, executed=ZERO
            )
        await self._books.move(moved)

"""The desk: from an approved order, or list, to a classified answer; nothing else sends orders.

Read `carry` from top to bottom: arm (durable), send once, classify with default unknown. Not here:
settling what is in doubt (resolve).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from holdfast.domain.action import Approved, Arm, CancelOrder
from holdfast.domain.event import ArmFailed
from holdfast.domain.fact import AnyFact, Armed, AttemptMoved, CancelArmed
from holdfast.domain.order import AttemptState
from holdfast.errors import FencedError, RejectedError, RetryableError
from holdfast.execution import points
from holdfast.execution.attempts import Attempts, Identity, Request, send
from holdfast.execution.books import Books
from holdfast.execution.breaker import Breakers
from holdfast.execution.clock import ExchangeClock
from holdfast.execution.entries import Entries, Terms
from holdfast.execution.passage import Nobody, Passage, Watcher
from holdfast.execution.points import Reach, pass_by
from holdfast.execution.recorder import Recorder
from holdfast.execution.room import affordable, exits_first, room_in_stead
from holdfast.execution.strays import Stray
from holdfast.journal.port import CommitUnknownError, Refused
from holdfast.ledger.state import AccountState, LiveOrder
from holdfast.telemetry.context import bind
from holdfast.telemetry.log import get_logger
from holdfast.venues.port import (
    Answer,
    Cancellation,
    OrderReport,
    Purpose,
    Venue,
    Verdict,
)

log = get_logger("execution.desk")

_STATE_OF = {
    Answer.REJECTED: AttemptState.REJECTED,
    Answer.NOT_SENT: AttemptState.NOT_SENT,
}


async def budget(venue: Venue, purpose: Purpose) -> None:
    """Return when the rate budget has room for `purpose`."""
    wait_s = venue.delay_s(purpose)
    while wait_s > 0:
        await asyncio.sleep(wait_s)
        wait_s = venue.delay_s(purpose)


async def ask(venue: Venue, symbol: str, cid: str, order_id: str = "") -> OrderReport | None:
    """The order of the attempt `cid`: the newest with that id, or the one with this `order_id`.

    Raises:
        RetryableError, RejectedError: the question was not answered.
    """
    if not order_id:
        return await venue.order(symbol, cid, Purpose.RESOLVE)
    report = await venue.order_by_id(symbol, order_id, Purpose.RESOLVE)
    # Some answers name a cancelled order by the id of its cancel.
    return msgspec.structs.replace(report, cid=cid) if report is not None else None


class Desk:
    """Sends orders and cancels of one account.

    Args:
        on_failed: told when nothing of an arming was journaled.
        mono_ns: local monotonic clock.
        breakers: what keeps entries back while the exchange fails; None keeps none.
        reach: see `points`.
        may_lead: whether this node's lease runs.
        watch: told of each request on its way.
    """

    def __init__(
        self,
        *,
        account: AccountState,
        identity: Identity,
        venue: Venue,
        recorder: Recorder,
        books: Books,
        clock: ExchangeClock,
        on_failed: Callable[[ArmFailed], None],
        mono_ns: Callable[[], int],
        breakers: Breakers | None = None,
        reach: Reach = pass_by,
        may_lead: Callable[[], bool] = lambda: True,
        watch: Watcher | None = None,
    ) -> None:
        self._account = account
        self._attempts = Attempts(identity, clock)
        self._venue = venue
        self._recorder = recorder
        self._books = books
        self._clock = clock
        self._on_failed = on_failed
        self._mono_ns = mono_ns
        self._entries = Entries(account, recorder, breakers)
        self._reach = reach
        self._may_lead = may_lead
        self._watch = watch or Nobody()
        self._tasks: set[asyncio.Task[None]] = set()
        self._carried: dict[asyncio.Task[Any] | None, tuple[Armed, ...]] = {}  # who has it in hand
        self._cancelling: set[str] = set()
        self._closing = False
        self._arming = 0  # started in this turn of the loop, and not with the journal yet
        self._unanswered = 0  # requests whose answer is not in the journal yet
        self._unsent = 0  # orders that were given room in the rate budget and have not used it yet

    # -- orders ----------------------------------------------------------------------------------

    def arm(self, action: Arm, taken_ns: int = 0) -> None:
        """Start carrying a decision and its orders; returns at once.

        Args:
            taken_ns: see `Passage`.
        """
        self._reach(points.DECIDED)
        self._arming += 1
        terms = self._entries.terms(_bot_of(action))
        self._start(self._arm(action, taken_ns, self._mono_ns(), terms))

    async def _arm(self, action: Arm, taken_ns: int, handed_ns: int, terms: Terms) -> None:
        self._arming -= 1
        action = exits_first(action)
        orders, why = self._sendable(action, terms)
        requests = [self._attempts.of(order) for order in orders]
        armed = tuple(attempt for request in requests for attempt in request)
        fixed_ns = self._mono_ns()  # the deadline of every attempt runs from here
        if why:
            left, passes = action.orders[len(orders) :], bool(self._idle())
            self._failed(action, left, why, stands=True, passes=passes)
        if not armed and action.decided is None:
            return
        self._unsent += len(armed)
        passages: list[Passage] | None = None
        try:
            if not await self._journaled(action, orders, armed):
                return
            self._carried[asyncio.current_task()] = armed
            self._reach(points.ARMED)
            durable_ns = self._mono_ns()
            passages = [Passage(request, taken_ns, handed_ns, durable_ns) for request in requests]
        finally:
            if passages is None:  # nobody sends them any more, whatever it was that broke
                self._unsent -= len(armed)
        for passage in passages[1:]:
            self._start(self._send(passage, fixed_ns))
        if passages:  # mostly the only one: it goes in this task, a turn of the loop earlier
            await self._send(passages[0], fixed_ns)

    async def _journaled(
        self, action: Arm, orders: tuple[Approved, ...], armed: tuple[Armed, ...]
    ) -> bool:
        """Whether the decision and its attempts are durable, and may be sent."""
        facts: tuple[AnyFact, ...] = armed if action.decided is None else (action.decided, *armed)
        try:
            # The last one that starts in this turn takes all others along into one commit.
            outcome = await self._recorder.try_record(*facts, flush=not self._arming)
        except CommitUnknownError as error:
            await self._withdraw(action, orders, armed, error)
            return False
        except (RetryableError, FencedError) as error:
            self._failed(action, orders, str(error), passes=True)
            return False
        if isinstance(outcome, Refused):
            self._failed(action, orders, f"{outcome.claim} exists already")
            return False
        return True

    async def _send(self, passage: Passage, fixed_ns: int) -> None:
        """Send one armed request once and record what its answer proves."""
        request = passage.request
        self._unsent -= len(request)  # nothing is awaited before the venue counts it
        self._carried[asyncio.current_task()] = request
        bind(order=request[0].cid, bot=request[0].bot)
        spent_ms = (self._mono_ns() - fixed_ns) / 1e6
        if self._closing:
            await self._not_sent(request, "this node is stopping")
            return
        if not self._may_lead():
            await self._not_sent(request, "the lease of this node ran out")
            return
        window_ms = request[0].window_ms
        if spent_ms > window_ms / 2:
            # A store that stalled must not put the whole market in doubt.
            late = f"{spent_ms:.0f} ms of the window of {window_ms} ms went by unsent"
            await self._not_sent(request, late)
            return
        left = asyncio.Event()

        def first_byte() -> None:
            left.set()
            passage.left_ns = self._mono_ns()
            asyncio.get_running_loop().call_soon(self._reach, points.IN_FLIGHT)

        self._watch.leaving(passage)
        self._reach(points.SENDING)
        self._unanswered += 1
        try:
            passage.verdict = verdict = await self._answer(request, first_byte)
            passage.answered_ns = self._mono_ns()
            self._reach(points.REPLIED)
            await self._classify(request, verdict, byte_left=left.is_set())
            passage.booked_ns = self._mono_ns()
        finally:
            self._unanswered -= 1
            self._watch.passed(passage)
        self._reach(points.ACKED)

    async def _answer(self, request: Request, first_byte: Callable[[], None]) -> Verdict:
        try:
            return await send(self._venue, request, first_byte)
        except Exception as error:  # the port promises not to raise; whatever it was, nobody knows
            log.exception("sending raised", action="send_raised", cid=request[0].cid)
            return Verdict(answer=Answer.UNKNOWN, code=type(error).__name__, evidence=str(error))

    async def _classify(self, request: Request, verdict: Verdict, *, byte_left: bool) -> None:
        """Only a report acknowledges, only the allow-list rejects; all else is in doubt.

        A list is taken whole or not at all, so what is said of it is said of each of its orders.
        """
        if verdict.answer is Answer.ACKED and verdict.report is not None:
            alone = self._unanswered == 1  # else other answers may share the commit
            for report in verdict.reports:
                await self._books.report(report, "reply", flush=alone)
            return
        state = _STATE_OF.get(verdict.answer, AttemptState.IN_DOUBT)
        if state is AttemptState.NOT_SENT and byte_left:
            state = AttemptState.IN_DOUBT  # the hook fired: the word of the transport is not enough
        server_ms = self._clock.earliest_ms()
        for attempt in request:
            await self._books.move(
                AttemptMoved(
                    cid=attempt.cid,
                    state=state,
                    final=verdict.final,
                    code=verdict.code,
                    evidence=verdict.evidence,
                    server_ms=server_ms,
                )
            )

    def _sendable(self, action: Arm, terms: Terms) -> tuple[tuple[Approved, ...], str]:
        """The orders that may be armed now, from the first on, and why the others may not.

        Args:
            terms: that they were approved under.
        """
        if not action.orders:
            return (), ""
        if why := self._idle():
            return (), why
        kept, why = self._entries.may_go(action.orders, terms, self._unsent)
        entered = {o.order.spec.symbol for o in kept if not o.order.reduces}
        doubted = set(self._recorder.doubted())
        for cid, live in self._account.live.items():
            if (live.in_doubt or cid in doubted) and live.armed.spec.symbol in entered:
                return (), f"attempt {cid} came in doubt meanwhile"
        if not kept:
            return (), why
        orders, short = affordable(self._venue, kept, self._unsent)
        return orders, (short or why) if len(orders) < len(action.orders) else ""

    def _idle(self) -> str:
        """Why nothing at all may be armed now; empty when orders may."""
        if self._closing:
            return "this node is stopping"
        if not self._may_lead():
            return "the lease of this node ran out"
        if not self._clock.is_usable:
            return f"the exchange's clock was last seen {self._clock.age_s:.0f} s ago"
        return ""

    async def _withdraw(
        self,
        action: Arm,
        orders: tuple[Approved, ...],
        armed: tuple[Armed, ...],
        error: CommitUnknownError,
    ) -> None:
        """The commit's outcome came too late to send; what is in the stream becomes NOT_SENT."""
        if error.committed:
            await self._not_sent(armed, str(error))
        elif error.committed is False:
            self._failed(action, orders, str(error), passes=True)

    async def _not_sent(self, attempts: tuple[Armed, ...], why: str) -> None:
        for attempt in attempts:
            await self._books.move(
                AttemptMoved(cid=attempt.cid, state=AttemptState.NOT_SENT, evidence=why)
            )

    def _failed(
        self, action: Arm, orders: tuple[Approved, ...], why: str,
        *, stands: bool = False, passes: bool = False,
    ) -> None:
        """Tell the engine; `stands` when the decision is journaled without the orders."""
        bot = _bot_of(action)
        log.warning("not armed", action="arm_failed", bot=bot, reason=why)
        intents = tuple(o.order.intent_id for o in orders)
        number = action.decided.number if action.decided is not None and not stands else 0
        self._on_failed(ArmFailed(intents, bot, why, number, passes))

    # -- cancels ---------------------------------------------------------------------------------

    def cancel(self, action: CancelOrder) -> None:
        """Start cancelling an order; returns at once, and does nothing while that is under way."""
        if action.cid not in self._cancelling:
            self._cancelling.add(action.cid)
            self._start(self._cancel(action.cid))

    async def _cancel(self, cid: str) -> None:
        try:
            order = self._account.live.get(cid)
            if order is not None and order.is_working and await self._gives_way(order):
                await self.cancel_once(order.armed, barrier=False)
        finally:
            self._cancelling.discard(cid)

    async def _gives_way(self, order: LiveOrder) -> bool:
        """Whether an order may be taken back: what protects, when another may be placed instead."""
        armed = order.armed
        if order.exit and self._account.bot(armed.bot).held(armed.spec.symbol):
            why = await room_in_stead(self._venue, self._in_stead, self._idle)
            if why:
                log.warning("not taken back", action="cancel_put_off", cid=armed.cid, reason=why)
                return False
        return order.is_working

    def _in_stead(self) -> int:
        """How many orders are to be placed at once, with those for what is being taken back."""
        leaving = [self._account.live.get(cid) for cid in self._cancelling]
        exits = [order for order in leaving if order is not None and order.exit]
        return self._unsent + sum(2 if order.armed.list_cid else 1 for order in exits)

    async def cancel_once(self, target: Armed, *, barrier: bool) -> Verdict:
        """Journal a cancel, send it once, and book what it proves.

        Anything but a report or ABSENT says nothing: the order counts as open, and the cancel may
        be repeated as a new row. The journal's own errors are raised.
        """
        await budget(self._venue, Purpose.CANCEL)
        order = self._account.order(target.cid)
        n = (order.cancels if order else 0) + 1
        armed = self._attempts.cancel(target, target.cid, n, barrier=barrier)
        return await self._carry(armed, target)

    async def cancel_stray(self, stray: Stray) -> Verdict:
        """As `cancel_once`, of the one order that has this exchange id, whatever else has the cid.

        An id that an earlier process used answers NOT_SENT; the next call takes another.
        """
        await budget(self._venue, Purpose.CANCEL)
        stray.cancels += 1
        target, named = stray.armed, f"{stray.armed.cid} {stray.order_id}"
        armed = self._attempts.cancel(target, named, stray.cancels, order_id=stray.order_id)
        return await self._carry(armed, target)

    async def _carry(self, armed: CancelArmed, target: Armed) -> Verdict:
        outcome = await self._recorder.record(armed)
        if isinstance(outcome, Refused):  # another cancel of it took this id a moment ago
            return Verdict(answer=Answer.NOT_SENT, evidence=f"{outcome.claim} exists already")
        self._reach(points.CANCEL_ARMED)
        verdict = await self._venue.cancel(
            Cancellation(
                armed.cid,
                target.cid,
                armed.symbol,
                armed.timestamp_ms,
                armed.window_ms,
                armed.order_id,
            )
        )
        self._reach(points.CANCEL_REPLIED)
        if verdict.answer is Answer.ACKED and verdict.report is not None:
            for report in verdict.reports:
                await self._books.report(report, "cancel reply")
        elif verdict.answer is Answer.ABSENT and not armed.barrier:
            await self._look(armed)
        return verdict

    async def _look(self, armed: CancelArmed) -> None:
        """Not open any more: filled, cancelled before, or not visible yet. A query may tell."""
        try:
            report = await ask(self._venue, armed.symbol, armed.target, armed.order_id)
        except (RetryableError, RejectedError):
            return  # it is asked again, by the sweep or the resolver
        if report is not None:
            await self._books.report(report, "query after cancel")

    # -- stopping --------------------------------------------------------------------------------

    async def close(self, timeout_s: float) -> None:
        """Arm nothing more, and let what is in flight finish for at most `timeout_s`."""
        self._closing = True
        deadline = asyncio.get_running_loop().time() + timeout_s
        while self._tasks:  # what is being armed starts one more task, which writes NOT_SENT
            left_s = deadline - asyncio.get_running_loop().time()
            if left_s <= 0:
                break
            await asyncio.wait(set(self._tasks), timeout=left_s)
        for task in self._tasks:
            task.cancel()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        left = self._carried.pop(task, ())
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, FencedError):
            log.error("carrying an order broke", action="carry_broke", exc_info=error)
            self._start(self._doubt(left, error))

    async def _doubt(self, left: tuple[Armed, ...], error: BaseException) -> None:
        """Nobody has these in hand any more: the resolver is to find out what became of them."""
        for attempt in left:
            await self._books.move(
                AttemptMoved(
                    cid=attempt.cid,
                    state=AttemptState.IN_DOUBT,
                    code=type(error).__name__,
                    evidence=f"carrying it broke: {error!r}",
                    server_ms=self._clock.earliest_ms(),
                )
            )


def _bot_of(action: Arm) -> str:
    return action.decided.bot if action.decided else action.orders[0].order.bot

"""Bugs planted from outside into the code that runs, to prove that the checker can fail.

Each is what somebody could have written, or what other software does. Production has no switch for
any of it: a plant replaces a function, a method or a constant of this process. Not here: bugs of
the journal and of the books (bugs_in_books), of what is derived from wishes (bugs_in_engine), their
names for people (bug_names).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from holdfast.domain.fact import Armed, AttemptMoved
from holdfast.domain.order import AttemptState, client_order_id
from holdfast.engine import risk
from holdfast.errors import OutcomeUnknownError
from holdfast.execution import attempts, resolve
from holdfast.execution.desk import Desk
from holdfast.execution.entries import Entries
from holdfast.execution.reconcile import Reconciler
from holdfast.execution.resolve import Resolver, Step
from holdfast.journal.port import CommitUnknownError
from holdfast.simulation.clock import wall_ns
from holdfast.venues.binance import client, line
from holdfast.venues.binance.client import BinanceVenue
from holdfast.venues.binance.request import placement_query
from holdfast.venues.binance.wire import Reply
from holdfast.venues.budget import RateBudget
from holdfast.venues.port import Answer, Cancellation, Placement, Purpose, Verdict

Plant = Callable[[], None]


def put(owner: Any, name: str, planted: Any) -> None:
    """Put something in the place of an attribute, which has to be there."""
    replace(owner, name, lambda _found: planted)


def replace(owner: Any, name: str, make: Callable[[Any], Any]) -> None:
    """Put what `make` makes of it in the place of an attribute."""
    setattr(owner, name, make(getattr(owner, name)))


# -- sending ---------------------------------------------------------------------------------------


def resend_on_timeout() -> None:
    async def again(self: Any, method: str, path: str, **options: Any) -> Any:
        found = await once(self, method, path, **options)
        if method == "POST" and isinstance(found, Verdict) and found.answer is Answer.UNKNOWN:
            found = await once(self, method, path, **options)
        return found

    once = BinanceVenue._send_once
    put(BinanceVenue, "_send_once", again)


def resend_signed_anew() -> None:
    async def again(self: Any, placement: Placement, first: Any) -> Verdict:
        found = await once(self, placement, first)
        if found.answer is Answer.UNKNOWN:
            fresh = msgspec.structs.replace(placement, timestamp_ms=await self._now_ms())
            found = await once(self, fresh, first)
        return found

    once = BinanceVenue.place
    put(BinanceVenue, "place", again)


def send_before_journal() -> None:
    async def early(self: Any, action: Any, orders: Any, armed: Any) -> bool:
        asyncio.get_running_loop().create_task(journaled(self, action, orders, armed))
        return True

    journaled = Desk._journaled
    put(Desk, "_journaled", early)


def journal_after_ack() -> None:
    async def late(self: Any, action: Any) -> None:
        orders, _ = self._sendable(action)
        requests = [self._attempts.of(order) for order in orders]
        armed = tuple(attempt for request in requests for attempt in request)
        self._unsent += len(armed)
        self._arming -= 1
        verdicts = []
        for request in requests:
            self._unsent -= len(request)
            verdicts.append(await attempts.send(self._venue, request, lambda: None))
        if (armed or action.decided) and await self._journaled(action, orders, armed):
            for request, verdict in zip(requests, verdicts, strict=True):
                await self._classify(request, verdict, byte_left=True)

    put(Desk, "_arm", late)


def send_although_commit_unknown() -> None:
    async def trusting(self: Any, *facts: Any, **options: Any) -> Any:
        try:
            return await record(self, *facts, **options)
        except (CommitUnknownError, OutcomeUnknownError) as error:
            if facts and isinstance(facts[-1], Armed):
                return getattr(error, "records", ())
            raise

    from holdfast.execution.recorder import Recorder  # noqa: PLC0415 - beside what it replaces

    record = Recorder.try_record
    put(Recorder, "try_record", trusting)


def cancel_without_row() -> None:
    async def bare(self: Any, armed: Any, target: Any) -> Verdict:
        late = asyncio.get_running_loop().create_task(carry(self, armed, target))
        # What becomes of it is nobody's defect: the bug is that the cancel does not wait for it.
        late.add_done_callback(lambda task: task.cancelled() or task.exception())
        verdict: Verdict = await self._venue.cancel(
            Cancellation(
                armed.cid, target.cid, armed.symbol, armed.timestamp_ms, armed.window_ms,
                armed.order_id,
            )
        )
        return verdict

    carry = Desk._carry
    put(Desk, "_carry", bare)


def longer_window_than_journaled() -> None:
    def stretched(placement: Placement) -> str:
        return placement_query(msgspec.structs.replace(placement, window_ms=60_000))

    put(client, "placement_query", stretched)


def prices_are_rounded() -> None:
    """To the whole unit, where the row says it to the tick."""

    def rounded(placement: Placement) -> str:
        spec = placement.spec
        names = {"price": spec.price, "stop_price": spec.stop_price}
        worse = {name: price.to_integral_value() for name, price in names.items() if price}
        spec = msgspec.structs.replace(spec, **worse)
        return query(msgspec.structs.replace(placement, spec=spec))

    query = placement_query
    put(client, "placement_query", rounded)


def stamped_when_sent() -> None:
    def ahead(placement: Placement) -> str:
        late = msgspec.structs.replace(
            placement, timestamp_ms=placement.timestamp_ms + 900, window_ms=30_000
        )
        return placement_query(late)

    put(client, "placement_query", ahead)


def retry_after_is_ignored() -> None:
    put(RateBudget, "block", lambda *_args: None)


# -- what an answer proves -------------------------------------------------------------------------


def _refused(verdict: Verdict, *, final: bool) -> Verdict:
    return Verdict(
        answer=Answer.REJECTED, code=verdict.code, evidence=verdict.evidence, final=final
    )


def _judge_unknown(when: Callable[[int, bytes], bool], answer: Answer) -> None:
    def judged(digest: Any) -> Any:
        def wrong(status: int, body: bytes, **options: Any) -> Verdict:
            found: Verdict = digest(status, body, **options)
            if found.answer is Answer.UNKNOWN and when(status, body):
                return msgspec.structs.replace(_refused(found, final=True), answer=answer)
            return found

        return wrong

    replace(client, "digest_placement", judged)
    replace(client, "digest_list", judged)


def classify_by_class() -> None:
    _judge_unknown(lambda _status, _body: True, Answer.REJECTED)


def gateway_error_is_no() -> None:
    _judge_unknown(lambda status, body: status >= 500 and b'"code"' not in body, Answer.REJECTED)


def internal_error_is_no() -> None:
    _judge_unknown(lambda status, body: status >= 500 and b'"code"' in body, Answer.REJECTED)


def garbled_reply_is_no() -> None:
    _judge_unknown(lambda status, _body: status < 300, Answer.REJECTED)


def final_rejects() -> None:
    def judged(digest: Any) -> Any:
        def hasty(*args: Any, **options: Any) -> Verdict:
            found: Verdict = digest(*args, **options)
            return msgspec.structs.replace(found, final=found.answer is Answer.REJECTED)

        return hasty

    replace(client, "digest_placement", judged)
    replace(client, "digest_list", judged)


def timeout_is_no() -> None:
    async def refused(self: Any, method: str, path: str, **options: Any) -> Reply | Verdict:
        found: Reply | Verdict = await once(self, method, path, **options)
        if method == "POST" and isinstance(found, Verdict) and found.answer is Answer.UNKNOWN:
            return _refused(found, final=True)
        return found

    once = BinanceVenue._send_once
    put(BinanceVenue, "_send_once", refused)


def reset_means_unsent() -> None:
    class Hopeful(line.UnansweredError):
        def __init__(self, error: BaseException, *, sent: bool) -> None:
            super().__init__(error, sent=False)

    put(line, "UnansweredError", Hopeful)

    async def believed(self: Any, request: Any, verdict: Verdict, *, byte_left: bool) -> None:
        await classify(self, request, verdict, byte_left=False)

    classify = Desk._classify
    put(Desk, "_classify", believed)


# -- ending a doubt --------------------------------------------------------------------------------


def absent_at_once() -> None:
    put(resolve, "next_step", lambda *_args, **_options: Step.CONCLUDE)


def absent_after_window() -> None:
    put(resolve, "HORIZON_MS", 0)


def absent_before_the_horizon() -> None:
    """Three seconds before the engine's own time and the queries' are over."""
    put(resolve, "HORIZON_MS", 9_000)


def absent_by_local_clock() -> None:
    def hasty(order: Any, _earliest_ms: int, *, barrier_done: bool) -> Step:
        return step(order, wall_ns() // 1_000_000, barrier_done=barrier_done)

    step = resolve.next_step
    put(resolve, "next_step", hasty)


def absent_by_id_alone() -> None:
    async def glance(self: Any, symbol: str, doubts: Any) -> Any:
        visible = set()
        for order in doubts:
            report = await self._venue.order(symbol, order.armed.cid, Purpose.RESOLVE)
            if report is not None:
                visible.add(order.armed.cid)
                await self._books.report(report, "query by id")
        return resolve.Findings(self._clock.earliest_ms() + 12_000, [], visible)

    put(Resolver, "_look", glance)


def doubts_die_at_takeover() -> None:
    async def declare(self: Any, boot_id: str) -> int:
        number: int = await doubt(self, boot_id)
        for order in list(self._account.live.values()):
            if order.in_doubt and order.armed.boot_id != boot_id:
                await self._books.move(
                    AttemptMoved(
                        cid=order.armed.cid, state=AttemptState.NEVER_EXECUTED, evidence="old"
                    )
                )
        return number

    doubt = Reconciler.doubt_what_was_armed
    put(Reconciler, "doubt_what_was_armed", declare)


def unsent_by_another_process() -> None:
    async def declare(self: Any, boot_id: str) -> int:
        armed = [
            order.armed.cid
            for order in self._account.live.values()
            if order.state is AttemptState.ARMED and order.armed.boot_id != boot_id
        ]
        for cid in armed:
            await self._books.move(
                AttemptMoved(cid=cid, state=AttemptState.NOT_SENT, evidence="crashed")
            )
        return len(armed)

    put(Reconciler, "doubt_what_was_armed", declare)


def armed_is_forgotten() -> None:
    async def nothing(_self: Any, _boot_id: str) -> int:
        return 0

    put(Reconciler, "doubt_what_was_armed", nothing)


def what_breaks_is_forgotten() -> None:
    async def nothing(_self: Any, _left: Any, _error: Any) -> None:
        await asyncio.sleep(0)

    put(Desk, "_doubt", nothing)


def no_resolver() -> None:
    async def never(_self: Any) -> None:
        await asyncio.get_running_loop().create_future()

    put(Resolver, "run", never)


# -- limits ----------------------------------------------------------------------------------------


def limit_forgets_open_orders() -> None:
    def held_only(order: Any, gate: Any) -> Any:
        most = gate.bot_limits.max_position_notional
        held = gate.account.bots[order.bot].position(order.spec.symbol).quantity
        worth = (held + order.spec.quantity) * gate.prices[order.spec.symbol]
        return ("max_position_notional", str(worth), str(most)) if most and worth > most else None

    replace_rule(risk._position_notional, held_only)


def no_position_limit() -> None:
    replace_rule(risk._position_notional, lambda _order, _gate: None)


def orders_are_not_counted() -> None:
    """Neither those that rest nor those of the last minute."""
    for rule in (risk._open_orders, risk._order_rate):
        replace_rule(rule, lambda _order, _gate: None)


def losses_are_forgotten() -> None:
    replace_rule(risk._daily_loss, lambda _order, _gate: None)


def enters_beside_a_doubt() -> None:
    replace_rule(risk._no_doubt, lambda _order, _gate: None)
    replace_rule(risk._position_notional, lambda _order, _gate: None)
    let_desk_send_beside_doubts()


def halts_are_forgotten() -> None:
    replace_rule(risk._not_halted, lambda _order, _gate: None)
    put(Entries, "may_go", lambda _self, orders, _terms, _unsent: (orders, ""))


def let_desk_send_beside_doubts() -> None:
    """The desk sends what the gate lets through, whatever has come to be in doubt since."""

    def regardless(self: Any, action: Any, _terms: Any) -> Any:
        return (action.orders, "") if not self._closing else ((), "stopping")

    put(Desk, "_sendable", regardless)


def replace_rule(old: Any, new: Any) -> None:
    """Put a rule of the risk gate in the place of another."""
    for name in ("_ALWAYS", "_ADDING"):
        rules = getattr(risk, name)
        setattr(risk, name, tuple((new if rule is old else rule, limit) for rule, limit in rules))


def same_id_for_each_attempt() -> None:
    def first(**options: Any) -> str:
        options["n"] = 1
        return made(**options)

    made = client_order_id
    put(attempts, "client_order_id", first)


PLANTS: dict[str, Plant] = {
    plant.__name__: plant
    for plant in (
        resend_on_timeout, resend_signed_anew, send_before_journal, journal_after_ack,
        send_although_commit_unknown, cancel_without_row, longer_window_than_journaled,
        stamped_when_sent, prices_are_rounded, retry_after_is_ignored, classify_by_class,
        gateway_error_is_no,
        internal_error_is_no, garbled_reply_is_no, final_rejects, timeout_is_no,
        reset_means_unsent, absent_at_once, absent_after_window, absent_before_the_horizon,
        absent_by_local_clock,
        absent_by_id_alone, doubts_die_at_takeover,
        unsent_by_another_process, armed_is_forgotten, what_breaks_is_forgotten, no_resolver,
        limit_forgets_open_orders, no_position_limit, orders_are_not_counted, losses_are_forgotten,
        enters_beside_a_doubt, halts_are_forgotten,
        same_id_for_each_attempt,
    )
}


def plant(name: str) -> None:
    """Put a bug into this process, for good."""
    from holdfast.simulation import bugs_in_books, bugs_in_engine  # noqa: PLC0415 - they import us

    (PLANTS | bugs_in_books.PLANTS | bugs_in_engine.PLANTS)[name]()

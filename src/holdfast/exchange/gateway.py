"""A request's way through the exchange: limits, signature, three deadline checks, engine, reply.

Both doors (REST, WebSocket API) come through here, and here the faults of requests strike. Not
here: bytes on a socket (`rest`, `ws_api`), or the answers themselves (the `*_calls` modules).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from heapq import merge
from typing import Any

import msgspec

from holdfast.errors import RejectedError, RetryableError
from holdfast.exchange import errors, signing, substitutes
from holdfast.exchange.account_calls import ACCOUNT_ROUTES
from holdfast.exchange.accounts import Account
from holdfast.exchange.core import Exchange, OrderReport, UserEvent
from holdfast.exchange.errors import RefusedError
from holdfast.exchange.faults import Fault, FaultBook, FaultKind
from holdfast.exchange.incidents import Incidents
from holdfast.exchange.limits import Gatekeeper, Limits
from holdfast.exchange.list_calls import LIST_ROUTES
from holdfast.exchange.market_calls import MARKET_ROUTES
from holdfast.exchange.order_calls import ORDER_ROUTES
from holdfast.exchange.params import Params
from holdfast.exchange.routes import NOT_OFFERED, Context, Route
from holdfast.exchange.traffic import (
    DEFAULT_HANG_MS,
    Call,
    Delivery,
    Manner,
    Reply,
    RequestRecord,
    encode_error,
)

ROUTES: dict[tuple[str, str], Route] = {
    **MARKET_ROUTES, **ACCOUNT_ROUTES, **ORDER_ROUTES, **LIST_ROUTES,
}
GONE = frozenset({"/api/v3/userDataStream"})
ENGINE_PATIENCE_S = 10.0
QUERIES_KEPT = 50_000
FILLED_TAKER_GIVES = 1
FILLED_MAKER_GIVES = 5


class _Passage(msgspec.Struct, frozen=True):
    """A call on its way, past the first checks."""

    call: Call
    record: RequestRecord
    route: Route
    context: Context


# An unsigned question to the mirrored exchange: path and parameters, see `flow.LiveFlow.history`.
History = Callable[[str, Mapping[str, str]], Awaitable[bytes]]


class Gateway:
    """Stands between the doors and the exchange.

    Attributes:
        history: answers what is the mirrored exchange's to answer; None where none is mirrored.
    """

    def __init__(self, exchange: Exchange, limits: Limits) -> None:
        self.exchange = exchange
        self.gatekeeper = Gatekeeper(limits)
        self.faults = FaultBook(exchange.random, exchange.now_ns)
        self.incidents = Incidents(exchange, self.gatekeeper)
        # What asks the engine is kept in full, like the ledger; of queries the latest.
        self._commands: list[RequestRecord] = []
        self._queries: deque[RequestRecord] = deque(maxlen=QUERIES_KEPT)
        self._requests_seen = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self.history: History | None = None
        exchange.lag_ms = self.faults.draw_lag_ms
        exchange.event_watchers.append(self._give_back_orders)

    async def handle(self, call: Call) -> Delivery:
        """Carry a call out and say what the door is to send; refusals are replies, not raised."""
        record = self._record(call)
        dropped = self._strike(FaultKind.DROP_REQUEST, call, record)
        if dropped is not None:
            record.verdict = "dropped"
            return Delivery(None, Manner.HANG, dropped.number("hang_ms", DEFAULT_HANG_MS))
        reset = self._strike(FaultKind.RESET, call, record)
        if reset is not None and reset.params.get("when", "after") == "before":
            record.verdict = "dropped"
            return Delivery(None, Manner.RESET)
        await self._pause(FaultKind.DELAY_REQUEST, call, record)
        reply = await self._answer_copies(call, record)
        if reset is not None:
            return Delivery(None, Manner.RESET)
        return await self._send_off(call, record, reply)

    @property
    def requests(self) -> list[RequestRecord]:
        """The signed requests in order of arrival."""
        return list(merge(self._commands, self._queries, key=lambda record: record.number))

    async def close(self) -> None:
        """Abandon what is still under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- Copies and replies --------------------------------------------------------------------

    async def _answer_copies(self, call: Call, record: RequestRecord) -> Reply:
        fault = self._strike(FaultKind.DUPLICATE_REQUEST, call, record)
        if fault is None:
            return await self._answer(call, record)
        which = fault.params.get("reply", "first")
        if which == "sooner":  # the copies went different ways
            first = self._spawn(self._answer(call, record))
            second = self._spawn(self._answer_again(call, fault))
            done, _ = await asyncio.wait({first, second}, return_when=asyncio.FIRST_COMPLETED)
            return (first if first in done else second).result()
        reply = await self._answer(call, record)
        second = self._spawn(self._answer_again(call, fault))
        return await second if which == "second" else reply

    async def _answer_again(self, call: Call, fault: Fault) -> Reply:
        await asyncio.sleep(self.faults.ms(fault) / 1000)
        record = self._record(call, copy=2)
        if "refused" not in fault.params:
            return await self._answer(call, record)
        reply = substitutes.error_reply(int(fault.number("refused")))
        record.verdict, record.status = "replaced", reply.status
        return reply

    async def _send_off(self, call: Call, record: RequestRecord, reply: Reply) -> Delivery:
        await self._pause(FaultKind.DELAY_REPLY, call, record)
        lost = self._strike(FaultKind.DROP_REPLY, call, record)
        if lost is not None:
            return Delivery(None, Manner.HANG, lost.number("hang_ms", DEFAULT_HANG_MS))
        if self._strike(FaultKind.TRUNCATE_BODY, call, record) is not None:
            return Delivery(reply, Manner.TRUNCATE)
        if self._strike(FaultKind.GARBAGE_JSON, call, record) is not None:
            return Delivery(Reply(reply.status, substitutes.garbled(reply.body), reply.headers))
        record.delivered = record.verdict not in {"replaced", "pending"}
        return Delivery(reply)

    async def _answer(self, call: Call, record: RequestRecord) -> Reply:
        try:
            reply = await self._run(call, record)
        except RefusedError as refusal:
            record.verdict, record.status, record.code = (
                "refused", refusal.http_status, refusal.number,
            )
            reply = self._refusal(refusal)
        else:
            if record.verdict == "pending":
                record.verdict = "accepted"
            record.status = reply.status
        reply.headers.update(self._usage(call, record))
        return reply

    def _refusal(self, refusal: RefusedError) -> Reply:
        headers = {}
        if refusal.retry_after_s is not None:
            headers["Retry-After"] = str(refusal.retry_after_s)
        return Reply(refusal.http_status, encode_error(refusal.number, refusal.reason), headers)

    def _usage(self, call: Call, record: RequestRecord) -> dict[str, str]:
        now_ns = self.exchange.now_ns()
        weight = str(self.gatekeeper.used_weight(call.address, now_ns))
        headers = {"X-MBX-USED-WEIGHT": weight, "X-MBX-USED-WEIGHT-1M": weight}
        account = self.exchange.accounts.get(call.api_key)
        route = ROUTES.get((call.method, call.path))
        if account is not None and route is not None and route.orders and record.executed:
            short, day = self.gatekeeper.used_orders(account.number, now_ns)
            headers["X-MBX-ORDER-COUNT-10S"] = str(short)
            headers["X-MBX-ORDER-COUNT-1D"] = str(day)
        return headers

    # --- The way to the answer -----------------------------------------------------------------

    async def _run(self, call: Call, record: RequestRecord) -> Reply:
        self.incidents.check_open()
        if call.path in GONE:
            raise errors.gone()
        route = ROUTES.get((call.method, call.path))
        if route is None:
            if call.path.startswith(NOT_OFFERED):
                raise errors.not_supported(call.path)
            raise errors.not_found(call.path)
        params = Params(call.params)
        self._charge(call, record, route.weight(params))
        account: Account | None = None
        deadline: signing.Deadline | None = None
        skew_ns = self._clock_skew_ns(call, record)
        server_ns = self.exchange.now_ns() + skew_ns
        if route.is_signed:
            account = signing.authenticate(
                self.exchange.accounts, call.api_key, call.signed_text, call.signature
            )
            deadline = signing.read_deadline(call.params)
            deadline.check_not_ahead(server_ns)
            deadline.check(server_ns)
        context = Context(self.exchange, self.gatekeeper, params, server_ns, account)
        if route.is_passed_on and self.history is not None:
            context.passed_on = await _ask(self.history, context, call)
        passage = _Passage(call, record, route, context)
        if not route.reaches_engine or account is None or deadline is None:
            return self._finish(passage)
        await self._pause(FaultKind.GATEWAY_DELAY, call, record)
        if route.orders:
            self.gatekeeper.admit_orders(account.number, route.orders, self.exchange.now_ns())
        deadline.check(self.exchange.now_ns() + skew_ns)
        return await self._through_engine(passage, deadline)

    def _charge(self, call: Call, record: RequestRecord, weight: int) -> None:
        """RefusedError when the address has used up its limits, or a fault says so."""
        limited = self._strike(FaultKind.RATE_LIMIT, call, record)
        if limited is not None:
            raise errors.too_much_weight(
                self.gatekeeper.limits.weight_per_minute, int(limited.number("retry_after_s", 1))
            )
        self.gatekeeper.admit(call.address, weight, self.exchange.now_ns())

    def _clock_skew_ns(self, call: Call, record: RequestRecord) -> int:
        """How far the clock of the gateway that this call came to is off."""
        fault = self._strike(FaultKind.CLOCK_OFFSET, call, record)
        return 0 if fault is None else int(fault.number("ms") * 1_000_000)

    async def _through_engine(self, passage: _Passage, deadline: signing.Deadline) -> Reply:
        """Behind the second check: broker, third check, engine; the API waits ten seconds."""
        call, record = passage.call, passage.record
        broker = self._strike(FaultKind.BROKER_DELAY, call, record)
        engine = self._strike(FaultKind.ENGINE_DELAY, call, record)
        if broker is None and engine is None:
            deadline.check(self.exchange.now_ns())
            return self._finish(passage)
        work = self._spawn(self._late(passage, deadline, broker, engine))
        done, _ = await asyncio.wait({work}, timeout=ENGINE_PATIENCE_S)
        if not done:
            work.add_done_callback(_consume)
            raise errors.engine_timeout()
        return work.result()

    async def _late(
        self,
        passage: _Passage,
        deadline: signing.Deadline,
        broker: Fault | None,
        engine: Fault | None,
    ) -> Reply:
        if broker is not None:
            await asyncio.sleep(self.faults.ms(broker) / 1000)
        deadline.check(self.exchange.now_ns())
        if engine is not None:
            name = "ms" if "ms" in engine.params else "delay_ms"
            await asyncio.sleep(self.faults.ms(engine, name) / 1000)
        return self._finish(passage)

    def _finish(self, passage: _Passage) -> Reply:
        """Carry it out and make the reply, or the reply that a fault puts in its place."""
        call, record = passage.call, passage.record
        fault = self._strike(FaultKind.HTTP_STATUS, call, record)
        if fault is not None:
            reply = substitutes.foreign_page(fault)
        else:
            fault = self._strike(FaultKind.ERROR_CODE, call, record)
            if fault is None:
                body = passage.route.answer(passage.context)
                record.executed = True
                return Reply(200, msgspec.json.encode(body), {})
            reply = substitutes.error_of(fault)
        if fault.params.get("executed", False):
            try:
                passage.route.answer(passage.context)
                record.executed = True
            except RefusedError as refusal:
                record.code = refusal.number
        record.verdict = "replaced"
        return reply

    def _give_back_orders(self, account: Account, event: UserEvent) -> None:
        """Orders count while they are unfilled: a first fill gives some of the count back."""
        if not isinstance(event, OrderReport) or event.execution is None:
            return
        fill = event.execution
        if event.order.executed == fill.quantity:
            orders = FILLED_MAKER_GIVES if fill.is_maker else FILLED_TAKER_GIVES
            self.gatekeeper.give_back(account.number, orders, self.exchange.now_ns())

    # --- Faults, tasks, records ----------------------------------------------------------------

    def _draw(self, kind: FaultKind, call: Call) -> Fault | None:
        return self.faults.draw(kind, call.method, call.path, call.door, call.api_key)

    def _strike(self, kind: FaultKind, call: Call, record: RequestRecord) -> Fault | None:
        if kind not in self.faults.kinds:
            return None
        fault = self._draw(kind, call)
        if fault is not None:
            record.faults.append(kind.value)
        return fault

    async def _pause(self, kind: FaultKind, call: Call, record: RequestRecord) -> None:
        fault = self._strike(kind, call, record)
        if fault is not None:
            await asyncio.sleep(self.faults.ms(fault) / 1000)

    def _spawn(self, work: Coroutine[Any, Any, Reply]) -> asyncio.Task[Reply]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _record(self, call: Call, copy: int = 1) -> RequestRecord:
        self._requests_seen += 1
        record = RequestRecord(
            number=self._requests_seen,
            at_ms=self.exchange.now_ns() / 1_000_000,
            door=call.door,
            method=call.method,
            path=call.path,
            params=call.params,
            api_key=call.api_key,
            copy=copy,
        )
        if call.signature:
            (self._queries if call.method == "GET" else self._commands).append(record)
        return record


async def _ask(history: History, context: Context, call: Call) -> msgspec.Raw:
    """The mirrored exchange's answer, about symbols that are mirrored; RefusedError without one."""
    if not call.params.get("symbol"):
        raise errors.missing_parameter("symbol")
    context.exchange.listing(call.params["symbol"])
    try:
        return msgspec.Raw(await history(call.path, call.params))
    except RejectedError as refusal:
        raise RefusedError(int(refusal.code), refusal.reason) from refusal
    except RetryableError as error:
        raise errors.no_answer() from error


def _consume(task: asyncio.Task[Reply]) -> None:
    """Take the late outcome of a call that the API gave up on: it is in the request's record."""
    if not task.cancelled():
        task.exception()

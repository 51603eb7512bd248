"""The one path of an order as a trace: made when it is over, from the times that were noted anyway.

One trace per intent. Each attempt is a span `order` in it, and below that decide, gate, arm, send
and classify; doubts are settled in a span `resolve`, perhaps by another process, days later. The
path itself knows nothing of traces. Not here: where spans go (telemetry.trace).
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from typing import Any

from holdfast.domain.event import Committed
from holdfast.domain.fact import Armed, AttemptMoved, CommandTaken, RejectClosed
from holdfast.domain.order import AttemptState
from holdfast.execution.passage import Passage
from holdfast.ledger.state import AccountState
from holdfast.telemetry.trace import (
    Place,
    Stretch,
    Traces,
    active,
    of_command,
    of_intent,
    span_of,
)

MOST_DOUBTS = 1000

_ended_ns: dict[str, int] = {}  # by bot: when its strategy returned last, local monotonic time


class Asked(AbstractContextManager[None]):
    """What a strategy's code runs in, and when it returned; see `Watch.running`."""

    def __init__(self, bot: str, running: AbstractContextManager[None]) -> None:
        self._bot = bot
        self._running = running

    def __enter__(self) -> None:
        self._running.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._running.__exit__(*error)
        _ended_ns[self._bot] = time.monotonic_ns()


def asked(bot: str, running: AbstractContextManager[None]) -> AbstractContextManager[None]:
    """What a strategy's code is to run in: the same as before, where there are no traces."""
    return running if active() is None else Asked(bot, running)


def order_traces(account: AccountState) -> tuple[OrderTraces, ...]:
    """Who makes the spans of an account; nobody, where there are no traces."""
    traces = active()
    return () if traces is None else (OrderTraces(account, traces),)


class OrderTraces:
    """The `Observer` that makes the spans of an account.

    Args:
        account: the fold, which has each fact when it is told here.
    """

    def __init__(self, account: AccountState, traces: Traces) -> None:
        self._account = account
        self._traces = traces
        self._doubted_ns: dict[str, int] = {}  # by client order id

    def leaving(self, passage: Passage) -> None:
        """Nothing can be said yet."""

    def passed(self, passage: Passage) -> None:
        """All that is known of a request, at once."""
        first = passage.request[0]
        order = order_at(first)
        end_ns = passage.booked_ns or time.monotonic_ns()
        begin_ns = min(passage.taken_ns or passage.handed_ns, passage.handed_ns)
        verdict, spec = passage.verdict, first.spec
        answer = "broken off" if verdict is None else verdict.answer.value
        about = {
            "holdfast.order": first.cid, "holdfast.intent": first.intent_id,
            "holdfast.attempt": first.n, "holdfast.bot": first.bot,
            "holdfast.account": self._account.account, "holdfast.epoch": self._account.epoch,
            "holdfast.symbol": spec.symbol, "holdfast.side": spec.side.value,
            "holdfast.type": spec.type.value, "holdfast.quantity": str(spec.quantity),
            "holdfast.orders": len(passage.request), "holdfast.answer": answer,
        }  # fmt: skip
        failed = "" if answer == "acked" else f"{answer} {verdict.evidence if verdict else ''}"
        whole = Stretch("order", begin_ns, end_ns, about, failed=failed.strip())
        self._traces.tell(order, whole)
        decided_ns = _ended_ns.get(first.bot, 0)
        if begin_ns < decided_ns <= passage.handed_ns:
            self._part(order, Stretch("decide", begin_ns, decided_ns))
            self._part(order, Stretch("gate", decided_ns, passage.handed_ns))
        else:  # nobody asked the strategy: it is a remainder, or what an operator wants
            self._part(order, Stretch("gate", begin_ns, passage.handed_ns))
        self._part(order, Stretch("arm", passage.handed_ns, passage.durable_ns))
        if passage.answered_ns:
            moments = [("first byte", passage.left_ns)] if passage.left_ns else []
            self._part(
                order, Stretch("send", passage.durable_ns, passage.answered_ns, moments=moments)
            )
            self._part(order, Stretch("classify", passage.answered_ns, end_ns))

    def committed(self, event: Committed) -> None:
        """Doubts begin and end; commands are taken."""
        match event.fact:
            case AttemptMoved(state=AttemptState.IN_DOUBT, cid=cid):
                if len(self._doubted_ns) < MOST_DOUBTS:
                    self._doubted_ns[cid] = time.monotonic_ns()
            case AttemptMoved(cid=cid, state=state, evidence=evidence):
                if cid in self._doubted_ns:
                    self._resolved(cid, state.value, evidence)
            case RejectClosed(cid=cid, evidence=evidence):
                self._resolved(cid, "closed", evidence)
            case CommandTaken() as taken:
                now_ns = time.monotonic_ns()
                about = {
                    "holdfast.command": taken.command_id, "holdfast.by": taken.by,
                    "holdfast.account": self._account.account, "holdfast.seq": event.seq,
                }  # fmt: skip
                stretch = Stretch(f"take {taken.name}", now_ns, now_ns, about, failed=taken.refused)
                self._traces.tell(of_command(taken.command_id), stretch)
            case _:
                pass  # not on an order's way

    def _resolved(self, cid: str, outcome: str, evidence: str) -> None:
        now_ns = time.monotonic_ns()
        begin_ns = self._doubted_ns.pop(cid, now_ns)
        found = self._account.order(cid)
        if found is not None:
            about = {"holdfast.order": cid, "holdfast.outcome": outcome,
                     "holdfast.evidence": evidence}  # fmt: skip
            self._part(order_at(found.armed), Stretch("resolve", begin_ns, now_ns, about))

    def _part(self, order: Place, stretch: Stretch) -> None:
        place = Place(order.trace_id, span_of(order.span_id, stretch.name))
        self._traces.tell(place, stretch, parent=order)


def order_at(armed: Armed) -> Place:
    """Where the span of an attempt is, in whichever process: one for all orders of its request."""
    return Place(of_intent(armed.intent_id), span_of(armed.list_cid or armed.cid))

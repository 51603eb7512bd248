"""What of a journal is worth telling people, record by record.

Pure. Not here: who hears of it (operations.notify.port), what is noticed without a record (watch).
"""

from __future__ import annotations

from typing import Final

from holdfast.app.reports.telling import tell
from holdfast.domain import fact as facts
from holdfast.domain.fact import AnyFact, BreakerState
from holdfast.domain.order import AttemptState
from holdfast.journal.record import Record
from holdfast.operations.notify.port import Kind, Notice

_MOST_ARMED: Final = 10_000
_NS_PER_MS: Final = 1_000_000


class Teller:
    """Of one account, record after record.

    Args:
        slow_order_ms: an order that the exchange answered later is told of.
    """

    def __init__(self, account: str, slow_order_ms: int) -> None:
        self._account = account
        self._slow_ns = slow_order_ms * _NS_PER_MS
        self._armed: dict[str, Record] = {}
        self._rested = ""

    def take(self, record: Record, bot: str = "") -> Notice | None:
        """What the next record says that is worth telling, if anything.

        Args:
            bot: whom it is about, where the record does not say that itself.
        """
        fact = record.fact
        kind, notice = self._kind_of(record), None
        if kind is not None:
            value = None
            if isinstance(fact, facts.Filled):
                value = fact.fill.price * fact.fill.quantity
            notice = Notice(
                kind=kind, account=self._account, bot=str(getattr(fact, "bot", "")) or bot,
                at_ns=record.at_ns, told=self._told(record, kind), value=value,
            )  # fmt: skip
        self.rested(fact.why if isinstance(fact, facts.Rested) else "")
        return notice

    def rested(self, why: str) -> None:
        """The record before the first one was a `Rested`."""
        self._rested = why

    def _kind_of(self, record: Record) -> Kind | None:
        fact = record.fact
        match fact:
            case facts.Armed():
                self._remember(record, fact)
                return None
            case facts.AttemptMoved(state=AttemptState.ACKED):
                return Kind.LATENCY if self._took_ns(record, fact) > self._slow_ns else None
            case facts.TookOver():
                if record.epoch <= 1:
                    return None
                return Kind.HANDOVER if self._rested else Kind.FAILOVER
            case facts.BotStopped():
                return Kind.BOT_FAILED if fact.failed else Kind.BOT
            case facts.Reconciled():
                return None if fact.agreed else Kind.MISMATCH
            case facts.BreakerMoved():
                return None if fact.state is BreakerState.HALF_OPEN else Kind.BREAKER
            case _:
                return _KINDS.get(type(fact))

    def _remember(self, record: Record, fact: facts.Armed) -> None:
        if len(self._armed) >= _MOST_ARMED:
            del self._armed[next(iter(self._armed))]
        self._armed[fact.cid] = record

    def _took_ns(self, record: Record, fact: facts.AttemptMoved) -> int:
        """From arming to the exchange's answer; 0 where the first was not seen."""
        armed = self._armed.get(fact.cid)
        return record.at_ns - armed.at_ns if armed is not None else 0

    def _told(self, record: Record, kind: Kind) -> str:
        fact = record.fact
        if isinstance(fact, facts.AttemptMoved):
            took_ms = self._took_ns(record, fact) // _NS_PER_MS
            return (
                f"Order {fact.cid} was answered after {took_ms} ms, allowed are "
                f"{self._slow_ns // _NS_PER_MS} ms."
            )
        if isinstance(fact, facts.TookOver):
            why = f"by plan ({self._rested})" if kind is Kind.HANDOVER else "the one before is gone"
            return f"{fact.node} leads, {why}; epoch {record.epoch}."
        if kind is Kind.BREAKER:
            return f"{_breaker(fact)} {tell(fact)}"
        if kind is Kind.GHOST:
            return f"Order {getattr(fact, 'cid', '')}: {tell(fact)}"
        return tell(fact)


def _breaker(fact: AnyFact) -> str:
    is_well = (isinstance(fact, facts.BreakerMoved) and fact.state is BreakerState.CLOSED) or (
        isinstance(fact, facts.Maintenance) and not fact.on
    )
    return "Trading goes on." if is_well else "Trading halted: nothing is opened, exits go on."


_KINDS: Final[dict[type, Kind]] = {
    facts.Filled: Kind.FILL,
    facts.Halted: Kind.HALT,
    facts.Resumed: Kind.RESUME,
    facts.Quarantined: Kind.MISMATCH,
    facts.Released: Kind.MISMATCH,
    facts.ForeignOrder: Kind.MISMATCH,
    facts.Maintenance: Kind.BREAKER,
    facts.Ghost: Kind.GHOST,
    facts.BotStarted: Kind.BOT,
    facts.Draining: Kind.BOT,
    facts.Liquidated: Kind.EMERGENCY,
    facts.EmergencyMerged: Kind.EMERGENCY,
    facts.Restored: Kind.EMERGENCY,
}

"""Who leads an account, and how that moved: folded from its stream, record by record.

Lives here: takeovers and how long each left nobody leading. Not here: who should lead (cluster),
taking over (opening).
"""

from __future__ import annotations

from typing import Final

import msgspec

from holdfast.domain.fact import Armed, Reconciled, Rested, TookOver
from holdfast.journal.record import Record

_NS_PER_MS: Final = 1_000_000
_MOST_OPEN: Final = 16
"""Takeovers that wait for their first order; bots that are halted make none."""


class Takeover(msgspec.Struct):
    """A writer acquired the stream.

    Attributes:
        seq, epoch, at_ns: of the record that says so, and its journal time.
        node: name and process id, `node-1:4711`.
        before: who led until then; empty when nobody did.
        rested: why that one had laid the stream down on purpose; empty when it did not.
        fault_ns: when it ended: as it was struck where somebody saw that, else its last record,
            which may be older.
        ready_ns: when the new one had compared everything with the exchange, 0 before.
        first_order_ns: when it armed its first order, a moment before its first byte left; 0
            before.
    """

    seq: int
    epoch: int
    at_ns: int
    node: str
    boot_id: str
    version: str
    before: str = ""
    rested: str = ""
    fault_ns: int = 0
    ready_ns: int = 0
    first_order_ns: int = 0

    @property
    def pid(self) -> int:
        """Of the process that leads."""
        return int(self.node.rpartition(":")[2])

    @property
    def name(self) -> str:
        """Of the node that it belongs to."""
        return self.node.rpartition(":")[0]

    @property
    def ready_ms(self) -> int | None:
        """From the fault to the moment from which orders could be made; None before that."""
        return self._since_fault_ms(self.ready_ns)

    @property
    def gap_ms(self) -> int | None:
        """From the fault to the first new order; None before that."""
        return self._since_fault_ms(self.first_order_ns)

    def _since_fault_ms(self, at_ns: int) -> int | None:
        return max(0, at_ns - self.fault_ns) // _NS_PER_MS if at_ns else None


class Leadership(msgspec.Struct):
    """As far as `take` was given records.

    Attributes:
        leader: who took the stream over last, None before anybody did.
        waiting: takeovers, oldest first, whose first order has not been armed yet.
        last_ns: journal time of the last record.
        rested: why the leader has come to rest; empty while it has not.
    """

    leader: Takeover | None = None
    waiting: list[Takeover] = []
    last_ns: int = 0
    rested: str = ""

    def take(self, record: Record) -> list[Takeover]:
        """Take the next record in; the takeovers that it begins or changes."""
        changed: list[Takeover] = []
        match record.fact:
            case TookOver():
                changed = [self._took_over(record, record.fact)]
            case Rested(why=why):
                self.rested = why
            case Reconciled():
                changed = [one for one in self.waiting if not one.ready_ns]
                for one in changed:
                    one.ready_ns = record.at_ns
            case Armed():
                changed, self.waiting = self.waiting, []
                for one in changed:
                    one.first_order_ns = record.at_ns
            case _:
                pass
        self.last_ns = record.at_ns
        return changed

    def _took_over(self, record: Record, fact: TookOver) -> Takeover:
        before = self.leader.node if self.leader is not None else ""
        self.leader = Takeover(
            record.seq, record.epoch, record.at_ns, fact.node, fact.boot_id, fact.version,
            before=before, rested=self.rested, fault_ns=self.last_ns,
        )  # fmt: skip
        self.rested = ""
        self.waiting = [*self.waiting[1 - _MOST_OPEN :], self.leader]
        return self.leader

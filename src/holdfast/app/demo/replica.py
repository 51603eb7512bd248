"""A replica: the journal followed from outside while its writer goes on, and folded as there.

Lives here: what can be told from the journal alone: state, attempts, leadership, failovers. Not
here: the exchange's side (audit), prices, and showing any of it (screen).
"""

from __future__ import annotations

import msgspec

from holdfast.app.demo.told import Told
from holdfast.domain.fact import Armed, Reconciled, TookOver
from holdfast.errors import ConfigError, RetryableError
from holdfast.journal.database import Database
from holdfast.journal.record import Record
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState

_NS_PER_MS = 1_000_000


class Failover(msgspec.Struct):
    """A change of the writer while it should have been trading.

    Attributes:
        fault_ns: when the old one was struck; its last record where nobody saw it happen.
        taken_over_ns: when the new one acquired the stream.
        ready_ns: when it had reconciled with the exchange, 0 before.
        first_order_ns: when its first new order was armed, a moment before its first byte left; 0
            before.
    """

    fault_ns: int
    taken_over_ns: int
    ready_ns: int = 0
    first_order_ns: int = 0

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


class Leader(msgspec.Struct, frozen=True):
    """The process that writes the stream."""

    pid: int
    boot_id: str


class Replica:
    """Follows one account's stream in a journal, as far as `poll` has read it.

    Attributes:
        state: the platform's fold.
        told: the same facts, none forgotten.
        leader: who took the stream over last, None before anybody did.
        failovers: since `begin_run`, in order.
        ready_ns: when this run's first leader had reconciled with the exchange, 0 before.
        first_order_ns: of this run, 0 before.
    """

    def __init__(self, database: Database, account: str) -> None:
        self._database = database
        self._account = account
        self.state = AccountState()
        self.told = Told()
        self.leader: Leader | None = None
        self.failovers: list[Failover] = []
        self.ready_ns = 0
        self.first_order_ns = 0
        self._at_ns = 0
        self._faults_ns: list[int] = []
        self._has_begun = False
        self._has_leader = False

    def begin_run(self) -> None:
        """From here on: the next writer is this run's first, and those after it are failovers."""
        self._has_begun = True
        self._has_leader = False
        self.ready_ns = self.first_order_ns = 0
        self.failovers.clear()

    def note_fault(self, at_ns: int) -> None:
        """The leader was struck at this moment (the same clock as the journal's)."""
        self._faults_ns.append(at_ns)

    def poll(self) -> int:
        """Fold what is new and return how many records that were. Blocks for a few milliseconds.

        Raises:
            CorruptionError: the chain does not hold, or the facts contradict each other.
        """
        before = self.state.seq
        try:
            for record in self._database.read(self._account, before):
                self._take(record)
        except RetryableError:
            pass  # it is being written this moment: the next poll finds it
        except ConfigError:
            if before:
                raise
            # There is no journal yet, or the writer is still making it.
        return self.state.seq - before

    def _take(self, record: Record) -> None:
        fact = record.fact
        apply(self.state, record.seq, record.epoch, record.at_ns, fact)
        self.told.take(fact, record.at_ns)
        match fact:
            case TookOver():
                self._took_over(record, fact)
            case Reconciled():
                self.ready_ns = self.ready_ns or record.at_ns
                for failover in self.failovers:
                    failover.ready_ns = failover.ready_ns or record.at_ns
            case Armed():
                self._armed(record.at_ns)
            case _:
                pass
        self._at_ns = record.at_ns

    def _took_over(self, record: Record, fact: TookOver) -> None:
        self.leader = Leader(int(fact.node.rpartition(":")[2]), fact.boot_id)
        if self._has_leader:
            seen = [at_ns for at_ns in self._faults_ns if at_ns <= record.at_ns]
            self.failovers.append(Failover(seen[-1] if seen else self._at_ns, record.at_ns))
        self._faults_ns.clear()
        self._has_leader = self._has_begun

    def _armed(self, at_ns: int) -> None:
        if self._has_begun:
            self.first_order_ns = self.first_order_ns or at_ns
        for failover in self.failovers:
            failover.first_order_ns = failover.first_order_ns or at_ns

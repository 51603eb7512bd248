"""A replica: the journal followed from outside while its writer goes on, and folded as there.

Lives here: what can be told from the journal alone: state, attempts, leadership, failovers. Not
here: the exchange's side (audit), prices, and showing any of it (screen).
"""

from __future__ import annotations

from holdfast.app.demo.told import Told
from holdfast.app.live.leadership import Leadership, Takeover
from holdfast.domain.fact import Armed, Reconciled, TookOver
from holdfast.errors import ConfigError, RetryableError
from holdfast.journal.database import Database
from holdfast.journal.record import Record
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState


class Replica:
    """Follows one account's stream in a journal, as far as `poll` has read it.

    Attributes:
        state: the platform's fold.
        told: the same facts, none forgotten.
        is_whole: the last `poll` read all that was there.
        failovers: since `begin_run`, in order.
        ready_ns: when this run's first leader had reconciled with the exchange, 0 before.
        first_order_ns: of this run, 0 before.
    """

    def __init__(self, database: Database, account: str) -> None:
        self._database = database
        self._account = account
        self.state = AccountState()
        self.told = Told()
        self.is_whole = False
        self._leadership = Leadership()
        self.failovers: list[Takeover] = []
        self.ready_ns = 0
        self.first_order_ns = 0
        self._faults_ns: list[int] = []
        self._has_begun = False
        self._has_leader = False

    @property
    def leader(self) -> Takeover | None:
        """Who took the stream over last, None before anybody did."""
        return self._leadership.leader

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
        self.is_whole = False
        try:
            for record in self._database.read(self._account, before):
                self._take(record)
            self.is_whole = True
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
        self._leadership.take(record)
        if isinstance(fact, TookOver):
            self._took_over(record)
        elif isinstance(fact, Reconciled):
            self.ready_ns = self.ready_ns or record.at_ns
        elif isinstance(fact, Armed) and self._has_begun:
            self.first_order_ns = self.first_order_ns or record.at_ns

    def _took_over(self, record: Record) -> None:
        leader = self.leader
        assert leader is not None  # noqa: S101 - it just took over
        if self._has_leader:
            seen = [at_ns for at_ns in self._faults_ns if at_ns <= record.at_ns]
            leader.fault_ns = seen[-1] if seen else leader.fault_ns
            self.failovers.append(leader)
        self._faults_ns.clear()
        self._has_leader = self._has_begun

"""The journal in memory: backtests, paper trading without a file, and tests of everything above it.

It keeps every promise of the port but the one about a crash of the machine. Not here: durability.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from holdfast.domain.fact import AnyFact, Armed, CancelArmed
from holdfast.errors import ConfigError, FencedError
from holdfast.journal.chain import (
    Batch,
    Line,
    extend,
    fenced_text,
    merge,
    next_generation,
    prove,
    require_epoch,
)
from holdfast.journal.claims import Claim, claim_text, claims
from holdfast.journal.port import Group, Head, Outcome, Refused, Snapshot
from holdfast.journal.record import GENESIS, Record


class MemoryStore:
    """Streams as lists of bytes, in this process and for as long as it lives.

    Args:
        keep: whether records can be read again. False bounds memory to what uniqueness needs
            (some hundred bytes an order), for runs that only look at the outcome.
    """

    def __init__(self, *, keep: bool = True) -> None:
        self._keep = keep
        self._streams: dict[str, _Stream] = {}

    async def acquire(self, account: str, node: str, after: int | None = None) -> Head:
        """Take the stream over: epoch + 1."""
        return self.acquire_now(account, after)

    def acquire_now(self, account: str, after: int | None = None) -> Head:
        """`acquire` for a driver without an event loop."""
        require_epoch(self._stream(account).head, after)
        stream = self._streams.get(account)
        if stream is None:
            stream = self._streams[account] = _Stream(Head(account, 0, 1, 0, GENESIS))
        old = stream.head
        stream.head = Head(account, old.epoch + 1, old.generation, old.seq, old.hash)
        return stream.head

    async def begin_generation(
        self, head: Head, generation: int, facts: Sequence[AnyFact], at_ns: int
    ) -> Head:
        """Append `facts` under the next epoch and `generation`, if the stream is at `head`."""
        stream = self._stream(head.account)
        if stream.head != head:
            raise FencedError(fenced_text(head, stream.head))
        batch = next_generation(head, generation, facts, at_ns)
        stream.append(batch, self._keep)
        return batch.head

    async def commit(
        self, head: Head, groups: Sequence[Group], at_ns: int
    ) -> tuple[Head, list[Outcome]]:
        """Append `groups`, as the port promises."""
        return self.commit_now(head, groups, at_ns)

    def commit_at_once(
        self, head: Head, groups: Sequence[Group], at_ns: int
    ) -> tuple[Head, list[Outcome]] | None:
        """Always: there is nothing to wait for."""
        return self.commit_now(head, groups, at_ns)

    def commit_now(
        self, head: Head, groups: Sequence[Group], at_ns: int
    ) -> tuple[Head, list[Outcome]]:
        """`commit` for a driver without an event loop: the same promises, at once.

        Raises:
            FencedError: another writer took over; nothing was written.
        """
        stream = self._stream(head.account)
        if stream.head is not head and stream.head != head:
            raise FencedError(fenced_text(head, stream.head))
        refused = stream.claim(groups)
        if not refused:
            batch = extend(head, groups, at_ns)
            stream.append(batch, self._keep)
            return batch.head, [*batch.records]
        batch = extend(head, [g for i, g in enumerate(groups) if i not in refused], at_ns)
        stream.append(batch, self._keep)
        return batch.head, merge(refused, batch.records, len(groups))

    async def head(self, account: str) -> Head:
        """The head; epoch 0 and empty when nobody ever acquired the stream."""
        return self._stream(account).head

    def read(self, account: str, after_seq: int = 0) -> Iterator[Record]:
        """Records in order, verified link by link.

        Raises:
            CorruptionError: the chain does not hold.
            ConfigError: this store was told not to keep records.
        """
        if not self._keep:
            raise ConfigError(
                "seen: a read of a journal that keeps no records; expected: one that does; "
                "do: use MemoryStore(keep=True)"
            )
        stream = self._stream(account)
        known = 0 < after_seq <= len(stream.hashes)
        after_hash = stream.hashes[after_seq - 1] if known else GENESIS
        return prove(stream.head, stream.lines(after_seq), after_seq, after_hash)

    def attempt(self, account: str, cid: str) -> Armed | CancelArmed | None:
        """The order or cancel that was armed under `cid`; reads the stream when there is one.

        Raises:
            ConfigError: this store was told not to keep records.
        """
        if ("attempt", cid) not in self._stream(account).claimed:
            return None
        facts = (record.fact for record in self.read(account))
        return next(
            fact for fact in facts if isinstance(fact, Armed | CancelArmed) and fact.cid == cid
        )

    async def hash_at(self, account: str, seq: int) -> bytes | None:
        """Chain hash of record `seq`; None when there is no such record (any more)."""
        return self._stream(account).hash_at(seq)

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep it, and drop older ones of the account but one."""
        stream = self._stream(snapshot.account)
        stream.snapshots[snapshot.seq] = snapshot
        for seq in sorted(stream.snapshots)[:-2]:
            del stream.snapshots[seq]

    async def load_snapshot(self, account: str) -> Snapshot | None:
        """The newest snapshot whose hash is the chain's, or None."""
        stream = self._stream(account)
        for seq in sorted(stream.snapshots, reverse=True):
            snapshot = stream.snapshots[seq]
            if stream.hash_at(seq) == snapshot.hash:
                return snapshot
        return None

    async def close(self) -> None:
        """Nothing to release: the records stay until the store itself is gone."""

    def _stream(self, account: str) -> _Stream:
        return self._streams.get(account) or _Stream(Head(account, 0, 1, 0, GENESIS))


class _Stream:
    __slots__ = ("bodies", "claimed", "hashes", "head", "snapshots")

    def __init__(self, head: Head) -> None:
        self.head = head
        self.bodies: list[bytes] = []
        self.hashes: list[bytes] = []
        self.claimed: set[Claim] = set()
        self.snapshots: dict[int, Snapshot] = {}

    def claim(self, groups: Sequence[Group]) -> dict[int, Refused]:
        """Claim what each group needs, all of it or nothing; those that cannot, by position."""
        refused: dict[int, Refused] = {}
        claimed = self.claimed
        for position, group in enumerate(groups):
            wanted: list[Claim] = []
            for fact in group.facts:
                wanted += claims(fact)
            before = len(claimed)
            if claimed.isdisjoint(wanted):
                claimed.update(wanted)
                if len(claimed) == before + len(wanted):
                    continue
                claimed.difference_update(wanted)  # twice within the group
            taken = next(c for i, c in enumerate(wanted) if c in claimed or c in wanted[:i])
            refused[position] = Refused(claim_text(taken))
        return refused

    def append(self, batch: Batch, keep: bool) -> None:
        self.head = batch.head
        if keep:
            self.bodies += batch.bodies
            self.hashes += batch.hashes

    def lines(self, after_seq: int) -> Iterator[Line]:
        for index in range(after_seq, len(self.bodies)):
            yield Line(index + 1, self.bodies[index], self.hashes[index])

    def hash_at(self, seq: int) -> bytes | None:
        if seq == self.head.seq > 0:
            return self.head.hash
        return self.hashes[seq - 1] if 0 < seq <= len(self.hashes) else None

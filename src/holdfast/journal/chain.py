"""The chain: how a batch of groups becomes linked records, and how a stored stream is proved.

Not here: the bytes of one record (journal.record) or where they are kept (the stores).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from holdfast.domain.fact import AnyFact
from holdfast.errors import ConfigError, CorruptionError, FencedError
from holdfast.journal.port import Group, Head, Outcome, Refused
from holdfast.journal.record import GENESIS, SINCE, R, Record, decode, encode, link


class Line(NamedTuple):
    """A record as stored."""

    seq: int
    body: bytes
    hash: bytes


class Batch(msgspec.Struct, frozen=True):
    """Groups, linked to the end of a stream.

    Attributes:
        head: where the stream stands once the batch is in.
        records: one tuple per group.
        bodies, hashes: all records as stored, in order.
    """

    head: Head
    records: list[tuple[Record, ...]]
    bodies: list[bytes]
    hashes: list[bytes]


def extend(head: Head, groups: Sequence[Group], at_ns: int) -> Batch:
    """Link `groups` to the stream that ends at `head`."""
    seq, previous, epoch, written = head.seq, head.hash, head.epoch, head.format
    records: list[tuple[Record, ...]] = []
    bodies: list[bytes] = []
    hashes: list[bytes] = []
    for group in groups:
        own: list[Record] = []
        for fact in group.facts:
            seq += 1
            record = Record(written, seq, epoch, at_ns, fact)
            body = encode(record)
            previous = link(previous, body)
            own.append(record)
            bodies.append(body)
            hashes.append(previous)
        records.append(tuple(own))
    end = Head(head.account, epoch, head.generation, seq, previous, written)
    return Batch(end, records, bodies, hashes)


def next_generation(head: Head, generation: int, facts: Sequence[AnyFact], at_ns: int) -> Batch:
    """`facts` linked to the stream that ends at `head`, by a writer of the next epoch.

    Raises:
        ConfigError: as `require_writable`.
        ValueError: `generation` is not above the one of `head`.
    """
    if generation <= head.generation:
        raise ValueError(f"generation {generation} after {head.generation}")
    require_writable(facts, head.format)
    begun = msgspec.structs.replace(head, epoch=head.epoch + 1, generation=generation)
    return extend(begun, [Group(tuple(facts))], at_ns)


def require_writable(facts: Iterable[AnyFact], written: int) -> None:
    """Refuse facts that programs of an older format cannot read.

    Raises:
        ConfigError: there is one, and the database is still shared with such programs.
    """
    for fact in facts:
        since = SINCE.get(type(fact), 1)
        if since > written:
            raise ConfigError(
                f"seen: a record `{fact.__struct_config__.tag}`, and records of format {written}; "
                f"expected: format {since}, which nodes of the version before cannot read; do: "
                "when all nodes run this version, `holdfast db finalize`, and hand over"
            )


def merge(
    refused: Mapping[int, Refused], written: Iterable[tuple[Record, ...]], count: int
) -> list[Outcome]:
    """One outcome for each of `count` groups: those refused, by position, and the rest in order."""
    rest = iter(written)
    return [refused[i] if i in refused else next(rest) for i in range(count)]


def prove(
    head: Head, lines: Iterable[Line], after_seq: int = 0, after_hash: bytes = GENESIS
) -> Iterator[Record]:
    """The records of `lines`, each one checked against the chain before it is handed out.

    Args:
        head: where the stream must end.
        lines: what is stored after `after_seq`, in order.
        after_hash: chain hash of record `after_seq`.

    Raises:
        CorruptionError: a link does not hold, a number is missing, the last record is not the
            head, or a record is newer than this program.
    """
    return prove_as(decode, head, lines, after_seq, after_hash)


def prove_as(
    read: Callable[[bytes], R],
    head: Head,
    lines: Iterable[Line],
    after_seq: int = 0,
    after_hash: bytes = GENESIS,
) -> Iterator[R]:
    """`prove` of a stream whose bodies `read` understands."""
    account, seq, previous, epoch = head.account, after_seq, after_hash, 0
    for line in lines:
        if line.seq != seq + 1:
            raise _broken(account, seq + 1, f"number {line.seq}", f"number {seq + 1}")
        digest = link(previous, line.body)
        if digest != line.hash:
            raise _broken(account, line.seq, f"hash {_short(line.hash)}", f"{_short(digest)}")
        record = _decoded(read, account, line)
        if record.seq != line.seq:
            raise _broken(account, line.seq, f"the body of {record.seq}", "its own")
        if record.epoch < epoch:
            raise _broken(account, line.seq, f"epoch {record.epoch}", f"at least {epoch}")
        seq, previous, epoch = line.seq, digest, record.epoch
        yield record
    if (seq, previous) != (head.seq, head.hash) or epoch > head.epoch:
        raise _broken(
            account,
            seq + 1,
            f"the end at {seq} ({_short(previous)}, epoch {epoch})",
            f"the head at {head.seq} ({_short(head.hash)}, epoch {head.epoch})",
        )


def fenced_text(held: Head, stored: Head) -> str:
    """Why a commit at `held` is refused by a stream that stands at `stored`."""
    if stored.epoch != held.epoch:
        return (
            f"seen: journal of {held.account} in epoch {stored.epoch}; expected: {held.epoch}, "
            "before another writer took it over; do: stop sending, and start again to take part"
        )
    return (
        f"seen: journal of {held.account} ends at {stored.seq}; expected: {held.seq}, unless "
        "another writer shares this epoch; do: stop sending, and make sure that only one runs"
    )


def require_epoch(stored: Head, after: int | None) -> None:
    """Refuse to take over what was taken over since it was looked at.

    Raises:
        FencedError: the epoch is not `after`; None allows any.
    """
    if after is not None and stored.epoch != after:
        raise FencedError(
            f"seen: journal of {stored.account} in epoch {stored.epoch}; expected: {after}, as it "
            "was when it was looked at; do: leave it to who took it over since, or look again"
        )


def _broken(account: str, seq: int, seen: str, expected: str) -> CorruptionError:
    return CorruptionError(
        f"seen: journal of {account}, record {seq}: {seen}; expected: {expected}; do: stop, keep "
        "the files as evidence, and restore a backup"
    )


def _decoded(read: Callable[[bytes], R], account: str, line: Line) -> R:
    try:
        return read(line.body)
    except CorruptionError as error:
        raise CorruptionError(
            f"seen: journal of {account}, record {line.seq}: {str(error).removeprefix('seen: ')}"
        ) from error


def _short(digest: bytes) -> str:
    return f"{digest.hex()[:16]}…"

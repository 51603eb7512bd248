"""The high-water mark: how far this node knows that a stream had come, kept outside the store.

A store that is behind it has lost committed records (an old copy, a disk that lied, a cut file).
Not here: what is done about it (start-up refuses), taking up a backup (app.restoring).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import msgspec

from holdfast.errors import CorruptionError, RetryableError
from holdfast.journal.port import Head, Store

INTERVAL_S = 1.0


class _Mark(msgspec.Struct, frozen=True):
    account: str
    generation: int
    seq: int
    hash: str
    check: str = ""


class HighWater:
    """The mark of one account at one node: a small file, replaced as a whole and synced.

    It is written after the commits it speaks of, never with them: once a second while the stream
    moves, at start and at a clean end. So it costs the order path nothing, is never ahead of what
    was durable, and may be a second old. A loss within that second is still found, at the exchange:
    its orders there carry our tag and have no row.

    Args:
        path: the file; it should be on another disk than the journal where there is one.
    """

    def __init__(self, path: Path, account: str) -> None:
        self.path = path
        self._account = account
        self._written: Head | None = None

    @classmethod
    def beside(cls, journal: Path, account: str) -> HighWater:
        """The mark in the journal's directory."""
        return cls(journal.with_name(f"{journal.name}.{account}.highwater"), account)

    async def check(self, store: Store) -> None:
        """Compare the store with the mark; call it before anything is appended.

        Raises:
            CorruptionError: the store is behind the mark, has another history, or the mark's file
                is unreadable.
        """
        mark = self._read()
        if mark is None:
            return
        head = await store.head(self._account)
        if head.generation > mark.generation:
            return  # a backup was restored on purpose: ids never repeat, and the old mark is moot
        if head.generation < mark.generation or head.seq < mark.seq:
            raise CorruptionError(
                f"seen: journal behind: {self._account} ends at {head.seq} of generation "
                f"{head.generation}; expected: at least {mark.seq} of {mark.generation}, where it "
                f"had come ({self.path.name}); do: find the newer journal; where it is lost for "
                "good, `holdfast db restored` (docs/on-call/disaster.md)"
            )
        stored = await store.hash_at(self._account, mark.seq) if mark.seq else None
        if mark.seq and (stored is None or stored.hex() != mark.hash):
            raise CorruptionError(
                f"seen: journal of {self._account}, record {mark.seq}: hash "
                f"{stored.hex()[:16] if stored else 'missing'}…; expected: {mark.hash[:16]}…, as "
                f"this node wrote it ({self.path.name}); do: find the journal that it belongs to"
            )

    def missing(self, head: Head) -> int:
        """How many records this node knows of that come after `head`; 0 when of none.

        Raises:
            CorruptionError: the mark's file is unreadable.
        """
        mark = self._read()
        return max(0, mark.seq - head.seq) if mark is not None else 0

    def write(self, head: Head) -> None:
        """Move the mark to `head`, durably; nothing happens when it is there already. Blocks.

        Raises:
            RetryableError: the file cannot be written; the mark is where it was.
        """
        if head == self._written:
            return
        mark = _Mark(self._account, head.generation, head.seq, head.hash.hex())
        mark = msgspec.structs.replace(mark, check=_check(mark))
        try:
            _replace(self.path, msgspec.json.encode(mark))
        except OSError as error:
            raise RetryableError(
                f"seen: {self.path} cannot be written ({error.strerror}); expected: a small file "
                "beside the journal; do: free space or allow writing"
            ) from error
        self._written = head

    async def keep(self, head_of: Callable[[], Head], interval_s: float = INTERVAL_S) -> None:
        """Follow `head_of` until cancelled.

        Raises:
            RetryableError: as `write`; the caller decides whether to go on.
        """
        while True:
            await asyncio.to_thread(self.write, head_of())
            await asyncio.sleep(interval_s)

    def _read(self) -> _Mark | None:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RetryableError(
                f"seen: {self.path} cannot be read ({error.strerror}); expected: the high-water "
                "mark of this node; do: allow reading"
            ) from error
        try:
            mark = msgspec.json.decode(content, type=_Mark)
        except msgspec.DecodeError:
            mark = None
        if mark is None or mark.check != _check(mark) or mark.account != self._account:
            raise CorruptionError(
                f"seen: {self.path} is no high-water mark of {self._account}; expected: one that "
                "this node wrote; do: verify the journal (holdfast audit verify), then remove it"
            )
        return mark


def _check(mark: _Mark) -> str:
    text = f"{mark.account}\0{mark.generation}\0{mark.seq}\0{mark.hash}"
    return sha256(text.encode()).hexdigest()[:16]


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_name(path.name + ".new")
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, content)
        os.fsync(file)
    finally:
        os.close(file)
    fresh.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)

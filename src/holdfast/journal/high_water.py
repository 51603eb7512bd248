"""The high-water mark: how far this node knows that a stream had come, kept outside the store.

A store that is behind it has lost committed records (an old copy, a disk that lied, a cut file).
Not here: what is done about it (start-up refuses), taking up a backup (app.restoring).
"""

from __future__ import annotations

import fcntl
import os
import threading
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from holdfast.errors import CorruptionError, RetryableError
from holdfast.files import sync_folder
from holdfast.journal.port import Head, Store

OF_POSTGRES: Final = ".postgres"
"""Ends the name of a database in PostgreSQL where a mark of it is named."""


class _Mark(msgspec.Struct, frozen=True):
    account: str
    generation: int
    seq: int
    hash: str
    check: str = ""


class HighWater:
    """The mark of one account at one host: a small file, replaced as a whole and synced.

    Nodes of a host may share it: one that was displaced never moves it back.

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
        self._turn = threading.Lock()

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

    def write(self, head: Head, *, anew: bool = False) -> bool:
        """Move the mark on to `head`, durably; where it is as far already it stays. Blocks.

        Args:
            anew: another journal was put where the one was that the mark knew: it begins here.

        Returns:
            Whether it is as far now: False while another process writes it, which may be paused.

        Raises:
            RetryableError: the file cannot be written; the mark is where it was.
        """
        with self._turn:
            if head == self._written and not anew:
                return True
            try:
                is_there = self._moved(head, anew=anew)
            except OSError as error:
                raise RetryableError(
                    f"seen: {self.path} cannot be written ({error.strerror}); expected: a small "
                    "file beside the journal; do: free space or allow writing"
                ) from error
            if is_there:
                self._written = head
            return is_there

    def _moved(self, head: Head, *, anew: bool) -> bool:
        fresh = self.path.with_name(self.path.name + ".new")
        file = _alone_with(fresh)
        if file is None:
            return False
        try:
            if not anew and self._is_at(head):
                fresh.unlink()
            else:
                mark = _Mark(self._account, head.generation, head.seq, head.hash.hex())
                mark = msgspec.structs.replace(mark, check=_check(mark))
                _replace(self.path, file, fresh, msgspec.json.encode(mark))
        finally:
            os.close(file)
        return True

    def _is_at(self, head: Head) -> bool:
        """Whether the mark is as far as `head`; a damaged one is not."""
        try:
            mark = self._read()
        except CorruptionError:
            return False
        return mark is not None and (mark.generation, mark.seq) >= (head.generation, head.seq)

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


def _alone_with(path: Path) -> int | None:
    """A file at `path` that nobody else writes into; None where another process does.

    Who was killed leaves it, to be written over. What its writer has moved into its place since it
    was opened here is a mark.
    """
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(file), path.stat()):
            return file
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError:
        os.close(file)
        raise
    os.close(file)
    return None


def _replace(path: Path, file: int, fresh: Path, content: bytes) -> None:
    os.ftruncate(file, 0)
    os.write(file, content)
    os.fsync(file)
    fresh.replace(path)
    sync_folder(path.parent)

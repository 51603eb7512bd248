"""Following a stream as it grows, on a connection of its own that is kept.

Not here: who follows, and how often it looks (app).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from itertools import islice
from typing import Final, Protocol, TypeVar

import msgspec

from holdfast.errors import CorruptionError, RetryableError
from holdfast.journal.chain import prove
from holdfast.journal.port import Head
from holdfast.journal.reading import Rows, all_heads, head_of, lines_of
from holdfast.journal.record import Record

T = TypeVar("T")

MOST: Final = 5000
"""Records read at once: who is far behind catches up in steps, and never holds a whole stream."""


class Reading(Protocol):
    """A connection for reading."""

    def moment(self) -> AbstractContextManager[Rows]:
        """The database as of one moment, while it is entered."""
        ...

    def version(self) -> int | None:
        """Another number after each commit of somebody else; None where that costs a look."""
        ...

    def lags(self) -> bool:
        """Whether what it reads only follows a server that may have more."""
        ...

    def close(self) -> None:
        """Release it; may be called twice."""
        ...


class _ShorterError(CorruptionError):
    """The stream ends before where it was followed to."""


class Tail:
    """Reads what came since, of any stream; a caller is blocked meanwhile, and others wait for it.

    Args:
        connect: opens a connection; called again after one was lost.
    """

    def __init__(self, name: object, connect: Callable[[], Reading]) -> None:
        self._name = name
        self._connect = connect
        self._reading: Reading | None = None
        self._seen: dict[str, tuple[int, Head]] = {}  # as of which version, where it ended
        # A task that looks in a thread can be cancelled, its thread cannot: it is waited for.
        self._using = threading.RLock()

    def heads(self) -> list[Head]:
        """Where every stream stands now, by account.

        Raises:
            RetryableError: it cannot be read now; call again.
        """
        return self.look(lambda rows: all_heads(self._name, rows))

    def since(self, known: Head, most: int = MOST) -> tuple[Head, list[Record]]:
        """The records after `known`, proved to follow it, and the head as of the last of them.

        Args:
            most: no more than so many; fewer means that there are no more.

        Raises:
            CorruptionError: they do not follow, or the stream is shorter than it was.
            RetryableError: it cannot be read now, or is read where it lags; call again.
        """
        with self._using:
            version = self._version()
            if version is not None and self._seen.get(known.account) == (version, known):
                return known, []
            end, records = self._look_after(known, most)
            if version is not None and len(records) < most:
                self._seen[known.account] = version, end
            return end, records

    def _version(self) -> int | None:
        """Of the file as it is before the look that comes next."""
        try:
            return None if self._reading is None else self._reading.version()
        except RetryableError:
            self.close()
            raise

    def look(self, read: Callable[[Rows], T]) -> T:
        """What `read` finds in the journal as of one moment.

        Raises:
            RetryableError: it cannot be read now; call again.
        """
        with self._using:
            try:
                if self._reading is None:
                    self._reading = self._connect()
                with self._reading.moment() as rows:
                    return read(rows)
            except RetryableError:
                self.close()
                raise

    def _look_after(self, known: Head, most: int) -> tuple[Head, list[Record]]:
        try:
            return self.look(lambda rows: self._after(rows, known, most))
        except _ShorterError as error:
            assert self._reading is not None  # noqa: S101 - it has just been read
            if self._lags(self._reading):
                raise RetryableError(
                    f"seen: {known.account} is followed to {known.seq}, and {self._name} is a "
                    "standby that has not replayed so much; expected: one that has, or the "
                    "primary; nothing is lost; do: wait, promote it, or start the primary"
                ) from error
            # It may have been promoted since that look: then this one shows all.
            return self.look(lambda rows: self._after(rows, known, most))

    def _lags(self, reading: Reading) -> bool:
        """Whoever lags is asked no more: at the next call the address may lead elsewhere."""
        try:
            lags = reading.lags()
        except RetryableError:
            self.close()
            raise
        if lags:
            self.close()
        return lags

    def _after(self, rows: Rows, known: Head, most: int) -> tuple[Head, list[Record]]:
        head = head_of(self._name, rows, known.account)
        if (head.seq, head.hash) == (known.seq, known.hash):
            return head, []
        if head.seq <= known.seq:
            # One that is as long and differs is another stream, on a standby as well.
            kind = _ShorterError if head.seq < known.seq else CorruptionError
            raise kind(
                f"seen: {known.account} ends at {head.seq}, and it was followed to {known.seq}; "
                f"expected: a stream that only grows; do: find out who set {self._name} back"
            )
        lines = list(islice(lines_of(self._name, rows, known.account, known.seq), most))
        if lines and lines[-1].seq < head.seq:  # proved to there; the rest with the next call
            head = msgspec.structs.replace(head, seq=lines[-1].seq, hash=lines[-1].hash)
        return head, list(prove(head, lines, known.seq, known.hash))

    def close(self) -> None:
        """Release the connection when nobody looks; it is opened again when it is needed."""
        with self._using:
            self._seen.clear()
            if self._reading is not None:
                with suppress(RetryableError):
                    self._reading.close()
                self._reading = None

"""Following a stream as it grows, on a connection of its own that is kept.

Not here: who follows, and how often it looks (app).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Protocol

from holdfast.errors import CorruptionError, RetryableError
from holdfast.journal.chain import prove
from holdfast.journal.port import Head
from holdfast.journal.reading import Rows, head_of, lines_of
from holdfast.journal.record import Record


class Reading(Protocol):
    """A connection for reading."""

    def moment(self) -> AbstractContextManager[Rows]:
        """The database as of one moment, while it is entered."""
        ...

    def close(self) -> None:
        """Release it; may be called twice."""
        ...


class Tail:
    """Reads what came since; one caller at a time, which is blocked meanwhile.

    Args:
        connect: opens a connection; called again after one was lost.
    """

    def __init__(self, name: object, connect: Callable[[], Reading]) -> None:
        self._name = name
        self._connect = connect
        self._reading: Reading | None = None

    def since(self, known: Head) -> tuple[Head, list[Record]]:
        """The head as of now, and the records after `known`, proved to follow it.

        Raises:
            CorruptionError: they do not follow, or the stream is shorter than it was.
            RetryableError: it cannot be read now; call again.
        """
        try:
            if self._reading is None:
                self._reading = self._connect()
            with self._reading.moment() as rows:
                head = head_of(self._name, rows, known.account)
                if (head.seq, head.hash) == (known.seq, known.hash):
                    return head, []
                if head.seq <= known.seq:
                    raise CorruptionError(
                        f"seen: {known.account} ends at {head.seq}, and it was followed to "
                        f"{known.seq}; expected: a stream that only grows; do: find out who set "
                        f"{self._name} back"
                    )
                lines = lines_of(self._name, rows, known.account, known.seq)
                return head, list(prove(head, lines, known.seq, known.hash))
        except RetryableError:
            self.close()
            raise

    def close(self) -> None:
        """Release the connection; it is opened again when it is needed."""
        if self._reading is not None:
            with suppress(RetryableError):
                self._reading.close()
            self._reading = None

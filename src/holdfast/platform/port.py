"""What the platform keeps its things in: tables and one stream of facts, changed together.

Lives here: the port, which the journal's databases offer, and what an audit reads. Not here: which
tables there are (the rooms below), or how they are made (the journal's migrations).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from holdfast.domain.platform import AnyPlatformFact

T = TypeVar("T")


class Event(msgspec.Struct, frozen=True, gc=False):
    """One record of the platform's stream.

    Attributes:
        v: format version; a reader refuses what is newer than it knows.
        seq: position in the stream, from 1, no gaps.
        epoch: always 0: the stream has no leader.
        at_ns: the clock of the process that wrote it, UTC nanoseconds; for people.
    """

    v: int
    seq: int
    epoch: int
    at_ns: int
    fact: AnyPlatformFact


class Look(Protocol):
    """The tables as of one moment."""

    def rows(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """All rows of a statement, with `?` for each parameter."""
        ...

    def row(self, statement: str, *parameters: object) -> tuple[Any, ...] | None:
        """The first row, or None."""
        ...


class Change(Look, Protocol):
    """The tables within one transaction, and the facts that come with it."""

    def run(self, statement: str, *parameters: object) -> int:
        """Run a statement that answers no rows; how many it changed."""
        ...

    def note(self, *facts: AnyPlatformFact) -> None:
        """Append facts to the platform's stream when, and only when, all of it is committed."""
        ...


class PlatformStore(Protocol):
    """Tables and the stream `@platform`. Blocks; for threads.

    Each method raises RetryableError (not now; nothing was written), ConfigError (another schema)
    and CorruptionError (damaged).

    Attributes:
        on_noted: called with the facts of each change that was committed, in the thread that made
            it; to be set by whoever counts them.
    """

    on_noted: Callable[[Sequence[AnyPlatformFact]], None]

    def change(self, change: Callable[[Change], T]) -> T:
        """Commit what `change` does durably, all of it or nothing, and return what it returned.

        It is run again when another process was quicker, so it must touch nothing else. What it
        raises undoes everything.

        Raises:
            OutcomeUnknownError: it may or may not be committed.
        """
        ...

    def look(self, look: Callable[[Look], T]) -> T:
        """What `look` finds, as of one moment; it may be run again."""
        ...

    def head(self) -> int:
        """Sequence number of the stream's last record, 0 when there is none."""
        ...

    def events(self, after_seq: int, limit: int) -> Sequence[Event]:
        """Up to `limit` records after `after_seq`, in order, as stored; the chain is proved by
        `holdfast audit verify`.
        """
        ...

    def events_before(self, before_seq: int, limit: int) -> Sequence[Event]:
        """Up to `limit` records before `before_seq`, newest first; 0 begins at the end."""
        ...

    def close(self) -> None:
        """Release everything; may be called twice."""
        ...

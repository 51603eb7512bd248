"""Recording: facts go to the journal first, and what is durable goes to the fold, in stream order.

Lives here: the one place where execution waits for durability. Not here: batching (journal.writer),
the fold itself (ledger).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from holdfast.domain.event import Committed
from holdfast.domain.fact import (
    AnyFact,
    AttemptMoved,
    BotConfigured,
    BotRemoved,
    BotStarted,
    BotStopped,
    BreakerMoved,
    CommandTaken,
    Draining,
    Halted,
    LimitsSet,
    Maintenance,
    Quarantined,
    Released,
    Resumed,
)
from holdfast.domain.order import AttemptState
from holdfast.errors import FencedError, PlatformError, RetryableError
from holdfast.journal.port import Appender, CommitUnknownError, Outcome, Refused
from holdfast.journal.record import Record
from holdfast.telemetry.log import get_logger

log = get_logger("execution.recorder")

_STOPPING = (Halted, Draining, BotStopped, BotRemoved)
_LIMITING = (LimitsSet, BotConfigured)
_HOLDING = (*_STOPPING, *_LIMITING, Quarantined, AttemptMoved)  # they may hold entries back
_ENDING = (Resumed, Released, BotStarted, BreakerMoved, Maintenance, CommandTaken)
_IN_TURN = (*_STOPPING, *_LIMITING, *_ENDING, Quarantined)  # the last one of these holds
_FIRST_RETRY_S = 0.05
_LONGEST_RETRY_S = 2.0


class Recorder:
    """Journals facts, then shows them to the engine.

    Args:
        on_committed: takes each durable fact, in the order of the stream, exactly once.
        on_broken: told of what ends this writer: fenced, corrupted, or a defect of ours.
    """

    def __init__(
        self,
        journal: Appender,
        on_committed: Callable[[Committed], None],
        on_broken: Callable[[BaseException], None],
    ) -> None:
        self._journal = journal
        self._on_committed = on_committed
        self._on_broken = on_broken
        self._unfolded: deque[asyncio.Future[Outcome]] = deque()  # in the order of the stream
        self._holding: dict[object, list[AnyFact]] = {}  # by what ends it
        self._turn = asyncio.Lock()  # first come, first served

    # What is journaled from now on comes after these, although the fold does not know them yet.
    # That they wait for a store which takes nothing makes no difference: they were there first.

    def is_stopping(self, bot: str) -> bool:
        """Whether what ends the entries of `bot`, or of its account, is on its way into the
        journal.
        """
        return any(
            isinstance(fact, _STOPPING) and fact.bot in (bot, "") for fact in self._on_their_way()
        )

    def is_limiting(self, bot: str) -> bool:
        """The same of other limits of `bot`, or of its account."""
        return any(
            isinstance(fact, _LIMITING) and (isinstance(fact, LimitsSet) or fact.bot == bot)
            for fact in self._on_their_way()
        )

    def is_quarantining(self, symbol: str) -> bool:
        """The same of a quarantine of what `symbol` trades."""
        whats = (symbol, *symbol.split("/"))
        return any(
            isinstance(fact, Quarantined) and fact.what in whats for fact in self._on_their_way()
        )

    def doubted(self) -> Iterator[str]:
        """Attempts whose doubt is on its way into the journal, by client order id."""
        for fact in self._on_their_way():
            if isinstance(fact, AttemptMoved) and fact.state is AttemptState.IN_DOUBT:
                yield fact.cid

    def _on_their_way(self) -> Iterator[AnyFact]:
        for facts in self._holding.values():
            yield from facts

    async def try_record(self, *facts: AnyFact, flush: bool = False) -> Outcome:
        """Journal `facts` as one group; when this returns they are durable and folded.

        Args:
            flush: nobody else is about to record: begin at once, in this turn of the loop.

        Raises:
            RetryableError: not journaled, for certain.
            CommitUnknownError: see there; what is in the stream has been folded.
            FencedError: this process has lost the stream.
        """
        future = self._journal.append(*facts, flush=flush)
        self._unfolded.append(future)
        if holding := _holding(facts):
            self._holding[future] = holding
        if flush and future.done():  # on a quick disk no turn of the loop lies between
            self._fold_what_is_done()
            return future.result()
        # The callback feeds the fold, not this coroutine: a cancelled caller must lose no records.
        future.add_done_callback(self._fold_what_is_done)
        return await asyncio.shield(future)

    async def record(self, *facts: AnyFact, flush: bool = False) -> Outcome:
        """As `try_record`, again until the store takes them: evidence must not be lost.

        What holds trading back, or ends that, is journaled in the order in which it was asked for,
        whoever has to wait: an earlier `Resumed` must not undo a later `Halted`.
        """
        waits = object()
        if holding := _holding(facts):
            self._holding[waits] = holding
        try:
            if not any(isinstance(fact, _IN_TURN) for fact in facts):
                return await self._until_taken(*facts, flush=flush)
            async with self._turn:
                return await self._until_taken(*facts, flush=flush)
        finally:
            self._holding.pop(waits, None)

    async def _until_taken(self, *facts: AnyFact, flush: bool) -> Outcome:
        wait_s = _FIRST_RETRY_S
        while True:
            try:
                return await self.try_record(*facts, flush=flush)
            except CommitUnknownError as error:
                if error.committed:
                    return error.records
                if error.committed is None:
                    raise
            except RetryableError as error:
                log.warning("evidence waits for the journal", action="record_wait", why=str(error))
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, _LONGEST_RETRY_S)

    def when_folded(self, then: Callable[[], None]) -> None:
        """Call `then` once the fold has all that was recorded so far, perhaps now."""
        if self._unfolded:  # behind the callback that folds it
            self._unfolded[-1].add_done_callback(lambda _: then())
        else:
            then()

    def _fold_what_is_done(self, _done: asyncio.Future[Outcome] | None = None) -> None:
        """Commits end in the order of the stream; so does what waited for them."""
        while self._unfolded and self._unfolded[0].done():
            self._publish(self._unfolded.popleft())

    def _publish(self, future: asyncio.Future[Outcome]) -> None:
        self._take_in(future)
        self._holding.pop(future, None)

    def _take_in(self, future: asyncio.Future[Outcome]) -> None:
        if future.cancelled():
            return
        error = future.exception()
        if error is None:
            outcome = future.result()
            if not isinstance(outcome, Refused):
                self._feed(outcome)
        elif isinstance(error, CommitUnknownError):
            self._feed(error.records)
            if error.committed is None:
                self._on_broken(error)
        elif isinstance(error, FencedError) or not isinstance(error, PlatformError):
            self._on_broken(error)

    def _feed(self, records: Sequence[Record]) -> None:
        try:
            for left, record in zip(range(len(records) - 1, -1, -1), records, strict=True):
                self._on_committed(Committed(record.seq, record.at_ns, record.fact, left > 0))
        except Exception as error:  # noqa: BLE001 - the loop would swallow it, and the fold is wrong
            self._on_broken(error)


def _holding(facts: Sequence[AnyFact]) -> list[AnyFact]:
    return [fact for fact in facts if isinstance(fact, _HOLDING)]

"""The writer: what many callers append becomes few commits, in one order.

Lives here: group commit, and who learns what when one fails. Not here: durability (the stores).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy

from holdfast.domain.fact import AnyFact
from holdfast.errors import (
    ConfigError,
    FencedError,
    OutcomeUnknownError,
    PlatformError,
    RetryableError,
)
from holdfast.journal.chain import fenced_text, require_writable
from holdfast.journal.port import CommitUnknownError, Group, Head, Outcome, Store
from holdfast.journal.record import FORMAT, Record
from holdfast.telemetry.log import get_logger

log = get_logger("journal.writer")

MAX_BATCH = 64
"""Groups in one commit."""

_FIRST_RETRY_S = 0.02
_LAST_RETRY_S = 1.0


class JournalWriter:
    """Appends to one stream for as long as nobody takes it over.

    A batch is what queued up while the commit before it ran, or in one turn of the event loop:
    there is no waiting window, so a lone append pays one commit and a burst shares few. Belongs to
    one event loop.

    Args:
        head: from `Store.acquire`; nobody else may commit with it.
        now_ns: the clock that records are stamped with.
        find_out_s: how long to ask for the outcome of an unclear commit before giving the stream
            up; what is appended meanwhile waits.

    Attributes:
        on_committed: told the groups of each commit, and how many seconds it took.
        on_fenced: told when the stream proves to be another's.
    """

    def __init__(
        self,
        store: Store,
        head: Head,
        *,
        now_ns: Callable[[], int] = time.time_ns,
        find_out_s: float = 10.0,
    ) -> None:
        self._store = store
        self._head = head
        self._now_ns = now_ns
        self._find_out_s = find_out_s
        self._queue: list[_Waiting] = []
        self._batch: list[_Waiting] = []  # being committed
        self._idle = True
        self._began_s = 0.0  # of the commit under way, on the loop's clock
        # Between them no commit came about: since the first of those began, till the last failed.
        self._failing_s: tuple[float, float] | None = None
        self._starting: asyncio.Handle | None = None  # of the next turn of the loop
        self._draining: list[asyncio.Future[None]] = []
        self._finding_out: asyncio.Task[None] | None = None
        self._lost: FencedError | None = None
        self.on_committed: Callable[[Sequence[Group], float], None] = _unheard
        self.on_fenced: Callable[[], None] = _unfenced

    @property
    def head(self) -> Head:
        """Where the stream stands after the last commit."""
        return self._head

    @property
    def fails_s(self) -> float:
        """For how long no commit that was tried has come about; 0 after one that has.

        Up to now while one is under way, else up to the last that was refused: that nobody tries
        since proves nothing.
        """
        since_s, until_s = self._failing_s or (self._began_s, 0.0)
        if self._batch:
            until_s = asyncio.get_running_loop().time()
        return max(0.0, until_s - since_s)

    def append(self, *facts: AnyFact, flush: bool = False) -> asyncio.Future[Outcome]:
        """Append `facts` as one group, after everything appended before.

        Args:
            flush: begin now, with all that was appended: nobody else is about to. Where the store
                commits in the caller's thread, the outcome is there when this returns.

        Await the result for the outcome. Cancelling it only stops the waiting: the group is
        committed all the same. Only after `RetryableError` may the same facts be appended again.

        Raises (when awaited):
            FencedError: the stream belongs to another writer, or was given up; so fails every
                append from then on.
            RetryableError: the group is not written, for certain; later appends may succeed.
            CommitUnknownError: it says whether the group is in.
            ConfigError: nodes of the version before could not read it, and may run; not written.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        if self._lost is not None:
            _fail((future,), self._lost)
            return future
        if self._head.format < FORMAT:
            try:
                require_writable(facts, self._head.format)
            except ConfigError as error:
                _fail((future,), error)
                return future
        self._queue.append((Group(facts), future))
        if flush and (self._idle or self._starting is not None):
            self._idle = False
            self._start()
        elif self._idle:
            self._idle = False
            # After the callers that are ready at this moment, which then share the commit.
            self._starting = loop.call_soon(self._start)
        return future

    async def drain(self) -> None:
        """Return when all that was appended so far has its outcome."""
        while not self._idle:
            drained = asyncio.get_running_loop().create_future()
            self._draining.append(drained)
            await drained

    def _start(self) -> None:
        if self._starting is not None:
            self._starting.cancel()
            self._starting = None
        if len(self._queue) > MAX_BATCH:
            self._batch, self._queue = self._queue[:MAX_BATCH], self._queue[MAX_BATCH:]
        else:
            self._batch, self._queue = self._queue, []
        groups = [group for group, _ in self._batch]
        self._began_s = asyncio.get_running_loop().time()
        at_ns = self._now_ns()
        try:
            done = self._store.commit_at_once(self._head, groups, at_ns)
        except Exception as error:  # noqa: BLE001  # it is the callers', who get it
            self._failed(error)
            return
        if done is None:
            commit = asyncio.ensure_future(self._store.commit(self._head, groups, at_ns))
            commit.add_done_callback(self._finished)
        else:
            self._committed(*done)

    def _finished(self, commit: asyncio.Future[tuple[Head, list[Outcome]]]) -> None:
        if commit.cancelled():
            # Only a dying event loop does that; the store may still commit.
            self._give_up("its event loop ended during a commit")
            self._go_on()
        elif (error := commit.exception()) is None:
            self._committed(*commit.result())
        else:
            self._failed(error)

    def _committed(self, head: Head, outcomes: list[Outcome]) -> None:
        self._head = head
        self._failing_s = None
        took_s = asyncio.get_running_loop().time() - self._began_s
        self.on_committed([group for group, _ in self._batch], took_s)
        for (_, future), outcome in zip(self._batch, outcomes, strict=True):
            if not future.done():
                future.set_result(outcome)
        self._go_on()

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, OutcomeUnknownError):
            self._finding_out = asyncio.create_task(self._find_out(error), name="journal writer")
            return
        if isinstance(error, FencedError):
            self._tell_refused(len(self._batch), error)
            self.on_fenced()
            self._lose(error)
        else:  # nothing was written; it is the callers', who get it
            if isinstance(error, RetryableError):
                self._note_failure()
            _fail((future for _, future in self._batch), error)
        self._go_on()

    def _go_on(self) -> None:
        """The next batch, once those who wait for this one have been told; or rest."""
        self._batch = []
        if self._queue:
            self._starting = asyncio.get_running_loop().call_soon(self._start)
            return
        self._idle = True
        for drained in self._draining:
            if not drained.done():
                drained.set_result(None)
        self._draining = []

    async def _find_out(self, cause: OutcomeUnknownError) -> None:
        try:
            stored, written = await self._ask()
        except PlatformError as error:
            self._give_up(f"a commit's outcome could not be found out ({error})")
        except asyncio.CancelledError:
            self._give_up("its event loop ended before a commit's outcome was found out")
            raise
        else:
            if written:
                self._failing_s = None
            else:
                self._note_failure()
            by_group = list(self._by_group(written))
            for (_, future), records in zip(self._batch, by_group, strict=True):
                found = "the group is in" if records else "the group is not in"
                text = f"{cause}; found out: {found}, and what it arms must not be sent"
                _fail((future,), CommitUnknownError(text, bool(records), records))
            if stored.epoch == self._head.epoch:
                self._head = stored
            else:
                lost = FencedError(fenced_text(self._head, stored))
                if refused := by_group.count(()):
                    self._tell_refused(refused, lost)
                self.on_fenced()
                self._lose(lost)
        self._go_on()

    async def _ask(self) -> tuple[Head, list[Record]]:
        """The head, and what was written since the last one known; for a while, if need be."""
        loop = asyncio.get_running_loop()
        deadline, pause_s = loop.time() + self._find_out_s, _FIRST_RETRY_S
        while True:
            try:
                stored = await self._store.head(self._head.account)
                return stored, self._written_since(stored)
            except (RetryableError, OutcomeUnknownError):
                if loop.time() + pause_s > deadline:
                    raise
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LAST_RETRY_S)

    def _written_since(self, stored: Head) -> list[Record]:
        if (stored.seq, stored.hash) == (self._head.seq, self._head.hash):
            return []
        records = self._store.read(stored.account, self._head.seq)
        return [record for record in records if record.epoch == self._head.epoch]

    def _by_group(self, written: Sequence[Record]) -> Iterator[tuple[Record, ...]]:
        """What of `written` is each group's; a group that was refused has none."""
        position = 0
        for group, _ in self._batch:
            candidate = tuple(written[position : position + len(group.facts)])
            if tuple(record.fact for record in candidate) == group.facts:
                position += len(candidate)
                yield candidate
            else:
                yield ()

    def _note_failure(self) -> None:
        since_s, _ = self._failing_s or (self._began_s, 0.0)
        self._failing_s = since_s, asyncio.get_running_loop().time()

    def _give_up(self, why: str) -> None:
        account = self._head.account
        text = f"seen: journal of {account}: {why}; expected: a clear outcome; do: send none of it"
        for _, future in self._batch:
            _fail((future,), CommitUnknownError(text, None))
        self._lose(FencedError(f"{text}, and start again"))

    def _tell_refused(self, groups: int, error: FencedError) -> None:
        """A commit will never be: the stream is another's. Once at most, for none is tried then.

        What fails because of it says so as well, each in its own line; this one counts commits.
        """
        log.warning(
            "a commit was refused", action="commit_refused", account=self._head.account,
            epoch=self._head.epoch, groups=groups, why=str(error),
        )  # fmt: skip

    def _lose(self, error: FencedError) -> None:
        self._lost = error
        _fail((future for _, future in [*self._batch, *self._queue]), error)
        self._queue = []


_Waiting = tuple[Group, asyncio.Future[Outcome]]


def _unheard(_groups: Sequence[Group], _took_s: float) -> None:
    """Nobody measures."""


def _unfenced() -> None:
    """Nobody counts."""


def _fail(futures: Iterable[asyncio.Future[Outcome]], error: BaseException) -> None:
    """Raise `error` at every future that is still waited for, each with a traceback of its own."""
    for future in futures:
        if not future.done():
            own = error if isinstance(error, CommitUnknownError) else copy(error)
            if own is not error:
                own.__cause__ = error
            future.set_exception(own)

"""Circuit breakers: an exchange that fails again and again is given no new exposure for a while.

Lives here: one breaker per class of endpoints, and maintenance as a state of its own. Nothing here
holds a request back; the risk gate and the desk ask `admits`. Not here: what counts as which
outcome (guarded). Why it is so: docs/adr/0026-breakers-are-facts.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import Enum, StrEnum
from typing import Final

from holdfast.domain.fact import AnyFact, BreakerMoved, BreakerState, Maintenance
from holdfast.errors import RejectedError, RetryableError
from holdfast.ledger.state import AccountState

FAILURES_TO_OPEN: Final = 5  # in a row
SUCCESSES_TO_CLOSE: Final = 2  # in a row
OPEN_S: Final = 60.0
ASK_S: Final = 1.0


class Endpoint(StrEnum):
    """Classes of endpoints that fail together."""

    ORDER = "order"
    CANCEL = "cancel"
    QUERY = "query"


class Outcome(Enum):
    """What one request says of the exchange."""

    ANSWERED = "answered"  # also with a refusal: it works
    FAILED = "failed"  # no answer, or none that can be used
    THROTTLED = "throttled"  # rate limits, which are no failure of anybody's
    CLOSED = "closed"  # it says that it is under maintenance


class CircuitBreaker:
    """One class of endpoints.

    Args:
        mono_ns: local monotonic clock; the wall clock may jump.
        is_open: how an earlier process left it, open or half open: it waits anew.
    """

    def __init__(self, mono_ns: Callable[[], int], *, is_open: bool = False) -> None:
        self._mono_ns = mono_ns
        self._failures = 0
        self._successes = 0
        self._opened_ns = mono_ns()
        self._state = BreakerState.OPEN if is_open else BreakerState.CLOSED

    @property
    def state(self) -> BreakerState:
        """As of now: open ones become half open by time alone."""
        if self._state is BreakerState.OPEN and self.left_s <= 0:
            self._state, self._successes = BreakerState.HALF_OPEN, 0
        return self._state

    @property
    def left_s(self) -> float:
        """Seconds until an open one becomes half open."""
        return OPEN_S - (self._mono_ns() - self._opened_ns) / 1e9

    def succeed(self) -> None:
        """A request was answered."""
        self._failures = 0
        if self.state is BreakerState.HALF_OPEN:
            self._successes += 1
            if self._successes >= SUCCESSES_TO_CLOSE:
                self._state = BreakerState.CLOSED

    def fail(self) -> None:
        """A request was not; a failed probe opens it again at once."""
        self._failures += 1
        state = self.state
        if state is BreakerState.HALF_OPEN or (
            state is BreakerState.CLOSED and self._failures >= FAILURES_TO_OPEN
        ):
            self._state, self._opened_ns = BreakerState.OPEN, self._mono_ns()
            self._failures = self._successes = 0


class Breakers:
    """All breakers of one account at one exchange, and its maintenance.

    Args:
        account: how the journal left them.
        on_moved: takes each change, to be journaled.
    """

    def __init__(
        self,
        venue: str,
        account: AccountState,
        mono_ns: Callable[[], int],
        on_moved: Callable[[AnyFact], None],
    ) -> None:
        self._venue = venue
        self._on_moved = on_moved
        self._in_maintenance = account.in_maintenance
        self._all = {
            each: CircuitBreaker(mono_ns, is_open=each in account.breakers) for each in Endpoint
        }
        self._told = {each: breaker.state for each, breaker in self._all.items()}
        for each, known in account.breakers.items():
            self._told[Endpoint(each)] = known
        self._changed = asyncio.Event()

    def note(self, endpoint: Endpoint, outcome: Outcome, evidence: str) -> None:
        """A request ended."""
        if outcome is Outcome.CLOSED:
            self._move_maintenance(on=True, evidence=evidence)
        elif outcome is Outcome.ANSWERED:
            self._move_maintenance(on=False, evidence=evidence)
            self._all[endpoint].succeed()
        elif outcome is Outcome.FAILED and not self._in_maintenance:
            self._all[endpoint].fail()  # what fails under maintenance is that one state
        self._tell(evidence)

    def holds(self) -> str:
        """Why nothing may add exposure now; empty when it may."""
        if self._in_maintenance:
            return "the exchange is under maintenance"
        for each, breaker in self._all.items():
            if breaker.state is BreakerState.OPEN:
                return f"{each} requests failed, the next try is in {breaker.left_s:.0f} s"
        return ""

    @property
    def is_probing(self) -> bool:
        """Whether only one order at a time may add exposure, to see whether it is taken."""
        return self._all[Endpoint.ORDER].state is BreakerState.HALF_OPEN

    async def run(self, ask: Callable[[], Awaitable[object]]) -> None:
        """Notice what time alone moves, and that the exchange answers again; until cancelled.

        Args:
            ask: a small question, whose outcome is noted: who wants nothing else would not ask.
        """
        while True:
            self._tell(f"{OPEN_S:g} s have passed")
            self._changed.clear()
            if not self._waits_for_news:
                await self._changed.wait()
                continue
            await asyncio.sleep(ASK_S)
            with suppress(RetryableError, RejectedError):  # noted by whoever passed it on
                await ask()

    @property
    def _waits_for_news(self) -> bool:
        """Whether nothing but an answer, or time, ends what holds entries back."""
        states = {each: breaker.state for each, breaker in self._all.items()}
        is_asked = states[Endpoint.QUERY] is not BreakerState.CLOSED
        return self._in_maintenance or is_asked or BreakerState.OPEN in states.values()

    def _move_maintenance(self, *, on: bool, evidence: str) -> None:
        if on is not self._in_maintenance:
            self._in_maintenance = on
            self._changed.set()
            self._on_moved(Maintenance(venue=self._venue, on=on, evidence=evidence))

    def _tell(self, evidence: str) -> None:
        for each, breaker in self._all.items():
            state = breaker.state
            if state is self._told[each]:
                continue
            self._told[each] = state
            self._changed.set()
            self._on_moved(
                BreakerMoved(
                    venue=self._venue, endpoint=each.value, state=state, evidence=evidence
                )
            )

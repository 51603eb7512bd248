"""A venue whose answers are watched: every request is passed on, and its outcome is noted.

Lives here: which outcome is which. Nothing is held back, changed or repeated. Not here: what
follows from outcomes (breaker).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import TypeVar

from holdfast.domain.fill import Fill
from holdfast.domain.instrument import Instrument
from holdfast.errors import RejectedError, RetryableError
from holdfast.execution.breaker import Breakers, Endpoint, Outcome
from holdfast.venues.port import (
    Answer,
    Balance,
    Cancellation,
    ListPlacement,
    ListReport,
    MaintenanceError,
    OrderReport,
    Placement,
    Purpose,
    ThrottledError,
    TimeSample,
    Venue,
    VenueEvent,
    Verdict,
)

Told = TypeVar("Told")

# Neither says that the exchange works: nothing was heard, or nothing that can be used.
_SILENT = frozenset({Answer.UNKNOWN, Answer.NOT_SENT})


class GuardedVenue:
    """`Venue`, with each outcome told to `breakers`. See `venues.port.Venue` for the verbs."""

    def __init__(self, venue: Venue, breakers: Breakers) -> None:
        self._venue = venue
        self._breakers = breakers

    # -- orders ----------------------------------------------------------------------------------

    async def place(self, placement: Placement, on_first_byte: Callable[[], None]) -> Verdict:
        return self._judged(Endpoint.ORDER, await self._venue.place(placement, on_first_byte))

    async def place_list(
        self, placement: ListPlacement, on_first_byte: Callable[[], None]
    ) -> Verdict:
        return self._judged(Endpoint.ORDER, await self._venue.place_list(placement, on_first_byte))

    async def cancel(self, cancellation: Cancellation) -> Verdict:
        return self._judged(Endpoint.CANCEL, await self._venue.cancel(cancellation))

    def _judged(self, endpoint: Endpoint, verdict: Verdict) -> Verdict:
        self._breakers.note(endpoint, outcome_of(verdict), f"{verdict.code} {verdict.evidence}")
        return verdict

    # -- questions -------------------------------------------------------------------------------

    async def instruments(self, symbols: Collection[str] = ()) -> tuple[Instrument, ...]:
        return await self._watched(self._venue.instruments(symbols))

    async def time(self) -> TimeSample:
        return await self._watched(self._venue.time())

    async def order(self, symbol: str, cid: str, purpose: Purpose) -> OrderReport | None:
        return await self._watched(self._venue.order(symbol, cid, purpose))

    async def order_by_id(
        self, symbol: str, order_id: str, purpose: Purpose
    ) -> OrderReport | None:
        return await self._watched(self._venue.order_by_id(symbol, order_id, purpose))

    async def order_list(self, list_cid: str, purpose: Purpose) -> ListReport | None:
        return await self._watched(self._venue.order_list(list_cid, purpose))

    async def open_orders(self, symbol: str, purpose: Purpose) -> list[OrderReport]:
        return await self._watched(self._venue.open_orders(symbol, purpose))

    async def all_orders(
        self, symbol: str, purpose: Purpose, *, from_order_id: str = "", since_ms: int = 0
    ) -> list[OrderReport]:
        asked = self._venue.all_orders(
            symbol, purpose, from_order_id=from_order_id, since_ms=since_ms
        )
        return await self._watched(asked)

    async def fills(
        self, symbol: str, purpose: Purpose, *, from_trade_id: str = "", since_ms: int = 0
    ) -> list[Fill]:
        asked = self._venue.fills(symbol, purpose, from_trade_id=from_trade_id, since_ms=since_ms)
        return await self._watched(asked)

    async def balances(self, purpose: Purpose) -> dict[str, Balance]:
        return await self._watched(self._venue.balances(purpose))

    async def _watched(self, question: Awaitable[Told]) -> Told:
        try:
            told = await question
        except (RetryableError, RejectedError) as error:
            self._breakers.note(Endpoint.QUERY, outcome_of_error(error), str(error))
            raise
        self._breakers.note(Endpoint.QUERY, Outcome.ANSWERED, "a question was answered")
        return told

    # -- what is no request ----------------------------------------------------------------------

    def delay_s(self, purpose: Purpose, count: int = 1) -> float:
        return self._venue.delay_s(purpose, count)

    def events(self) -> AsyncIterator[VenueEvent]:
        return self._venue.events()

    async def close(self) -> None:
        await self._venue.close()


def outcome_of(verdict: Verdict) -> Outcome:
    """Refusals are answers: an exchange that says no works."""
    if verdict.in_maintenance:
        return Outcome.CLOSED
    if verdict.is_throttled:
        return Outcome.THROTTLED
    return Outcome.FAILED if verdict.answer in _SILENT else Outcome.ANSWERED


def outcome_of_error(error: RetryableError | RejectedError) -> Outcome:
    """The same of a question."""
    if isinstance(error, MaintenanceError):
        return Outcome.CLOSED
    if isinstance(error, ThrottledError):
        return Outcome.THROTTLED
    return Outcome.ANSWERED if isinstance(error, RejectedError) else Outcome.FAILED

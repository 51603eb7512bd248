"""Attempts: what is armed of an approved order, a list or a cancel, and the one way to send it.

Lives here: ids, the deadline that is signed, the request that it makes. Not here: when it may be
armed or sent, or what the answer means (desk).
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from holdfast.domain.action import Approved, Proposed
from holdfast.domain.fact import Armed, CancelArmed
from holdfast.domain.order import IdKind, client_order_id
from holdfast.execution.clock import ExchangeClock
from holdfast.venues.port import ListedOrder, ListPlacement, Placement, Purpose, Venue, Verdict

Request = tuple[Armed, ...]
"""What leaves together: an order, or the orders of a list."""


class Identity(msgspec.Struct, frozen=True):
    """Who arms: what client order ids are made of, and whose word NOT_SENT is."""

    tag: str
    account: str
    generation: int
    boot_id: str


def request_of(first: Armed, order: Proposed, cid: Callable[[int], str]) -> Request:
    """What is sent as one: an order's attempt, or one for each order of a list.

    Args:
        first: as of an order that stands alone; its id is that of the list.
        cid: the id of a list's order by its number, from 1.
    """
    if order.mate is None:
        return (first,)
    return tuple(
        msgspec.structs.replace(first, cid=cid(part), spec=spec, list_cid=first.cid, part=part)
        for part, spec in enumerate(order.specs, 1)
    )


class Attempts:
    """Makes the attempts of one account."""

    def __init__(self, identity: Identity, clock: ExchangeClock) -> None:
        self._identity = identity
        self._clock = clock

    def of(self, approved: Approved) -> Request:
        """One attempt, or one for each order of a list; they share what is signed.

        Raises:
            RetryableError: the exchange's clock is not known.
        """
        order = approved.order
        return request_of(self._attempt(approved), order, lambda part: self._cid(order, part))

    def _cid(self, order: Proposed, part: int = 0) -> str:
        who = self._identity
        return client_order_id(
            tag=who.tag,
            account=who.account,
            generation=who.generation,
            intent_id=order.intent_id,
            n=order.n,
            part=part,
        )

    def _attempt(self, approved: Approved) -> Armed:
        order = approved.order
        return Armed(
            cid=self._cid(order),
            intent_id=order.intent_id,
            n=order.n,
            bot=order.bot,
            leg=order.leg,
            seq=order.seq,
            decision=order.decision,
            spec=order.spec,
            boot_id=self._identity.boot_id,
            timestamp_ms=self._clock.earliest_ms(),
            window_ms=self._clock.window_ms(),
            reserve_asset=approved.reserve_asset,
            reserve=approved.reserve,
            server_sample_ms=self._clock.sample_ms,
            sample_age_ms=int(self._clock.age_s * 1000),
            reduces=order.reduces,
        )

    def cancel(
        self, target: Armed, named: str, n: int, *, barrier: bool = False, order_id: str = ""
    ) -> CancelArmed:
        """The n-th cancel of what is `named`."""
        who = self._identity
        return CancelArmed(
            cid=client_order_id(
                tag=who.tag,
                account=who.account,
                generation=who.generation,
                intent_id=named,
                n=n,
                kind=IdKind.CANCEL,
            ),
            target=target.cid,
            symbol=target.spec.symbol,
            boot_id=who.boot_id,
            timestamp_ms=self._clock.earliest_ms(),
            window_ms=self._clock.window_ms(),
            barrier=barrier,
            order_id=order_id,
        )


async def send(venue: Venue, request: Request, first_byte: Callable[[], None]) -> Verdict:
    """Send what was armed together as one request, once; see `Venue.place` for the answer."""
    first = request[0]
    purpose = Purpose.REDUCE if first.reduces else Purpose.ENTER
    if not first.list_cid:
        placement = Placement(first.cid, first.spec, first.timestamp_ms, first.window_ms, purpose)
        return await venue.place(placement, first_byte)
    listed = ListPlacement(
        first.list_cid,
        tuple(ListedOrder(attempt.cid, attempt.spec) for attempt in request),
        first.timestamp_ms,
        first.window_ms,
        purpose,
    )
    return await venue.place_list(listed, first_byte)

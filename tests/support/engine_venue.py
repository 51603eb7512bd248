"""A venue that answers an engine by hand: what it takes, executes, refuses and tells.

Not here: what is sent to it (engine_journal), a venue without an engine (scripted_venue).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from holdfast.domain.fact import Armed, AttemptMoved, CancelArmed, Filled, OrderMoved, RejectClosed
from holdfast.domain.fill import Fill
from holdfast.domain.limits import Limits
from holdfast.domain.order import AttemptState, OrderState, OrderType
from holdfast.engine.bot import BotRuntime
from holdfast.ledger.state import LiveOrder
from tests.support.engine_journal import Journaled


class Resting(msgspec.Struct):
    """An order that the venue has: what it is, and what of it executed there."""

    armed: Armed
    order_id: str
    executed: Decimal = Decimal(0)
    open: bool = True


class Answered(Journaled):
    """A journaled engine, and a venue whose every answer the test chooses.

    Attributes:
        venue: orders that the venue took, open or not.
        prices: what orders at the market get, by symbol.
    """

    def __init__(
        self,
        bots: tuple[BotRuntime, ...],
        limits: Limits,
        prices: dict[str, Decimal],
        *,
        now_ns: int,
        lists: bool,
    ) -> None:
        super().__init__(bots, limits, now_ns=now_ns, lists=lists)
        self.venue: dict[str, Resting] = {}
        self.prices = prices

    def ack(
        self,
        cid: str,
        executed: Decimal = Decimal(0),
        *,
        book: bool = True,
        **fee: Any,
    ) -> None:
        """The venue has the order, `executed` of it at once; market orders end with that.

        Of a list it has all orders or none; the others are told of apart.
        """
        attempt = self.unanswered.pop(cid, None) or self.account.live[cid].armed
        if attempt.list_cid:
            self._ack_part(attempt, book=book)
            return
        self._ids += 1
        resting = Resting(attempt, str(self._ids), executed)
        rests = attempt.spec.type is not OrderType.MARKET
        resting.open = rests and executed < attempt.spec.quantity
        self.venue[cid] = resting
        moved = AttemptMoved(
            cid=cid,
            state=AttemptState.ACKED,
            order_id=resting.order_id,
            order_state=self._state(resting),
            executed=executed,
        )
        fills = (self._fill(resting, executed, **fee),) if executed and book else ()
        self.commit(moved, *fills)

    def _ack_part(self, attempt: Armed, *, book: bool) -> None:
        """Tell what became of one order of a list, of which the venue has all."""
        parts = [armed for armed in self.armed if armed.list_cid == attempt.list_cid]
        for part in parts:
            if part.cid not in self.venue:
                self._ids += 1
                self.venue[part.cid] = Resting(part, str(self._ids))
        resting = self.venue[attempt.cid]
        moved = AttemptMoved(
            cid=attempt.cid,
            state=AttemptState.ACKED,
            order_id=resting.order_id,
            order_state=self._state(resting),
            executed=resting.executed,
        )
        fills = (self._fill(resting, resting.executed),) if resting.executed and book else ()
        self.commit(moved, *fills)

    def mates(self, cid: str) -> list[str]:
        """The other orders of its list that the venue has."""
        of = self.venue[cid].armed.list_cid
        return [c for c, o in self.venue.items() if of and o.armed.list_cid == of and c != cid]

    def execute(self, cid: str, quantity: Decimal) -> None:
        """An open order executes at the venue, which ends the others of its list; none is told."""
        resting = self.venue[cid]
        resting.executed += quantity
        resting.open = resting.executed < resting.armed.spec.quantity
        for mate in self.mates(cid):
            self.venue[mate].open = False

    def untold(self) -> list[str]:
        """Orders that the fold believes open and the venue has ended."""
        return [o.armed.cid for o in self.working() if not self.venue[o.armed.cid].open]

    def reject(self, cid: str, *, final: bool) -> None:
        """The venue said no; unless final, it may yet turn out otherwise."""
        del self.unanswered[cid]
        self.commit(AttemptMoved(cid=cid, state=AttemptState.REJECTED, final=final))

    def doubt(self, cid: str) -> None:
        """No answer that proves anything."""
        del self.unanswered[cid]
        self.commit(AttemptMoved(cid=cid, state=AttemptState.IN_DOUBT))

    def not_sent(self, cid: str) -> None:
        """No byte left."""
        del self.unanswered[cid]
        self.commit(AttemptMoved(cid=cid, state=AttemptState.NOT_SENT))

    def never(self, cid: str) -> None:
        """A doubt is settled: absent after the horizon."""
        self.commit(AttemptMoved(cid=cid, state=AttemptState.NEVER_EXECUTED))

    def close_reject(self, cid: str) -> None:
        """A provisional rejection outlived its horizon."""
        self.commit(RejectClosed(cid=cid, evidence="asked", server_ms=0))

    def fill(self, cid: str, quantity: Decimal, **fee: Any) -> None:
        """An open order executes, and the report carries the fill."""
        self.execute(cid, quantity)
        resting = self.venue[cid]
        moved = OrderMoved(cid=cid, state=self._state(resting), executed=resting.executed)
        self.commit(moved, self._fill(resting, quantity, **fee))

    def report(self, cid: str) -> None:
        """The venue tells an order's state without the fills that led to it."""
        resting = self.venue[cid]
        self.commit(OrderMoved(cid=cid, state=self._state(resting), executed=resting.executed))

    def book(self, cid: str) -> None:
        """The fills that an order still lacks arrive."""
        resting, order = self.venue[cid], self.account.order(cid)
        assert order is not None
        self.commit(self._fill(resting, resting.executed - order.booked))

    def cancel(self, *, answered: bool = True) -> None:
        """The oldest cancel is journaled and sent; unanswered, the order stays as it was."""
        cid = self.cancelling.popleft()
        order = self.account.live.get(cid)
        if order is None or not order.is_working:
            return
        self._arm_cancel(order, barrier=False)
        if answered:
            self.end(cid)

    def barrier(self, cid: str) -> None:
        """The resolver sent a cancel to settle a doubt."""
        self._arm_cancel(self.account.live[cid], barrier=True)

    def _arm_cancel(self, order: LiveOrder, *, barrier: bool) -> None:
        self._ids += 1
        self.commit(
            CancelArmed(
                cid=f"cancel-{self._ids}",
                target=order.armed.cid,
                symbol=order.armed.spec.symbol,
                boot_id=f"boot-{self.boot}",
                timestamp_ms=self.now_ns // 1_000_000,
                window_ms=1000,
                barrier=barrier,
            )
        )

    def end(self, cid: str, state: OrderState = OrderState.CANCELLED) -> None:
        """An open order ends at the venue, and the report says so."""
        resting = self.venue[cid]
        ended = [self.venue[mate] for mate in self.mates(cid) if self.venue[mate].open]
        for each in (resting, *ended):
            each.open = False
        self.commit(OrderMoved(cid=cid, state=state, executed=resting.executed))
        for each in ended:
            order = self.account.live.get(each.armed.cid)
            if order is not None and order.is_working:
                self.commit(
                    OrderMoved(cid=each.armed.cid, state=state, executed=each.executed)
                )

    def _state(self, resting: Resting) -> OrderState:
        if resting.executed == resting.armed.spec.quantity:
            return OrderState.FILLED
        if not resting.open:
            return OrderState.EXPIRED
        return OrderState.PARTIALLY_FILLED if resting.executed else OrderState.NEW

    def _fill(
        self,
        resting: Resting,
        quantity: Decimal,
        *,
        fee: Decimal = Decimal(0),
        fee_asset: str = "USDT",
        rate: Decimal | None = None,
    ) -> Filled:
        self._ids += 1
        spec = resting.armed.spec
        return Filled(
            fill=Fill(
                symbol=spec.symbol,
                side=spec.side,
                trade_id=str(self._ids),
                venue_order_id=resting.order_id,
                cid=resting.armed.cid,
                quantity=quantity,
                price=spec.price or self.prices[spec.symbol],
                fee=fee,
                fee_asset=fee_asset,
                at_ns=self.now_ns,
            ),
            bot=resting.armed.bot,
            quote_rate=rate,
        )

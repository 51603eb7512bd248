"""What each bot holds and may yet get: by the exchange's own executions and the journal's rows.

It shares no code with the platform's fold, which the checker is there to check. Not here: what may
be armed beside it (checker, wishes).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from holdfast.app.demo.told import Held, Told
from holdfast.domain.fact import (
    Adjustment,
    AnyFact,
    Armed,
    AttemptMoved,
    Liquidated,
    OrderMoved,
    RejectClosed,
)
from holdfast.domain.money import ZERO
from holdfast.domain.order import AttemptState, Side
from holdfast.exchange.orders import Execution, Order


class Exposure:
    """Follows the orders of one account.

    Args:
        told: everything the journal says, and first to be told of each fact.

    Attributes:
        bots: all that have armed an order.
        positions: by bot and symbol.
    """

    def __init__(self, told: Told) -> None:
        self._told = told
        self._unsettled: set[str] = set()  # rows that may still execute, by what the journal says
        self._open: set[str] = set()  # orders that the exchange has open
        self.bots: set[str] = set()
        self.positions: dict[tuple[str, str], Held] = {}
        self._executed: dict[str, Decimal] = {}  # of an order, or of a list together
        self._spent: dict[str, Decimal] = {}

    def take(self, fact: AnyFact) -> None:
        """A fact became durable, and `told` has it."""
        match fact:
            case Armed():
                self._unsettled.add(fact.cid)
                self.bots.add(fact.bot)
            case AttemptMoved() | OrderMoved() | RejectClosed():
                self._move(fact.cid)
            case Liquidated():
                self._lose(fact.bot, fact.symbol, fact.quantity)
            case Adjustment(bot=bot) if bot and fact.amount < ZERO:
                self._lose(bot, fact.symbol, -fact.amount)
            case _:
                pass

    def report(self, order: Order, fill: Execution | None) -> None:
        """The exchange changed an order of the account, or executed some of it."""
        cid = order.client_order_id
        attempt = self._told.attempts.get(cid)
        if attempt is None:  # somebody else's, or an order without a row, which is told as such
            if fill is not None and fill.side is Side.BUY:
                quote = fill.symbol.partition("/")[2]
                self._spent[quote] = self._spent.get(quote, ZERO) + fill.cost
            return
        if order.is_open:
            self._open.add(cid)
        else:
            self._open.discard(cid)
        if fill is None:
            return
        armed = attempt.armed
        of, key = armed.list_cid or cid, (armed.bot, armed.spec.symbol)
        self._executed[of] = self._executed.get(of, ZERO) + fill.quantity
        in_base = fill.fee_asset == fill.symbol.partition("/")[0]
        held = self.positions.setdefault(key, Held())
        held.book(armed.spec.side, fill.quantity, fill.fee if in_base else ZERO)

    def held(self, bot: str, symbol: str) -> Decimal:
        """Base units that a bot has, net of fees taken in base."""
        held = self.positions.get((bot, symbol))
        return held.quantity if held is not None else ZERO

    def rows(self, bot: str, symbol: str, side: Side) -> Iterator[Armed]:
        """What may still execute: nobody has said that it cannot, or the exchange has it open."""
        for cid in sorted(self._unsettled | self._open):
            armed = self._told.attempts[cid].armed
            if (armed.bot, armed.spec.symbol, armed.spec.side) == (bot, symbol, side):
                yield armed

    def outstanding(self, bot: str, symbol: str, side: Side) -> Decimal:
        """Base units of it; the orders of a list share one quantity."""
        left: dict[str, Decimal] = {}
        for armed in self.rows(bot, symbol, side):
            of = armed.list_cid or armed.cid
            left[of] = max(ZERO, armed.spec.quantity - self._executed.get(of, ZERO))
        return sum(left.values(), ZERO)

    def committed(self, quote: str) -> Decimal:
        """Quote units that all purchases paid in `quote` may yet cost."""
        total = ZERO
        for cid in sorted(self._unsettled | self._open):
            armed = self._told.attempts[cid].armed
            spec = armed.spec
            if spec.side is Side.BUY and spec.symbol.partition("/")[2] == quote:
                total += self.cost(armed, max(ZERO, spec.quantity - self._executed.get(cid, ZERO)))
        return total

    def cost(self, armed: Armed, quantity: Decimal) -> Decimal:
        """Quote units that so much of a purchase may cost: at market what its row sets aside."""
        spec = armed.spec
        return quantity * (spec.price or armed.reserve / spec.quantity)

    def spent_by_others(self, quote: str) -> Decimal:
        """Quote units that went for orders without a row, which the platform has yet to find."""
        return self._spent.get(quote, ZERO)

    def _move(self, cid: str) -> None:
        attempt = self._told.attempts[cid]
        state = attempt.order_state
        is_over = attempt.is_declared_absent or (
            attempt.state is AttemptState.ACKED and state is not None and not state.is_open
        )
        if is_over:
            self._unsettled.discard(cid)
        else:
            self._unsettled.add(cid)

    def _lose(self, bot: str, symbol: str, quantity: Decimal) -> None:
        self.positions.setdefault((bot, symbol), Held()).lose(quantity)

"""An account traded without an event loop: same engine, same facts, journal in memory.

Lives here: the synchronous twin of the desk, with the local matching engine as the venue, where
every reply comes at once and nothing is ever in doubt. Not here: the market that moves the book.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from holdfast.app.research.stepped import ACCOUNT, SteppedAccount
from holdfast.domain.event import BarClosed, Committed
from holdfast.domain.fact import (
    AnyFact,
    Armed,
    AttemptMoved,
    Filled,
    OrderMoved,
)
from holdfast.domain.fill import Fill
from holdfast.domain.instrument import Instrument
from holdfast.domain.limits import Limits
from holdfast.domain.market import Bar
from holdfast.domain.order import (
    AttemptState,
    IdKind,
    OrderState,
    OrderType,
    client_order_id,
    deployment_tag,
)
from holdfast.engine.bot import BotRuntime
from holdfast.engine.step import Engine
from holdfast.exchange.accounts import Account
from holdfast.exchange.errors import RefusedError
from holdfast.exchange.flow import Place
from holdfast.exchange.matching import Engine as Matching
from holdfast.exchange.orders import Execution, Kind, Order, Ticket
from holdfast.execution.attempts import Request
from holdfast.journal.memory import MemoryStore
from holdfast.journal.port import Group, Refused
from holdfast.ledger.state import AccountState, LiveOrder

_KIND_OF: Final = {kind: Kind(kind.value) for kind in OrderType}
_STATE_OF: Final = {
    "NEW": OrderState.NEW,
    "PARTIALLY_FILLED": OrderState.PARTIALLY_FILLED,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELLED,
    "EXPIRED": OrderState.EXPIRED,
    "EXPIRED_IN_MATCH": OrderState.EXPIRED,
    "REJECTED": OrderState.REJECTED,
}
_ACKED: Final = AttemptState.ACKED
_BOOT: Final = "in-process"


class InProcess(SteppedAccount):
    """One account and its market, stepped by hand.

    Attributes:
        market: the matching engine; give it liquidity with `place`.
        venue_account: the account at the market.
        store: the journal.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        bots: Iterable[BotRuntime],
        *,
        cash: dict[str, Decimal],
        reporting: str,
        limits: Limits | None = None,
        keep_journal: bool = True,
    ) -> None:
        super().__init__(Engine(AccountState(), bots, limits or Limits()), _BOOT)
        instruments = tuple(instruments)
        self.market = Matching(instruments)
        self.venue_account = Account(1, "in-process", "in-process")
        self.store = MemoryStore(keep=keep_journal)
        self._head = self.store.acquire_now(ACCOUNT)
        self._tag = deployment_tag("in-process")
        for asset, amount in cash.items():
            self.venue_account.balance(asset).free = amount
        self.begin(instruments, cash, reporting=reporting, deployment=self._tag)

    def place(self, event: Place) -> None:
        """Give the market a house order."""
        self.market.place(event, event.at_ns)

    def bar(self, bar: Bar) -> None:
        """A bar closed: step the engine, and carry out all that follows from it."""
        self.now_ns = bar.close_ns
        self.step(BarClosed(bar))

    # -- the venue and the journal -----------------------------------------------------------------

    def _send(self, request: Request) -> list[AnyFact]:
        (attempt,) = request  # its engine is told of no lists
        spec = attempt.spec
        ticket = Ticket(
            symbol=spec.symbol,
            side=spec.side,
            kind=_KIND_OF[spec.type],
            quantity=spec.quantity,
            client_order_id=attempt.cid,
            price=spec.price,
            stop_price=spec.stop_price,
            time_in_force=spec.time_in_force,
        )
        try:
            order = self.market.submit(self.venue_account, ticket, self.now_ns)
        except RefusedError as error:
            return [
                AttemptMoved(
                    cid=attempt.cid,
                    state=AttemptState.REJECTED,
                    final=True,
                    evidence=str(error),
                )
            ]
        acked = AttemptMoved(
            cid=attempt.cid,
            state=_ACKED,
            order_id=str(order.order_id),
            order_state=_STATE_OF[order.status],
            executed=order.executed,
        )
        return [acked, *[self._filled(attempt, execution) for execution in order.fills]]

    def _filled(self, attempt: Armed, execution: Execution) -> Filled:
        return Filled(
            fill=Fill(
                symbol=execution.symbol,
                side=execution.side,
                trade_id=str(execution.trade_id),
                venue_order_id=str(execution.order_id),
                cid=attempt.cid,
                quantity=execution.quantity,
                price=execution.price,
                fee=execution.fee,
                fee_asset=execution.fee_asset,
                at_ns=execution.at_ns,
                is_maker=execution.is_maker,
            ),
            bot=attempt.bot,
        )

    def _take_back(self, live: LiveOrder) -> list[AnyFact]:
        cid, symbol = live.armed.cid, live.armed.spec.symbol
        order: Order = self.venue_account.orders[symbol, int(live.order_id)]
        if order.is_open:
            self.market.cancel(self.venue_account, order, cid, self.now_ns)
        return [OrderMoved(cid=cid, state=_STATE_OF[order.status], executed=order.executed)]

    def _id(self, intent: str, n: int, kind: IdKind, part: int = 0) -> str:
        return client_order_id(
            tag=self._tag, account=ACCOUNT, generation=1, intent_id=intent, n=n, kind=kind,
            part=part,
        )  # fmt: skip

    def _commit(self, *facts: AnyFact) -> None:
        """Journal, then fold; what the engine asks for next is queued, not nested."""
        self._head, (outcome,) = self.store.commit_now(self._head, (Group(facts),), self.now_ns)
        if isinstance(outcome, Refused):
            raise RuntimeError(f"refused {outcome.claim}")  # noqa: TRY004 - no type is wrong
        step, last = self.engine.step, outcome[-1]
        for record in outcome:
            actions = step(Committed(record.seq, record.at_ns, record.fact, record is not last))
            if actions:
                self._queue += actions

"""An account traded without an event loop: same engine, same facts, journal in memory.

Lives here: the synchronous twin of the desk, with the local matching engine as the venue, where
every reply comes at once and nothing is ever in doubt. Not here: the market that moves the book.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from holdfast.domain.action import Action, Approved, Arm, CancelOrder
from holdfast.domain.event import BarClosed, Committed, Event, Ticked
from holdfast.domain.fact import (
    AnyFact,
    Armed,
    AttemptMoved,
    BotStarted,
    CancelArmed,
    CashFlow,
    Filled,
    InstrumentChanged,
    Opened,
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
from holdfast.journal.memory import MemoryStore
from holdfast.journal.port import Group, Refused
from holdfast.ledger.state import AccountState

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
_ORDER_ID: Final = IdKind.ORDER
_NAME: Final = "main"
_BOOT: Final = "in-process"


class InProcess:
    """One account and its market, stepped by hand.

    Attributes:
        engine: as in production.
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
        instruments = tuple(instruments)
        self.market = Matching(instruments)
        self.venue_account = Account(1, "in-process", "in-process")
        self.store = MemoryStore(keep=keep_journal)
        self.engine = Engine(AccountState(), bots, limits or Limits())
        self.engine.resume()
        self._head = self.store.acquire_now(_NAME)
        self._tag = deployment_tag("in-process")
        self._now_ns = 0
        self._queue: deque[Action] = deque()
        self._listed = {item.symbol for item in instruments}
        self._begin(instruments, cash, reporting)

    def _begin(
        self, instruments: tuple[Instrument, ...], cash: dict[str, Decimal], reporting: str
    ) -> None:
        facts: list[AnyFact] = [
            Opened(account=_NAME, deployment=self._tag, generation=1, reporting=reporting),
            *(InstrumentChanged(instrument=item.to_text()) for item in instruments),
            *(
                BotStarted(bot=name, config_version=1, config="{}", anchor_ns=0)
                for name in self.engine.bots
            ),
        ]
        for asset, amount in cash.items():
            self.venue_account.balance(asset).free = amount
            facts.append(
                CashFlow(asset=asset, amount=amount, reason="opening", evidence="", at_ns=0)
            )
        self._commit(*facts)

    def place(self, event: Place) -> None:
        """Give the market a house order."""
        self.market.place(event, event.at_ns)

    def bar(self, bar: Bar) -> None:
        """A bar closed: step the engine, and carry out all that follows from it."""
        self._now_ns = bar.close_ns
        self.step(BarClosed(bar))

    def step(self, event: Event) -> None:
        """Step the engine with one event, and carry out all that follows from it."""
        if isinstance(event, Ticked):
            self._now_ns = max(self._now_ns, event.now_ns)
        self._queue.extend(self.engine.step(event))
        while self._queue:
            action = self._queue.popleft()
            match action:
                case Arm():
                    self._arm(action)
                case CancelOrder():
                    self._cancel(action.cid)
                case _:
                    self._commit(*action.facts)

    # -- the path of an order, synchronously -----------------------------------------------------

    def _arm(self, action: Arm) -> None:
        armed = [self._armed(order) for order in action.orders]
        if action.decided is None:
            self._commit(*armed)
        else:
            self._commit(action.decided, *armed)
        for attempt in armed:
            self._commit(*self._send(attempt))

    def _send(self, attempt: Armed) -> list[AnyFact]:
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
            order = self.market.submit(self.venue_account, ticket, self._now_ns)
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

    def _cancel(self, cid: str) -> None:
        live = self.engine.account.live.get(cid)
        if live is None:
            return
        spec = live.armed.spec
        self._commit(
            CancelArmed(
                cid=self._id(cid, live.cancels + 1, IdKind.CANCEL),
                target=cid,
                symbol=spec.symbol,
                boot_id=_BOOT,
                timestamp_ms=self._now_ns // 1_000_000,
                window_ms=1000,
            )
        )
        order: Order = self.venue_account.orders[spec.symbol, int(live.order_id)]
        if order.is_open:
            self.market.cancel(self.venue_account, order, cid, self._now_ns)
        self._commit(OrderMoved(cid=cid, state=_STATE_OF[order.status], executed=order.executed))

    def _armed(self, approved: Approved) -> Armed:
        order = approved.order
        return Armed(
            cid=self._id(order.intent_id, order.n, _ORDER_ID),
            intent_id=order.intent_id,
            n=order.n,
            bot=order.bot,
            leg=order.leg,
            seq=order.seq,
            decision=order.decision,
            spec=order.spec,
            boot_id=_BOOT,
            timestamp_ms=self._now_ns // 1_000_000,
            window_ms=1000,
            reserve_asset=approved.reserve_asset,
            reserve=approved.reserve,
            reduces=order.reduces,
        )

    def _id(self, intent: str, n: int, kind: IdKind) -> str:
        return client_order_id(
            tag=self._tag, account=_NAME, generation=1, intent_id=intent, n=n, kind=kind
        )

    def _commit(self, *facts: AnyFact) -> None:
        """Journal, then fold; what the engine asks for next is queued, not nested."""
        self._head, (outcome,) = self.store.commit_now(self._head, (Group(facts),), self._now_ns)
        if isinstance(outcome, Refused):
            raise RuntimeError(f"refused {outcome.claim}")  # noqa: TRY004 - no type is wrong
        left = len(outcome)
        for record in outcome:
            left -= 1
            event = Committed(record.seq, record.at_ns, record.fact, left > 0)
            self._queue += self.engine.step(event)

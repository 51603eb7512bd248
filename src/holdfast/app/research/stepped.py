"""An account whose actions are carried out at once: no event loop, no waiting, nothing in doubt.

Lives here: what the hand-stepped account and the backtest share: from an action to facts, in the
order in which a node does it. Not here: their venues and journals.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable
from decimal import Decimal

from holdfast.domain.action import Action, Approved, Arm, CancelOrder
from holdfast.domain.event import Event, Ticked
from holdfast.domain.fact import (
    AnyFact,
    Armed,
    BotStarted,
    CancelArmed,
    CashFlow,
    InstrumentChanged,
    Opened,
)
from holdfast.domain.instrument import Instrument
from holdfast.domain.order import IdKind
from holdfast.engine.step import Engine
from holdfast.execution.attempts import Request, request_of
from holdfast.ledger.state import LiveOrder

ACCOUNT = "main"
_NS_PER_MS = 1_000_000
_WINDOW_MS = 1000
_ORDER, _CANCEL = IdKind.ORDER, IdKind.CANCEL


class SteppedAccount(ABC):
    """One account, stepped by hand.

    Attributes:
        engine: as in production.
        now_ns: what facts are stamped with, UTC nanoseconds.
    """

    def __init__(self, engine: Engine, boot_id: str) -> None:
        self.engine = engine
        self.now_ns = 0
        self._boot_id = boot_id
        self._queue: deque[Action] = deque()
        engine.resume()

    def begin(
        self,
        instruments: Iterable[Instrument],
        cash: dict[str, Decimal],
        *,
        reporting: str,
        deployment: str,
        anchor_ns: int = 0,
    ) -> None:
        """The facts that every stream begins with; all bots are started."""
        self._commit(
            Opened(account=ACCOUNT, deployment=deployment, generation=1, reporting=reporting),
            *(InstrumentChanged(instrument=item.to_text()) for item in instruments),
            *(
                BotStarted(bot=name, config_version=1, config="{}", anchor_ns=anchor_ns)
                for name in self.engine.bots
            ),
            *(
                CashFlow(asset=asset, amount=amount, reason="opening", evidence="", at_ns=0)
                for asset, amount in cash.items()
            ),
        )

    def step(self, event: Event) -> None:
        """Step the engine with one event, and carry out all that follows from it."""
        if isinstance(event, Ticked):
            self.now_ns = max(self.now_ns, event.now_ns)
        self._queue += self.engine.step(event)
        if self._queue:
            self._carry_out()

    def _carry_out(self) -> None:
        while self._queue:
            action = self._queue.popleft()
            match action:
                case Arm():
                    self._arm(action)
                case CancelOrder():
                    self._cancel(action.cid)
                case _:
                    self._commit(*action.facts)

    def _arm(self, action: Arm) -> None:
        requests = [self._attempts(order) for order in action.orders]
        armed = [attempt for request in requests for attempt in request]
        if action.decided is None:
            self._commit(*armed)
        else:
            self._commit(action.decided, *armed)
        for request in requests:
            answer = self._send(request)
            if answer:
                self._commit(*answer)

    def _cancel(self, cid: str) -> None:
        live = self.engine.account.live.get(cid)
        if live is None:
            return
        self._commit(self._cancel_of(live))
        answer = self._take_back(live)
        if answer:
            self._commit(*answer)

    def _cancel_of(self, live: LiveOrder) -> CancelArmed:
        cid = live.armed.cid
        return CancelArmed(
            cid=self._id(cid, live.cancels + 1, _CANCEL),
            target=cid,
            symbol=live.armed.spec.symbol,
            boot_id=self._boot_id,
            timestamp_ms=self.now_ns // _NS_PER_MS,
            window_ms=_WINDOW_MS,
        )

    def _attempts(self, approved: Approved) -> Request:
        order = approved.order
        return request_of(
            self._attempt(approved),
            order,
            lambda part: self._id(order.intent_id, order.n, _ORDER, part),
        )

    def _attempt(self, approved: Approved) -> Armed:
        order = approved.order
        return Armed(
            cid=self._id(order.intent_id, order.n, _ORDER),
            intent_id=order.intent_id,
            n=order.n,
            bot=order.bot,
            leg=order.leg,
            seq=order.seq,
            decision=order.decision,
            spec=order.spec,
            boot_id=self._boot_id,
            timestamp_ms=self.now_ns // _NS_PER_MS,
            window_ms=_WINDOW_MS,
            reserve_asset=approved.reserve_asset,
            reserve=approved.reserve,
            reduces=order.reduces,
        )

    @abstractmethod
    def _commit(self, *facts: AnyFact) -> None:
        """Keep facts as one group and show them to the engine; what it asks for is queued."""

    @abstractmethod
    def _send(self, request: Request) -> list[AnyFact]:
        """Give an order, or a list, to the venue, and what its answer proves.

        Nothing when it comes later.
        """

    @abstractmethod
    def _take_back(self, live: LiveOrder) -> list[AnyFact]:
        """Cancel an order at the venue, and what that proves; nothing when it comes later.

        Of a list it ends both.
        """

    @abstractmethod
    def _id(self, intent: str, n: int, kind: IdKind, part: int = 0) -> str:
        """A client order id, unique for the same arguments; the orders of a list count from 1."""

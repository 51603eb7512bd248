"""An engine and its journal in memory: actions become facts, each claim once, each promise kept.

Not here: what the venue answers (engine_venue), bars and time (engine_world).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal

from holdfast.domain.action import Action, Approved, Arm, CancelOrder, Note
from holdfast.domain.event import ArmFailed, Committed, Event
from holdfast.domain.fact import AnyFact, Armed, Decided, Refusal
from holdfast.domain.limits import Limits
from holdfast.domain.order import OrderSpec, client_order_id
from holdfast.engine.bot import BotRuntime
from holdfast.engine.step import Engine
from holdfast.journal.claims import Claim, claims
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState, LiveOrder
from tests.support.engine_promises import check_arming, check_proposal


class Journaled:
    """An engine, stepped by hand, and what its actions come to in the journal.

    Attributes:
        facts: the journal.
        arming: arms that the engine asked for, not yet in the journal.
        cancelling: cancels that it asked for, not yet in the journal.
        unanswered: attempts in the journal, sent, and not yet answered.
    """

    def __init__(
        self, bots: tuple[BotRuntime, ...], limits: Limits, *, now_ns: int, lists: bool
    ) -> None:
        self.bots = bots
        self.lists = lists
        self.limits = limits
        self.now_ns = now_ns
        self.boot = 1
        self.facts: list[AnyFact] = []
        self.stamps: list[int] = []
        self.arming: deque[Arm] = deque()
        self.cancelling: deque[str] = deque()
        self.unanswered: dict[str, Armed] = {}
        self._mirror = AccountState()
        self._claimed: set[Claim] = set()
        self._ids = 0
        self.engine = Engine(AccountState(), bots, limits, lists=lists)
        self.engine.resume()

    @property
    def account(self) -> AccountState:
        """The fold that the engine decides on."""
        return self.engine.account

    @property
    def armed(self) -> list[Armed]:
        """Every attempt ever armed, oldest first."""
        return [fact for fact in self.facts if isinstance(fact, Armed)]

    def held(self, name: str = "bot", symbol: str = "BTC/USDT") -> Decimal:
        """The bot's position, base units."""
        found = self.account.bots[name].positions.get(symbol)
        return found.quantity if found is not None else Decimal(0)

    @property
    def refusals(self) -> list[Refusal]:
        """What the risk gate refused, oldest first."""
        return [fact for fact in self.facts if isinstance(fact, Refusal)]

    @property
    def decided(self) -> list[Decided]:
        """Every decision, oldest first."""
        return [fact for fact in self.facts if isinstance(fact, Decided)]

    def working(self) -> list[LiveOrder]:
        """Orders that the fold believes open at the venue."""
        return [order for order in self.account.live.values() if order.is_working]

    def take(self, event: Event) -> list[Action]:
        """Step the engine and carry out what follows."""
        actions = self.engine.step(event)
        self.perform(actions)
        return actions

    def commit(self, *facts: AnyFact) -> None:
        """Journal one group and fold it; a claim made twice is the end of the test."""
        claimed = [claim for fact in facts for claim in claims(fact)]
        assert not self._claimed.intersection(claimed), f"claimed before: {claimed}"
        assert len(set(claimed)) == len(claimed), f"claimed twice in one group: {claimed}"
        self._claimed.update(claimed)
        for left, fact in zip(range(len(facts) - 1, -1, -1), facts, strict=True):
            self._note(fact)
            self.take(Committed(len(self.facts), self.now_ns, fact, left > 0))

    def _note(self, fact: AnyFact) -> None:
        self.facts.append(fact)
        self.stamps.append(self.now_ns)
        apply(self._mirror, len(self.facts), 0, self.now_ns, fact)

    def perform(self, actions: Iterable[Action]) -> None:
        """Queue what is to be sent, journal what is to be noted."""
        for action in actions:
            match action:
                case Arm():
                    for approved in action.orders:
                        check_proposal(self.account, approved)
                    self.arming.append(action)
                case CancelOrder():
                    if action.cid not in self.cancelling:
                        self.cancelling.append(action.cid)
                case Note():
                    self.commit(*action.facts)

    def arm(self) -> list[Armed]:
        """The oldest arm becomes durable and is sent; a halt that came before keeps it out."""
        if self._comes_after_a_halt(self.arming[0]):
            self.fail_arm(decision_stands=True)
            return []
        action = self.arming.popleft()
        armed = [part for order in action.orders for part in self._armed(order)]
        for attempt in armed:
            check_arming(self.account, self.armed, attempt)
        self.unanswered.update((attempt.cid, attempt) for attempt in armed)
        decided = () if action.decided is None else (action.decided,)
        self.commit(*decided, *armed)
        return armed

    def _comes_after_a_halt(self, action: Arm) -> bool:
        entries = [each.order for each in action.orders if not each.order.reduces]
        return bool(entries) and self.account.halt(entries[0].bot) is not None

    def fail_arm(self, *, decision_stands: bool = False, passes: bool = False) -> None:
        """The oldest arm is not journaled, or only its decision is.

        Args:
            passes: for what is over in a moment.
        """
        action = self.arming.popleft()
        name = action.decided.bot if action.decided else action.orders[0].order.bot
        stands = decision_stands and action.decided is not None
        number = action.decided.number if action.decided is not None and not stands else 0
        intents = tuple(order.order.intent_id for order in action.orders)
        self.take(ArmFailed(intents, name, "a test", number, passes))
        if stands and action.decided is not None:
            self.commit(action.decided)

    def fail_arm_of_orders_only(self) -> None:
        """The oldest arm's orders are not journaled; its decision is still on its way."""
        action = self.arming.popleft()
        assert action.decided is not None
        intents = tuple(order.order.intent_id for order in action.orders)
        self.take(ArmFailed(intents, action.decided.bot, "the rate budget is used up"))

    def settle_decision(self) -> None:
        """Journal the oldest arm, which brings no order."""
        assert self.arming[0].orders == ()
        self.arm()

    def _armed(self, approved: Approved) -> list[Armed]:
        specs = approved.order.specs
        if len(specs) == 1:
            return [self._armed_part(approved, specs[0])]
        whole = self._cid(approved, 0)
        return [self._armed_part(approved, spec, i, whole) for i, spec in enumerate(specs, 1)]

    def _cid(self, approved: Approved, part: int) -> str:
        order = approved.order
        return client_order_id(
            tag="0" * 8,
            account="main",
            generation=1,
            intent_id=order.intent_id,
            n=order.n,
            part=part,
        )

    def _armed_part(
        self, approved: Approved, spec: OrderSpec, part: int = 0, list_cid: str = ""
    ) -> Armed:
        order = approved.order
        return Armed(
            cid=self._cid(approved, part),
            intent_id=order.intent_id,
            n=order.n,
            bot=order.bot,
            leg=order.leg,
            seq=order.seq,
            decision=order.decision,
            spec=spec,
            boot_id=f"boot-{self.boot}",
            timestamp_ms=self.now_ns // 1_000_000,
            window_ms=1000,
            reserve_asset=approved.reserve_asset,
            reserve=approved.reserve,
            reduces=order.reduces,
            list_cid=list_cid,
            part=part,
        )

"""What a journal tells, kept whole: every attempt, every booked fill, every movement of money.

The fold of the platform (ledger) forgets what can no longer matter; a checker may not. Not here:
comparing it with an exchange (audit).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum

import msgspec

from holdfast.domain import fact as facts
from holdfast.domain.fact import AnyFact, Armed, Filled
from holdfast.domain.money import ZERO
from holdfast.domain.order import AttemptState, OrderState, Side

FillKey = tuple[str, str]


class Phase(StrEnum):
    """Where an attempt stands, in the words of people."""

    SENT = "on its way"
    DOUBT = "in doubt"
    RESTING = "resting"
    FILLED = "filled"
    TAKEN_BACK = "taken back"  # cancelled or expired, perhaps after a part was filled
    REFUSED = "refused"
    NOT_SENT = "not sent"
    NEVER = "never arrived"


_PHASES = {
    AttemptState.ARMED: Phase.SENT,
    AttemptState.IN_DOUBT: Phase.DOUBT,
    AttemptState.REJECTED: Phase.REFUSED,
    AttemptState.NOT_SENT: Phase.NOT_SENT,
    AttemptState.NEVER_EXECUTED: Phase.NEVER,
}


class Attempt(msgspec.Struct):
    """One signed request as the journal tells it.

    Attributes:
        at_ns: when it was armed, by the writer's clock.
        closed: a rejection that has become final.
        booked: base units of its fills.
        value: quote units of its fills.
    """

    armed: Armed
    at_ns: int
    state: AttemptState = AttemptState.ARMED
    order_state: OrderState | None = None
    closed: bool = False
    booked: Decimal = ZERO
    value: Decimal = ZERO

    @property
    def is_unresolved(self) -> bool:
        """Whether nobody knows yet what became of it."""
        return self.state in {AttemptState.ARMED, AttemptState.IN_DOUBT}

    @property
    def is_declared_absent(self) -> bool:
        """Whether the journal says that it cannot have executed."""
        return self.state in {AttemptState.NOT_SENT, AttemptState.NEVER_EXECUTED} or (
            self.state is AttemptState.REJECTED and self.closed
        )

    @property
    def phase(self) -> Phase:
        """Where it stands."""
        if self.state is not AttemptState.ACKED:
            return _PHASES[self.state]
        if self.order_state is None or self.order_state.is_open:
            return Phase.RESTING
        if self.order_state in {OrderState.FILLED, OrderState.SETTLED}:
            return Phase.FILLED
        return Phase.TAKEN_BACK


class Held(msgspec.Struct):
    """A bot's position in a symbol, counted from executions alone.

    Attributes:
        quantity: base units, net of fees taken in base, unless nothing of it was left for them.
        fees: those of sales, base units, since it was last flat.
    """

    quantity: Decimal = ZERO
    fees: Decimal = ZERO

    def book(self, side: Side, quantity: Decimal, fee: Decimal) -> None:
        """An execution; `fee` is what was taken in base."""
        if side is Side.BUY:
            self.quantity += quantity - fee
            return
        self.fees += fee
        self.quantity -= quantity + fee
        if self.quantity < ZERO:  # what was sold is gone; its fees were paid from elsewhere
            self.quantity = min(ZERO, self.quantity + self.fees)
        if self.quantity <= ZERO:
            self.fees = ZERO

    def lose(self, quantity: Decimal) -> None:
        """Some of it went by no order of the bot's."""
        self.quantity -= min(quantity, self.quantity)


class Told:
    """The facts of one account's stream, in order, sorted by what they are about.

    Attributes:
        attempts: by client order id, in arming order.
        fills: by symbol on the wire and trade id.
        ghosts: client order ids that the journal itself calls ghosts.
        moved: money that came or went without a fill, by asset.
        positions: by bot and symbol.
        phases: how many attempts are in each phase.
        is_opened: the journal and the exchange have been reconciled at least once, so that all
            money is in `moved` or in `fills`.
    """

    def __init__(self) -> None:
        self.deployment = ""
        self.attempts: dict[str, Attempt] = {}
        self.fills: dict[FillKey, Filled] = {}
        self.ghosts: set[str] = set()
        self.moved: dict[str, Decimal] = {}
        self.positions: dict[tuple[str, str], Held] = {}
        self.phases: Counter[Phase] = Counter()
        self.is_opened = False

    @classmethod
    def of(cls, told: Iterable[AnyFact]) -> Told:
        """All of `told`, from the first fact of the stream on."""
        found = cls()
        for fact in told:
            found.take(fact)
        return found

    def take(self, fact: AnyFact, at_ns: int = 0) -> None:
        """Take the next fact in."""
        match fact:
            case facts.Opened():
                self.deployment = fact.deployment
            case Armed():
                self.attempts[fact.cid] = Attempt(fact, at_ns)
                self.phases[Phase.SENT] += 1
            case facts.AttemptMoved() | facts.RejectClosed() | facts.OrderMoved():
                self._move(fact)
            case Filled():
                self._fill(fact)
            case facts.Ghost():
                self.ghosts.add(fact.cid)
            case facts.CashFlow() | facts.Adjustment():
                self.moved[fact.asset] = self.moved.get(fact.asset, ZERO) + fact.amount
                if isinstance(fact, facts.Adjustment) and fact.bot and fact.amount < ZERO:
                    self._held(fact.bot, fact.symbol).lose(-fact.amount)
            case facts.Liquidated(bot=bot, symbol=symbol):
                self._held(bot, symbol).lose(fact.quantity)
            case facts.Reconciled():
                self.is_opened = True
            case _:
                pass  # of no order and no money

    def doubted_since_ns(self) -> int:
        """When the oldest attempt of which nobody knows was armed; 0 without one."""
        if not self.phases[Phase.SENT] + self.phases[Phase.DOUBT]:
            return 0
        return min(one.at_ns for one in self.attempts.values() if one.is_unresolved)

    def _move(self, fact: facts.AttemptMoved | facts.RejectClosed | facts.OrderMoved) -> None:
        attempt = self.attempts[fact.cid]
        before = attempt.phase
        if isinstance(fact, facts.AttemptMoved):
            attempt.state = fact.state
            attempt.closed = fact.final
            attempt.order_state = fact.order_state or attempt.order_state
        elif isinstance(fact, facts.OrderMoved):
            attempt.order_state = fact.state
        else:
            attempt.closed = True
        self.phases[before] -= 1
        self.phases[attempt.phase] += 1

    def _held(self, bot: str, symbol: str) -> Held:
        return self.positions.setdefault((bot, symbol), Held())

    def _fill(self, fact: Filled) -> None:
        fill = fact.fill
        if fact.bot and (wire(fill.symbol), fill.trade_id) not in self.fills:
            in_base = fill.fee_asset == fill.symbol.split("/")[0]
            held = self._held(fact.bot, fill.symbol)
            held.book(fill.side, fill.quantity, fill.fee if in_base else ZERO)
        self.fills[wire(fill.symbol), fill.trade_id] = fact
        attempt = self.attempts.get(fill.cid)
        if attempt is not None:
            attempt.booked += fill.quantity
            attempt.value += fill.quantity * fill.price


def wire(symbol: str) -> str:
    """`BTCUSDT` for `BTC/USDT`."""
    return symbol.replace("/", "")


def holdings(moved: dict[str, Decimal], fills: Iterable[Filled]) -> dict[str, Decimal]:
    """What an account has of each asset after these movements and fills."""
    found = dict(moved)

    def add(asset: str, amount: Decimal) -> None:
        found[asset] = found.get(asset, ZERO) + amount

    for booked in fills:
        fill = booked.fill
        base, quote = fill.symbol.split("/")
        signed = fill.quantity if fill.side is Side.BUY else -fill.quantity
        add(base, signed)
        add(quote, -signed * fill.price)
        add(fill.fee_asset, -fill.fee)
    return found

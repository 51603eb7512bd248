"""The omniscient checker: each commit, call and execution, held against the invariants at once.

It reads the exchange's true ledger and the true store, never what a node believes. The invariants
are those of `docs/simulation.md`. Not here: the comparison of everything at the end (verdict).
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Collection
from decimal import Decimal
from functools import partial

import msgspec

from holdfast.app.demo.told import Told, wire
from holdfast.cluster.port import Claim
from holdfast.domain.fact import (
    UNKNOWN,
    Adjustment,
    AnyFact,
    Armed,
    AttemptMoved,
    BotRemoved,
    BotStarted,
    BotStopped,
    CashFlow,
    Draining,
    Filled,
    ForeignOrder,
    Ghost,
    Halted,
    Leg,
    Quarantined,
    Reconciled,
    Refusal,
    RejectClosed,
    Released,
    Resumed,
    TookOver,
)
from holdfast.domain.money import ZERO
from holdfast.domain.order import AttemptState, Side
from holdfast.errors import CorruptionError
from holdfast.exchange.accounts import Account
from holdfast.exchange.core import OrderReport, UserEvent
from holdfast.exchange.orders import Status
from holdfast.exchange.traffic import Call
from holdfast.journal.port import Head
from holdfast.journal.record import Record
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState
from holdfast.simulation.clock import FIRST_S, WORLD
from holdfast.simulation.exposure import Exposure
from holdfast.simulation.faults import CLOCK_OFF_MS
from holdfast.simulation.limits import UNLIMITED, BotLimits, Limited
from holdfast.simulation.losses import Losses
from holdfast.simulation.outcome import Event, Violation
from holdfast.simulation.rows import Rows, id_of
from holdfast.simulation.sharing import PRICES, Shared
from holdfast.simulation.story import cids_of, heard, shown_of, told_of
from holdfast.simulation.wishes import Wishes

_KEPT = 20_000
ABSENT_MS = 12_000
"""After an order's deadline: so long the exchange may take to execute it (10 s), and to show it."""
PIDS = 100_000
"""Process ids of each machine: the first has those from here on, the second from twice that."""
_encode = msgspec.json.Encoder(decimal_format="string").encode
_Line = tuple[float, str | Callable[[], str], tuple[str, ...]]


class Checker:
    """Watches one account of a world.

    Args:
        breaks: the run breaks an assumption on purpose: doubled executions are to be expected, and
            must end in an alarm.
        most_held: quote units that a bot may have in a symbol, doubts and open orders counted.
        most_together: the same of all bots; None where each has a symbol of its own.
        limits: what else binds each of them.
        price: what a unit of a symbol truly costs now.
        traded: symbols that have a bot.

    Attributes:
        told: everything the journal says.
        fold: the platform's own fold of it, begun at the beginning and never restarted.
        executed: base units by client order id, as the exchange executed them.
        has_disagreed: a comparison with the exchange left something unexplained.
        exposure, wishes: what bots hold and may yet get, and what they wish.
        shared: what they have together.
        limited: what else binds them.
        armed_s: when each bot armed its newest order; world time.
        acted_s: when the newest order was armed that has reached the exchange; world time.
        is_meddled: somebody did something on the account beside the platform.
        trace: grows with every event; the same seed gives the same.
    """

    def __init__(
        self, account: Account, *, price: Callable[[str], Decimal], traded: Collection[str],
        breaks: bool, most_held: Decimal, most_together: Decimal | None = None,
        limits: BotLimits = UNLIMITED,
    ) -> None:
        self.told = Told()
        self.fold = AccountState()
        self.violations: list[Violation] = []
        self._lines: deque[_Line] = deque(maxlen=_KEPT)
        self.executed: dict[str, Decimal] = {}
        self.trace = hashlib.sha256()
        self.counts: Counter[str] = Counter()
        self.exposure = Exposure(self.told)
        self.wishes = Wishes(self.told, self.exposure)
        self.shared = Shared(account, self.told, self.exposure, most_together)
        self._losses = Losses(self.exposure, price, account, traded)
        self.limited = Limited(limits, self.exposure, self._losses)
        self.armed_s: dict[str, float] = {}
        self.acted_s = 0.0
        self.is_meddled = False
        self.epoch = 0
        self.has_disagreed = False
        self.on_violation: Callable[[], object] | None = None
        self._account = account
        self._price = price
        self.breaks = breaks
        self._most_held = most_held
        self._by_intent: dict[str, set[str]] = {}
        self._rows = Rows()
        self._sent: set[str] = set()
        self._armed_s: dict[str, float] = {}
        self._stopped: set[str] = set()  # bots that are halted; "" is the account
        self._at_rest: set[str] = set()  # bots that were stopped or removed
        self._draining: set[str] = set()
        self._quarantined: set[str] = set()
        self._machine = 0
        self._open_doubts: set[str] = set()

    # -- told by the world -------------------------------------------------------------------------

    def on_acquire(self, head: Head) -> None:
        """A process took the stream over."""
        if head.epoch <= self.epoch:
            self.violate("I3", f"epoch {head.epoch} begins after epoch {self.epoch}")
        self.epoch = head.epoch
        self.say(f"epoch {head.epoch} begins")

    def on_claim(self, before: Claim, now: Claim) -> None:
        """Somebody wrote who has the lease.

        I15: it changes hands by one turn at a time, from whom has it then. Who writes on what was
        read a while ago gives it back to whom it was taken from, and two lead by it.
        """
        if now.boot_id != before.boot_id and now.turn != before.turn + 1:
            self.violate(
                "I15", f"the lease goes from {before.boot_id or 'nobody'}, turn {before.turn}, to "
                f"{now.boot_id or 'nobody'}, turn {now.turn}, who neither took it nor was given it"
            )  # fmt: skip

    def on_commit(self, head: Head, records: tuple[Record, ...]) -> None:
        """Facts became durable."""
        self.shared.begin()
        for record in records:
            fact = record.fact
            if record.epoch != self.epoch or head.epoch != self.epoch:
                self.violate("I3", f"a fact of epoch {record.epoch} within epoch {self.epoch}")
            self._look(fact)
            self._rows.take(fact)
            self.told.take(fact, record.at_ns)
            self.exposure.take(fact)
            self.wishes.take(fact)
            self.shared.take(fact)
            self.limited.take(fact)
            if isinstance(fact, Refusal) and fact.rule == "balance":
                self.counts["short of cash"] += 1
            try:
                apply(self.fold, record.seq, record.epoch, record.at_ns, fact)
            except CorruptionError as error:
                self.violate("I11", f"nobody can fold this any more: {error}", *cids_of(fact)[:1])
            encoded = _encode(fact)
            if not isinstance(fact, TookOver):  # it names the machine that the run was made on
                self.trace.update(encoded)
            of_all = isinstance(fact, TookOver | Halted | Resumed | Reconciled)
            about = cids_of(fact) or (() if of_all else ("nobody's",))
            self.say(partial(told_of, record.seq, encoded), *about)

    def on_call(self, call: Call) -> None:
        """A request reached the exchange."""
        if not call.api_key:
            return
        if call.method in {"POST", "DELETE"}:
            cid = id_of(call)
            if fault := self._rows.fault(call):
                self.violate("I2", fault, cid)
            if call.method == "POST" and cid:
                if cid in self._sent:
                    self.violate("I4", "the same order was sent twice", cid)
                self._sent.add(cid)
                self.acted_s = max(self.acted_s, self._armed_s.get(cid, 0.0))
        self.trace.update(f"{WORLD.now_s!r} {call.method} {call.path}".encode())
        target = call.params.get("origClientOrderId", "")
        named = call.params.get("newClientOrderId", "") or call.params.get("listClientOrderId", "")
        about = tuple(filter(None, (target, named))) or ("nobody's",)
        self.say(partial(heard, call), *about)

    def on_event(self, account: Account, event: UserEvent) -> None:
        """Something happened at the exchange."""
        if account is not self._account or not isinstance(event, OrderReport):
            return
        order = event.order
        cid = order.client_order_id
        fill = event.execution
        text = f"exchange: order {order.order_id} {order.status.value}"
        if fill is not None:
            text += f", trade {fill.trade_id}: {fill.side.value} {fill.quantity} at {fill.price}"
            self.executed[cid] = self.executed.get(cid, ZERO) + fill.quantity
            self.counts["fills"] += 1
            self._executed(cid)
            self.wishes.executed(cid)
        if order.status is Status.EXPIRED_IN_MATCH:
            self.counts["self-trades prevented"] += 1
        self.exposure.report(order, fill)
        if fill is not None and (attempt := self.told.attempts.get(cid)) is not None:
            self._losses.executed(attempt.armed.bot, fill)
        self.trace.update(text.encode())
        self.say(text, cid)

    def on_refused(self, what: str) -> None:
        """The exchange refused somebody for speed, and no fault asked it to."""
        self.violate("I10", f"too fast: {what}")

    def on_hasty(self, what: str) -> None:
        """A process asked for something although it had been told to stay away."""
        self.violate("I10", f"does not heed Retry-After: {what}")

    def on_fault(self, kind: str, detail: str = "") -> None:
        """A fault begins."""
        self.counts[f"fault {kind}"] += 1
        self.trace.update(kind.encode())
        self.say(f"fault {kind} {detail}")

    def meddle(self, what: str) -> None:
        """Somebody does something on the account, which the platform has to find out."""
        self.is_meddled = True
        self.say(what)

    # -- invariants --------------------------------------------------------------------------------

    def _look(self, fact: AnyFact) -> None:
        match fact:
            case Armed():
                self._armed(fact)
            case AttemptMoved():
                self._moved(fact)
            case RejectClosed():
                self._declared_absent(fact.cid)
                self._waited_long_enough(fact.cid)
            case Filled():
                key = wire(fact.fill.symbol), fact.fill.trade_id
                if key in self.told.fills:
                    self.violate("I7", f"trade {key[1]} of {key[0]} is booked twice", fact.fill.cid)
            case (
                Halted() | Quarantined() | Resumed() | Draining() | Released()
                | BotStarted() | BotStopped() | BotRemoved()
            ):  # fmt: skip
                self._guarded(fact)
            case Ghost() | Adjustment() | ForeignOrder():
                self._alarmed(fact)
            case CashFlow(reason=reason) if reason == UNKNOWN:
                self._alarmed(fact)
            case TookOver():
                self._took_over(fact)
            case Reconciled(agreed=False):
                self.has_disagreed = True
            case _:
                pass

    def _alarmed(
        self, fact: Ghost | Halted | Adjustment | CashFlow | ForeignOrder | Quarantined
    ) -> None:
        """I13: somebody did something beside the platform, or an assumption was broken."""
        self.counts["ghosts" if isinstance(fact, Ghost) else "alarms"] += 1
        if not (self.breaks or (self.is_meddled and not isinstance(fact, Ghost))):
            shown = shown_of(_encode(fact))
            self.violate("I13", f"an alarm without cause: {shown}", *cids_of(fact)[:1])

    def _took_over(self, fact: TookOver) -> None:
        machine = int(fact.node.rpartition(":")[2]) // PIDS
        if self._machine and machine != self._machine:
            self.counts["failovers"] += 1
        self._machine = machine

    def _armed(self, fact: Armed) -> None:
        self.counts["orders"] += 1
        self.armed_s[fact.bot] = self._armed_s[fact.list_cid or fact.cid] = WORLD.now_s
        self._by_intent.setdefault(fact.intent_id, set()).add(fact.cid)
        for other in self._by_intent[fact.intent_id] - {fact.cid}:
            attempt = self.told.attempts[other]
            if attempt.armed.n == fact.n - 1:
                self.counts[f"again after {attempt.state.value}"] += 1
            if attempt.armed.n != fact.n and not attempt.is_declared_absent:
                self.violate("I1", f"armed again while {other} is {attempt.state.value}", fact.cid)
        if fact.spec.side is Side.BUY:  # whatever the platform calls it: nothing is sold short
            self._may_add(fact)
        if not self.breaks and (fault := self.wishes.fault(fact)):
            self.violate("I14", fault, fact.cid)

    def _may_add(self, fact: Armed) -> None:
        """I8: nothing stops it; what is held, what may yet be bought, and this are in limits."""
        spec, bot = fact.spec, fact.bot
        if self._stopped & {"", bot} or bot in self._draining:
            self.violate("I8", "armed more while it was halted", fact.cid)
        if bot in self._at_rest:
            self.violate("I8", "armed more while it was stopped", fact.cid)
        if quarantined := self._quarantined & {spec.symbol, *spec.symbol.split("/")}:
            self.violate("I8", f"armed more while in quarantine: {min(quarantined)}", fact.cid)
        for cid in self._open_doubts:
            if self.told.attempts[cid].armed.spec.symbol == spec.symbol:
                self.violate("I8", f"armed more while {cid} is in doubt", fact.cid)
        price = spec.price or spec.stop_price or self._price(spec.symbol)
        if fact.reserve * PRICES < spec.quantity * price:
            self.violate("I8", f"{spec.quantity} at {price} sets {fact.reserve} aside", fact.cid)
            return
        if self.breaks:
            return  # what executes against an assumption is in no count of the platform's
        most = self.exposure.held(bot, spec.symbol) + spec.quantity
        most += self.exposure.outstanding(bot, spec.symbol, Side.BUY)
        if most * price > self._most_held * PRICES:
            self.violate("I8", f"{most} at {price} would be beyond {self._most_held}", fact.cid)
        for fault in (*self.shared.faults(fact), *self.limited.faults(fact, price)):
            self.violate("I8", fault, fact.cid)

    def _guarded(
        self,
        fact: Halted | Resumed | Draining | Quarantined | Released
        | BotStarted | BotStopped | BotRemoved,
    ) -> None:  # fmt: skip
        """What stops whom, from the facts alone."""
        if isinstance(fact, Halted | Quarantined):
            self._alarmed(fact)
        match fact:
            case Halted():
                self._stopped.add(fact.bot)
            case Resumed():
                self._stopped.discard(fact.bot)
            case Draining():
                (self._draining.add if fact.on else self._draining.discard)(fact.bot)
            case Quarantined():
                self._quarantined.add(fact.what)
            case Released():
                self._quarantined.discard(fact.what)
            case BotStarted():
                self._at_rest.discard(fact.bot)
            case BotStopped() | BotRemoved():
                self._at_rest.add(fact.bot)

    def _moved(self, fact: AttemptMoved) -> None:
        attempt = self.told.attempts.get(fact.cid)
        if fact.state is AttemptState.IN_DOUBT:
            self.counts["doubts"] += 1
            self._open_doubts.add(fact.cid)
        elif fact.cid in self._open_doubts:
            self._open_doubts.discard(fact.cid)
            self.counts["in_doubt_resolved"] += 1
        if fact.state is AttemptState.NEVER_EXECUTED or fact.final:
            self._declared_absent(fact.cid)
        if fact.state is AttemptState.NEVER_EXECUTED:
            self._waited_long_enough(fact.cid)
        if fact.state is AttemptState.NOT_SENT:
            self._declared_absent(fact.cid)
            if attempt is not None and (fact.cid in self._sent):
                self.violate("I5", "declared unsent after the exchange heard it", fact.cid)

    def _declared_absent(self, cid: str) -> None:
        if self.executed.get(cid) and not self.breaks:
            self.violate("I5", "declared absent after it executed", cid)

    def _waited_long_enough(self, cid: str) -> None:
        """Whatever the platform's own number for it: until then the exchange may still execute."""
        attempt = self.told.attempts.get(cid)
        if attempt is None:
            return
        wrong_ms = CLOCK_OFF_MS if self.counts["fault clock_offset"] else 0
        early_ms = attempt.armed.timestamp_ms + attempt.armed.window_ms + ABSENT_MS
        early_ms -= WORLD.now_ns // 1_000_000 + wrong_ms
        if early_ms > 0:
            self.violate("I5", f"declared absent {early_ms} ms before that can be known", cid)

    def _executed(self, cid: str) -> None:
        attempt = self.told.attempts.get(cid)
        if attempt is None or self.breaks:
            return
        armed = attempt.armed
        done = {
            other: self.executed[other]
            for other in self._by_intent.get(armed.intent_id, ())
            if self.executed.get(other)
        }
        if len({self.told.attempts[other].armed.n for other in done}) > 1:
            self.violate("I1", f"two attempts of {armed.intent_id} executed", cid)
        if sum(done.values(), ZERO) > armed.spec.quantity:
            self.violate("I1", f"{armed.intent_id} executed beyond {armed.spec.quantity}", cid)
        if attempt.is_declared_absent:
            self.violate("I5", f"executed after it was declared {attempt.state.value}", cid)

    def is_beyond(self, bot: str, leg: Leg, price: Decimal) -> bool:
        """Whether limits forbid to hold what a leg wishes, to buy it at once, or to have it beside
        what others hold and may yet get of its symbol."""
        target = leg.target or ZERO
        missing = target - self.exposure.held(bot, leg.symbol)
        return (
            target * price > self._most_held
            or self.limited.is_too_large(missing * price)
            or self.shared.is_too_much(leg.symbol, missing, price)
        )

    def waits(self, bot: str) -> bool:
        """Whether it was refused for what binds it, rightly, and armed no purchase since."""
        return bot in self.shared.waits or bot in self.limited.waits

    def armed_at_s(self, armed: Armed) -> float:
        """When it was armed; world time."""
        return self._armed_s[armed.list_cid or armed.cid]

    # -- what is kept ------------------------------------------------------------------------------

    def violate(self, invariant: str, detail: str, cid: str = "") -> None:
        """Note that an invariant did not hold."""
        at_s = round(WORLD.now_s - FIRST_S, 6)
        self.violations.append(Violation(invariant, detail, at_s, cid))
        if self.on_violation is not None:
            self.on_violation()
        self.say(f"VIOLATION of {invariant}: {detail}", cid)

    def say(self, text: str | Callable[[], str], *cids: str) -> None:
        """Add a line to the timeline; one that takes writing is written if it is ever read."""
        self._lines.append((WORLD.now_s, text, cids))

    @property
    def events(self) -> list[Event]:
        """The timeline, as far back as it is kept."""
        return [
            Event(round(at_s - FIRST_S, 6), text if isinstance(text, str) else text(), cids)
            for at_s, text, cids in self._lines
        ]

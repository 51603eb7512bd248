"""An account's world in memory: the engine's actions become facts, and a venue answers by hand.

Lives here: a journal with its claims, a venue whose every answer the test chooses, and the promises
that hold after each step whatever was chosen. Not here: real execution, sockets, files.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from holdfast.domain.action import Action, Approved, Arm, CancelOrder, Note
from holdfast.domain.event import ArmFailed, BarClosed, Committed, Event, OperatorAsked, Ticked
from holdfast.domain.fact import (
    AnyFact,
    Armed,
    AttemptMoved,
    BotStarted,
    CancelArmed,
    CashFlow,
    Decided,
    Filled,
    HaltLevel,
    InstrumentChanged,
    Opened,
    OrderMoved,
    Refusal,
    RejectClosed,
)
from holdfast.domain.fill import Fill
from holdfast.domain.instrument import Instrument
from holdfast.domain.limits import Limits
from holdfast.domain.market import Bar
from holdfast.domain.order import (
    AttemptState,
    OrderSpec,
    OrderState,
    OrderType,
    Side,
    TimeInForce,
    client_order_id,
)
from holdfast.engine.bot import BotRuntime
from holdfast.engine.complete import has_all
from holdfast.engine.step import Engine
from holdfast.journal.claims import Claim, claims
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState, LiveOrder, from_bytes, once, to_bytes
from holdfast.strategy import KEEP, Strategy, View, Wish
from holdfast.strategy.wish import Returned

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
START_NS = 1_700_000_000 * SECOND_NS // MINUTE_NS * MINUTE_NS
FREE_LIMITS = Limits(max_orders_per_minute=None, price_band_pct=None)

BTC = Instrument(
    symbol="BTC/USDT",
    venue_symbol="BTCUSDT",
    base="BTC",
    quote="USDT",
    price_tick=Decimal("0.01"),
    quantity_step=Decimal("0.001"),
    min_quantity=Decimal("0.001"),
    max_quantity=Decimal(1000),
    min_notional=Decimal(5),
    takes_lists=True,
)


class Scripted(Strategy):
    """Wishes what the test put into `wishes` last; raises it when it is an exception."""

    wishes: list[object] = msgspec.field(default_factory=list)

    def decide(self, now: View) -> Returned:
        return self.scripted()

    def scripted(self) -> Wish:
        """What the test said last."""
        wish = self.wishes[-1] if self.wishes else KEEP
        if isinstance(wish, BaseException):
            raise wish
        return wish  # type: ignore[return-value]  # nonsense is a test's right


class Counting(Scripted):
    """Wishes what the test says, and counts how often it did."""

    class Memory(msgspec.Struct):
        asked: int = 0

    def decide(self, now: View) -> Returned:
        memory = now.memory
        memory.asked += 1
        return self.scripted(), memory


def bot(
    name: str = "bot",
    *,
    symbol: str = "BTC/USDT",
    symbols: tuple[str, ...] = (),
    limits: Limits = FREE_LIMITS,
    strategy: Strategy | None = None,
) -> BotRuntime:
    """A bot on one-minute bars that wishes what it is told."""
    return BotRuntime(
        name, strategy or Scripted(), symbols=symbols or (symbol,), timeframe_s=60, limits=limits
    )


class Resting(msgspec.Struct):
    """An order that the venue has: what it is, and what of it executed there."""

    armed: Armed
    order_id: str
    executed: Decimal = Decimal(0)
    open: bool = True


class World:
    """One account, stepped by hand.

    Attributes:
        facts: the journal.
        arming: arms that the engine asked for, not yet in the journal.
        cancelling: cancels that it asked for, not yet in the journal.
        unanswered: attempts in the journal, sent, and not yet answered.
        venue: orders that the venue took, open or not.
        refusals: what the risk gate refused.
        bars: what closed so far.
    """

    def __init__(
        self,
        *bots: BotRuntime,
        limits: Limits = FREE_LIMITS,
        cash: Decimal = Decimal(1_000_000),
        instruments: Iterable[Instrument] = (BTC,),
        prices: dict[str, Decimal] | None = None,
        lists: bool = False,
    ) -> None:
        self.bots = bots or (bot(),)
        self.lists = lists
        self.limits = limits
        self.now_ns = START_NS
        self.boot = 1
        self.facts: list[AnyFact] = []
        self.stamps: list[int] = []
        self.bars: list[Bar] = []
        self.arming: deque[Arm] = deque()
        self.cancelling: deque[str] = deque()
        self.unanswered: dict[str, Armed] = {}
        self.venue: dict[str, Resting] = {}
        self.prices = {item.symbol: Decimal(100) for item in instruments} | (prices or {})
        self._mirror = AccountState()
        self._claimed: set[Claim] = set()
        self._ids = 0
        self._performing = False
        self.engine = Engine(AccountState(), self.bots, limits, lists=lists)
        self.engine.resume()
        self.commit(Opened(account="main", deployment="d", generation=1, reporting="USDT"))
        for item in instruments:
            self.commit(InstrumentChanged(instrument=item.to_text()))
        self.commit(flow("USDT", cash, "opening"))
        for each in self.bots:
            self.commit(BotStarted(bot=each.name, config_version=1, config="{}", anchor_ns=0))

    # -- what a test reads -------------------------------------------------------------------------

    @property
    def account(self) -> AccountState:
        """The fold that the engine decides on."""
        return self.engine.account

    def held(self, name: str = "bot", symbol: str = "BTC/USDT") -> Decimal:
        """The bot's position, base units."""
        found = self.account.bots[name].positions.get(symbol)
        return found.quantity if found is not None else Decimal(0)

    @property
    def refusals(self) -> list[Refusal]:
        """What the risk gate refused, oldest first."""
        return [fact for fact in self.facts if isinstance(fact, Refusal)]

    @property
    def armed(self) -> list[Armed]:
        """Every attempt ever armed, oldest first."""
        return [fact for fact in self.facts if isinstance(fact, Armed)]

    @property
    def decided(self) -> list[Decided]:
        """Every decision, oldest first."""
        return [fact for fact in self.facts if isinstance(fact, Decided)]

    def working(self) -> list[LiveOrder]:
        """Orders that the fold believes open at the venue."""
        return [order for order in self.account.live.values() if order.is_working]

    # -- events ------------------------------------------------------------------------------------

    def take(self, event: Event) -> list[Action]:
        """Step the engine and carry out what follows."""
        actions = self.engine.step(event)
        self.perform(actions)
        return actions

    def wish(self, wish: object, name: str = "bot") -> None:
        """What the bot wishes at every bar from here on; takes effect with the next bar."""
        strategy = self.engine.bots[name].strategy
        assert isinstance(strategy, Scripted)
        strategy.wishes[:] = [wish]

    def bar(self, symbol: str = "BTC/USDT", price: Decimal | int | None = None) -> list[Action]:
        """A minute passes and its bar closes."""
        if price is not None:
            self.prices[symbol] = Decimal(price)
        self.now_ns = self.now_ns // MINUTE_NS * MINUTE_NS + MINUTE_NS
        self.take(Ticked(self.now_ns))
        self.bars.append(self.bar_at(self.prices[symbol], symbol))
        return self.take(BarClosed(self.bars[-1]))

    def bars_close(self, *symbols: str, **prices: int) -> list[Action]:
        """A minute passes and the bars of several symbols close; prices by base asset."""
        self.now_ns = self.now_ns // MINUTE_NS * MINUTE_NS + MINUTE_NS
        self.take(Ticked(self.now_ns))
        actions: list[Action] = []
        for symbol in symbols:
            base = symbol.split("/")[0]
            self.prices[symbol] = Decimal(prices.get(base, self.prices[symbol]))
            self.bars.append(self.bar_at(self.prices[symbol], symbol))
            actions += self.take(BarClosed(self.bars[-1]))
        return actions

    def bar_at(self, price: Decimal, symbol: str = "BTC/USDT") -> Bar:
        """The minute that ended last, at one price throughout."""
        end_ns = self.now_ns // MINUTE_NS * MINUTE_NS
        start_ns = end_ns - MINUTE_NS
        return Bar(symbol, start_ns, end_ns, price, price, price, price, Decimal(1))

    def tick(self, seconds: float = 1.0) -> list[Action]:
        """Time passes."""
        self.now_ns += int(seconds * SECOND_NS)
        return self.take(Ticked(self.now_ns))

    def seconds_until_arming(self, *, step_s: float = 0.25, most_s: float = 60.0) -> float:
        """Let time pass until the engine hands out an arm; how long that took."""
        waited_s = 0.0
        while not self.arming:
            assert waited_s < most_s, "nothing wakes the bot"
            self.tick(step_s)
            waited_s += step_s
        return waited_s

    def ask(self, name: str, **arguments: str) -> None:
        """A person commands."""
        self._ids += 1
        self.take(OperatorAsked(f"c{self._ids}", name, "ana", arguments))

    # -- the journal -------------------------------------------------------------------------------

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
                        self._check_proposal(approved)
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
            self._check_arming(attempt)
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

    # -- the venue's answers -----------------------------------------------------------------------

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

    # -- everything goes well ----------------------------------------------------------------------

    def settle(self, rounds: int = 50) -> None:
        """Answer everything the way a good day does, until nothing is on its way.

        Orders that must not rest fill, limit orders rest, cancels succeed.
        """
        for _ in range(rounds):
            if not (self.arming or self.cancelling or self.unanswered or self.untold()):
                return
            while self.arming:
                self.arm()
            while self.cancelling:
                self.cancel()
            for cid in self.untold():
                self.report(cid)
            for cid, attempt in list(self.unanswered.items()):
                spec = attempt.spec
                at_once = spec.type is OrderType.MARKET or spec.time_in_force is TimeInForce.IOC
                self.ack(cid, spec.quantity if at_once else Decimal(0))
        raise AssertionError(f"still busy after {rounds} rounds: {self.arming}, {self.unanswered}")

    # -- a new process -----------------------------------------------------------------------------

    def restart(self, *, from_snapshot: bool = True) -> None:
        """The process dies where it stands, and another one takes up the journal."""
        bots = tuple(
            BotRuntime(
                b.name, renewed(b.strategy), symbols=b.symbols, timeframe_s=60, limits=b.limits
            )
            for b in self.bots
        )
        snapshot = from_bytes(to_bytes(self.account)) if from_snapshot else None
        state = snapshot if snapshot is not None else self.folded()
        self.boot += 1
        self.arming.clear()
        self.cancelling.clear()
        self.unanswered.clear()
        self.engine = Engine(state, bots, self.limits, lists=self.lists)
        self.bots = bots
        for bar in self.bars:
            assert self.engine.step(BarClosed(bar, live=False)) == []
        for symbol, price in self.prices.items():
            warm = BarClosed(self.bar_at(price, symbol), live=False)
            assert self.engine.step(warm) == []
        # Nothing that the start-up records may make the engine act: its actions would be lost.
        for cid, order in list(state.live.items()):
            if order.state is AttemptState.ARMED:
                self._start_up(AttemptMoved(cid=cid, state=AttemptState.IN_DOUBT))
        for cid, order in list(state.live.items()):
            resting = self.venue.get(cid)
            if resting is not None and order.is_working:
                self._start_up(
                    OrderMoved(cid=cid, state=self._state(resting), executed=resting.executed)
                )
        assert self.engine.step(Ticked(self.now_ns)) == []
        self.perform(self.engine.resume())

    def restart_with(self, limits: Limits) -> None:
        """As `restart`, with other limits of the account."""
        self.limits = limits
        self.restart()

    def _start_up(self, fact: AnyFact) -> None:
        self._note(fact)
        assert self.engine.step(Committed(len(self.facts), self.now_ns, fact)) == []

    def folded(self) -> AccountState:
        """The state that the facts alone give."""
        state = AccountState()
        for number, (fact, at_ns) in enumerate(zip(self.facts, self.stamps, strict=True), 1):
            apply(state, number, 0, at_ns, fact)
        return state

    # -- promises ----------------------------------------------------------------------------------

    def _check_proposal(self, approved: Approved) -> None:
        order = approved.order
        live = list(self.account.orders(order.spec.symbol))
        if order.spec.side is Side.BUY:
            assert not [o for o in live if o.in_doubt], "a buy while the symbol is in doubt"
            assert not [
                o
                for o in live
                if o.state is AttemptState.REJECTED
                and o.armed.bot == order.bot
                and o.armed.spec.side is Side.BUY
            ], "a buy while a rejection of the same side is provisional"
            assert self.account.halt(order.bot) is None, "a buy while halted"
        level = self.account.halt(order.bot)
        if level is not None and level is not HaltLevel.ENTRIES and order.mate is None:
            assert not spec_rests(order.spec), f"an order that rests at level {level}"
        protects = order.leg.endswith(("|stop", "|exits", "|flatten"))
        assert protects or self.account.bots[order.bot].running, "an order of a stopped bot"

    def _check_arming(self, attempt: Armed) -> None:
        spec = attempt.spec
        halt = self.account.halt(attempt.bot)
        assert attempt.reduces or halt is None, "exposure after the record of a halt"
        before = [
            fact
            for fact in self.armed
            if (fact.intent_id, fact.part) == (attempt.intent_id, attempt.part)
        ]
        assert attempt.n == len(before) + 1, "attempts of an intent are numbered from 1, no gaps"
        for earlier in before:
            order = self.account.order(earlier.cid)
            assert order is not None
            assert order.is_over, "another attempt at an intent that may still execute"
            assert not order.executed, "another attempt at an intent that executed"
            assert earlier.spec.side is spec.side
            assert spec.quantity <= earlier.spec.quantity
        if spec.side is Side.SELL:
            base = spec.symbol.split("/")[0]
            open_sells = sum(
                (
                    o.outstanding
                    for o in once(self.account.orders(spec.symbol))
                    if o.armed.spec.side is Side.SELL
                ),
                Decimal(0),
            )
            free = self.account.holdings.get(base, Decimal(0)) - open_sells
            assert spec.quantity <= free, f"sells {spec.quantity} of {free} {base}"

    def check(self) -> None:
        """What holds between any two steps."""
        assert to_bytes(self.account) == to_bytes(self._mirror), "the fold is more than its facts"
        for name, state in self.account.bots.items():
            for symbol, position in state.positions.items():
                assert position.quantity >= 0, f"{name} is short of {symbol}"
        # Stepping again without news gives nothing new; a cancel may be asked for until journaled.
        again = self.engine.resume()
        new = [a for a in again if not (isinstance(a, CancelOrder) and a.cid in self.cancelling)]
        assert new == [], f"not idempotent: {new}"
        self._check_quick_look()

    def _check_quick_look(self) -> None:
        """Where the look before derivation finds nothing missing, derivation does neither."""
        for bot in self.engine.bots.values():
            if bot.is_busy or bot.name not in self.account.bots:
                continue
            for symbol in bot.symbols:
                if has_all(self.account, bot, symbol, self.engine.prices.get(symbol)):
                    for fresh in (False, True):
                        missing = self.engine._derive(bot, symbol, None, fresh=fresh)
                        assert missing.orders == [], f"missing in {symbol}: {missing}"
                        assert missing.cancels == [], f"too much in {symbol}: {missing}"


def spec_rests(spec: OrderSpec) -> bool:
    """Whether an order stays in the book; a stop waits outside it."""
    return spec.price is not None and spec.time_in_force is not TimeInForce.IOC


def renewed(strategy: Strategy) -> Strategy:
    """Another of the same parameters, not set up yet, as a new process has it."""
    return type(strategy)(**{name: getattr(strategy, name) for name in strategy.__struct_fields__})


def flow(asset: str, amount: Decimal, reason: str = "deposit", **more: Decimal | None) -> CashFlow:
    """Money that came or went."""
    return CashFlow(asset=asset, amount=amount, reason=reason, evidence="", at_ns=0, **more)  # type: ignore[arg-type]

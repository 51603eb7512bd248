"""An account's world in memory: the engine's actions become facts, and a venue answers by hand.

Lives here: bots that wish what a test says, bars and time, good days, and new processes. Not here:
the journal (engine_journal), the venue's answers (engine_venue), what holds after each step
whatever was chosen (engine_promises); real execution, sockets, files.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from holdfast.domain.action import Action, CancelOrder
from holdfast.domain.event import BarClosed, Committed, OperatorAsked, Ticked
from holdfast.domain.fact import (
    AnyFact,
    AttemptMoved,
    BotStarted,
    CashFlow,
    InstrumentChanged,
    Opened,
    OrderMoved,
    TookOver,
)
from holdfast.domain.instrument import Instrument
from holdfast.domain.limits import Limits
from holdfast.domain.market import Bar
from holdfast.domain.order import AttemptState, OrderType, TimeInForce
from holdfast.engine.bot import BotRuntime
from holdfast.engine.step import Engine
from holdfast.ledger.fold import apply
from holdfast.ledger.state import AccountState, from_bytes, to_bytes
from holdfast.strategy import KEEP, Strategy, View, Wish
from holdfast.strategy.wish import Returned
from tests.support.engine_promises import check_quick_look
from tests.support.engine_venue import Answered

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


class World(Answered):
    """One account, stepped by hand.

    Attributes:
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
        known = {item.symbol: Decimal(100) for item in instruments} | (prices or {})
        super().__init__(bots or (bot(),), limits, known, now_ns=START_NS, lists=lists)
        self.bars: list[Bar] = []
        self.commit(Opened(account="main", deployment="d", generation=1, reporting="USDT"))
        self.commit(self._taken_over())
        for item in instruments:
            self.commit(InstrumentChanged(instrument=item.to_text()))
        self.commit(flow("USDT", cash, "opening"))
        for each in self.bots:
            self.commit(BotStarted(bot=each.name, config_version=1, config="{}", anchor_ns=0))

    # -- events ------------------------------------------------------------------------------------

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
        self._start_up(self._taken_over())
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

    def _taken_over(self) -> TookOver:
        return TookOver(node="node", boot_id=f"boot-{self.boot}", version="1")

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
        check_quick_look(self.engine)


def renewed(strategy: Strategy) -> Strategy:
    """Another of the same parameters, not set up yet, as a new process has it."""
    return type(strategy)(**{name: getattr(strategy, name) for name in strategy.__struct_fields__})


def flow(asset: str, amount: Decimal, reason: str = "deposit", **more: Decimal | None) -> CashFlow:
    """Money that came or went."""
    return CashFlow(asset=asset, amount=amount, reason=reason, evidence="", at_ns=0, **more)  # type: ignore[arg-type]

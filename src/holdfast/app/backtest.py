"""A backtest: one account and one bot over recorded bars, stepped by the engine that trades live.

Lives here: the order of things within a bar, and which bars can be passed over because nothing can
happen in them. At a bar's open fills what waited for it; inside the bar stops and limits; at its
close the strategy decides. Not here: fill rules (lab.bar_venue), figures and reports (lab).
"""

from __future__ import annotations

import decimal
import time
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from holdfast.app.stepped import SteppedAccount
from holdfast.domain.event import BarClosed, Committed, QuoteSeen, Ticked
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
from holdfast.domain.market import NS_PER_S, Bar, BarColumns, Quote, exact
from holdfast.domain.money import PRECISION, ZERO
from holdfast.domain.order import AttemptState, IdKind, OrderState
from holdfast.engine.bot import BotRuntime
from holdfast.engine.step import Engine
from holdfast.errors import RejectedError
from holdfast.lab.bar_venue import BarVenue, Outcome, Terms
from holdfast.ledger.state import AccountState, BotState, LiveOrder
from holdfast.strategy.api import Exit, Facts, HeldPosition, OpenOrder, Setup, Strategy, View
from holdfast.strategy.feed import Feed
from holdfast.strategy.wish import KEEP, Wish

UNLIMITED = Limits(price_band_pct=None, max_orders_per_minute=None)

_BOT, _ACCOUNT = "backtest", "main"
_NS_PER_MS = 1_000_000
_NEVER = float("inf")
_MONEY = decimal.Context(prec=PRECISION)
_Values = Sequence[float]
_Series = tuple[Any, _Values]


class Run(msgspec.Struct, frozen=True):
    """What happened.

    Attributes:
        bars: those it ran over.
        fills: in order; `fill_bars` is the number of the bar that each fell in.
        cash, held: quote and base units at the end.
        orders, rejected: attempts armed, and how many of them the venue refused.
        refused: what the risk gate kept back.
        ambiguous_bars: see `BarVenue`.
        run_s: wall time of the stepping alone.
    """

    bars: BarColumns
    opening_cash: Decimal
    fills: Sequence[Fill]
    fill_bars: Sequence[int]
    cash: Decimal
    held: Decimal
    orders: int
    rejected: int
    refused: int
    ambiguous_bars: int
    run_s: float

    @property
    def final_equity(self) -> Decimal:
        """With the last position marked at the last close, in quote units."""
        return self.cash + self.held * exact(self.bars.close[-1])


class _BarAt(View):
    """The view of one bar after the other, without an object for each."""

    __slots__ = ("_columns", "_made", "_made_at", "at")

    def __init__(self, bars: BarColumns, facts: Facts) -> None:
        self._columns = bars
        self._bars = None
        self.stale = frozenset()
        self.at = 0
        self._made, self._made_at = bars.bar(0), 0
        self.position = HeldPosition(ZERO, ZERO)
        self._facts = facts

    @property
    def bar(self) -> Bar:
        return self.bar_at(self.at)

    def bar_at(self, at: int) -> Bar:
        """Bar number `at`, made once however often it is looked at."""
        if at != self._made_at:
            self._made, self._made_at = self._columns.bar(at), at
        return self._made

    @property
    def time_ns(self) -> int:
        return self._columns.open_ns[self.at] + self._columns.bar_s * NS_PER_S


class Backtest(SteppedAccount):
    """One bot over one symbol's bars.

    Args:
        cash: quote units to begin with, > 0.
        limits: of the bot; none by default, as in research.
    """

    def __init__(
        self,
        strategy: Strategy,
        bars: BarColumns,
        *,
        instrument: Instrument,
        cash: Decimal,
        terms: Terms,
        limits: Limits = UNLIMITED,
    ) -> None:
        self.bars = bars
        self.venue = BarVenue(instrument, terms, {instrument.quote: cash})
        self.bot = BotRuntime(
            _BOT,
            strategy,
            symbols=(bars.symbol,),
            timeframe_s=bars.bar_s,
            limits=limits,
            ask=lambda _strategy, _view: self._wish,  # the loop below has asked already
        )
        self._indicators, self.bot.feed = self.bot.feed.indicators, Feed(Setup())  # and fed them
        super().__init__(Engine(AccountState(), (self.bot,), UNLIMITED), _BOT)
        self._decide = strategy.decide
        self._wish: Wish = KEEP
        self._view = _BarAt(bars, self)
        self._cash = cash
        self.now_ns = bars.open_ns[0]
        self._at = 0
        self._seq = 0
        self._fills: list[Fill] = []
        self._fill_bars: list[int] = []
        self._rejected = 0
        self._take_at = _NEVER  # a bar as high as this reaches a take-profit
        self._restless = False  # the engine wants to see the next bar, whatever is wished
        self.begin(
            (instrument,),
            {instrument.quote: cash},
            reporting=instrument.quote,
            deployment=_BOT,
            anchor_ns=bars.open_ns[0],
        )

    # -- bars --------------------------------------------------------------------------------------

    def run(self) -> Run:
        """Step over all bars.

        Raises:
            RejectedError: the strategy broke; it says in which bar.
        """
        began_s = time.perf_counter()
        with decimal.localcontext():  # a strategy that sets a precision sets nobody else's
            self._over_bars()
        run_s = time.perf_counter() - began_s
        account = self.engine.account
        base, quote = self.venue.instrument.base, self.venue.instrument.quote
        return Run(
            bars=self.bars,
            opening_cash=self._cash,
            fills=self._fills,
            fill_bars=self._fill_bars,
            cash=account.holdings[quote],
            held=account.holdings.get(base, ZERO),
            orders=account.counters.attempts,
            rejected=self._rejected,
            refused=account.counters.refusals,
            ambiguous_bars=self.venue.ambiguous_bars,
            run_s=run_s,
        )

    def _over_bars(self) -> None:
        """The hot loop: a bar that nothing rests in and that changes no wish costs no more."""
        bars, venue, view, decide = self.bars, self.venue, self._view, self._decide
        lows, highs = bars.low, bars.high
        main, others, fed = self._indicator_series()
        first = self.bot.warmup_bars - 1
        standing: Wish = KEEP
        for at in range(len(bars)):
            high = highs[at]
            rises = high >= venue.rise_to or high >= self._take_at
            if rises or venue.at_market or lows[at] <= venue.fall_to:
                self._trade_in(at)
            for indicator in fed:
                indicator.update(view.bar_at(at))
            if at < first:
                continue
            for indicator, values in main:
                indicator.value = values[at]
            for indicator, name, values in others:
                setattr(indicator, name, values[at])
            view.at = at
            try:
                wish = decide(view)
            except Exception as error:
                raise self._broken(at, f"{type(error).__name__}: {error}") from error
            if (wish is KEEP or wish == standing) and not self._restless:
                continue
            self._close(at, wish)
            if wish is not KEEP:
                standing = wish

    def _indicator_series(self) -> tuple[list[_Series], list[tuple[Any, str, _Values]], list[Any]]:
        """Values that are known beforehand, main ones apart, and indicators that must be fed."""
        main: list[_Series] = []
        others: list[tuple[Any, str, _Values]] = []
        fed = []
        each: Any
        for each in self._indicators:
            over = getattr(each, "over", None)
            if over is None:
                fed.append(each)
                continue
            for name, values in zip(each.outputs, over(self.bars), strict=True):
                if name == "value":
                    main.append((each, values))
                else:
                    others.append((each, name, values))
            each.ready = True  # nobody looks before it is
        return main, others, fed

    def _trade_in(self, at: int) -> None:
        """What rests or waits meets the bar: at its open, at the stop, at the take-profit."""
        self._at, bar = at, self._view.bar_at(at)
        self.now_ns = bar.open_ns
        with decimal.localcontext(_MONEY):
            self.engine.marks.take(bar.symbol, bar.open)
            self._book(self.venue.open(bar.open, bar.open_ns))
            if self.engine.account.bots[_BOT].exits:
                self._look_ahead()  # what filled at the open may leave within this very bar
            reached = float(bar.high) >= self._take_at
            self._book(self.venue.inside(bar.low, bar.high, bar.open_ns))
            if reached:
                self._take_profit(bar)
        self._look_at_position()
        self._look_ahead()

    def _take_profit(self, bar: Bar) -> None:
        """The engine sees the price at which it leaves, unless the stop has left before."""
        state = self.engine.account.bots[_BOT].exits.get(bar.symbol)
        if state is None or state.take_profit is None:
            self.venue.ambiguous_bars += 1
            return
        price = max(bar.open, state.take_profit)
        self.step(QuoteSeen(Quote(bar.open_ns, bar.symbol, price, price)))
        self._book(self.venue.now(price, bar.open_ns))

    def _close(self, at: int, wish: Wish) -> None:
        """The engine takes the bar in, and asks for the wish that was heard just now."""
        self._at, self._wish, bar = at, wish, self._view.bar_at(at)
        self.now_ns = bar.close_ns
        with decimal.localcontext(_MONEY):
            if self.engine.wake_ns:
                self.step(Ticked(bar.close_ns))
            self.step(BarClosed(bar))
        failed = self.engine.account.bots[_BOT].failed
        if failed:
            raise self._broken(at, failed)
        self._look_ahead()

    def _look_ahead(self) -> None:
        """Which bars cannot be passed over, although nothing rests in them and no wish changes."""
        state = self.engine.account.bots[_BOT]
        exits = state.exits.get(self.bars.symbol)
        take = exits.take_profit if exits is not None else None
        self._take_at = float(take) if take is not None else _NEVER
        self._restless = bool(
            self.engine.wake_ns or self.bot.refusals or not self._is_settled(state)
        )

    def _is_settled(self, state: BotState) -> bool:
        """Whether no bar can make the engine act that does not change the wish."""
        symbol, instrument = self.bars.symbol, self.venue.instrument
        levels = 0
        for leg in state.legs:
            if leg.target is None:
                levels += 1
                continue
            if leg.trail or leg.band:
                return False
            target = ZERO if state.spent.get(symbol) == leg.episode else leg.target
            if instrument.floor_quantity(abs(target - state.held(symbol))):
                return False
        return levels <= len(self.engine.account.live)

    # -- what the strategy is told -----------------------------------------------------------------

    def equity(self) -> Decimal | None:
        """Of the account at the bar's close."""
        marks = self.engine.marks
        marks.take(self.bars.symbol, exact(self.bars.close[self._view.at]))
        return marks.equity()

    def positions(self) -> Mapping[str, HeldPosition]:
        """Of the bot, in each of its symbols."""
        return self.engine.facts[_BOT].positions()

    def last_exits(self, now_ns: int) -> Mapping[str, Exit]:
        """How the bot came to be flat last."""
        return self.engine.facts[_BOT].last_exits(now_ns)

    def orders(self) -> Sequence[OpenOrder]:
        """The bot's orders that may still execute."""
        return self.engine.facts[_BOT].orders()

    def _broken(self, at: int, why: str) -> RejectedError:
        return RejectedError("strategy", f"seen: {why}, in bar {at}; do: correct the strategy")

    # -- the venue, and what it did  ----------------------------------------------------

    def _send(self, attempt: Armed) -> list[AnyFact]:
        last = self.engine.prices[self.bars.symbol]
        outcome = self.venue.submit(attempt.cid, attempt.spec, last)
        return [] if outcome is None else self._facts_of(outcome)

    def _take_back(self, live: LiveOrder) -> OrderMoved:
        self.venue.cancel(live.armed.cid)
        return OrderMoved(cid=live.armed.cid, state=OrderState.CANCELLED, executed=live.executed)

    def _book(self, outcomes: Iterable[Outcome]) -> None:
        """One after the other: the engine may act on each."""
        for outcome in outcomes:
            self._commit(*self._facts_of(outcome))
            self._carry_out()

    def _facts_of(self, outcome: Outcome) -> list[AnyFact]:
        cid, fill = outcome.cid, outcome.fill
        if outcome.state is OrderState.REJECTED:
            self._rejected += 1
            why = outcome.reason
            return [AttemptMoved(cid=cid, state=AttemptState.REJECTED, final=True, evidence=why)]
        live = self.engine.account.live[cid]
        executed = live.executed if fill is None else live.executed + fill.quantity
        moved: AnyFact = OrderMoved(cid=cid, state=outcome.state, executed=executed)
        if live.state is AttemptState.ARMED:
            moved = AttemptMoved(
                cid=cid,
                state=AttemptState.ACKED,
                order_id=str(outcome.order_id),
                order_state=outcome.state,
                executed=executed,
            )
        if fill is None:
            return [moved]
        self._fills.append(fill)
        self._fill_bars.append(self._at)
        return [moved, Filled(fill=fill, bot=_BOT)]

    def _id(self, intent: str, n: int, kind: IdKind) -> str:
        """As unique as a real client order id, which is a digest: no exchange reads this one."""
        return f"{intent}/{n}/{kind.value}"

    def _commit(self, *facts: AnyFact) -> None:
        """Fold facts as if they were journaled; what the engine asks for is queued, not nested."""
        left = len(facts)
        for fact in facts:
            left -= 1
            self._seq += 1
            event = Committed(self._seq, self.now_ns, fact, left > 0)
            self._queue.extend(self.engine.step(event))

    def _look_at_position(self) -> None:
        position = self.engine.account.bot(_BOT).position(self.bars.symbol)
        self._view.position = HeldPosition(position.quantity, position.average_price)

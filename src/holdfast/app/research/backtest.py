"""A backtest: one account and one bot over recorded bars, stepped by the engine that trades live.

Lives here: the order of things within a bar, and which bars can be passed over because nothing can
happen in them. At a bar's open fills what waited for it; inside the bar stops and limits; at its
close the strategy decides. Not here: fill rules (lab.bar_venue), bars side by side (timeline),
figures and reports (lab).
"""

from __future__ import annotations

import decimal
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal

from holdfast.app.research.express import Express, is_plain
from holdfast.app.research.settled import Settled
from holdfast.app.research.simulated import BOT, UNLIMITED, Run, SimulatedAccount
from holdfast.app.research.timeline import CloseAt, Market, Timeline
from holdfast.domain.event import BarClosed, QuoteSeen, Ticked
from holdfast.domain.fact import AnyFact, Filled
from holdfast.domain.instrument import Instrument
from holdfast.domain.limits import Limits
from holdfast.domain.market import BarColumns, Quote, exact
from holdfast.domain.money import PRECISION
from holdfast.domain.order import Side
from holdfast.engine.bot import BotRuntime
from holdfast.engine.facts import held_position
from holdfast.execution.attempts import Request
from holdfast.lab.bar_venue import BarVenue
from holdfast.lab.depth import Books, Depth
from holdfast.lab.settlement import Terms
from holdfast.ledger.fold import apply
from holdfast.ledger.state import LiveOrder
from holdfast.strategy.api import Exit, HeldPosition, OpenOrder, Setup, Strategy
from holdfast.strategy.feed import Feed
from holdfast.strategy.memory import remembering
from holdfast.strategy.signals import Known, hearing
from holdfast.strategy.wish import KEEP, Wish
from holdfast.telemetry.context import market_time

_BUY = Side.BUY
_MONEY = decimal.Context(prec=PRECISION)
Opened = tuple[Market, int, Decimal]
"""A market, the number of its bar, and at what that opened."""


class Backtest(SimulatedAccount):
    """One bot over the bars of its symbols.

    Args:
        bars: of each symbol, the bot's own first; all of one length and paid in one asset.
        instruments: of the same symbols in the same order.
        cash: quote units to begin with, > 0.
        limits: of the bot; none by default, as in research.
        depth: recorded books by symbol, for orders that take; without, they fill by bars.
        signals: of each external series that the strategy declares, oldest first.

    Raises:
        ConfigError: a series that it declares is not there.
    """

    def __init__(
        self,
        strategy: Strategy,
        bars: Sequence[BarColumns],
        *,
        instruments: Sequence[Instrument],
        cash: Decimal,
        terms: Terms,
        limits: Limits = UNLIMITED,
        depth: Mapping[str, Depth[Books]] | None = None,
        signals: Mapping[str, Sequence[Known]] | None = None,
    ) -> None:
        own = bars[0]
        bot = BotRuntime(
            BOT,
            strategy,
            symbols=[each.symbol for each in bars],
            timeframe_s=own.bar_s,
            limits=limits,
            join_timeout_s=0,
            ask=lambda _strategy, _view: self._wish,  # the loop below has asked already
        )
        super().__init__(
            bot, instruments, cash, begins_ns=own.open_ns[0], lists=terms.order_lists
        )
        self.timeline = Timeline(bars)
        free = {instruments[0].quote: cash}
        places = zip(bars, instruments, self.timeline.index, strict=True)
        self.markets = [
            Market(each, index, BarVenue(one, terms, free, (depth or {}).get(one.symbol)))
            for each, one, index in places
        ]
        self._is_late = terms.latency_ns > 0
        self._is_timed = self._is_late or bool(depth)
        self._by_symbol = {market.symbol: market for market in self.markets}
        # What the loop below has fed already need not be fed again.
        self._feed = Feed(self.timeline.lay_out(self.bot.setup))
        self.bot.feed = Feed(Setup(self.bot.symbols, own.bar_s))
        declared, self.bot.setup.signals = self.bot.setup.signals, {}
        self._decide = hearing(remembering(strategy), declared, signals or {})
        self._wish: Wish = KEEP
        self._view = CloseAt(self.markets, self.timeline.times_ns, self)
        self._express = Express(self.engine.account, BOT, self.markets[0])
        self._settled = Settled(self.engine, self.bot, self.markets)
        unbound = limits == UNLIMITED and terms.fee_in == "quote" and not self._is_timed
        self._may_go_short = unbound and len(bars) == 1
        self._short: bool | None = None  # whether it may now; None: to be looked at

    # -- bars --------------------------------------------------------------------------------------

    def run(self) -> Run:
        """Step over all bars.

        Raises:
            RejectedError: the strategy broke; it says in which bar.
        """
        began_s = time.perf_counter()
        times_ns, view = self.timeline.times_ns, self._view
        # A strategy that sets a precision sets nobody else's, and what it logs is of its bar.
        with decimal.localcontext(), market_time(lambda: int(times_ns[view.at])):
            self._over_closes()
        run_s = time.perf_counter() - began_s
        return self._found(
            [market.bars for market in self.markets],
            self.timeline.times_ns,
            orders=self._express.orders,
            ambiguous_bars=sum(market.venue.ambiguous_bars for market in self.markets),
            run_s=run_s,
        )

    def _over_closes(self) -> None:
        """The hot loop: a bar that nothing rests in and that changes no wish costs no more."""
        view, decide, first, settled = self._view, self._decide, self.timeline.first, self._settled
        rows = [(m, m.venue, m.index, m.bars.low, m.bars.high) for m in self.markets]
        main = [(one.indicator, one.values) for one in self.timeline.series if one.name == "value"]
        others = [one for one in self.timeline.series if one.name != "value"]
        feeds = bool(self._feed.indicators)
        touched: list[Market] = []
        wish: Wish | None = None
        standing: Wish = KEEP
        for at in range(len(self.timeline.times_ns)):
            for market, venue, index, lows, highs in rows:
                number = index[at]
                if number >= 0 and (
                    venue.at_market
                    or highs[number] >= venue.rise_to
                    or highs[number] >= market.take_at
                    or lows[number] <= venue.fall_to
                ):
                    touched.append(market)
            if touched:
                self._trade_in(at, touched)
                touched.clear()
            if feeds:
                self._show(at)
            if at < first or (feeds and not self._feed.ready):
                continue
            for indicator, values in main:
                indicator.value = values[at]
            for indicator, name, values in others:
                setattr(indicator, name, values[at])
            view.at = at
            try:
                wish = decide(view)
            except (Exception, SystemExit) as error:
                raise self._broken(at, f"{type(error).__name__}: {error}") from error
            if wish is KEEP or wish == standing:
                if not settled.is_calm and settled.stirs(at, standing):
                    self._close(at, wish)
                continue
            if not (self._may_go_short and self._goes_short(at, wish)):
                self._close(at, wish)
            # Of its own: a strategy may change a mapping that it has returned.
            standing = dict(wish) if isinstance(wish, Mapping) else wish
        self._asked = wish is not None

    def _show(self, at: int) -> None:
        """What cannot be computed over columns is fed."""
        for market in self.markets:
            if market.index[at] < 0:
                continue
            try:
                self._feed.take(market.bar(market.index[at]))
            except (Exception, SystemExit) as error:
                name = type(self._feed.updating).__name__
                why = f"indicator {name} raised {type(error).__name__}: {error}"
                raise self._broken(at, why) from error

    def _fill_short(self, at: int) -> bool:
        """An order that took the short way meets its open; refused, it takes the engine's."""
        with decimal.localcontext(_MONEY):
            fill = self._express.fill(self.markets[0].index[at])
            if fill is not None:
                self._fills.append(fill)
                self._fill_times.append(at)
                self._seq += 1
                apply(self.engine.account, self._seq, 0, fill.at_ns, Filled(fill=fill, bot=BOT))
        if fill is None:
            self._close(self._express.at, self._express.give_back())
            return False
        self._look_at_position()
        return True

    def _trade_in(self, at: int, touched: Sequence[Market]) -> None:
        """What rests or waits meets the bars: at their open, at the stop, at the take-profit."""
        if self._express.waiting and self._fill_short(at):
            return
        self._at, before = at, self._seq
        self.now_ns = self.timeline.open_ns(at)
        numbers = [(market, market.index[at]) for market in self.markets]
        opened = [(one, n, exact(one.bars.open[n])) for one, n in numbers if n >= 0]
        if self._is_timed:
            touched = self.markets  # what follows in one may arrive in another
        with decimal.localcontext(_MONEY):
            self._open(opened, touched)
            if self._seq > before and self.engine.account.bots[BOT].exits:
                self._find_exits()  # what filled at the open may leave within this very bar
            for market, number, price in opened:
                if market in touched:
                    self._inside(market, number, price)
            if self._is_late:
                self._arrive(opened)
        if self._seq > before:
            self._look_at_position()
            self._find_exits()

    def _open(self, opened: Sequence[Opened], touched: Sequence[Market]) -> None:
        """The bars open, and what arrives in them at a known moment meets its book."""
        open_ns, close_ns = self.now_ns, self.timeline.times_ns[self._at]
        for market, _, price in opened:
            self.engine.marks.take(market.symbol, price)
        for market, _, price in opened:
            if market in touched:
                self._book(market.venue.open(price, open_ns, close_ns))
        if self._is_timed:
            self._meanwhile(opened)
        for market, _, price in opened:
            if market.venue.at_market and len(opened) > 1:
                # What was sold at the open pays for what is bought there, in another symbol.
                self._book(market.venue.now(price, open_ns))
        for market, *_ in opened:
            market.venue.lose_clock()

    def _meanwhile(self, opened: Sequence[Opened]) -> None:
        """What arrives inside the bars and need not wait for their close, until nothing does."""
        before = -1
        while self._seq > before:
            before = self._seq
            for market, _, price in opened:
                self._book(market.venue.meanwhile(price))

    def _arrive(self, opened: Sequence[Opened]) -> None:
        """The bars close: what has arrived inside them takes effect."""
        closes = [(market, exact(market.bars.close[number])) for market, number, _ in opened]
        for market, price in closes:
            self.engine.marks.take(market.symbol, price)
        for market, price in closes:
            self._book(market.venue.close(price, self.timeline.times_ns[self._at]))

    def _inside(self, market: Market, number: int, opened: Decimal) -> None:
        """Between open and close; the engine sees a price at which it leaves by itself.

        Unless the stop has left before.
        """
        venue, low, high = market.venue, market.bars.low[number], market.bars.high[number]
        reached, open_ns = high >= market.take_at, market.bars.open_ns[number]
        if reached or high >= venue.rise_to or low <= venue.fall_to:
            for outcome in venue.inside(exact(low), exact(high), open_ns):
                if outcome.fills:  # the market is there by now; the open was before
                    self.engine.marks.take(market.symbol, outcome.fills[-1].price)
                self._book((outcome,))
        if not reached:
            return
        watched = self._watched(market.symbol)
        if watched is None:
            venue.ambiguous_bars += 1
            return
        price = max(opened, watched)
        self.step(QuoteSeen(Quote(self.now_ns, market.symbol, price, price)))
        self._book(venue.now(price, open_ns))

    def _close(self, at: int, wish: Wish) -> None:
        """The engine takes the bars in, and asks for the wish that was heard just now."""
        self._at, self._wish = at, wish
        self.now_ns = self.timeline.times_ns[at]
        late = False
        with decimal.localcontext(_MONEY):
            decided = self._express.decided(self.timeline.times_ns[self._express.at])
            if decided is not None:
                self._commit(decided)
            if self.engine.wake_ns:
                self.step(Ticked(self.now_ns))
            for market in self.markets:
                stale = market.index[at] < 0
                self.step(BarClosed(market.closed(at), live=not stale))
                late = late or stale
            if late:
                self.step(Ticked(self.now_ns))  # nobody waits for the bar that is missing
        failed = self.engine.account.bots[BOT].failed
        if failed:
            raise self._broken(at, failed)
        self._find_exits()

    def _goes_short(self, at: int, wish: Wish) -> bool:
        """Whether a new wish has taken the short way."""
        if self._short is None:
            account, settled = self.engine.account, self._settled
            busy = account.live or settled.is_restless()
            self._short = not busy and is_plain(account.bots[BOT])
        return self._short and self._express.takes(wish, at)

    def _find_exits(self) -> None:
        """Something happened: where positions are left by themselves now."""
        self._settled.stir()
        self._short = None
        exits = self.engine.account.bots[BOT].exits
        for symbol, market in self._by_symbol.items():
            market.leave_at(self._watched(symbol) if symbol in exits else None)

    # -- what the strategy is told -----------------------------------------------------------------

    def equity(self) -> Decimal | None:
        """Of the account at this close."""
        marks, at = self.engine.marks, self._view.at
        for market in self.markets:
            marks.take(market.symbol, exact(market.bars.close[market.newest(at)]))
        return marks.equity()

    def positions(self) -> Mapping[str, HeldPosition]:
        """Of the bot, in each of its symbols."""
        return self.engine.facts[BOT].positions()

    def last_exits(self, now_ns: int) -> Mapping[str, Exit]:
        """How the bot came to be flat last."""
        return self.engine.facts[BOT].last_exits(now_ns)

    def orders(self) -> Sequence[OpenOrder]:
        """The bot's orders that may still execute."""
        return self.engine.facts[BOT].orders()

    # -- the venue, and what it did  ----------------------------------------------------

    def _send(self, request: Request) -> list[AnyFact]:
        first, *others = request
        symbol = first.spec.symbol
        venue, last = self._by_symbol[symbol].venue, self.engine.prices[symbol]
        mate = (others[0].cid, others[0].spec) if others else None
        outcome = venue.submit(first.cid, first.spec, last, self.now_ns, mate=mate)
        return [] if outcome is None else self._facts_of(outcome, *map(LiveOrder, request))

    def _take_back(self, live: LiveOrder) -> list[AnyFact]:
        venue = self._by_symbol[live.armed.spec.symbol].venue
        outcome = venue.cancel(live.armed.cid, self.now_ns)
        return [] if outcome is None else self._facts_of(outcome, live)

    def _look_at_position(self) -> None:
        self._view.position = held_position(self.engine.account.bots[BOT], self.bot.symbol)

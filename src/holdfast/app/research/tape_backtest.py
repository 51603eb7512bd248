"""A backtest over recorded trades and books: one account and one bot, on the clock of the market.

Lives here: the order of things. Prints, arrivals of orders and waits of the engine take their turns
by exchange time; at the close of a bar, and at each moment between closes that the strategy has
asked for, it is shown what was known before that moment, and decides. Everything is read forward,
once. Not here: fill rules (lab.tape_venue), what is read (market), a backtest of bars alone
(backtest).
"""

from __future__ import annotations

import decimal
import heapq
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from operator import attrgetter

from holdfast.app.research.simulated import BOT, UNLIMITED, Run, SimulatedAccount
from holdfast.app.research.timeline import Timeline
from holdfast.domain.event import BarClosed, BookSeen, QuoteSeen, Ticked, TradeSeen
from holdfast.domain.fact import AnyFact
from holdfast.domain.instrument import Instrument
from holdfast.domain.limits import Limits
from holdfast.domain.market import NS_PER_MS, NS_PER_S, BarColumns, Quote, Trade
from holdfast.domain.money import PRECISION
from holdfast.engine.bot import BotRuntime
from holdfast.errors import ConfigError
from holdfast.execution.attempts import Request
from holdfast.lab.depth import Depth, QueueBooks
from holdfast.lab.settlement import Outcome, Terms
from holdfast.lab.tape_venue import NEVER_NS, TapeVenue
from holdfast.ledger.state import LiveOrder
from holdfast.market.stamp import iso
from holdfast.market.tape import Tape
from holdfast.strategy.api import Strategy, View
from holdfast.strategy.signals import Known, hearing
from holdfast.strategy.wish import Returned
from holdfast.telemetry.context import market_time

TICK_NS = 100_000_000
"""How often a node lets time pass, and so the soonest at which a wait can end."""
_MONEY = decimal.Context(prec=PRECISION)
_at_ns = attrgetter("at_ns")


class TapeBacktest(SimulatedAccount):
    """One bot over the bars, trades and books of its symbols.

    Args:
        bars: of each symbol, the bot's own first; all of one length and paid in one asset.
        instruments: of the same symbols in the same order.
        tapes: the recorded trades of each symbol.
        cash: quote units to begin with, > 0.
        limits: of the bot; none by default, as in research.
        depth: recorded books by symbol; without, what takes fills at the next print.
        signals: of each external series that the strategy declares, oldest first.

    Raises:
        ConfigError: it looks at what is not there: a series, a book.
    """

    def __init__(
        self,
        strategy: Strategy,
        bars: Sequence[BarColumns],
        *,
        instruments: Sequence[Instrument],
        tapes: Mapping[str, Tape],
        cash: Decimal,
        terms: Terms,
        limits: Limits = UNLIMITED,
        depth: Mapping[str, Depth[QueueBooks]] | None = None,
        signals: Mapping[str, Sequence[Known]] | None = None,
    ) -> None:
        bot = BotRuntime(
            BOT,
            strategy,
            symbols=[each.symbol for each in bars],
            timeframe_s=bars[0].bar_s,
            limits=limits,
            join_timeout_s=0,
            ask=lambda _strategy, view: self._ask(view),
        )
        bot.setup.require_recorded(trades=True, books=bool(depth))
        # The engine hears signals from the journal; here they are heard from their files.
        declared, bot.setup.signals = bot.setup.signals, {}
        self._decide = hearing(strategy.decide, declared, signals or {})
        begins_ns = min(each.open_ns[0] for each in bars)
        super().__init__(
            bot, instruments, cash, begins_ns=begins_ns, lists=terms.order_lists
        )
        self.timeline = Timeline(bars)
        self._bars = bars
        self._tapes = tapes
        free = {instruments[0].quote: cash}
        self._venues = {
            one.symbol: TapeVenue(one, terms, free, (depth or {}).get(one.symbol))
            for one in instruments
        }
        self._prints = heapq.merge(*(tapes[symbol] for symbol in bot.symbols), key=_at_ns)
        self._print = next((one for one in self._prints if one.at_ns >= begins_ns), None)
        self._last: dict[str, Trade] = {}
        self._ticked_ns = begins_ns

    def run(self) -> Run:
        """Go over all bars, and over everything between.

        Raises:
            ConfigError: an order arrives where no trades, or no book, are recorded.
            RejectedError: the strategy broke; it says in which bar.
        """
        began_s = time.perf_counter()
        with decimal.localcontext(_MONEY), market_time(lambda: self.now_ns):
            for at, close_ns in enumerate(self.timeline.times_ns):
                self._at = at
                for slot_ns in self._slots(close_ns):
                    self._until(slot_ns)
                    self._look_around(slot_ns)
                    self._tick(slot_ns)
                self._until(close_ns)
                self._close(at, close_ns)
        run_s = time.perf_counter() - began_s
        return self._found(self._bars, self.timeline.times_ns, run_s=run_s)

    def _ask(self, view: View) -> Returned:
        self._asked = True
        returned: Returned = self._decide(view)
        return returned

    # -- time --------------------------------------------------------------------------------------

    def _slots(self, close_ns: int) -> Iterator[int]:
        """The moments before the next close at which the strategy wants to be asked as well."""
        every_ns = self.bot.setup.every_ms * NS_PER_MS
        if every_ns:
            first_ns = self.now_ns - self.now_ns % every_ns + every_ns
            yield from range(first_ns, close_ns, every_ns)

    def _until(self, until_ns: int) -> None:
        """All that happens before a moment; at one time first what arrives, prints last."""
        while True:
            arrives_ns = min([venue.next_ns for venue in self._venues.values()])
            wakes_ns = self.engine.wake_ns or NEVER_NS
            if wakes_ns != NEVER_NS:
                wakes_ns = max(wakes_ns, self._ticked_ns + TICK_NS)
            next_ns = min(arrives_ns, wakes_ns, until_ns)
            if self._over_prints(next_ns):
                continue  # something may be on its way since
            if next_ns == until_ns:
                return
            if arrives_ns <= wakes_ns:
                self._arrive(arrives_ns)
            else:
                self._tick(wakes_ns)

    def _over_prints(self, until_ns: int) -> bool:
        """Prints before a moment, up to the first one that means something; whether one did."""
        exits = self.engine.account.bots[BOT].exits
        while self._print is not None and self._print.at_ns < until_ns:
            seen = self._print
            self._print = next(self._prints, None)
            self._last[seen.symbol] = seen
            self.engine.marks.take(seen.symbol, seen.price, seen.at_ns)
            venue = self._venues[seen.symbol]
            if venue.is_idle and not exits:
                venue.last = seen.price
                continue
            self._take_in(seen.at_ns, venue.print(seen))
            if seen.symbol in exits and self._watched(seen.symbol) is not None:
                self.step(QuoteSeen(Quote(seen.at_ns, seen.symbol, seen.price, seen.price)))
            return True
        return False

    def _arrive(self, now_ns: int) -> None:
        for symbol, venue in self._venues.items():
            if venue.next_ns <= now_ns:
                self._require_recorded(symbol, now_ns)
                self._take_in(now_ns, venue.arrive(now_ns))

    def _take_in(self, now_ns: int, outcomes: Iterable[Outcome]) -> None:
        self.now_ns = max(self.now_ns, now_ns)
        if self.bot.due:  # it may be asked as soon as this is in the journal
            self._look_around(now_ns)
        self._book(outcomes)
        self._require_whole()

    def _tick(self, now_ns: int) -> None:
        self._ticked_ns = now_ns
        self.step(Ticked(now_ns))
        self._require_whole()

    def _close(self, at: int, close_ns: int) -> None:
        """Bars close, and the strategy is asked."""
        self.now_ns = close_ns
        self._look_around(close_ns)
        for bars, index in zip(self._bars, self.timeline.index, strict=True):
            if index[at] >= 0:
                self.step(BarClosed(bars.bar(index[at])))
        self._tick(close_ns)  # nobody waits for a bar that is missing

    def _look_around(self, now_ns: int) -> None:
        """Show the engine what the strategy looks at, as it was known before `now_ns`."""
        for symbol, book in self.bot.setup.books.items():
            found = self._venues[symbol].best(book.levels, now_ns - 1)
            self.engine.step(BookSeen(found))
        for symbol in self.bot.setup.last_trades:
            if symbol in self._last:
                self.engine.step(TradeSeen(self._last[symbol]))

    # -- what must be ------------------------------------------------------------------------------

    def _require_whole(self) -> None:
        failed = self.engine.account.bots[BOT].failed
        if failed:
            raise self._broken(self._at, failed)

    def _require_recorded(self, symbol: str, at_ns: int) -> None:
        """An order must not wait for prints that were never recorded."""
        first_ns = self._tapes[symbol].first_ns
        over_ns = NEVER_NS
        if self._print is None and self._last:
            last_ns = max(trade.at_ns for trade in self._last.values())
            over_ns = last_ns + self.bot.timeframe_s * NS_PER_S
        if first_ns <= at_ns <= over_ns:
            return
        end = "" if over_ns == NEVER_NS else f" to {iso(last_ns)}"
        raise ConfigError(
            f"seen: an order of {symbol} that arrives at {iso(at_ns)}, where no trade is recorded "
            f"(from {iso(first_ns)}{end}); expected: bars and trades of the same time; do: run "
            "over the bars that the recordings cover; those before them can warm indicators up"
        )

    # -- the venue ---------------------------------------------------------------------------------

    def _send(self, request: Request) -> list[AnyFact]:
        first, *others = request
        mate = (others[0].cid, others[0].spec) if others else None
        venue = self._venues[first.spec.symbol]
        venue.submit(first.cid, first.spec, self.now_ns, mate=mate)
        return []

    def _take_back(self, live: LiveOrder) -> list[AnyFact]:
        self._venues[live.armed.spec.symbol].cancel(live.armed.cid, self.now_ns)
        return []

"""A bot at work: its strategy and its indicators, fed and asked.

Lives here: what is not in the journal because it can be had again from bars. Not here: what the
journal knows of a bot (ledger.state), what a wish comes to (engine.resolve).
"""

from __future__ import annotations

import decimal
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final, NamedTuple

import msgspec

from holdfast.domain.fact import Decided, SignalReceived
from holdfast.domain.limits import Limits
from holdfast.domain.market import NS_PER_MS, NS_PER_S, Bar, BookLevels, Trade
from holdfast.errors import ConfigError
from holdfast.strategy.api import Facts, HeldPosition, Setup, Strategy, View
from holdfast.strategy.book import show_all
from holdfast.strategy.feed import Feed
from holdfast.strategy.memory import Recalled, memories_of
from holdfast.strategy.signals import Known
from holdfast.strategy.wish import OneWish, Returned, by_symbol

JOIN_TIMEOUT_S: Final = 5.0
"""How long bars that close together are waited for; exchanges send them within a second or two."""
_encoder: Final = msgspec.json.Encoder(decimal_format="string")
MOST_SAID: Final = 500  # characters kept of what a strategy says when it fails
_NONE: Final[frozenset[str]] = frozenset()


class StrategyFault(Exception):  # noqa: N818 - it is the strategy's fault, and caught at once
    """A strategy raised, or returned something that is no wish."""


class Asked(NamedTuple):
    """What a strategy answered.

    Attributes:
        wishes: by symbol.
        memory: as it is to be written from here on, None without one.
    """

    wishes: dict[str, OneWish]
    memory: str | None


class BotRuntime:
    """One bot's strategy and indicators.

    Attributes:
        name: unique within the account.
        symbols, timeframe_s: what it trades, its own symbol first, and the bars it decides on.
        symbol, all_symbols: its own, which a wish without a name is about; and all as a set.
        setup, feed: what the strategy has declared, and what shows it bars.
        first_bar: the oldest that its indicators have seen, None before any.
        bars: the newest that they have seen, by symbol.
        decides_ns: the close that it was, or is to be, asked for last.
        seen: the books and trades that it was shown last, JSON; empty when it asks for none.
        pending: orders handed out for arming and not yet in the journal.
        deciding: a decision was handed out and is not yet in the journal.
        due: a bar closed that could not be decided on yet; decide as soon as that is possible.
        again: an arming failed; decide once more when its time has come, `not_before_ns`.
        missed: news came while something was being journaled; look again when it is in.
        failures: armings in a row that failed.
        exit_failures: those of them that were not of entries alone.
        not_before_ns: no order is handed out before this time, because arming failed.
        exits_not_before_ns: for what reduces, which does not wait when only entries failed.
        ask: calls the strategy; a live process wraps it, to see how long it takes.
        refusals: rule that refused each leg last, so that the same refusal is noted once.
        making_way: symbols whose protective orders are being taken back for a sale.
        has_lost: what it, or its account, has lost today has reached `max_daily_loss`: nothing of
            it rests that would add.
        waits_for_cash: a buy is held back until what is being sold has paid for it.
        taking: symbols whose price has reached the take-profit: the position is being left.
    """

    def __init__(
        self,
        name: str,
        strategy: Strategy,
        *,
        symbols: Sequence[str],
        timeframe_s: int,
        limits: Limits,
        join_timeout_s: float = JOIN_TIMEOUT_S,
        ask: Callable[[Strategy, View], Returned] | None = None,
        guard: AbstractContextManager[object] | None = None,
    ) -> None:
        self.name = name
        self.strategy = strategy
        self.symbols = tuple(symbols)
        self.all_symbols = frozenset(symbols)
        self.symbol = self.symbols[0]
        self.timeframe_s = timeframe_s
        self.limits = limits
        self.ask = ask or _ask
        self._guard = guard or nullcontext()
        self._join_timeout_ns = int(join_timeout_s * NS_PER_S)
        self.setup = Setup(self.symbols, timeframe_s)
        try:
            # An author's code that sets a precision of its own sets nobody else's, here and below.
            with decimal.localcontext():
                strategy.setup(self.setup)
                strategy.seal()
                self.feed = Feed(self.setup)
                self._memories = memories_of(strategy)
        except (Exception, SystemExit) as error:
            raise ConfigError(
                f"seen: setup of bot {name}'s strategy raised {_said(error)}; expected: indicators "
                "declared; do: correct the strategy or its parameters"
            ) from error
        self.first_bar: Bar | None = None
        self.bars: dict[str, Bar] = {}
        self.decides_ns = 0
        self.seen = ""
        self._slot_ns = 0
        self.pending = 0
        self.deciding = False
        self.due = False
        self.again = False
        self.missed = False
        self.failures = 0
        self.exit_failures = 0
        self.not_before_ns = 0
        self.exits_not_before_ns = 0
        self.refusals: dict[str, str] = {}
        self.taking: set[str] = set()
        self.making_way: set[str] = set()
        self.has_lost = False
        self.waits_for_cash = False
        self._stale: frozenset[str] = frozenset()
        self._joining_ns = 0  # the close that bars are waited for, 0 when for none
        self._waits_since_ns = 0  # the first close since the last decision
        self._broken = ""

    @property
    def quote(self) -> str:
        """The asset that it pays with."""
        return self.symbol.split("/")[1]

    @property
    def last_bar(self) -> Bar | None:
        """The newest of its own symbol, None before any."""
        return self.bars.get(self.symbol)

    @property
    def warmup_bars(self) -> int:
        """Of its own length, after which every indicator has surely a value."""
        return self.feed.warmup_bars

    @property
    def is_broken(self) -> bool:
        """Whether an indicator has raised."""
        return bool(self._broken)

    @property
    def is_busy(self) -> bool:
        """Whether anything handed out is not in the journal yet."""
        return self.pending > 0 or self.deciding

    def is_due(self, now_ns: int) -> bool:
        """Whether it has to decide still: on a bar, or once more on what could not be armed."""
        return self.due or (self.again and now_ns >= self.not_before_ns)

    # -- bars --------------------------------------------------------------------------------------

    def wants(self, bar: Bar) -> bool:
        """Whether a bar is of its symbols and length."""
        length_ns = bar.close_ns - bar.open_ns
        return bar.symbol in self.symbols and length_ns == self.timeframe_s * NS_PER_S

    def misses_bars_before(self, bar: Bar) -> bool:
        """Whether one of its bars comes before others that should have come first."""
        last = self.bars.get(bar.symbol)
        return self.wants(bar) and last is not None and bar.open_ns > last.close_ns

    def take(self, bar: Bar) -> bool:
        """Take a bar in, unless it is not newer than the last; whether to decide now.

        With several symbols that is when the last of the bars that close together has come. An
        indicator that raises breaks its bot for good: `decide` tells.
        """
        before = self.bars.get(bar.symbol)
        if before is not None and bar.open_ns <= before.open_ns:
            return False
        self.first_bar = self.first_bar or bar
        self.bars[bar.symbol] = bar
        if not self._broken:
            try:
                with self._guard:
                    self.feed.take(bar)
            except BaseException as error:  # noqa: BLE001 - a strategy's own class may raise anything
                name = type(self.feed.updating).__name__
                self._broken = f"indicator {name} raised {_said(error)}"
        if bar.close_ns <= self.decides_ns:
            return False  # decided without it
        if len(self.symbols) == 1:  # there is no other bar to wait for
            self.decides_ns = bar.close_ns
            return bool(self._broken) or self.feed.ready
        self._waits_since_ns = self._waits_since_ns or bar.close_ns
        self._joining_ns = max(self._joining_ns, bar.close_ns)
        if len(self.bars) < len(self.symbols):
            return False
        for one in self.bars.values():
            if one.close_ns != self._joining_ns:
                return False
        return self._joined()

    def give_up(self, why: str) -> None:
        """Run no code of its strategy any more: it cost its process its life."""
        self._broken = why

    @property
    def is_joining(self) -> bool:
        """Whether some bars of a close are in, and others are waited for."""
        return self._joining_ns > 0

    @property
    def joins_by_ns(self) -> int:
        """When it decides without the bars that are missing still; 0 while none are waited for.

        However many closes follow meanwhile: else a symbol that stays away would keep a bot whose
        bars are shorter than the timeout from deciding at all.
        """
        if not self._joining_ns or len(self.bars) < len(self.symbols):
            return 0
        return self._waits_since_ns + self._join_timeout_ns

    @property
    def silent(self) -> frozenset[str]:
        """Symbols without a bar at the last close that was decided on, or without any yet."""
        return self._stale | (self.all_symbols - self.bars.keys())

    def join(self) -> bool:
        """Wait no longer for the bars that are missing; whether to decide now."""
        return bool(self.joins_by_ns) and self._joined()

    def _joined(self) -> bool:
        at_ns, self._joining_ns, self._waits_since_ns = self._joining_ns, 0, 0
        self.decides_ns = at_ns
        stale = [symbol for symbol, bar in self.bars.items() if bar.close_ns != at_ns]
        self._stale = frozenset(stale) if stale else _NONE
        return bool(self._broken) or self.feed.ready

    def begins_slot(self, now_ns: int) -> bool:
        """Whether a moment between closes has come at which the strategy wants to be asked.

        At a close its bars ask it, though they come a little later.
        """
        every_ns = self.setup.every_ms * NS_PER_MS
        if not every_ns or self.is_joining or len(self.bars) < len(self.symbols):
            return False
        slot_ns = now_ns - now_ns % every_ns
        if slot_ns <= self.asks_ns or not slot_ns % (self.timeframe_s * NS_PER_S):
            return False
        self._slot_ns = slot_ns
        return bool(self._broken) or self.feed.ready

    @property
    def asks_ns(self) -> int:
        """What time it is for the strategy: that of the last close, or of a moment since."""
        return max(self.decides_ns, self._slot_ns)

    # -- decisions ---------------------------------------------------------------------------------

    def forget_refusals(self, decided: Decided) -> None:
        """What a new decision asks for may be refused anew; what it carries along was told."""
        carried = {leg.leg for leg in decided.legs if leg.since}
        self.refusals = {leg: rule for leg, rule in self.refusals.items() if leg in carried}

    def require_memory(self, text: str | None) -> None:
        """See that the memory in the journal is one that the strategy can read.

        Raises:
            StrategyFault: it is not.
        """
        if self._memories is not None:
            try:
                with decimal.localcontext(), self._guard:
                    self._memories.read(text)
            except Exception as error:  # its own `migrate` may raise anything
                raise StrategyFault(_said(error)) from error

    def hear(self, signals: Mapping[str, Sequence[SignalReceived]]) -> None:
        """Show the strategy what was received by the close that it decides on, and nothing later.

        So a decision that comes late sees what one in time would have seen.
        """
        for name, signal in self.setup.signals.items():
            heard = signals.get(name, ())
            last = next((s for s in reversed(heard) if s.received_ns <= self.asks_ns), None)
            signal.hear(Known(last.known_at_ns, last.value) if last is not None else None)

    def look(self, books: Mapping[str, BookLevels], trades: Mapping[str, Trade]) -> None:
        """Show the strategy the newest of the books and trades that it has declared."""
        on = self.setup
        if on.books or on.last_trades:
            seen = show_all(on.books, on.last_trades, books, trades)
            self.seen = _encoder.encode(seen).decode()

    def decide(self, held: HeldPosition, facts: Facts, memory: str | None = None) -> Asked:
        """Ask the strategy for its wishes.

        Args:
            memory: as the last decision left it.

        Raises:
            StrategyFault: it raised, or what it returned is no wish or no memory.
        """
        bar = self.last_bar
        assert bar is not None, "decide is asked for after the first bar"  # noqa: S101
        if self._broken:
            raise StrategyFault(self._broken)
        recalled = None if self._memories is None else Recalled(self._memories, memory)
        view = View(
            bar,
            held,
            facts,
            bars=self.bars,
            stale=self._stale,
            time_ns=self.asks_ns,
            memory=recalled,
        )
        try:
            with decimal.localcontext(), self._guard:
                returned: object = self.ask(self.strategy, view)
        except BaseException as error:  # a strategy may raise anything; it stops its bot
            raise StrategyFault(_said(error)) from error
        try:
            if recalled is not None:
                with decimal.localcontext():
                    returned, memory = recalled.after(returned)
            return Asked(by_symbol(returned, self.symbols), memory)
        except ValueError as error:
            raise StrategyFault(str(error)[:MOST_SAID]) from error


def _said(error: BaseException) -> str:
    """An exception in one short line, even if it cannot say what it is."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - a user's class; its name has to do
        text = "(its text cannot be had)"
    return f"{type(error).__name__}: {text}"[:MOST_SAID]


def _ask(strategy: Strategy, view: View) -> Returned:
    return strategy.decide(view)

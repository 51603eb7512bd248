"""A strategy played over bars, on a simple account in which everything fills: for authors' tests.

Lives here: what a strategy wishes, close by close. Not here: how that comes true
(strategy.simple_account), real execution rules, fees and figures (`holdfast.backtest`), the laws
that a strategy keeps (strategy.check).
"""

from __future__ import annotations

import decimal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from itertools import groupby
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from holdfast.domain.market import NS_PER_S, Bar, BookLevels, Trade, exact
from holdfast.strategy.api import Setup, Strategy, View
from holdfast.strategy.book import show_all
from holdfast.strategy.feed import Feed
from holdfast.strategy.memory import Recalled, memories_of
from holdfast.strategy.signals import Known
from holdfast.strategy.simple_account import SimpleAccount, Told
from holdfast.strategy.wish import Wish, by_symbol

Price = Decimal | float | str
Pair = tuple[Price, Price]
"""A price and a quantity."""
_START_NS = 1_704_067_200 * NS_PER_S  # 2024-01-01 00:00 UTC


class Played(msgspec.Struct, frozen=True):
    """What came of it.

    Attributes:
        bars: all of them, the warm-up too.
        first: number of the close of the first wish; how many closes the warm-up passed over.
        wishes: one per close from `first` on, as they were returned; empty if it never got warm.
        told: what the strategy was told at each.
        memory: of the strategy after the last, as it is written; None without one.
    """

    bars: Sequence[Bar]
    first: int
    wishes: Sequence[Wish]
    told: Sequence[Told]
    memory: str | None = None

    @property
    def positions(self) -> Sequence[Decimal]:
        """Base units of the strategy's own symbol held at each of those closes."""
        return [told.position.quantity for told in self.told]

    def positions_in(self, symbol: str) -> Sequence[Decimal]:
        """Base units of any of its symbols held at each of those closes."""
        return [told.held[symbol].quantity for told in self.told]

    def memory_after(self, at: int) -> str | None:
        """The memory as it was written at close number `at`."""
        after = at - self.first + 1
        return self.told[after].memory if after < len(self.told) else self.memory


def play(
    strategy: Strategy,
    *,
    closes: Iterable[Price] | Mapping[str, Iterable[Price]] | None = None,
    bars: Iterable[Bar] | None = None,
    cash: Decimal = Decimal(10_000),
    signals: Mapping[str, Mapping[int, object]] | None = None,
    books: Mapping[str, Mapping[int, tuple[Sequence[Pair], Sequence[Pair]]]] | None = None,
    trades: Mapping[str, Mapping[int, Pair]] | None = None,
) -> Played:
    """Ask a strategy at every close, and let its wishes come true.

    The account is a simple one: without fees, targets fill at the next open, limits and quotes when
    a bar trades through them, stops and take-profits inside the bar, stops first.

    Args:
        closes: of one-minute bars without gaps, by symbol where there are several, the strategy's
            own first; or else
        bars: of one length, oldest first; the symbol of the first one is the strategy's own. Where
            others close and a symbol has no bar, it is stale.
        cash: quote units to begin with.
        signals: what is heard of each, by the number of the close at which it is first known.
        books: bids and asks of a symbol, best first, by the number of the close at which they are
            first seen; without them no book is known.
        trades: the last trade of a symbol, in the same way. Orders fill by bars all the same.

    Raises:
        ValueError: neither or both of closes and bars, bars of several lengths, or what `decide`
            returned is no wish.
        KeyError: a signal that the strategy does not declare.
        Exception: whatever the strategy raises.
    """
    if (closes is None) == (bars is None):
        raise ValueError("expected: closes=[…] or bars=[…]")
    if isinstance(closes, Mapping):
        series = {symbol: bars_of(each, symbol=symbol) for symbol, each in closes.items()}
        given = tuple(bar for each in series.values() for bar in each)
    else:
        given = tuple(bars) if bars is not None else bars_of(closes or ())
    market = Closes(given)
    actor = Actor(renewed(strategy), market.symbols, market.bar_s)
    sights = _sights(books or {}, trades or {}, market)
    return play_actor(actor, market, cash, signals or {}, sights)


def _sights(
    books: Mapping[str, Mapping[int, tuple[Sequence[Pair], Sequence[Pair]]]],
    trades: Mapping[str, Mapping[int, Pair]],
    market: Closes,
) -> dict[int, list[BookLevels | Trade]]:
    """What is first seen at each close, by its number."""
    found: dict[int, list[BookLevels | Trade]] = {}
    for symbol, told in books.items():
        for at, sides in told.items():
            bids, asks = (tuple([(_number(p), _number(q)) for p, q in side]) for side in sides)
            seen = BookLevels(market.closes[at].time_ns, symbol, bids, asks)
            found.setdefault(at, []).append(seen)
    for symbol, prints in trades.items():
        for at, (price, quantity) in prints.items():
            at_ns = market.closes[at].time_ns
            trade = Trade(at_ns, symbol, _number(price), _number(quantity), buyer_is_maker=False)
            found.setdefault(at, []).append(trade)
    return found


def _number(given: Price) -> Decimal:
    return exact(given) if isinstance(given, float) else Decimal(given)


class Close(NamedTuple):
    """The bars that close at one time.

    Attributes:
        bars: at least one, at most one of each symbol.
        stale: symbols that have none.
    """

    time_ns: int
    bars: Sequence[Bar]
    stale: frozenset[str]


class Closes:
    """Bars by the time at which they close.

    Args:
        symbols: the strategy's, its own first; without them in the order in which they first come.
        bar_s: the length of all bars in seconds, where there are none.

    Attributes:
        closes: oldest first.

    Raises:
        ValueError: bars are of several lengths.
    """

    def __init__(
        self, bars: Sequence[Bar], symbols: Sequence[str] = (), bar_s: int = 60
    ) -> None:
        self.bars = bars
        found = tuple(dict.fromkeys(bar.symbol for bar in bars))
        self.symbols = tuple(symbols) or found or ("BTC/USDT",)
        lengths = sorted({(bar.close_ns - bar.open_ns) // NS_PER_S for bar in bars}) or [bar_s]
        if len(lengths) > 1:
            raise ValueError(
                f"seen: bars of {' and '.join(map(str, lengths))} seconds; expected: one length; "
                "longer ones are built from them, by on.bars(timeframe)"
            )
        self.bar_s = lengths[0]
        self.closes = tuple(self._grouped())

    def _grouped(self) -> Iterator[Close]:
        everybody = frozenset(self.symbols)
        # Within a close the order of the symbols is the strategy's, whatever that of the bars was.
        places = {symbol: place for place, symbol in enumerate(self.symbols)}
        ordered = sorted(self.bars, key=lambda bar: (bar.close_ns, places[bar.symbol]))
        for time_ns, group in groupby(ordered, key=lambda bar: bar.close_ns):
            found = tuple(group)
            yield Close(time_ns, found, everybody.difference(bar.symbol for bar in found))

    def __len__(self) -> int:
        return len(self.closes)

    def up_to(self, end: int) -> Closes:
        """The same without the closes from number `end` on."""
        return Closes([bar for close in self.closes[:end] for bar in close.bars], self.symbols)


def bars_of(
    closes: Iterable[Decimal | float | str], *, symbol: str = "BTC/USDT", bar_s: int = 60
) -> tuple[Bar, ...]:
    """Bars that open where the one before closed and go no further than to their close."""
    found: list[Bar] = []
    for at, given in enumerate(closes):
        close = _number(given)
        opened = found[-1].close if found else close
        start = _START_NS + at * bar_s * NS_PER_S
        high, low = max(opened, close), min(opened, close)
        end = start + bar_s * NS_PER_S
        found.append(Bar(symbol, start, end, opened, high, low, close, Decimal(1)))
    return tuple(found)


def renewed(strategy: Strategy) -> Strategy:
    """Another of the same parameters that was not set up yet, as a new process makes it."""
    values = {name: getattr(strategy, name) for name in strategy.__struct_fields__}
    return type(strategy)(**values)


class Actor:
    """A strategy and its indicators.

    Args:
        symbols, bar_s: what it is asked about, its own symbol first; seconds of a bar.
        around: entered whenever code of the author runs.
        invent: makes up the book, of so many levels, and the last trade after a bar.

    Attributes:
        on: what it has declared.
        bars: the last closed one of each symbol.
    """

    def __init__(
        self,
        strategy: Strategy,
        symbols: Sequence[str] = ("BTC/USDT",),
        bar_s: int = 60,
        around: AbstractContextManager[object] | None = None,
        invent: Callable[[Bar, int], tuple[BookLevels, Trade]] | None = None,
    ) -> None:
        self.strategy = strategy
        self.symbols = tuple(symbols)
        self._around = around or nullcontext()
        self.on = Setup(symbols, bar_s)
        with decimal.localcontext(), self._around:
            strategy.setup(self.on)
        strategy.seal()
        self.bars: dict[str, Bar] = {}
        self._books: dict[str, BookLevels] = {}
        self._trades: dict[str, Trade] = {}
        self._invent = invent if self.on.looks_around else None
        self._feed = Feed(self.on)
        self._memories = memories_of(strategy)
        self.warmup = self._feed.warmup_bars
        self.has_memory = self._memories is not None

    def feed(self, close: Close) -> bool:
        """Take the bars of a close in; whether it may be decided on."""
        with self._around:
            for bar in close.bars:
                self.bars[bar.symbol] = bar
                self._feed.take(bar)
                if self._invent is not None:
                    book = self.on.books.get(bar.symbol)
                    self.see(*self._invent(bar, book.levels if book is not None else 1))
            return len(self.bars) == len(self.symbols) and self._feed.ready

    def see(self, *sights: BookLevels | Trade) -> None:
        """Books and trades that stand from now on, until others do."""
        for sight in sights:
            if isinstance(sight, Trade):
                self._trades[sight.symbol] = sight
            else:
                self._books[sight.symbol] = sight

    def take_over(self, before: Actor) -> None:
        """Go on where another process was: its last bars, and the longer ones that it had begun."""
        self.bars = dict(before.bars)
        self._books, self._trades = dict(before._books), dict(before._trades)
        self._feed.restore(before._feed.state())

    def decide(self, close: Close, told: Told) -> Wish:
        """What it wishes; see `answer`."""
        return self.answer(close, told)[0]

    def answer(self, close: Close, told: Told) -> tuple[Wish, str | None]:
        """Ask it: what it wishes, and its memory as it is written from here on.

        Raises:
            ValueError: what it returned is no wish, or no memory.
        """
        recalled = None if self._memories is None else Recalled(self._memories, told.memory)
        show_all(self.on.books, self.on.last_trades, self._books, self._trades)
        view = View(
            self.bars[self.symbols[0]],
            told.position,
            told,
            bars=self.bars if len(self.symbols) > 1 else None,
            stale=close.stale,
            time_ns=close.time_ns,
            memory=recalled,
        )
        # A precision that it sets is its own, as it is in the engine.
        with decimal.localcontext(), self._around:
            wish: Any = self.strategy.decide(view)
        memory = None
        if recalled is not None:
            wish, memory = recalled.after(wish)
        found = by_symbol(wish, self.symbols)
        return (found if isinstance(wish, Mapping) else wish), memory


def play_actor(
    actor: Actor,
    market: Closes,
    cash: Decimal = Decimal(10_000),
    signals: Mapping[str, Mapping[int, object]] = MappingProxyType({}),
    sights: Mapping[int, Sequence[BookLevels | Trade]] = MappingProxyType({}),
) -> Played:
    """As `play`, with a strategy that is set up already."""
    account = SimpleAccount(market.symbols, cash)
    wishes: list[Wish] = []
    told: list[Told] = []
    memory: str | None = None
    for at, close in enumerate(market.closes):
        account.trade(close.bars, at)
        for name, heard in signals.items():
            if at in heard:
                text = msgspec.json.encode(heard[at]).decode()
                actor.on.signals[name].hear(Known(close.time_ns, text))
        actor.see(*sights.get(at, ()))
        if not actor.feed(close):
            continue
        told.append(account.told(at, memory))
        wish, memory = actor.answer(close, told[-1])
        wishes.append(wish)
        account.hear(by_symbol(wish, market.symbols))
    return Played(market.bars, len(market) - len(wishes), wishes, told, memory)

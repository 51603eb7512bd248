"""The strategy port: declare parameters and indicators, then decide from what `View` shows.

Not here: shipped strategies (strategy.shipped), loading them (strategy.load).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol, TypeVar

import msgspec

from holdfast.domain.market import Bar
from holdfast.domain.order import Side
from holdfast.domain.timeframe import timeframe_s, timeframe_text
from holdfast.errors import ConfigError
from holdfast.strategy.book import MOST_LEVELS, USUAL_LEVELS, Book, LastTrade
from holdfast.strategy.indicators import (
    Adx,
    Atr,
    Bollinger,
    Donchian,
    Ema,
    Indicator,
    Macd,
    Rsi,
    Sma,
    Supertrend,
    Vwap,
)
from holdfast.strategy.memory import Recalled
from holdfast.strategy.signals import Signal
from holdfast.strategy.wish import Returned

IndicatorT = TypeVar("IndicatorT", bound=Indicator)

_TENTHS = re.compile(r"([1-9]00)ms")


class HeldPosition(msgspec.Struct, frozen=True):
    """A bot's net position in a symbol.

    Attributes:
        quantity: base units, net of fees taken in the base asset.
        average_price: what the open quantity cost, quote units per base unit; 0 when flat.
    """

    quantity: Decimal
    average_price: Decimal


class Exit(msgspec.Struct, frozen=True):
    """How a bot came to be flat.

    Attributes:
        reason: `wish`, `stop`, `take_profit`, or `flatten` when a person had it sold.
        price: of the fill that did it, quote units per base unit.
        bars_ago: closed bars since, 0 in the bar that it happened in.
    """

    reason: str
    price: Decimal
    bars_ago: int


class OpenOrder(msgspec.Struct, frozen=True):
    """An order of the bot's that may still execute.

    Attributes:
        price: its limit, quote units; None at market.
        stop_price: what sets it off, quote units; None when it works already.
        quantity, executed: base units; what is known to have executed.
    """

    symbol: str
    side: Side
    price: Decimal | None
    stop_price: Decimal | None
    quantity: Decimal
    executed: Decimal


class Facts(Protocol):
    """What the journal tells of a bot, worked out when it is asked for."""

    def equity(self) -> Decimal | None:
        """Of the account, in its reporting currency; None until every holding has a price."""
        ...

    def positions(self) -> Mapping[str, HeldPosition]:
        """Of the bot, in each of its symbols."""
        ...

    def last_exits(self, now_ns: int) -> Mapping[str, Exit]:
        """How it came to be flat last, in the symbols where that happened."""
        ...

    def orders(self) -> Sequence[OpenOrder]:
        """Its orders that may still execute, those in doubt among them, oldest first."""
        ...


class View:
    """What a strategy may know at the close of a bar. What is told of the bot and its account are
    folds of the journal, so it survives a failover.

    Args:
        bar: the last one of the bot's own symbol.
        bars: the last one of each of its symbols, where it has several.
        time_ns: what was waited for, when the own symbol's bar is not the newest.

    Attributes:
        position: the bot's, in its own symbol.
    """

    __slots__ = ("_bar", "_bars", "_facts", "_memory", "_stale", "_time_ns", "position")

    def __init__(
        self,
        bar: Bar,
        position: HeldPosition,
        facts: Facts,
        *,
        bars: Mapping[str, Bar] | None = None,
        stale: frozenset[str] = frozenset(),
        time_ns: int = 0,
        memory: Recalled | None = None,
    ) -> None:
        self._bar = bar
        self._bars = bars
        self.position = position
        self._stale = stale
        self._facts = facts
        self._time_ns = time_ns
        self._memory = memory

    @property
    def bar(self) -> Bar:
        """The bar that just closed, of the bot's own symbol."""
        return self._bar

    @property
    def bars(self) -> Mapping[str, Bar]:
        """The last closed bar of each of the bot's symbols."""
        return {self.bar.symbol: self.bar} if self._bars is None else self._bars

    @property
    def stale(self) -> frozenset[str]:
        """Symbols whose bar did not come in time: what is shown of them is older."""
        return self._stale

    @property
    def time_ns(self) -> int:
        """The bar's close, UTC nanoseconds. There is no other clock."""
        return self._time_ns or self.bar.close_ns

    @property
    def positions(self) -> Mapping[str, HeldPosition]:
        """The bot's position in each of its symbols."""
        return self._facts.positions()

    @property
    def equity(self) -> Decimal | None:
        """Of the account, in its reporting currency; None until every holding has a price."""
        return self._facts.equity()

    @property
    def last_exit(self) -> Exit | None:
        """How the bot came to be flat last, for cool-downs; None before that happened."""
        return self.last_exits.get(self.bar.symbol)

    @property
    def last_exits(self) -> Mapping[str, Exit]:
        """The same of each of its symbols where it happened."""
        return self._facts.last_exits(self.time_ns)

    @property
    def orders(self) -> Sequence[OpenOrder]:
        """The bot's orders that may still execute, those in doubt among them, oldest first."""
        return self._facts.orders()

    @property
    def memory(self) -> Any:
        """A copy of the strategy's `Memory` as the last decision left it: change it and return it
        beside the wish, and it is journaled with the decision.

        Raises:
            AttributeError: the strategy has no `Memory`.
            ValueError: what the journal has is of another version.
        """
        if self._memory is None:
            raise AttributeError(
                "seen: now.memory in a strategy without one; expected: class Memory(msgspec.Struct)"
                " in it, with a default for every field"
            )
        return self._memory.value

    def recall(self, recalled: Recalled) -> None:
        """What `memory` shows, where one view shows one close after the other."""
        self._memory = recalled


class BarSeries:
    """Bars of one symbol and timeframe, as something to hang indicators on.

    `docs/indicators.md` has them all.

    Raises:
        ValueError: from each, when a period or a multiplier is out of range.
    """

    def __init__(self, indicators: list[Indicator]) -> None:
        self._indicators = indicators

    def sma(self, period: int) -> Sma:
        """A simple moving average of the close."""
        return self.add(Sma(period))

    def ema(self, period: int) -> Ema:
        """An exponential moving average of the close."""
        return self.add(Ema(period))

    def rsi(self, period: int = 14) -> Rsi:
        """The relative strength index, 0 to 100."""
        return self.add(Rsi(period))

    def atr(self, period: int = 14) -> Atr:
        """The average true range, quote units."""
        return self.add(Atr(period))

    def bollinger(self, period: int = 20, multiplier: float = 2.0) -> Bollinger:
        """Bands of `multiplier` standard deviations around the mean of the close."""
        return self.add(Bollinger(period, multiplier))

    def macd(self, fast: int = 12, slow: int = 26, signal_period: int = 9) -> Macd:
        """The difference of two exponential averages, and its signal."""
        return self.add(Macd(fast, slow, signal_period))

    def vwap(self, period: int) -> Vwap:
        """The volume-weighted average price of the last `period` bars."""
        return self.add(Vwap(period))

    def donchian(self, period: int = 20) -> Donchian:
        """The highest high and the lowest low, the newest bar included."""
        return self.add(Donchian(period))

    def adx(self, period: int = 14) -> Adx:
        """The average directional index, 0 to 100, and both directions."""
        return self.add(Adx(period))

    def supertrend(self, period: int = 10, multiplier: float = 3.0) -> Supertrend:
        """A stop that follows the price at `multiplier` average true ranges."""
        return self.add(Supertrend(period, multiplier))

    def add(self, indicator: IndicatorT) -> IndicatorT:
        """Feed `indicator` from now on, and wait for it before the first decision."""
        self._indicators.append(indicator)
        return indicator


class Setup:
    """Handed to `Strategy.setup`: what the strategy wants to be fed with.

    Attributes:
        symbols: what its bot trades, its own first.
        bar_s: seconds of the bars that it decides on.
        series: the indicators declared, by symbol and seconds of a bar.
        signals: the external series declared, by name.
        books, last_trades: those declared, by symbol.
        every_ms: between decisions within a bar; 0 to decide at closes only.
    """

    def __init__(self, symbols: Sequence[str] = ("BTC/USDT",), bar_s: int = 60) -> None:
        self.symbols = tuple(symbols)
        self.bar_s = bar_s
        self.series: dict[tuple[str, int], list[Indicator]] = {}
        self.signals: dict[str, Signal] = {}
        self.books: dict[str, Book] = {}
        self.last_trades: dict[str, LastTrade] = {}
        self.every_ms = 0

    @property
    def looks_around(self) -> bool:
        """Whether anything but bars was declared: signals, books or trades."""
        return bool(self.signals or self.books or self.last_trades)

    def bars(self, timeframe: str | None = None, symbol: str | None = None) -> BarSeries:
        """Bars of a symbol.

        Args:
            timeframe: `1h`, a multiple of the bot's own bars, which longer ones are built from;
                their indicators show the last one that has closed. None for the bot's own.
            symbol: one of the bot's; None for its own.

        Raises:
            ValueError: no such multiple, or none of the bot's symbols.
            ConfigError: it is no length of a bar.
        """
        bar_s = self.bar_s if timeframe is None else timeframe_s(timeframe)
        if bar_s < self.bar_s or bar_s % self.bar_s:
            own = timeframe_text(self.bar_s)
            raise ValueError(
                f"seen: on.bars({timeframe!r}) of a bot that decides on bars of {own}; "
                f"expected: {own} or a multiple of it, because longer bars are built from shorter"
            )
        return BarSeries(self.series.setdefault((self._one_of("bars", symbol), bar_s), []))

    def signal(self, name: str) -> Signal:
        """An external series, `[[signals]]` of the configuration; a file in a backtest."""
        return self.signals.setdefault(name, Signal(name))

    def book(self, symbol: str | None = None, *, levels: int = USUAL_LEVELS) -> Book:
        """The best levels of the book of one of the bot's symbols, None for its own.

        Args:
            levels: how many of each side, 1 to 100. What a decision saw of them is journaled.

        Raises:
            ValueError: none of the bot's symbols, or so many levels are not shown.
        """
        symbol = self._one_of("book", symbol)
        if not 1 <= levels <= MOST_LEVELS:
            raise ValueError(
                f"seen: on.book(levels={levels}); expected: 1 to {MOST_LEVELS} of each side"
            )
        book = self.books.setdefault(symbol, Book(symbol, levels))
        book.levels = max(book.levels, levels)
        return book

    def trades(self, symbol: str | None = None) -> LastTrade:
        """The last trade of one of the bot's symbols, None for its own.

        Raises:
            ValueError: none of the bot's symbols.
        """
        symbol = self._one_of("trades", symbol)
        return self.last_trades.setdefault(symbol, LastTrade(symbol))

    def every(self, interval: str) -> None:
        """Decide between closes as well, at each multiple of `interval` from 00:00 UTC.

        Args:
            interval: `5s`, or tenths of a second: `200ms`.

        Raises:
            ValueError: it is not shorter than the bot's bars, or does not divide them.
            ConfigError: it is no length of time.
        """
        tenths = _TENTHS.fullmatch(interval)
        every_ms = int(tenths[1]) if tenths else timeframe_s(interval) * 1000
        if every_ms >= self.bar_s * 1000 or self.bar_s * 1000 % every_ms:
            own = timeframe_text(self.bar_s)
            raise ValueError(
                f"seen: on.every({interval!r}) of a bot that decides on bars of {own}; expected: "
                f"a part of {own}, for at their closes it is asked anyway"
            )
        self.every_ms = every_ms

    def require_recorded(self, *, trades: bool, books: bool) -> None:
        """See that a backtest has what was declared.

        Args:
            trades, books: whether recordings of them are there.

        Raises:
            ConfigError: something is missing.
        """
        declared = {"book": self.books, "trades": self.last_trades, "every": self.every_ms}
        looks = next((f"on.{name}()" for name, found in declared.items() if found), "")
        if self.books and not (books and trades):
            missing = "recorded trades and order books"
            option = "--trades FILE --depth FILE (trades=…, depth=…)"
        elif looks and not trades:
            missing, option = "recorded trades", "--trades FILE (trades=…)"
        else:
            return
        raise ConfigError(
            f"seen: {looks} in a backtest without {missing}; expected: them, since no bar tells "
            f"what the book was, or what came between closes; do: name recordings with {option}, "
            "or try it on a local exchange, `holdfast exchange serve`"
        )

    def _one_of(self, what: str, symbol: str | None) -> str:
        if symbol is not None and symbol not in self.symbols:
            raise ValueError(
                f"seen: on.{what}(symbol={symbol!r}); expected: one of the bot's symbols, "
                f"{', '.join(self.symbols)}; do: add it to them"
            )
        return symbol or self.symbols[0]


class Strategy(msgspec.Struct, kw_only=True, dict=True):
    """Base class: fields are parameters, `setup` declares indicators, `decide` returns a wish.

    `decide` must be a function of what it is shown: same bars, same wishes. It is called once per
    closed bar after every indicator is ready. Assigning to `self` in it is an error; what it must
    keep goes into an inner `class Memory(msgspec.Struct)`, read as `now.memory` and returned beside
    the wish.
    """

    def setup(self, on: Setup) -> None:
        """Declare indicators; may keep them on `self`."""

    def decide(self, now: View) -> Returned:
        """The wish that stands from here on, with the memory if there is one."""
        raise NotImplementedError(f"{type(self).__name__} has no decide(self, now) yet")

    def __setattr__(self, name: str, value: Any) -> None:
        if "_sealed" in self.__dict__:
            raise AttributeError(
                f"seen: self.{name} = … after setup; expected: a strategy that keeps no state of "
                "its own, because a standby could not know it; derive it from bars or now.position"
            )
        super().__setattr__(name, value)

    def seal(self) -> None:
        """Forbid assignments from here on; the engine calls it after `setup`."""
        self.__dict__["_sealed"] = True

"""Bars of several symbols side by side, and what indicators say at each close, known beforehand.

Lives here: which bar of each symbol closes when, and the columns of indicators laid out on these
closes. Not here: stepping over them (backtest), indicators that can only be fed bar by bar
(strategy.feed).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import polars as pl

from holdfast.domain.market import NS_PER_S, Bar, BarColumns, exact
from holdfast.domain.money import ZERO
from holdfast.errors import RejectedError
from holdfast.lab.bar_venue import BarVenue
from holdfast.market.bar_table import SCHEMA, BarTable
from holdfast.strategy.api import Facts, HeldPosition, Setup, View

NEVER = float("inf")
Index = Sequence[int]


class Market:
    """One symbol's bars, and the venue that fills in them.

    Attributes:
        index: at each close of the time line the number of the bar that closes then, or -1.
        take_at: a bar as high as this reaches a take-profit.
    """

    __slots__ = ("_made", "_made_at", "_take", "bars", "index", "take_at", "venue")

    def __init__(self, bars: BarColumns, index: Index, venue: BarVenue) -> None:
        self.bars = bars
        self.index = index
        self.venue = venue
        self.take_at = NEVER
        self._take: Decimal | None = None
        self._made, self._made_at = bars.bar(0), 0

    @property
    def symbol(self) -> str:
        """`BASE/QUOTE`."""
        return self.bars.symbol

    def leave_at(self, price: Decimal | None) -> None:
        """A bar as high as this reaches a take-profit, from here on."""
        if price is not self._take:
            self._take, self.take_at = price, NEVER if price is None else float(price)

    def newest(self, at: int) -> int:
        """The number of the last bar closed at time number `at`; -1 before the first."""
        while at >= 0 and self.index[at] < 0:
            at -= 1
        return self.index[at] if at >= 0 else -1

    def closed(self, at: int) -> Bar:
        """The newest bar at time number `at`, as far as an engine looks at it.

        Its strategy has been asked already, so nobody looks at more than times and close.
        """
        number, bars = self.newest(at), self.bars
        close, open_ns = exact(bars.close[number]), bars.open_ns[number]
        close_ns = open_ns + bars.bar_s * NS_PER_S
        return Bar(bars.symbol, open_ns, close_ns, close, close, close, close, ZERO)

    def bar(self, number: int) -> Bar:
        """A bar, made once however often it is looked at in a row."""
        if number != self._made_at:
            self._made, self._made_at = self.bars.bar(number), number
        return self._made


class CloseAt(View):
    """What a strategy sees of one close after the other, without an object for each.

    Attributes:
        at: the number of the close.
    """

    __slots__ = ("_markets", "_times_ns", "at")

    def __init__(self, markets: Sequence[Market], times_ns: Sequence[int], facts: Facts) -> None:
        self._markets = markets
        self._times_ns = times_ns
        self._facts = facts
        self._memory = None
        self.at = 0
        self.position = HeldPosition(ZERO, ZERO)

    @property
    def bar(self) -> Bar:
        own = self._markets[0]
        return own.bar(own.newest(self.at))

    @property
    def bars(self) -> Mapping[str, Bar]:
        return {market.symbol: market.bar(market.newest(self.at)) for market in self._markets}

    @property
    def stale(self) -> frozenset[str]:
        return frozenset(one.symbol for one in self._markets if one.index[self.at] < 0)

    @property
    def time_ns(self) -> int:
        return self._times_ns[self.at]


class Series(NamedTuple):
    """An output of an indicator at every close; `value` by name `value`."""

    indicator: Any
    name: str
    values: Sequence[float]


class Timeline:
    """The closes that a strategy is asked at, oldest first.

    Attributes:
        times_ns: UTC nanoseconds: every close of any of the symbols.
        series: what is known beforehand.
        first: the number of the first close at which every series has a value and every symbol a
            bar.
    """

    def __init__(self, markets: Sequence[BarColumns]) -> None:
        own = markets[0]
        spans = {bars.bar_s for bars in markets}
        assert len(spans) == 1, "bars of one length"  # noqa: S101 - the front door checks it
        length_ns = own.bar_s * NS_PER_S
        if all(bars.open_ns == own.open_ns for bars in markets[1:]):
            opens: Sequence[int] = own.open_ns
            self.index: list[Index] = [range(len(own)) for _ in markets]
        else:
            opens = sorted(set().union(*(bars.open_ns for bars in markets)))
            self.index = [_places(bars.open_ns, opens) for bars in markets]
        self.times_ns = [at + length_ns for at in opens]
        self._length_ns = length_ns
        self.series: list[Series] = []
        self.first = max(next(at for at, n in enumerate(one) if n >= 0) for one in self.index)
        self._markets = list(markets)

    def open_ns(self, at: int) -> int:
        """When the bars opened that close at time number `at`, UTC nanoseconds."""
        return self.times_ns[at] - self._length_ns

    def lay_out(self, on: Setup) -> Setup:
        """Compute what can be computed over columns; what has to be fed is handed back.

        Raises:
            ConfigError: what was declared is not in bars.
            RejectedError: an indicator of an author's own raised.
        """
        on.require_recorded(trades=False, books=False)
        rest = Setup(on.symbols, on.bar_s)
        for (symbol, bar_s), indicators in on.series.items():
            columns: list[Any] = [one for one in indicators if hasattr(one, "over")]
            fed = [one for one in indicators if not hasattr(one, "over")]
            if fed:
                rest.series[symbol, bar_s] = fed
            if columns:
                bars = next(one for one in self._markets if one.symbol == symbol)
                self._lay_out(columns, bars, bar_s)
        return rest

    def _lay_out(self, indicators: Sequence[Any], bars: BarColumns, bar_s: int) -> None:
        shown = bars if bar_s == bars.bar_s else _longer(bars, bar_s)
        seen = self._seen(shown, bars)
        for one in indicators:
            try:
                outputs = list(zip(one.outputs, one.over(shown), strict=True))
            except (Exception, SystemExit) as error:
                raise RejectedError(
                    "strategy",
                    f"seen: indicator {type(one).__name__} raised {type(error).__name__}: {error}, "
                    "over all bars at once; do: correct the strategy",
                ) from error
            for name, values in outputs:
                laid = values if seen is None else [
                    values[n] if n >= 0 else math.nan for n in seen
                ]
                self.series.append(Series(one, name, laid))
            one.ready = True  # nobody looks before it is
            first = one.warmup - 1
            if seen is not None:
                first = next((at for at, n in enumerate(seen) if n >= first), len(seen))
            self.first = max(self.first, first)

    def _seen(self, shown: BarColumns, bars: BarColumns) -> list[int] | None:
        """At each close the number of the last bar that is over; None when it is the same.

        A longer bar is known to be over when a shorter one of its symbol has closed with or after
        it.
        """
        index = self.index[self._markets.index(bars)]
        if shown is bars and isinstance(index, range):
            return None
        closes = pl.Series(shown.open_ns, dtype=pl.Int64) + shown.bar_s * NS_PER_S
        known = pl.Series(bars.open_ns, dtype=pl.Int64) + bars.bar_s * NS_PER_S
        over = (closes.search_sorted(known, side="right").cast(pl.Int64) - 1).to_list()
        seen, newest = [], -1
        for number in index:
            newest = over[number] if number >= 0 else newest
            seen.append(newest)
        return seen


def _places(opens: Sequence[int], among: Sequence[int]) -> list[int]:
    numbers = {open_ns: number for number, open_ns in enumerate(opens)}
    return [numbers.get(open_ns, -1) for open_ns in among]


def _longer(bars: BarColumns, bar_s: int) -> BarColumns:
    """The same market in longer bars."""
    frame = pl.DataFrame({name: getattr(bars, name) for name in SCHEMA.names()}, schema=SCHEMA)
    table = BarTable(frame, symbol=bars.symbol, bar_s=bars.bar_s)
    return table.resample(bar_s).columns()


def laid(bars: BarColumns, index: Index, times_ns: Sequence[int]) -> BarColumns:
    """A symbol's bars at each close of the time line; where it has none, its last price stands."""
    if isinstance(index, range):
        return bars
    columns: dict[str, list[float]] = {name: [] for name in SCHEMA.names()[1:]}
    still = bars.open[0]
    for number in index:
        if number >= 0:
            still = bars.close[number]
        for name, column in columns.items():
            missing = 0.0 if name == "volume" else still
            column.append(getattr(bars, name)[number] if number >= 0 else missing)
    length_ns = bars.bar_s * NS_PER_S
    return BarColumns(bars.symbol, bars.bar_s, [at - length_ns for at in times_ns], **columns)

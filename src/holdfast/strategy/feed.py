"""Bars on their way to a strategy's indicators; longer bars are built here from the bot's own.

Lives here: what live trading, `play` and the laws of a strategy share. Not here: several symbols
that are waited for (engine.bot), columns of a backtest (app.research.backtest).
"""

from __future__ import annotations

import decimal
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from holdfast.domain.market import NS_PER_S, Bar
from holdfast.domain.timeframe import span_start
from holdfast.strategy.api import Setup
from holdfast.strategy.indicators import Indicator

_SHIPPED: Final = Indicator.__module__.rpartition(".")[0] + "."


class Feed:
    """What a strategy has declared, ready to be fed.

    Attributes:
        indicators: all of them, in the order of their declaration within a series.
        warmup_bars: of the bot's own bars, after which every indicator has surely a value.
        updating: the indicator that took a bar in last, or raised over it.
    """

    def __init__(self, on: Setup) -> None:
        self.indicators: tuple[Indicator, ...] = tuple(
            one for series in on.series.values() for one in series
        )
        self._is_shipped = all(
            type(one).__module__.startswith(_SHIPPED) for one in self.indicators
        )
        self.warmup_bars = 1
        self.updating: Indicator | None = None
        self._series: dict[str, list[tuple[Longer | None, list[Indicator]]]] = {}
        for (symbol, bar_s), indicators in on.series.items():
            ratio = bar_s // on.bar_s
            longest = max((one.warmup for one in indicators), default=1)
            # The first of the longer bars may have begun before the feed did: it is not counted.
            self.warmup_bars = max(self.warmup_bars, longest * ratio + ratio - 1)
            builder = Longer(bar_s) if ratio > 1 else None
            self._series.setdefault(symbol, []).append((builder, indicators))

    def take(self, bar: Bar) -> None:
        """Show a closed bar of the bot's own length to all that wait for one of its symbol.

        An indicator of an author's own that sets a decimal precision sets nobody else's.
        """
        for builder, indicators in self._series.get(bar.symbol, ()):
            for closed in (bar,) if builder is None else builder.take(bar):
                for one in indicators:
                    self.updating = one
                    if self._is_shipped:  # none of them does, and this is the hot way
                        one.update(closed)
                        continue
                    with decimal.localcontext():
                        one.update(closed)

    def state(self) -> list[LongerState]:
        """The longer bars that have begun; indicators have states of their own."""
        return [builder.state() for builder in self._builders()]

    def restore(self, states: Sequence[LongerState]) -> None:
        """Go on from the `state` of a feed of the same declarations."""
        for builder, state in zip(self._builders(), states, strict=True):
            builder.restore(state)

    def _builders(self) -> Iterator[Longer]:
        for series in self._series.values():
            for builder, _ in series:
                if builder is not None:
                    yield builder

    @property
    def ready(self) -> bool:
        """Whether every indicator has a value."""
        return all(one.ready for one in self.indicators)


class LongerState(NamedTuple):
    """Of a longer bar that may have begun.

    Attributes:
        built: what there is of it; None without any.
        began_ns: where the first bar of all opened; None before any.
    """

    built: Bar | None
    began_ns: int | None


class Longer:
    """Builds the longer bars of one symbol, counted from 00:00 UTC (weeks from Monday).

    One that began before the first bar did is left out; one with holes is built from what is there.
    """

    def __init__(self, bar_s: int) -> None:
        self._bar_s = bar_s
        self._built: Bar | None = None
        self._began_ns: int | None = None

    def state(self) -> LongerState:
        """What a new process needs to go on."""
        return LongerState(self._built, self._began_ns)

    def restore(self, state: LongerState) -> None:
        """Go on from a `state`."""
        self._built, self._began_ns = state

    def take(self, bar: Bar) -> list[Bar]:
        """Take a shorter bar in; the longer ones that are over with it, mostly none."""
        if self._began_ns is None:
            self._began_ns = bar.open_ns
        opens = span_start(bar.open_ns, self._bar_s)
        closes = opens + self._bar_s * NS_PER_S
        over: list[Bar] = []
        built = self._built
        if built is not None and built.open_ns != opens:
            over.append(built)  # its last part never came
            built = None
        if built is not None:
            built = Bar(
                bar.symbol, opens, closes,
                built.open, max(built.high, bar.high), min(built.low, bar.low), bar.close,
                built.volume + bar.volume,
            )  # fmt: skip
        elif opens >= self._began_ns:
            built = Bar(
                bar.symbol, opens, closes, bar.open, bar.high, bar.low, bar.close, bar.volume
            )
        if built is not None and bar.close_ns == closes:
            over.append(built)
            built = None
        self._built = built
        return over

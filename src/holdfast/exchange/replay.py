"""A recorded market, lived again: every print happens as it was recorded, between orders of today.

Lives here: the flow, and the way through a candle. Not here: reading files (market) or matching.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from operator import attrgetter

import msgspec

from holdfast.domain.instrument import Instrument
from holdfast.domain.market import Bar, Trade
from holdfast.domain.order import Side
from holdfast.exchange.flow import FlowEvent, Place, Remove

# How far the rungs of the ladder lie from the last print, and how many usual prints each offers.
_RUNGS_BPS = (Decimal(1), Decimal(4), Decimal(12), Decimal(40))
_RUNG_PRINTS = (4, 8, 16, 32)
_REFILL_PRINTS = 25
_BPS = Decimal(10_000)
# Prints on each of the three legs of a candle, its corners not counted.
_BETWEEN = 1

_at_ns = attrgetter("at_ns")


class RecordedMarket(msgspec.Struct, frozen=True):
    """One market to live again.

    Attributes:
        prints: called for each walk over the recording; trades of this symbol, oldest first.
    """

    instrument: Instrument
    prints: Callable[[], Iterable[Trade]]


class ReplayFlow:
    """The house orders that make recorded prints happen; ends with the recording.

    Each print becomes a resting order at its price and a taker through it, so with nobody else in
    the market the tape is the recording, print by print. Orders of accounts take part as they would
    have: one that offers a better price, or was there first, trades instead. A thin ladder around
    the last print gives market orders a price at any time; prints never touch it.

    Args:
        markets: what to live again, each symbol once.

    Raises:
        ValueError: there is no market, or one twice.
    """

    def __init__(self, markets: Sequence[RecordedMarket]) -> None:
        symbols = [market.instrument.symbol for market in markets]
        if not symbols or len(set(symbols)) != len(symbols):
            raise ValueError(
                f"seen: recordings of {', '.join(symbols) or 'nothing'}; "
                "expected: at least one, each symbol once; do: name other files"
            )
        self._markets = tuple(markets)

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """The markets offered."""
        return tuple(market.instrument for market in self._markets)

    def events(self) -> Iterator[FlowEvent]:
        """All events in time order; each call begins anew."""
        count = len(self._markets)
        return heapq.merge(
            *(
                _Replay(market.instrument, number + 1, count).events(market.prints())
                for number, market in enumerate(self._markets)
            ),
            key=_at_ns,
        )


def prints_of_bars(bars: Iterable[Bar], instrument: Instrument) -> Iterator[Trade]:
    """A way through each candle, which itself does not tell the order of its extremes.

    A rising candle (close >= open) goes open, low, high, close; a falling one open, high, low,
    close. The way is cut into equal times from the bar's first nanosecond on and its volume spread
    evenly, to the last step: the prints of a bar build exactly that bar again. A candle with less
    volume than a step per print has fewer prints, and may lose an extreme; without volume, none.
    """
    for bar in bars:
        path = _path(bar, instrument)
        steps = int(bar.volume / instrument.quantity_step)
        if steps < len(path):
            # Close and open tell more than the extremes, and those more than what lies between.
            corners = _corners(bar)
            path = [corners[place] for place in sorted((3, 0, 1, 2)[:steps])]
        if not path:
            continue
        each, rest = divmod(steps, len(path))
        span_ns = (bar.close_ns - bar.open_ns) // len(path)
        before = path[0]
        for number, price in enumerate(path):
            share = each + rest if number == len(path) - 1 else each
            yield Trade(
                at_ns=bar.open_ns + number * span_ns,
                symbol=bar.symbol,
                price=price,
                quantity=share * instrument.quantity_step,
                buyer_is_maker=price < before or (price == before and bar.close < bar.open),
            )
            before = price


def _corners(bar: Bar) -> list[Decimal]:
    if bar.close >= bar.open:
        return [bar.open, bar.low, bar.high, bar.close]
    return [bar.open, bar.high, bar.low, bar.close]


def _path(bar: Bar, instrument: Instrument) -> list[Decimal]:
    corners = _corners(bar)
    path = [corners[0]]
    for start, end in pairwise(corners):
        for part in range(1, _BETWEEN + 1):
            between = start + (end - start) * part / (_BETWEEN + 1)
            path.append(instrument.floor_price(between))
        path.append(end)
    return path


class _Replay:
    """One market on its way through its recording."""

    def __init__(self, instrument: Instrument, first_key: int, key_step: int) -> None:
        self._instrument = instrument
        self._symbol = instrument.symbol
        self._key = first_key
        self._key_step = key_step
        self._rungs: list[int] = []
        # Between the first rungs: where prints pass without touching the ladder.
        self._bid = self._ask = Decimal(0)
        self._usual_steps = 0
        self._since_refill = 0

    def events(self, prints: Iterable[Trade]) -> Iterator[FlowEvent]:
        """The events of all prints. A clock of the recording that goes back waits instead."""
        now_ns = 0
        for print_ in prints:
            now_ns = max(now_ns, print_.at_ns)
            self._learn_size(print_.quantity)
            self._since_refill += 1
            if not self._bid < print_.price < self._ask or self._since_refill >= _REFILL_PRINTS:
                yield from self._move_ladder(now_ns, print_.price)
            maker = Side.BUY if print_.buyer_is_maker else Side.SELL
            key = self._next_key()
            price, quantity = print_.price, print_.quantity
            yield Place(now_ns, self._symbol, maker, price, quantity, key)
            yield Place(now_ns, self._symbol, maker.opposite, price, quantity)
            # What accounts took instead of it leaves some of it over.
            yield Remove(now_ns, self._symbol, key)

    def _learn_size(self, quantity: Decimal) -> None:
        steps = max(1, int(quantity / self._instrument.quantity_step))
        if not self._usual_steps:
            self._usual_steps = steps
        self._usual_steps += (steps - self._usual_steps) // 16

    def _move_ladder(self, at_ns: int, price: Decimal) -> Iterator[FlowEvent]:
        """Quote the ladder anew around `price`. All of the old one goes first: it never trades
        with itself."""
        self._since_refill = 0
        for key in self._rungs:
            yield Remove(at_ns, self._symbol, key)
        self._rungs.clear()
        instrument = self._instrument
        tick, least = instrument.price_tick, instrument.smallest_order(price)
        for number, (bps, prints) in enumerate(zip(_RUNGS_BPS, _RUNG_PRINTS, strict=True)):
            away = max(price * bps / _BPS, tick * (number + 1))
            bid, ask = instrument.floor_price(price - away), instrument.ceil_price(price + away)
            if number == 0:
                self._bid, self._ask = bid, ask
            quantity = max(self._usual_steps * prints * instrument.quantity_step, least)
            for side, rung in ((Side.BUY, bid), (Side.SELL, ask)):
                if rung > 0:
                    self._rungs.append(self._next_key())
                    yield Place(at_ns, self._symbol, side, rung, quantity, self._rungs[-1])

    def _next_key(self) -> int:
        key = self._key
        self._key += self._key_step
        return key

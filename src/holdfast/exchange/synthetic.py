"""Seeded, lifelike markets without end: ladders that follow a fair price, and orders that take.

Lives here: the flow and the crowd behind it. Not here: what it is worth (`fair_price`).
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from decimal import Decimal
from operator import attrgetter

import msgspec

from holdfast.domain.instrument import Instrument
from holdfast.domain.order import Side
from holdfast.exchange.catalogue import LISTINGS, listing
from holdfast.exchange.fair_price import FairPrices
from holdfast.exchange.flow import FlowEvent, Place, Remove

_SECOND_NS = 1_000_000_000
_BEAT_S = 0.1
_HISTORY_BEAT_S = 1.0
# The end of the history is as busy as the present: bars of a second need trades in each.
_BUSY_HISTORY_S = 120

# Arrivals excite each other: each one brings _BRANCHING more on average, within _MEMORY_S or so.
_BRANCHING = 0.6
_MEMORY_S = 0.5

_RUNGS = 16
_FIRST_RUNG_BPS = 0.2
_RUNG_GROWTH = 1.45
_RUNG_NOTIONAL = 5_000.0
_TAKE_SHARE = 0.3
# A take is one event, a quote two (a removal and an order), following the price eight.
_EVENTS_PER_ARRIVAL = 2.9
_TAKE_NOTIONAL = 250.0
_TAKE_TAIL = 1.4
# A fraction of one side of the ladder: a taker of the crowd never empties it.
_LARGEST_TAKE = 40_000.0
_HERDING = 0.6

_at_ns = attrgetter("at_ns")


class SyntheticMarket(msgspec.Struct, frozen=True):
    """One market to invent.

    Attributes:
        start: its first price, quote units.
        beta: how strongly it follows the market as a whole.
    """

    instrument: Instrument
    start: float
    beta: float


MARKETS = (
    SyntheticMarket(LISTINGS["BTC/USDT"], 64_000.0, 1.0),
    SyntheticMarket(LISTINGS["ETH/USDT"], 3_200.0, 1.15),
    SyntheticMarket(LISTINGS["SOL/USDT"], 150.0, 1.4),
)


class SyntheticFlow:
    """Endless house orders on correlated markets; equal arguments give equal events.

    Args:
        seed: of all chance.
        start_ns: market time of the first event, UTC nanoseconds.
        history_s: how much of the beginning is history, to be applied in one go: it is thin, so
            that hours of it cost a second.
        events_per_s: events per market and second, on average over the moods of the market.
        history_events_per_s: the same in the history, but for its last two minutes.
        markets: what to invent.

    Raises:
        ValueError: a rate is not positive, or there is no market.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        start_ns: int = 0,
        history_s: int = 0,
        events_per_s: float = 50.0,
        history_events_per_s: float = 1.5,
        markets: Sequence[SyntheticMarket] = MARKETS,
    ) -> None:
        if events_per_s <= 0 or history_events_per_s <= 0:
            raise ValueError(
                f"seen: {events_per_s} and {history_events_per_s} events per second; "
                "expected: more than zero"
            )
        if not markets:
            raise ValueError("seen: no market; expected: at least one; do: name a symbol")
        self.start_ns = start_ns
        self.history_s = history_s
        self._seed = seed
        self._markets = tuple(markets)
        self._events_per_s = events_per_s
        self._history_events_per_s = history_events_per_s

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """The markets offered."""
        return tuple(market.instrument for market in self._markets)

    def events(self) -> Iterator[FlowEvent]:
        """All events in time order, without end; each call begins anew."""
        source = random.Random(self._seed)
        fair = FairPrices(
            [market.start for market in self._markets],
            [market.beta for market in self._markets],
            source,
        )
        crowds = [
            _Crowd(market.instrument, number, len(self._markets), source)
            for number, market in enumerate(self._markets)
        ]
        now_ns = self.start_ns
        busy_from_ns = now_ns + max(0, self.history_s - _BUSY_HISTORY_S) * _SECOND_NS
        for crowd, price in zip(crowds, fair.prices, strict=True):
            yield from crowd.open(now_ns, price)
        while True:
            is_thin = now_ns < busy_from_ns
            span_s = _HISTORY_BEAT_S if is_thin else _BEAT_S
            rate = self._history_events_per_s if is_thin else self._events_per_s
            fair.advance(span_s)
            beat: list[FlowEvent] = []
            for index, crowd in enumerate(crowds):
                crowd.fair, crowd.lean = fair.prices[index], fair.lean(index)
                crowd.act(now_ns, span_s, rate * fair.regime.activity, beat)
            beat.sort(key=_at_ns)
            yield from beat
            now_ns += int(span_s * _SECOND_NS)


def chosen_markets(symbols: Sequence[str]) -> tuple[SyntheticMarket, ...]:
    """The markets named in `symbols`, in that order; all of them when it is empty.

    Raises:
        ConfigError: a symbol is not offered.
    """
    known = {market.instrument.symbol: market for market in MARKETS}
    if not symbols:
        return MARKETS
    return tuple(known[listing(symbol, known).symbol] for symbol in symbols)


class _Crowd:
    """Everybody else in one market: makers on a ladder of rungs, and takers in bursts.

    Each rung of each side holds at most one order, so the number of live orders is bounded. The
    crowd does not see the book: what was taken from a rung comes back when it is quoted anew.
    """

    def __init__(
        self, instrument: Instrument, number: int, crowds: int, source: random.Random
    ) -> None:
        self.fair = 0.0
        self.lean = 0.0
        self._instrument = instrument
        self._symbol = instrument.symbol
        self._tick = instrument.price_tick
        self._step = instrument.quantity_step
        self._ticks_per_unit = float(1 / instrument.price_tick)
        self._steps_per_unit = float(1 / instrument.quantity_step)
        self._random = source.random
        self._gauss = source.gauss
        self._excess = 0.0
        self._side = Side.BUY
        self._quoted = 0.0
        self._turn = 0
        self._empty: tuple[Side, int] | None = None
        # Keys are unique over all markets: each crowd counts in steps of the number of crowds.
        self._key = number + 1
        self._key_step = crowds
        self._keys: dict[Side, list[int]] = {side: [0] * _RUNGS for side in (Side.BUY, Side.SELL)}
        self._offsets = [_FIRST_RUNG_BPS / 10_000 * _RUNG_GROWTH**rung for rung in range(_RUNGS)]

    def open(self, at_ns: int, fair: float) -> list[FlowEvent]:
        """The ladder as it stands at the beginning."""
        self.fair = self._quoted = fair
        events: list[FlowEvent] = []
        for rung in range(_RUNGS):
            for side in (Side.BUY, Side.SELL):
                self._quote(at_ns, side, rung, events)
        return events

    def act(self, from_ns: int, span_s: float, events_per_s: float, out: list[FlowEvent]) -> None:
        """Append what the crowd does in the next `span_s` seconds, in time order."""
        base = events_per_s / _EVENTS_PER_ARRIVAL * (1 - _BRANCHING)
        jump = _BRANCHING / _MEMORY_S
        uniform, at_s, excess = self._random, 0.0, self._excess
        while True:
            bound = base + excess
            wait_s = -math.log(1.0 - uniform()) / bound
            if at_s + wait_s >= span_s:
                self._excess = excess * math.exp((at_s - span_s) / _MEMORY_S)
                return
            at_s += wait_s
            excess *= math.exp(-wait_s / _MEMORY_S)
            # The intensity has fallen meanwhile: keep the arrival in proportion (thinning).
            if uniform() * bound <= base + excess:
                excess += jump
                self._arrive(from_ns + int(at_s * _SECOND_NS), out)

    def _arrive(self, at_ns: int, out: list[FlowEvent]) -> None:
        if self._empty is not None:
            side, rung = self._empty
            self._empty = (side, rung - 1) if rung else None
            self._quote(at_ns, side, rung, out)
        elif abs(self.fair - self._quoted) > self._offsets[0] * self.fair:
            self._follow(at_ns, out)
        elif self._random() < _TAKE_SHARE:
            self._take(at_ns, out)
        else:
            self._quote_some_rung(at_ns, out)

    def _quote_some_rung(self, at_ns: int, out: list[FlowEvent]) -> None:
        """Half of the time one near the price, else the next in turn."""
        if self._random() < 0.5:
            self._quote_next_rung(at_ns, out)
        else:
            side = Side.BUY if self._random() < 0.5 else Side.SELL
            self._quote(at_ns, side, int(self._random() ** 2 * _RUNGS), out)

    def _quote_next_rung(self, at_ns: int, out: list[FlowEvent]) -> None:
        """Each rung has its turn: none stays behind for long."""
        self._turn = (self._turn + 1) % (2 * _RUNGS)
        side = Side.BUY if self._turn % 2 else Side.SELL
        self._quote(at_ns, side, self._turn // 2, out)

    def _follow(self, at_ns: int, out: list[FlowEvent]) -> None:
        """The price has moved: quote both first rungs anew, the one in the way first."""
        ahead = Side.SELL if self.fair > self._quoted else Side.BUY
        self._quoted = self.fair
        self._quote(at_ns, ahead, 0, out)
        self._quote(at_ns, ahead.opposite, 0, out)
        # Rungs further out are in the way after a larger move; in a storm nothing but following
        # happens, and what lies behind must not be forgotten over it.
        self._empty = (ahead, 4)
        self._quote_next_rung(at_ns, out)
        self._quote_next_rung(at_ns, out)

    def _take(self, at_ns: int, out: list[FlowEvent]) -> None:
        if self._random() > _HERDING:
            self._side = Side.BUY if self._random() < 0.5 + 0.4 * self.lean else Side.SELL
        notional = _TAKE_NOTIONAL * (1.0 - self._random()) ** (-1 / _TAKE_TAIL)
        quantity = self._quantity(min(notional, _LARGEST_TAKE))
        out.append(Place(at_ns, self._symbol, self._side, None, quantity))
        if notional > _RUNG_NOTIONAL:
            self._empty = (self._side.opposite, 1)

    def _quote(self, at_ns: int, side: Side, rung: int, out: list[FlowEvent]) -> None:
        """Move the order of a rung to where it belongs now."""
        keys = self._keys[side]
        if keys[rung]:
            out.append(Remove(at_ns, self._symbol, keys[rung]))
        distance = self.fair * self._offsets[rung] * (0.8 + 0.4 * self._random())
        away = -distance if side is Side.BUY else distance
        ticks = round((self.fair + away) * self._ticks_per_unit)
        notional = _RUNG_NOTIONAL * (1 + 0.3 * rung) * math.exp(0.6 * self._gauss(0, 1))
        keys[rung] = self._key
        self._key += self._key_step
        price, quantity = ticks * self._tick, self._quantity(notional)
        out.append(Place(at_ns, self._symbol, side, price, quantity, keys[rung]))

    def _quantity(self, notional: float) -> Decimal:
        """Base units worth about `notional`, on the step, at least one step."""
        return max(1, int(notional / self.fair * self._steps_per_unit)) * self._step

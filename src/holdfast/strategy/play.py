"""A strategy played over bars, on a simple account in which everything fills: for authors' tests.

Lives here: what a strategy wishes, bar by bar. Not here: real execution rules, fees and figures
(`holdfast.backtest`), the laws that a strategy keeps (strategy.check).
"""

from __future__ import annotations

import decimal
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from decimal import Decimal
from typing import Any

import msgspec

from holdfast.domain.market import NS_PER_S, Bar, exact
from holdfast.domain.money import ZERO, floor_to
from holdfast.strategy.api import Exit, HeldPosition, OpenOrder, Setup, Strategy, View
from holdfast.strategy.feed import Feed
from holdfast.strategy.memory import Recalled, memories_of
from holdfast.strategy.wish import FLAT, KEEP, OneWish, Percent, Quotes, Standing, Target

_STEP = Decimal("0.00000001")
_START_NS = 1_704_067_200 * NS_PER_S  # 2024-01-01 00:00 UTC


class Told(msgspec.Struct, frozen=True):
    """The facts that a strategy is told at a close, as `View` shows them, and its memory."""

    symbol: str
    position: HeldPosition
    worth: Decimal
    exit: Exit | None
    memory: str | None = None

    def equity(self) -> Decimal:
        """Cash and position at the close, quote units."""
        return self.worth

    def positions(self) -> Mapping[str, HeldPosition]:
        """In the one symbol that is played."""
        return {self.symbol: self.position}

    def last_exits(self, now_ns: int) -> Mapping[str, Exit]:
        """How the bot came to be flat last, as it was told at that close."""
        return {} if self.exit is None else {self.symbol: self.exit}

    def orders(self) -> Sequence[OpenOrder]:
        """None: everything fills at once or waits for the next bar."""
        return ()


class Played(msgspec.Struct, frozen=True):
    """What came of it.

    Attributes:
        bars: all of them, the warm-up too.
        first: number of the bar of the first wish; how many bars the warm-up passed over.
        wishes: one per bar from `first` on, as they were returned; empty if it never got warm.
        positions: base units held at each of those closes.
        told: what the strategy was told at each.
        memory: of the strategy after the last, as it is written; None without one.
    """

    bars: Sequence[Bar]
    first: int
    wishes: Sequence[OneWish]
    positions: Sequence[Decimal]
    told: Sequence[Told]
    memory: str | None = None

    def memory_after(self, at: int) -> str | None:
        """The memory as it was written at the close of bar `at`."""
        after = at - self.first + 1
        return self.told[after].memory if after < len(self.told) else self.memory


def play(
    strategy: Strategy,
    *,
    closes: Iterable[Decimal | float | str] | None = None,
    bars: Iterable[Bar] | None = None,
    cash: Decimal = Decimal(10_000),
) -> Played:
    """Ask a strategy at every close, and let its wishes come true.

    The account is a simple one: without fees, targets fill at the next open, limits and quotes when
    a bar trades through them, stops and take-profits inside the bar, stops first.

    Args:
        closes: of one-minute bars without gaps; or else
        bars: oldest first.
        cash: quote units to begin with.

    Raises:
        ValueError: neither or both of closes and bars, or what `decide` returned is no wish.
        Exception: whatever the strategy raises.
    """
    if (closes is None) == (bars is None):
        raise ValueError("expected: closes=[…] or bars=[…]")
    given = tuple(bars) if bars is not None else bars_of(closes or ())
    actor, account = Actor(renewed(strategy)), _Account(cash)
    return _play(actor, account, given)


def bars_of(
    closes: Iterable[Decimal | float | str], *, symbol: str = "BTC/USDT", bar_s: int = 60
) -> tuple[Bar, ...]:
    """Bars that open where the one before closed and go no further than to their close."""
    found: list[Bar] = []
    for at, given in enumerate(closes):
        close = exact(given) if isinstance(given, float) else Decimal(given)
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
        around: entered whenever code of the author runs.
    """

    def __init__(
        self, strategy: Strategy, around: AbstractContextManager[object] | None = None
    ) -> None:
        self.strategy = strategy
        self._around = around or nullcontext()
        on = Setup()
        with self._around:
            strategy.setup(on)
        strategy.seal()
        self._feed = Feed(on)
        self._memories = memories_of(strategy)
        self.indicators = self._feed.indicators
        self.warmup = self._feed.warmup_bars
        self.has_memory = self._memories is not None

    def feed(self, bar: Bar) -> bool:
        """Take a bar in; whether it may be decided on."""
        with self._around:
            self._feed.take(bar)
            return self._feed.ready

    def decide(self, bar: Bar, told: Told) -> OneWish:
        """What it wishes; see `answer`."""
        return self.answer(bar, told)[0]

    def answer(self, bar: Bar, told: Told) -> tuple[OneWish, str | None]:
        """Ask it: what it wishes, and its memory as it is written from here on.

        Raises:
            ValueError: what it returned is no wish, or no memory.
        """
        recalled = None if self._memories is None else Recalled(self._memories, told.memory)
        # A precision that it sets is its own, as it is in the engine.
        with decimal.localcontext(), self._around:
            wish: Any = self.strategy.decide(View(bar, told.position, told, memory=recalled))
        memory = None
        if recalled is not None:
            wish, memory = recalled.after(wish)
        if not isinstance(wish, Target | Quotes | Standing):
            raise ValueError(  # noqa: TRY004 - one kind of error for a wish that cannot be meant
                f"seen: decide returned {wish!r}; expected: Target, Quotes, FLAT or KEEP"
            )
        return wish, memory


def _play(actor: Actor, account: _Account, bars: Sequence[Bar]) -> Played:
    wishes: list[OneWish] = []
    positions: list[Decimal] = []
    told: list[Told] = []
    memory: str | None = None
    for at, bar in enumerate(bars):
        account.trade(bar, at)
        if not actor.feed(bar):
            continue
        told.append(account.told(bar, at, memory))
        wish, memory = actor.answer(bar, told[-1])
        wishes.append(wish)
        positions.append(account.quantity)
        account.hear(wishes[-1], bar)
    return Played(bars, len(bars) - len(wishes), wishes, positions, told, memory)


def play_actor(actor: Actor, bars: Sequence[Bar], cash: Decimal = Decimal(10_000)) -> Played:
    """As `play`, with a strategy that is set up already."""
    return _play(actor, _Account(cash), bars)


class _Account:
    """Cash and one position; what is wished comes true at the next bar."""

    def __init__(self, cash: Decimal) -> None:
        self.cash = cash
        self.quantity = ZERO
        self._average = ZERO
        self._wish: OneWish = FLAT
        self._target = ZERO
        self._stop: Decimal | None = None
        self._take: Decimal | None = None
        self._spent: str | None = None
        self._exit: tuple[str, Decimal, int] | None = None

    def told(self, bar: Bar, at: int, memory: str | None) -> Told:
        """The facts at this close."""
        last = self._exit
        return Told(
            bar.symbol,
            HeldPosition(self.quantity, self._average),
            self.cash + self.quantity * bar.close,
            Exit(last[0], last[1], at - last[2]) if last is not None else None,
            memory,
        )

    def hear(self, wish: OneWish, bar: Bar) -> None:
        """The wish stands from here on; a weight or an amount is measured at this close."""
        target = wish if isinstance(wish, Target) else None
        standing = self._wish if isinstance(self._wish, Target) else None
        if wish is KEEP or wish == self._wish:
            return
        if target is not None and not target.is_flat and target.episode == self._spent:
            return
        if target is not None and standing is not None and target.key == standing.key != "":
            return
        self._wish, self._spent = wish, None
        self._target = ZERO if target is None else self._size(target, bar)
        if target is None or (target.stop is None and target.take_profit is None):
            self._stop = self._take = None
        elif self.quantity and self._stop is None and self._take is None:
            self._protect(target, self._average)

    def trade(self, bar: Bar, at: int) -> None:
        """What stood before the bar meets it."""
        wish = self._wish
        if isinstance(wish, Quotes):
            self._cross(wish, bar, at)
            return
        target = wish if isinstance(wish, Target) else None
        missing = self._target - self.quantity
        limit = target.limit if target is not None else None
        if missing and limit is None:
            self._fill(missing, bar.open, at)
        elif missing > 0 and limit is not None and bar.low < limit:
            self._fill(missing, min(bar.open, limit), at)
        elif missing < 0 and limit is not None and bar.high > limit:
            self._fill(missing, max(bar.open, limit), at)
        if target is not None and self.quantity:
            self._leave(target, bar, at)

    def _leave(self, target: Target, bar: Bar, at: int) -> None:
        if self._stop is not None and bar.low <= self._stop:
            self._fill(-self.quantity, min(bar.open, self._stop), at, "stop")
        elif self._take is not None and bar.high >= self._take:
            self._fill(-self.quantity, max(bar.open, self._take), at, "take_profit")
        elif target.trail and self._stop is not None:
            self._stop = max(self._stop, _distant(target.stop, bar.close, -1) or ZERO)
        if not self.quantity:
            self._spent, self._target = target.episode, ZERO

    def _cross(self, quotes: Quotes, bar: Bar, at: int) -> None:
        for bid in quotes.bids:
            if bar.low < bid.price:
                self._fill(bid.quantity, min(bar.open, bid.price), at)
        for ask in quotes.asks:
            if bar.high > ask.price and self.quantity:
                sold = min(ask.quantity, self.quantity)
                self._fill(-sold, max(bar.open, ask.price), at)

    def _fill(self, change: Decimal, price: Decimal, at: int, reason: str = "wish") -> None:
        """Buy, as far as the cash goes, or sell."""
        if change > 0:
            change = min(change, floor_to(max(ZERO, self.cash) / price, _STEP))
        held = self.quantity + change
        if change > 0:
            cost = self._average * self.quantity + change * price
            self._average = cost / held
            if not self.quantity and isinstance(self._wish, Target):
                self._protect(self._wish, price)
        self.quantity = held
        self.cash -= change * price
        if not held and change:
            self._average, self._stop, self._take = ZERO, None, None
            self._exit = (reason, price, at)

    def _protect(self, target: Target, entry: Decimal) -> None:
        self._stop = _distant(target.stop, entry, -1)
        self._take = _distant(target.take_profit, entry, 1)

    def _size(self, target: Target, bar: Bar) -> Decimal:
        if target.quantity is not None:
            wanted = target.quantity
        elif target.amount is not None:
            wanted = target.amount / bar.close
        else:
            equity = self.cash + self.quantity * bar.close
            wanted = Decimal(str(target.weight)) * equity / bar.close
        return floor_to(wanted, _STEP)


def _distant(place: Decimal | Percent | None, entry: Decimal, sign: int) -> Decimal | None:
    """A price, or the one at a distance from the entry."""
    if isinstance(place, Percent):
        return entry * (1 + sign * Decimal(str(place.value)) / 100)
    return place

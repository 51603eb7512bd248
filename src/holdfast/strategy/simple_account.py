"""The account of `play`: no fees, everything fills, one purse for all symbols.

Lives here: how wishes come true there. Not here: real execution rules (`holdfast.backtest`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from holdfast.domain.market import Bar
from holdfast.domain.money import ZERO, floor_to
from holdfast.strategy.api import Exit, HeldPosition, OpenOrder
from holdfast.strategy.wish import FLAT, KEEP, OneWish, Percent, Quotes, Target

_STEP = Decimal("0.00000001")


class Told(msgspec.Struct, frozen=True):
    """The facts that a strategy is told at a close, as `View` shows them, and its memory.

    Attributes:
        symbol: the strategy's own.
        held: its positions, by symbol.
        exits: how it came to be flat last, in the symbols where it did.
        worth: cash and positions at the close, quote units.
    """

    symbol: str
    held: Mapping[str, HeldPosition]
    exits: Mapping[str, Exit]
    worth: Decimal
    memory: str | None = None

    @property
    def position(self) -> HeldPosition:
        """In the own symbol."""
        return self.held[self.symbol]

    @property
    def exit(self) -> Exit | None:
        """From the own symbol; None before that happened."""
        return self.exits.get(self.symbol)

    def equity(self) -> Decimal:
        """Cash and positions at the close, quote units."""
        return self.worth

    def positions(self) -> Mapping[str, HeldPosition]:
        """In each of the symbols that are played."""
        return self.held

    def last_exits(self, now_ns: int) -> Mapping[str, Exit]:
        """How it came to be flat last, as it was told at that close."""
        return self.exits

    def orders(self) -> Sequence[OpenOrder]:
        """None: everything fills at once or waits for the next bar."""
        return ()


class SimpleAccount:
    """Cash and a position per symbol; what is wished comes true at the next bar."""

    def __init__(self, symbols: Sequence[str], cash: Decimal) -> None:
        self.cash = cash
        self._places = {symbol: _Place(self) for symbol in symbols}

    def worth(self) -> Decimal:
        """Cash and positions at the last closes, quote units."""
        held = (place.quantity * place.close for place in self._places.values())
        return sum(held, start=self.cash)

    def told(self, at: int, memory: str | None) -> Told:
        """The facts at close number `at`."""
        places = self._places
        return Told(
            next(iter(places)),
            {symbol: HeldPosition(one.quantity, one.average) for symbol, one in places.items()},
            {symbol: one.exit_at(at) for symbol, one in places.items() if one.exit is not None},
            self.worth(),
            memory,
        )

    def trade(self, bars: Sequence[Bar], at: int) -> None:
        """What stood before these bars meets them; what is sold pays for what is bought."""
        for bar in sorted(bars, key=lambda bar: self._places[bar.symbol].missing > 0):
            self._places[bar.symbol].trade(bar, at)

    def hear(self, wishes: Mapping[str, OneWish]) -> None:
        """These wishes stand from here on; weights and amounts are measured at this close."""
        for symbol, wish in wishes.items():
            self._places[symbol].hear(wish)


class _Place:
    """One symbol: what is wished there and what is held.

    Attributes:
        close: of its last bar, quote units.
        exit: reason, price and number of the close of the last one.
    """

    def __init__(self, account: SimpleAccount) -> None:
        self.quantity = ZERO
        self.average = ZERO
        self.close = ZERO
        self.exit: tuple[str, Decimal, int] | None = None
        self._account = account
        self._wish: OneWish = FLAT
        self._target = ZERO
        self._stop: Decimal | None = None
        self._take: Decimal | None = None
        self._spent: str | None = None

    @property
    def missing(self) -> Decimal:
        """What the target still needs; negative where there is too much."""
        return ZERO if isinstance(self._wish, Quotes) else self._target - self.quantity

    def exit_at(self, at: int) -> Exit:
        """The last exit, seen from close number `at`."""
        assert self.exit is not None, "asked for where there was one"  # noqa: S101
        reason, price, when = self.exit
        return Exit(reason, price, at - when)

    def hear(self, wish: OneWish) -> None:
        """The wish stands from here on, unless it says nothing new, or has been spent."""
        target = wish if isinstance(wish, Target) else None
        standing = self._wish if isinstance(self._wish, Target) else None
        if wish is KEEP:
            return
        if wish == self._wish:
            if target is not None:
                self._measure_again(target)
            return
        if target is not None and not target.is_flat and target.episode == self._spent:
            return
        if target is not None and standing is not None and target.key == standing.key != "":
            return
        self._wish, self._spent = wish, None
        self._target = ZERO if target is None else self._size(target)
        if target is None or (target.stop is None and target.take_profit is None):
            self._stop = self._take = None
        elif self.quantity and self._stop is None and self._take is None:
            self._protect(target, self.average)

    def _measure_again(self, target: Target) -> None:
        """A weight or an amount that has left its band is a new quantity."""
        if not target.band or target.quantity is not None or self._spent is not None:
            return
        band = Decimal(str(target.band)) / self.close
        if target.weight is not None:
            band *= self._account.worth()
        size = self._size(target)
        if abs(size - self._target) > band:
            self._target = size

    def trade(self, bar: Bar, at: int) -> None:
        """What stood before the bar meets it."""
        self.close = bar.close
        wish = self._wish
        if isinstance(wish, Quotes):
            self._cross(wish, bar, at)
            return
        target = wish if isinstance(wish, Target) else None
        missing = self.missing
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
            change = min(change, floor_to(max(ZERO, self._account.cash) / price, _STEP))
        if not change:
            return
        held = self.quantity + change
        if change > 0:
            cost = self.average * self.quantity + change * price
            self.average = cost / held
            if not self.quantity and isinstance(self._wish, Target):
                self._protect(self._wish, price)
        self.quantity = held
        self._account.cash -= change * price
        if not held:
            self.average, self._stop, self._take = ZERO, None, None
            self.exit = (reason, price, at)

    def _protect(self, target: Target, entry: Decimal) -> None:
        self._stop = _distant(target.stop, entry, -1)
        self._take = _distant(target.take_profit, entry, 1)

    def _size(self, target: Target) -> Decimal:
        if target.quantity is not None:
            wanted = target.quantity
        elif target.amount is not None:
            wanted = target.amount / self.close
        else:
            wanted = Decimal(str(target.weight)) * self._account.worth() / self.close
        return floor_to(wanted, _STEP)


def _distant(place: Decimal | Percent | None, entry: Decimal, sign: int) -> Decimal | None:
    """A price, or the one at a distance from the entry."""
    if isinstance(place, Percent):
        return entry * (1 + sign * Decimal(str(place.value)) / 100)
    return place

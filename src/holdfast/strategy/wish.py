"""Wishes: what a strategy declares that it wants, never what to do about it.

Not here: their meaning in quantities and orders (engine.decide, engine.derive).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Final

import msgspec

from holdfast.domain.money import ZERO


class Percent(msgspec.Struct, frozen=True, tag="percent"):
    """A distance from a price, in percent of it, > 0 and < 100."""

    value: float

    def __post_init__(self) -> None:
        number = isinstance(self.value, int | float | Decimal) and not isinstance(self.value, bool)
        if not number or not 0 < self.value < 100:
            raise ValueError(
                f"seen: Percent({self.value!r}); expected: a number above 0, below 100"
            )


class Target(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="target"):
    """Hold this net position; the engine buys or sells the difference, at market unless told else.

    Exactly one of `quantity`, `weight` and `amount` says how much. A weight or an amount becomes a
    quantity when the wish changes, and again only when the position has left `band`.

    Attributes:
        quantity: base units, >= 0 (version 1 is spot and long only).
        weight: fraction of the account's equity, from 0 to 1.
        amount: worth in quote units, >= 0.
        limit: buy and sell by orders resting at this price, quote units.
        cap: buy and sell at most so far from the last price, at once or not at all; what remains is
            asked for anew at the next bar.
        stop: leave at market once the price has fallen there: a price, or a distance from the
            first fill's. It rests at the exchange and follows what is held.
        take_profit: leave once the price has risen there: a price, or a distance. Where the
            exchange takes both as one list it rests beside the stop, as a limit; else it is
            watched, and sold at market.
        trail: the stop follows the closes upward at its distance; `stop` must be a `Percent`.
        band: how far the position may drift from the target, in the unit of the target, before it
            is traded back.
        episode: after a stop or a take-profit the wish is spent, and counts as flat until the
            strategy returns flat or another episode.
        key: makes an incremental wish unique ("buy today's share"); the standing wish has none.
    """

    quantity: Decimal | None = None
    weight: float | Decimal | None = None
    amount: Decimal | None = None
    limit: Decimal | None = None
    cap: Percent | None = None
    stop: Decimal | Percent | None = None
    take_profit: Decimal | Percent | None = None
    trail: bool = False
    band: float | Decimal = 0
    episode: str = ""
    key: str = ""

    def __post_init__(self) -> None:
        quantity = self.quantity
        # By far the most wishes are of this form, and one is made at every bar of a backtest.
        if (
            type(quantity) is not Decimal
            or not quantity.is_finite()
            or quantity < ZERO
            or not self.is_plain
        ):
            _require_sound(self)

    @property
    def is_plain(self) -> bool:
        """Whether it is a quantity and no more."""
        return (
            self.stop is None
            and self.take_profit is None
            and self.limit is None
            and self.cap is None
            and self.weight is None
            and self.amount is None
            and not (self.band or self.trail or self.episode or self.key)
        )

    @property
    def is_flat(self) -> bool:
        """Whether it asks for nothing to be held."""
        return not (self.quantity or self.weight or self.amount)


class Level(msgspec.Struct, frozen=True):
    """One resting limit order.

    Attributes:
        price: quote units, > 0; put on the tick, away from the market.
        quantity: base units, > 0; cut to the step.
    """

    price: Decimal
    quantity: Decimal

    def __post_init__(self) -> None:
        for name, value in (("price", self.price), ("quantity", self.quantity)):
            if not _is_positive(value):
                raise ValueError(
                    f"seen: Level({name}={value!r}); expected: a finite Decimal above zero"
                )


class Quotes(msgspec.Struct, frozen=True, kw_only=True, tag="quotes"):
    """Keep exactly these limit orders resting.

    Attributes:
        bids, asks: levels in any order; no price twice on one side.
        post_only: leave out a level that would cross until it no longer does.
    """

    bids: tuple[Level, ...] | list[Level] = ()
    asks: tuple[Level, ...] | list[Level] = ()
    post_only: bool = False

    def __post_init__(self) -> None:
        for side, levels in (("bids", self.bids), ("asks", self.asks)):
            _require_levels(side, levels)
            prices = [level.price for level in levels]
            if len(set(prices)) != len(prices):
                raise ValueError(
                    f"seen: the same price twice in {side}; expected: one level per price; "
                    "add the quantities up"
                )


def _require_sound(target: Target) -> None:
    """What a target may say, in full.

    Raises:
        ValueError: it says what cannot be meant.
    """
    sizes = {"quantity": target.quantity, "weight": target.weight, "amount": target.amount}
    given = [name for name, size in sizes.items() if size is not None]
    if len(given) != 1:
        raise ValueError(
            f"seen: Target with {' and '.join(given) or 'no size'}; expected: exactly one of "
            "quantity, weight, amount"
        )
    _require_size(target, given[0])
    for name in ("limit", "stop", "take_profit"):
        price = getattr(target, name)
        if price is None:
            continue
        distance = isinstance(price, Percent) and name != "limit"
        if not distance and not _is_positive(price):
            expected = "a Decimal above zero" + ("" if name == "limit" else ", or Percent(…)")
            raise ValueError(f"seen: Target({name}={price!r}); expected: {expected}")
    if target.cap is not None and not isinstance(target.cap, Percent):
        raise ValueError(f"seen: Target(cap={target.cap!r}); expected: Percent(…)")
    if target.cap is not None and target.limit is not None:
        raise ValueError("seen: Target with limit and cap; expected: one of them")
    if target.trail and not isinstance(target.stop, Percent):
        raise ValueError(
            f"seen: Target(trail=True, stop={target.stop!r}); expected: stop=Percent(…), the "
            "distance to follow at"
        )
    if not isinstance(target.band, int | float | Decimal) or not 0 <= target.band < math.inf:
        raise ValueError(f"seen: Target(band={target.band!r}); expected: a number, 0 or more")
    for name in ("episode", "key"):
        text = getattr(target, name)
        if not isinstance(text, str):
            raise ValueError(  # noqa: TRY004 - one kind of error for a wish that cannot be meant
                f"seen: Target({name}={text!r}); expected: text, such as the schedule slot it is "
                "for"
            )


def _require_size(target: Target, name: str) -> None:
    size = getattr(target, name)
    if name == "weight":
        number = isinstance(size, int | float | Decimal) and not isinstance(size, bool)
        if not number or not 0 <= size <= 1:
            raise ValueError(
                f"seen: Target(weight={size!r}); expected: a fraction of the equity, from 0 to 1"
            )
        return
    if not isinstance(size, Decimal) or not size.is_finite():
        raise ValueError(
            f"seen: Target({name}={size!r}); expected: a finite Decimal; write Decimal('0.01')"
        )
    if size < ZERO:
        raise ValueError(
            f"seen: Target({name}={size}); expected: zero or more, because version 1 trades spot, "
            "long only; return FLAT to leave the market"
        )


def _is_positive(value: object) -> bool:
    return isinstance(value, Decimal) and value.is_finite() and value > ZERO


def _require_levels(side: str, levels: object) -> None:
    """A generator, for one, would be used up by looking at it, and nothing would be quoted."""
    if not isinstance(levels, list | tuple):
        seen = f"is a {type(levels).__name__}"
    else:
        others = [type(level).__name__ for level in levels if not isinstance(level, Level)]
        if not others:
            return
        seen = f"has a {others[0]}"
    raise ValueError(f"seen: {side} {seen}; expected: a list or tuple of Level(price, quantity)")


class Standing(Enum):
    """Wishes that carry no numbers."""

    FLAT = "flat"  # own nothing, want nothing resting
    KEEP = "keep"  # what was wished last still stands


FLAT: Final = Standing.FLAT
KEEP: Final = Standing.KEEP

OneWish = Target | Quotes | Standing
_ONE: Final = (Target, Quotes, Standing)
"""What is wished of one symbol."""

Wish = OneWish | Mapping[str, OneWish]
"""Of the bot's own symbol, or of several by name; a symbol that is left out keeps its wish."""

Returned = Wish | tuple[Wish, msgspec.Struct]
"""By `decide`: a wish, and beside it the strategy's memory, if it keeps one."""


def by_symbol(wish: object, symbols: Sequence[str]) -> dict[str, OneWish]:
    """What is wished of each symbol; a wish without a name is about the first.

    Raises:
        ValueError: it is no wish, or one of another symbol than these.
    """
    if isinstance(wish, _ONE):
        return {symbols[0]: wish}
    if not isinstance(wish, Mapping):
        several = ", or one of them per symbol" if len(symbols) > 1 else ""
        raise ValueError(  # noqa: TRY004 - one kind of error for a wish that cannot be meant
            f"seen: decide returned {_shown(wish)}; expected: Target, Quotes, FLAT or KEEP{several}"
        )
    for symbol, one in wish.items():
        if symbol not in symbols:
            raise ValueError(
                f"seen: a wish of {_shown(symbol)}; expected: only of {', '.join(symbols)}, "
                "which the bot trades"
            )
        if not isinstance(one, _ONE):
            raise ValueError(  # noqa: TRY004 - as above
                f"seen: {_shown(one)} wished of {symbol}; expected: Target, Quotes, FLAT or KEEP"
            )
    return {symbol: wish[symbol] for symbol in symbols if symbol in wish}


def _shown(value: object) -> str:
    """A value for people, even if it cannot show itself."""
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - a user's class; its name has to do
        return f"a {type(value).__name__}"

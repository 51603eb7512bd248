"""From a wish to fixed quantities on the instrument's grid: what is journaled as a decision.

Lives here: weights and amounts at the prices of the moment, and whether a wish says anything new.
Not here: the orders that a decision needs (engine.derive).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

import msgspec

from holdfast.domain.fact import Leg
from holdfast.domain.instrument import Instrument
from holdfast.domain.money import ZERO, plain
from holdfast.domain.order import Side
from holdfast.strategy.wish import FLAT, Level, Percent, Quotes, Standing, Target

_encoder = msgspec.json.Encoder(decimal_format="string")


class Means(msgspec.Struct, frozen=True):
    """What a target is measured on.

    Attributes:
        price: last price, quote units per base unit.
        equity: of the account, quote units; None while it cannot be told.
        held: the bot's net position, base units.
        most: base units that can be paid for, what is held among them; None without a bound.
    """

    instrument: Instrument
    price: Decimal
    equity: Decimal | None
    held: Decimal
    most: Decimal | None = None


def wish_text(wish: Target | Quotes | Standing | None) -> str:
    """The wish as canonical JSON: what is compared, and what people read."""
    if wish is None or isinstance(wish, Standing):
        return '{"type":"flat"}'
    return _encoder.encode(wish).decode()


def legs_of(wish: Target | Quotes | Standing | None, means: Means) -> tuple[Leg, ...] | None:
    """A wish in fixed quantities; None while its size cannot be told."""
    instrument = means.instrument
    symbol = instrument.symbol
    if isinstance(wish, Target):
        leg = _target(wish, means)
        return None if leg is None else (leg,)
    if isinstance(wish, Quotes):
        return (
            *_levels(Side.BUY, wish.bids, instrument, post_only=wish.post_only),
            *_levels(Side.SELL, wish.asks, instrument, post_only=wish.post_only),
        )
    return (Leg(leg=symbol, symbol=symbol, target=ZERO),)


def wanted(wish: Target, means: Means) -> Decimal | None:
    """Base units of a target; a weight never asks for more than can be paid for."""
    if wish.quantity is not None:
        return wish.quantity
    if wish.amount is not None:
        return wish.amount / means.price
    assert wish.weight is not None  # noqa: S101 - a target has one of the three
    if means.equity is None:
        return None
    size = max(ZERO, _decimal(wish.weight) * means.equity / means.price)
    return size if means.most is None else min(size, means.most)


def _target(wish: Target, means: Means) -> Leg | None:
    size = wanted(wish, means)
    if size is None:
        return None
    symbol = means.instrument.symbol
    target = means.instrument.floor_quantity(size)
    if wish.is_plain:
        return Leg(leg=symbol, symbol=symbol, target=target)
    stop, stop_pct = _place(wish.stop)
    take, take_pct = _place(wish.take_profit)
    return Leg(
        leg=symbol,
        symbol=symbol,
        target=target,
        price=wish.limit,
        cap_pct=_decimal(wish.cap.value) if wish.cap is not None else None,
        stop=stop,
        stop_pct=stop_pct,
        take_profit=take,
        take_profit_pct=take_pct,
        trail=wish.trail,
        band=_band(wish, means),
        episode=wish.episode,
    )


def _band(wish: Target, means: Means) -> Decimal:
    """In base units."""
    band = _decimal(wish.band)
    if wish.quantity is not None or not band:
        return band
    if wish.amount is not None:
        return band / means.price
    return band * (means.equity or ZERO) / means.price


def _place(exit_: Decimal | Percent | None) -> tuple[Decimal | None, Decimal | None]:
    """A price or a distance in percent."""
    if isinstance(exit_, Percent):
        return None, _decimal(exit_.value)
    return exit_, None


def _decimal(number: float | Decimal) -> Decimal:
    return number if isinstance(number, Decimal) else Decimal(repr(number))


def _levels(
    side: Side, levels: Iterable[Level], instrument: Instrument, *, post_only: bool
) -> Iterator[Leg]:
    """One leg per tick: levels that fall on the same one are added up."""
    round_price = instrument.floor_price if side is Side.BUY else instrument.ceil_price
    quantities: dict[Decimal, Decimal] = {}
    for level in levels:
        price = round_price(level.price)
        quantities[price] = quantities.get(price, ZERO) + level.quantity
    for price, quantity in quantities.items():
        yield Leg(
            leg=f"{instrument.symbol}|{side}|{plain(price)}",
            symbol=instrument.symbol,
            side=side,
            quantity=instrument.floor_quantity(quantity),
            price=price,
            post_only=post_only,
        )


def is_flat(wish: Target | Quotes | Standing) -> bool:
    """Whether nothing is to be held nor to rest."""
    return wish is FLAT or (isinstance(wish, Target) and wish.is_flat)

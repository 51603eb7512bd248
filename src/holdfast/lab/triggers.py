"""What a bar, or a price, does to an order that rests: reached, jumped over, traded through.

Lives here: the conditions, pure, and the quick look that passes over bars. Not here: what follows
from them (bar_venue).
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from holdfast.domain.order import OrderSpec, OrderType, Side, TimeInForce

_BUY = Side.BUY
_STOPS = frozenset({OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT})
_NEVER_FALLS, _NEVER_RISES = float("-inf"), float("inf")


def is_stop(spec: OrderSpec) -> bool:
    """Whether it waits for a trigger."""
    return spec.type in _STOPS


def takes(spec: OrderSpec) -> bool:
    """Whether an order executes as it arrives, or not at all."""
    return spec.type is OrderType.MARKET or spec.time_in_force is TimeInForce.IOC


def crosses(spec: OrderSpec, last: Decimal) -> bool:
    """Whether a post-only order would take, with the market at `last`."""
    if spec.type is not OrderType.LIMIT_MAKER or spec.price is None:
        return False
    return spec.price >= last if spec.side is _BUY else spec.price <= last


def jumped(spec: OrderSpec, price: Decimal) -> bool:
    """Whether a market at `price` has left the order's price behind."""
    trigger = trigger_of(spec)
    if is_stop(spec):
        return price >= trigger if spec.side is _BUY else price <= trigger
    return price < trigger if spec.side is _BUY else price > trigger


def reached(spec: OrderSpec, low: Decimal, high: Decimal) -> bool:
    """Whether a bar triggers the order, which is a stop."""
    if not is_stop(spec):
        return False
    trigger = trigger_of(spec)
    return high >= trigger if spec.side is _BUY else low <= trigger


def through(spec: OrderSpec, low: Decimal, high: Decimal, margin: Decimal) -> bool:
    """Whether a bar trades through the order, which is a limit, by a fraction `margin` of it."""
    if spec.price is None or is_stop(spec):
        return False
    if spec.side is _BUY:
        return low < spec.price * (1 - margin)
    return high > spec.price * (1 + margin)


def reach_of(specs: Iterable[OrderSpec]) -> tuple[float, float]:
    """What a bar's low, or its high, must come to before any of these orders fills."""
    falls, rises = [_NEVER_FALLS], [_NEVER_RISES]
    for spec in specs:
        below = (spec.side is _BUY) is not is_stop(spec)
        (falls if below else rises).append(float(trigger_of(spec)))
    return max(falls), min(rises)


def trigger_of(spec: OrderSpec) -> Decimal:
    """The price that an order which rests waits for."""
    trigger = spec.stop_price if is_stop(spec) else spec.price
    assert trigger is not None  # noqa: S101 - what rests has a price
    return trigger

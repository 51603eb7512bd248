"""Questions to one side of a book, answered without touching it: what is there, at which cost?

An account's own orders are no liquidity for it: self-trade prevention would take them out. Not
here: taking any of it (`matching`).
"""

from __future__ import annotations

from decimal import Decimal

from holdfast.domain.money import ZERO, floor_to
from holdfast.domain.order import Side
from holdfast.exchange.accounts import Account
from holdfast.exchange.book import Level, Offers
from holdfast.exchange.orders import Order


def is_beyond(price: Decimal, limit: Decimal, side: Side) -> bool:
    """Whether `price` is worse than `limit` for an order of `side`."""
    return price > limit if side is Side.BUY else price < limit


def would_match(half: Offers, limit: Decimal, side: Side) -> bool:
    """Whether an order of `side` with this limit would trade at once."""
    return half.best is not None and not is_beyond(half.best.price, limit, side)


def available(account: Account | None, level: Level) -> Decimal:
    """What others than `account` offer at a level, base units."""
    if account is None or not account.open_orders:
        return level.quantity
    own = (order.remaining for order in level.orders.values() if order.account is account)
    return level.quantity - sum(own, ZERO)


def sweep_cost(account: Account, half: Offers, quantity: Decimal) -> Decimal:
    """What taking `quantity` (or all there is) costs now, quote units without fees."""
    best = half.best
    if best is not None and best.quantity >= quantity and not account.open_orders:
        return best.price * quantity
    cost, left = ZERO, quantity
    for level in half.levels():
        part = min(left, available(account, level))
        cost += part * level.price
        left -= part
        if not left:
            break
    return cost


def quantity_for(account: Account, half: Offers, budget: Decimal, step: Decimal) -> Decimal:
    """How much `budget` quote units trade for now, base units on the step."""
    total = ZERO
    for level in half.levels():
        affordable = floor_to(budget / level.price, step)
        part = min(affordable, available(account, level))
        total += part
        budget -= part * level.price
        if part == affordable:
            break
    return total


def fills_whole(order: Order, half: Offers) -> bool:
    """Whether the book holds all that `order` wants within its limit."""
    left = order.remaining
    for level in half.levels():
        if order.price is not None and is_beyond(level.price, order.price, order.side):
            return False
        left -= available(order.account, level)
        if left <= 0:
            return True
    return False

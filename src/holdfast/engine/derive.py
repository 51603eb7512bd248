"""Derivation: from a bot's standing decision and what is on its way, the orders still missing.

Lives here: a pure function of the state; calling it again without news gives nothing new. Not here:
whether an order may be made (engine.risk).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from holdfast.domain.action import Proposed
from holdfast.domain.fact import Armed, HaltLevel, Leg
from holdfast.domain.instrument import TradingStatus
from holdfast.domain.money import ZERO
from holdfast.domain.order import (
    AttemptState,
    OrderSpec,
    OrderType,
    Side,
    TimeInForce,
)
from holdfast.engine.protect import protect
from holdfast.engine.risk import is_hopeless
from holdfast.engine.situation import (
    Derivation,
    Situation,
    cancel,
    intents,
    must_wait,
    propose,
    take_back,
)
from holdfast.ledger.state import FLATTENED, TAKE_PROFIT, LegProgress, LiveOrder, once

# Members of an enum are slow to look up on Python 3.11, and every order meets these often.
_BUY: Final = Side.BUY
_SELL: Final = Side.SELL
_ACKED: Final = AttemptState.ACKED
_MARKET: Final = OrderType.MARKET


def derive(at: Situation) -> Derivation:
    """What the bot's standing decision still needs in one symbol.

    While it is halted, its day is lost, or the symbol is in quarantine, resting orders that would
    add exposure are taken back; at a higher level of a halt whatever else rests, and at the highest
    its position is sold.
    """
    found = Derivation([], [])
    symbol = at.instrument.symbol
    mine: list[LiveOrder] = []
    exits: list[LiveOrder] = []
    if at.account.live:
        for order in at.account.orders(symbol, at.bot):
            (exits if order.exit else mine).append(order)
    if mine:
        _cancel_unwanted(at, mine, found)
    if at.halt is HaltLevel.FLATTEN:
        _flatten(at, mine, exits, found)
        return found
    for leg in at.standing.legs if at.state.running else ():
        if leg.symbol != symbol:
            continue
        if leg.target is not None:
            _target(at, mine, exits, leg, found)
        else:
            _quote(at, mine, exits, leg, found)
    # A bot that was stopped decides nothing any more, but what it holds stays protected.
    if exits or symbol in at.state.exits:
        protect(at, mine, exits, found)
    return found


def _flatten(
    at: Situation, mine: list[LiveOrder], exits: list[LiveOrder], found: Derivation
) -> None:
    """Sell what is held, whatever is wished and whether the bot runs.

    Where nothing can be sold now, because the market is halted, stops stay where they are.
    """
    if at.instrument.status is TradingStatus.TRADING:
        symbol = at.instrument.symbol
        leg = Leg(leg=f"{symbol}|{FLATTENED}", symbol=symbol, target=ZERO)
        _target(at, mine, exits, leg, found)


def _cancel_unwanted(at: Situation, mine: list[LiveOrder], found: Derivation) -> None:
    wanted = {leg.leg: leg for leg in at.standing.legs if at.state.running}
    for order in mine:
        if not order.is_working or order.armed.spec.price is None:
            continue
        leg = wanted.get(order.armed.leg)
        sells = order.armed.spec.side is _SELL
        may_stay = at.may_rest if sells else at.may_bid and at.halt is None
        if leg is None or not may_stay or not _is_met(at, leg, order.armed):
            cancel(at, order, found)


def _is_met(at: Situation, leg: Leg, armed: Armed) -> bool:
    """Whether the order is the leg's: an ask may be smaller, cut to what was there to sell."""
    if leg.target is not None:
        return armed.decision >= (leg.since or at.standing.number) and not _is_spent(at, leg)
    spec = armed.spec
    assert leg.quantity is not None  # noqa: S101 - a level has one
    if spec.price != leg.price:
        return False
    return spec.quantity == leg.quantity or (spec.side is _SELL and spec.quantity < leg.quantity)


def _target(
    at: Situation, mine: list[LiveOrder], exits: list[LiveOrder], leg: Leg, found: Derivation
) -> None:
    """Buy for the worst case that all buys fill, sell for the worst case that all sells did."""
    assert leg.target is not None  # noqa: S101 - the caller looked
    leaving = at.taking or _is_spent(at, leg)
    if not (at.may_rest or leaving or leg.price is None):
        return
    target = ZERO if leaving else leg.target
    least, most = _bounds(at, mine)
    if least > target:
        side, quantity = _SELL, least - target
    elif most < target:
        side, quantity = _BUY, target - most
    else:
        return
    quantity = at.instrument.floor_quantity(quantity)
    smallest = at.instrument.smallest_order(at.price)
    if quantity < smallest or (target and quantity < leg.band):
        return
    if side is _SELL:
        quantity = _sellable(at, mine, found, quantity, smallest, exits=exits)
    name = f"{leg.leg}|{TAKE_PROFIT}" if at.taking else leg.leg
    progress = at.progress.get(name)
    is_capped = leg.cap_pct is not None and not leaving
    if is_capped and progress is not None and not at.fresh and _has_ended(at, progress):
        return
    if must_wait(at, progress, side, found):
        found.refused = side is _SELL  # a stop gives way to it when it may be made
        return
    orders: list[Proposed] = []
    for seq, n, part in intents(at, progress, side, quantity, smallest):
        spec = _at_market(leg, side, part) if leaving else _spec_of(at, leg, side, part)
        orders.append(propose(at, name, seq, n, spec))
    if side is _SELL and (exits or leg.symbol in at.state.exits):
        found.refused = all(is_hopeless(order, at.gate) for order in orders)
    if exits and not found.refused and not _exits_give_way(at, exits, side, found):
        found.makes_way = True
        return
    found.orders += orders


def _has_ended(at: Situation, progress: LegProgress) -> bool:
    """Whether the leg's last attempt is over, or only its fill is still to be booked."""
    last = at.account.live.get(progress.cid)
    return last is None or not (last.is_unresolved or last.is_working)


def _is_spent(at: Situation, leg: Leg) -> bool:
    """Whether a stop or a take-profit has fired since the target was wished."""
    return at.state.spent.get(leg.symbol) == leg.episode


def _exits_give_way(at: Situation, exits: list[LiveOrder], side: Side, found: Derivation) -> bool:
    """Whether the target may be traded although protective orders are out.

    They lock what they would sell, so they are taken back before anything else is sold, unless the
    gate would refuse that all the same: it would cost the position its stop for nothing. What they
    have executed, or may have, comes first: it decides whether the wish is spent. Where that is
    left anyhow, what remains of them is taken back as well.
    """
    if any(not order.is_working for order in exits):
        return False
    if side is _SELL:
        leaves = at.taking or at.halt is HaltLevel.FLATTEN
        take_back(at, [o for o in exits if leaves or not o.executed], found)
    return side is _BUY


def _spec_of(at: Situation, leg: Leg, side: Side, quantity: Decimal) -> OrderSpec:
    """At market, resting at the limit, or at once within the cap."""
    price, force = leg.price, TimeInForce.GTC
    if leg.cap_pct is not None:
        width = at.price * leg.cap_pct / 100
        price = at.price + width if side is _BUY else at.price - width
        force = TimeInForce.IOC
    if price is None:
        return _at_market(leg, side, quantity)
    on_tick = at.instrument.floor_price if side is _BUY else at.instrument.ceil_price
    return OrderSpec(
        symbol=leg.symbol,
        side=side,
        type=OrderType.LIMIT,
        quantity=quantity,
        price=on_tick(price),
        time_in_force=force,
    )


def _at_market(leg: Leg, side: Side, quantity: Decimal) -> OrderSpec:
    return OrderSpec(symbol=leg.symbol, side=side, type=_MARKET, quantity=quantity)


def _bounds(at: Situation, mine: list[LiveOrder]) -> tuple[Decimal, Decimal]:
    """The least and the most that the bot may turn out to hold, given all that is on its way.

    What is confirmed less every sell that may execute; and plus every buy that may, less sells that
    surely did.
    """
    most = least = at.state.held(at.instrument.symbol)
    for order in mine:
        if order.armed.spec.side is _BUY:
            most += order.outstanding
            continue
        least -= order.outstanding
        if order.state is _ACKED and not order.is_working:
            most -= order.outstanding  # executed, the fill is on its way
    for approved in at.pending:
        if approved.order.spec.side is _BUY:
            most += approved.order.spec.quantity
        else:
            least -= approved.order.spec.quantity
    if most < ZERO:  # the rest of a sale whose fees so far were taken off what it sells
        most = min(ZERO, most + at.state.position(at.instrument.symbol).in_kind)
    return least, most


def _sellable(
    at: Situation,
    mine: list[LiveOrder],
    found: Derivation,
    quantity: Decimal,
    smallest: Decimal,
    *,
    exits: Sequence[LiveOrder] = (),
) -> Decimal:
    """`quantity`, or what of it is there to be sold when that still makes an order.

    A fee in base or a correction can leave a little less than was bought; the rest is dust. When
    next to nothing is there, the whole is asked for, and the risk gate says what is missing.

    Args:
        exits: protective orders, which give way before anything is sold.
    """
    held = at.state.held(at.instrument.symbol)
    free = at.account.free(at.instrument.base)
    for order in mine:
        if order.armed.spec.side is _SELL:
            held -= order.outstanding
    for order in once(exits):
        free += order.reserve
    for asked in (*(p.order for p in at.pending), *found.orders):
        if asked.spec.side is _SELL:
            held -= asked.spec.quantity
            free -= asked.spec.quantity
    there = at.instrument.floor_quantity(min(free, held))
    return min(quantity, there) if there >= smallest else quantity


def _quote(
    at: Situation, mine: list[LiveOrder], exits: list[LiveOrder], leg: Leg, found: Derivation
) -> None:
    assert leg.side is not None and leg.price is not None and leg.quantity is not None  # noqa: S101, PT018
    if not at.may_rest:
        return
    if exits and leg.side is _SELL:
        return  # of an earlier target: they lock what this would sell, and are taken back first
    if any(p.order.leg == leg.leg for p in at.pending):
        return
    for order in mine:
        if order.armed.leg == leg.leg:
            return  # met, or not yet known, or not yet booked; a cancel must be proven first
    progress = at.progress.get(leg.leg)
    if progress is not None and progress.ended_ns and not progress.empty and not at.fresh:
        return
    if leg.post_only and _crosses(leg.side, leg.price, at.price):
        return
    again = progress if progress is not None and progress.empty else None
    if must_wait(at, again, leg.side, found):
        return
    quantity = leg.quantity
    if leg.side is _SELL:
        smallest = at.instrument.smallest_order(leg.price)
        quantity = _sellable(at, mine, found, quantity, smallest)
    seq, n = (0, 1) if progress is None else (progress.seq + 1, 1)
    if progress is not None and progress.empty:
        before = at.account.order(progress.cid)
        if before is not None and quantity <= before.armed.spec.quantity:
            seq, n = progress.seq, progress.n + 1
    spec = OrderSpec(
        symbol=leg.symbol,
        side=leg.side,
        type=OrderType.LIMIT_MAKER if leg.post_only else OrderType.LIMIT,
        quantity=quantity,
        price=leg.price,
        time_in_force=None if leg.post_only else TimeInForce.GTC,
    )
    found.orders.append(propose(at, leg.leg, seq, n, spec))


def _crosses(side: Side, price: Decimal, market: Decimal) -> bool:
    return price >= market if side is _BUY else price <= market

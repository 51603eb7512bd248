"""Derivation: from a bot's standing decision and what is on its way, the orders still missing.

Lives here: a pure function of the state; calling it again without news gives nothing new. Not here:
whether an order may be made (engine.risk).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from holdfast.domain.action import Approved, Proposed
from holdfast.domain.fact import Decided, Leg
from holdfast.domain.instrument import Instrument
from holdfast.domain.order import (
    AttemptState,
    OrderSpec,
    OrderType,
    Side,
    TimeInForce,
    intent_id,
)
from holdfast.ledger.state import AccountState, BotState, LegProgress, LiveOrder

# Members of an enum are slow to look up on Python 3.11, and every order meets these often.
_BUY: Final = Side.BUY
_SELL: Final = Side.SELL
_ACKED: Final = AttemptState.ACKED
_MARKET: Final = OrderType.MARKET

# A market buy is expected to cost at most this much more than the last price; what it reserves.
MARKET_CUSHION: Final = Decimal("1.02")
FIRST_WAIT_NS: Final = 250_000_000
LONGEST_WAIT_NS: Final = 30_000_000_000
# A cancel that nobody answered is asked for again after this long.
CANCEL_AGAIN_NS: Final = 3_000_000_000
# However much is missing, no more orders than this are made of it at a time.
MOST_PARTS: Final = 16


class Derivation(msgspec.Struct):
    """What is missing.

    Attributes:
        orders: in the order to arm them.
        cancels: client order ids of resting orders that no leg wants.
        retry_ns: earliest time at which more may be due, 0 when nothing waits for time.
    """

    orders: list[Proposed]
    cancels: list[str]
    retry_ns: int = 0

    def wait_until(self, at_ns: int) -> None:
        """More may be due at that time."""
        self.retry_ns = min(self.retry_ns or at_ns, at_ns)


class Situation(msgspec.Struct):
    """What derivation may look at.

    Attributes:
        state: the bot's.
        standing: what the bot wants: what is in the journal, or the decision about to be journaled.
        progress: how far each leg of it has come.
        pending: orders of this bot handed out for arming and not yet in the journal.
        price: the market's last price of the bot's symbol.
        fresh: a bar was decided on just now; quotes that ended are wanted again only then.
        split_notional: largest notional of one order that reduces; None when unlimited.
        not_before_ns: no orders before this time, because an arming failed; cancels do not wait.
    """

    account: AccountState
    bot: str
    state: BotState
    standing: BotState | Decided
    progress: dict[str, LegProgress]
    instrument: Instrument
    price: Decimal
    pending: Sequence[Approved]
    now_ns: int
    fresh: bool
    split_notional: Decimal | None = None
    not_before_ns: int = 0


def derive(at: Situation, *, entries: bool = True) -> Derivation:
    """What the bot's standing decision still needs.

    Args:
        entries: False while the bot or the account is halted, or the bot stopped: resting orders
            that would add exposure are taken back.
    """
    found = Derivation([], [])
    symbol = at.instrument.symbol
    mine = [*at.account.orders(symbol, at.bot)] if at.account.live else []
    if mine:
        _cancel_unwanted(at, mine, found, entries=entries)
    if not at.state.running:
        return found
    for leg in at.standing.legs:
        if leg.symbol != symbol:
            continue
        if leg.target is not None:
            _target(at, mine, leg, leg.target, found)
        else:
            _quote(at, mine, leg, found)
    return found


def _cancel_unwanted(
    at: Situation, mine: list[LiveOrder], found: Derivation, *, entries: bool
) -> None:
    wanted = {
        leg.leg: leg
        for leg in at.standing.legs
        if leg.target is None and at.state.running and (entries or leg.side is _SELL)
    }
    for order in mine:
        if not order.is_working or order.armed.spec.price is None:
            continue
        leg = wanted.get(order.armed.leg)
        if leg is not None and _is_met(leg, order.armed.spec):
            continue
        again_ns = order.cancelled_ns + CANCEL_AGAIN_NS if order.cancelled_ns else 0
        if again_ns > at.now_ns:
            found.wait_until(again_ns)
        else:
            found.cancels.append(order.armed.cid)


def _is_met(leg: Leg, spec: OrderSpec) -> bool:
    """Whether the order is the level's: an ask may be smaller, cut to what was there to sell."""
    assert leg.quantity is not None  # noqa: S101 - a level has one
    if spec.price != leg.price:
        return False
    return spec.quantity == leg.quantity or (spec.side is _SELL and spec.quantity < leg.quantity)


def _target(
    at: Situation, mine: list[LiveOrder], leg: Leg, target: Decimal, found: Derivation
) -> None:
    """Buy for the worst case that all buys fill, sell for the worst case that all sells did."""
    least, most = _bounds(at, mine)
    if least > target:
        side, quantity = _SELL, least - target
    elif most < target:
        side, quantity = _BUY, target - most
    else:
        return
    quantity = at.instrument.floor_quantity(quantity)
    smallest = at.instrument.smallest_order(at.price)
    if quantity < smallest:
        return
    if side is _SELL:
        quantity = _sellable(at, mine, found, quantity, smallest)
    progress = at.progress.get(leg.leg)
    if _must_wait(at, progress, found):
        return
    for seq, n, part in _intents(at, progress, side, quantity, smallest):
        spec = OrderSpec(symbol=leg.symbol, side=side, type=_MARKET, quantity=part)
        found.orders.append(_propose(at, leg, seq, n, spec))


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
    return least, most


def _intents(
    at: Situation,
    progress: LegProgress | None,
    side: Side,
    quantity: Decimal,
    smallest: Decimal,
) -> list[tuple[int, int, Decimal]]:
    """(seq, n, quantity) of what to arm: the same intent again if it proved empty, and new ones.

    What reduces is split where it exceeds the notional limit.
    """
    intents: list[tuple[int, int, Decimal]] = []
    seq = 0 if progress is None else progress.seq + 1
    if progress is not None and progress.empty:
        before = at.account.order(progress.cid)
        if before is not None and before.armed.spec.side is side:
            again = min(quantity, before.armed.spec.quantity)
            if again >= smallest:
                intents.append((progress.seq, progress.n + 1, again))
                quantity = at.instrument.floor_quantity(quantity - again)
    largest = _largest(at, side, smallest)
    if quantity > largest:
        largest = at.instrument.floor_quantity(largest)
        if largest < smallest:
            return intents
    end = seq + MOST_PARTS
    while quantity >= smallest and seq < end:
        part = min(largest, quantity)
        intents.append((seq, 1, part))
        quantity -= part
        seq += 1
    return intents


def _largest(at: Situation, side: Side, smallest: Decimal) -> Decimal:
    """The most that one market order may ask for, before it is cut to the step."""
    instrument = at.instrument
    largest = instrument.max_quantity
    if instrument.market_max_quantity:
        largest = min(largest, instrument.market_max_quantity)
    if side is _SELL and at.split_notional is not None:
        # A limit under the smallest order must not keep anybody from leaving.
        largest = min(largest, max(at.split_notional / at.price, smallest))
    return largest


def _sellable(
    at: Situation,
    mine: list[LiveOrder],
    found: Derivation,
    quantity: Decimal,
    smallest: Decimal,
) -> Decimal:
    """`quantity`, or what of it is there to be sold when that still makes an order.

    A fee in base or a correction can leave a little less than was bought; the rest is dust. When
    next to nothing is there, the whole is asked for, and the risk gate says what is missing.
    """
    held = at.state.held(at.instrument.symbol)
    free = at.account.free(at.instrument.base)
    for order in mine:
        if order.armed.spec.side is _SELL:
            held -= order.outstanding
    for asked in (*(p.order for p in at.pending), *found.orders):
        if asked.spec.side is _SELL:
            held -= asked.spec.quantity
            free -= asked.spec.quantity
    there = at.instrument.floor_quantity(min(free, held))
    return min(quantity, there) if there >= smallest else quantity


def _must_wait(at: Situation, progress: LegProgress | None, found: Derivation) -> bool:
    """Whether it is too early: the leg's last attempts came to nothing, or an arming failed."""
    at_ns = at.not_before_ns
    if progress is not None and progress.misses:
        wait_ns = backoff_ns(progress.misses)
        at_ns = max(at_ns, progress.missed_ns + wait_ns)
    if at_ns <= at.now_ns:
        return False
    found.wait_until(at_ns)
    return True


def backoff_ns(failures: int) -> int:
    """How long to wait after so many failures in a row, from 1."""
    return min(FIRST_WAIT_NS << min(failures - 1, 16), LONGEST_WAIT_NS)


def _quote(at: Situation, mine: list[LiveOrder], leg: Leg, found: Derivation) -> None:
    assert leg.side is not None and leg.price is not None and leg.quantity is not None  # noqa: S101, PT018
    if any(p.order.leg == leg.leg for p in at.pending):
        return
    for order in mine:
        if order.armed.leg == leg.leg and (order.is_unresolved or order.is_working):
            return  # met, or not yet known; a cancel in the way must be proven first
    progress = at.progress.get(leg.leg)
    if progress is not None and progress.ended_ns and not progress.empty and not at.fresh:
        return
    if leg.post_only and _crosses(leg.side, leg.price, at.price):
        return
    if _must_wait(at, progress if progress is not None and progress.empty else None, found):
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
    found.orders.append(_propose(at, leg, seq, n, spec))


def _crosses(side: Side, price: Decimal, market: Decimal) -> bool:
    return price >= market if side is _BUY else price <= market


def _propose(at: Situation, leg: Leg, seq: int, n: int, spec: OrderSpec) -> Proposed:
    price = spec.price
    if price is None:
        price = at.price * MARKET_CUSHION if spec.side is _BUY else at.price
    return Proposed(
        bot=at.bot,
        intent_id=intent_id(at.bot, at.standing.key, leg.leg, seq),
        n=n,
        leg=leg.leg,
        seq=seq,
        decision=at.standing.number,
        spec=spec,
        reduces=spec.side is _SELL,  # version 1 is long only
        price=price,
    )

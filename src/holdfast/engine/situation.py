"""What derivation looks at and what it finds, and the few steps that all its rules share.

Not here: the rules (engine.derive, engine.protect).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from holdfast.domain.action import Approved, Proposed
from holdfast.domain.fact import Decided, HaltLevel
from holdfast.domain.instrument import Instrument
from holdfast.domain.money import ZERO
from holdfast.domain.order import AttemptState, OrderSpec, OrderType, Side, intent_id
from holdfast.engine.risk import Gate
from holdfast.ledger.state import AccountState, BotState, LegProgress, LiveOrder

_BUY: Final = Side.BUY  # members of an enum are slow to look up on Python 3.11
_SELL: Final = Side.SELL

# A market buy is expected to cost at most this much more than the last price; what it reserves.
MARKET_CUSHION: Final = Decimal("1.02")
FIRST_WAIT_NS: Final = 250_000_000
LONGEST_WAIT_NS: Final = 30_000_000_000
# The longest, where this node's journal or lease kept an order out: they are soon back, or never.
SOON_NS: Final = 1_000_000_000
# A cancel that nobody sent, or answered, is asked for again after this long.
CANCEL_AGAIN_NS: Final = 3_000_000_000
# However much is missing, no more orders than this are made of it at a time.
MOST_PARTS: Final = 16


class Derivation(msgspec.Struct, gc=False):
    """What is missing.

    Attributes:
        orders: in the order to arm them.
        cancels: client order ids of resting orders that no leg wants.
        retry_ns: earliest time at which more may be due, 0 when nothing waits for time.
        makes_way: protective orders are being taken back for a sale, which follows.
        refused: the sale among `orders` is one that the gate refuses, and there to be told of:
            nothing makes way for it.
    """

    orders: list[Proposed]
    cancels: list[str]
    retry_ns: int = 0
    makes_way: bool = False
    refused: bool = False

    def wait_until(self, at_ns: int) -> None:
        """More may be due at that time."""
        self.retry_ns = min(self.retry_ns or at_ns, at_ns)

    def add(self, other: Derivation) -> None:
        """What is missing in another symbol as well."""
        self.orders += other.orders
        self.cancels += other.cancels
        if other.retry_ns:
            self.wait_until(other.retry_ns)


class Situation(msgspec.Struct, gc=False):
    """What derivation may look at; it lasts as long as that does (hence `gc=False`).

    Attributes:
        state: the bot's.
        standing: what the bot wants: what is in the journal, or the decision about to be journaled.
        progress: how far each leg of it has come.
        pending: its orders in this symbol, handed out for arming and not yet in the journal.
        price: the market's last price of the bot's symbol.
        fresh: a bar was decided on just now, or protective orders were taken back for what it was
            decided then; quotes and capped orders that ended are wanted again only then.
        gate: what orders have to pass.
        not_before_ns: no orders before this time, because an arming failed; cancels do not wait.
        exits_not_before_ns: the same for what reduces, which does not wait for entries that failed.
        taking: the take-profit was reached: the position is being left.
        lists: the venue takes order lists.
        halt: how much of the bot is stopped; None while it trades.
        may_bid: what would add may rest: neither is the day lost, nor this symbol in quarantine.
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
    gate: Gate
    not_before_ns: int = 0
    exits_not_before_ns: int = 0
    taking: bool = False
    lists: bool = False
    halt: HaltLevel | None = None
    may_bid: bool = True

    @property
    def may_rest(self) -> bool:
        """Whether orders may rest that protect nothing."""
        return self.halt is None or self.halt is HaltLevel.ENTRIES


def resting_profits(account: AccountState, bot: str, symbol: str) -> list[LiveOrder]:
    """A bot's take-profits in a symbol that rest in a list, or may; others are watched."""
    return [
        order
        for order in account.live.values()
        if order.armed.list_cid
        and order.armed.bot == bot
        and order.armed.spec.symbol == symbol
        and order.armed.spec.stop_price is None
    ]


def cancel(at: Situation, order: LiveOrder, found: Derivation) -> None:
    """Take a resting order back, unless that was asked for a moment ago.

    What is asked for now may not be done: a stop is kept while nothing could be placed instead.
    """
    again_ns = order.cancelled_ns + CANCEL_AGAIN_NS if order.cancelled_ns else 0
    if again_ns <= at.now_ns:
        found.cancels.append(order.armed.cid)
        again_ns = at.now_ns + CANCEL_AGAIN_NS
    found.wait_until(again_ns)


def take_back(at: Situation, orders: Iterable[LiveOrder], found: Derivation) -> None:
    """Cancel what works of `orders`; of a list its first order, with which the venue ends all."""
    done: set[str] = set()
    for order in orders:
        one = order.armed.list_cid or order.armed.cid
        if order.is_working and one not in done:
            done.add(one)
            cancel(at, order, found)


def must_wait(
    at: Situation, progress: LegProgress | None, side: Side, found: Derivation
) -> bool:
    """Whether it is too early: the leg's last attempts came to nothing, or an arming failed.

    A sale has room where a purchase has none, so it does not wait for purchases that had none. And
    what could not leave a former leader says nothing of the way from here to the exchange.
    """
    at_ns = at.exits_not_before_ns if side is _SELL else at.not_before_ns
    if progress is not None and progress.misses and not _was_kept_in(at.account, progress.cid):
        wait_ns = backoff_ns(progress.misses)
        at_ns = max(at_ns, progress.missed_ns + wait_ns)
    if at_ns <= at.now_ns:
        return False
    found.wait_until(at_ns)
    return True


def _was_kept_in(account: AccountState, cid: str) -> bool:
    """Whether an attempt never left the process of a leader before this one."""
    order = account.order(cid)
    return (
        order is not None
        and order.state is AttemptState.NOT_SENT
        and order.armed.boot_id != account.leader
    )


def backoff_ns(failures: int) -> int:
    """How long to wait after so many failures in a row, from 1."""
    return min(FIRST_WAIT_NS << min(failures - 1, 16), LONGEST_WAIT_NS)


def intents(
    at: Situation,
    progress: LegProgress | None,
    side: Side,
    quantity: Decimal,
    smallest: Decimal,
    *,
    waits: bool = False,
) -> list[tuple[int, int, Decimal]]:
    """(seq, n, quantity) of what to arm: the same intent again if it proved empty, and new ones.

    What reduces is split where it exceeds the notional limit.

    Args:
        waits: it is a stop: venues take few of them, and only what one may ask for splits it.
    """
    intents: list[tuple[int, int, Decimal]] = []
    seq = 0 if progress is None else progress.seq + 1
    largest = venue_largest(at.instrument) if waits else _largest(at, side, smallest)
    if progress is not None and progress.empty:
        before = at.account.order(progress.cid)
        if before is not None and before.armed.spec.side is side:
            # The filters may be others by now: what was refused may be why they were asked for.
            again = min(quantity, before.armed.spec.quantity, largest)
            again = at.instrument.floor_quantity(again)
            grown = waits and again < min(quantity, at.instrument.floor_quantity(largest))
            if again >= smallest and not grown:
                intents.append((progress.seq, progress.n + 1, again))
                quantity = at.instrument.floor_quantity(quantity - again)
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


def venue_largest(instrument: Instrument) -> Decimal:
    """The most that the venue takes in one market order, which a stop becomes."""
    largest = instrument.max_quantity
    if instrument.market_max_quantity:
        largest = min(largest, instrument.market_max_quantity)
    return largest


def _largest(at: Situation, side: Side, smallest: Decimal) -> Decimal:
    """The most that one order may ask for, before it is cut to the step."""
    largest = venue_largest(at.instrument)
    if side is _SELL and at.gate.max_order_notional is not None:
        # A limit under the smallest order must not keep anybody from leaving.
        largest = min(largest, max(at.gate.max_order_notional / at.price, smallest))
    return largest


def propose(
    at: Situation, leg: str, seq: int, n: int, spec: OrderSpec, *, mate: OrderSpec | None = None
) -> Proposed:
    """An order as the risk gate sees it, or a list of two."""
    price = spec.price
    if price is None:
        price = at.price * MARKET_CUSHION if spec.side is _BUY else at.price
    return Proposed(
        bot=at.bot,
        intent_id=intent_id(at.bot, at.standing.key, leg, seq),
        n=n,
        leg=leg,
        seq=seq,
        decision=at.standing.number,
        spec=spec,
        reduces=spec.side is _SELL,  # version 1 is long only
        price=price,
        mate=mate,
    )


def payable(
    orders: list[Proposed], bot: str, account: AccountState, pending: Mapping[str, Approved]
) -> list[Proposed]:
    """Of several symbols' orders those to arm now: sells first, and the buys that can be paid.

    A buy that needs what the bot is selling at market waits until that is sold.
    """
    sells = [order for order in orders if order.spec.side is _SELL]
    buys = [order for order in orders if order.spec.side is _BUY]
    if not buys:
        return sells
    selling: set[str] | None = None  # looked at when something cannot be paid
    free: dict[str, Decimal] = {}
    now = list(sells)
    for order in buys:
        quote = order.spec.symbol.split("/")[1]
        if quote not in free:
            reserved = (p.reserve for p in pending.values() if p.reserve_asset == quote)
            free[quote] = account.free(quote) - sum(reserved, start=ZERO)
        cost = order.spec.quantity * order.price
        if cost > free[quote]:
            if selling is None:
                selling = _selling(sells, bot, account, pending)
            if quote in selling:
                continue
        free[quote] -= cost
        now.append(order)
    return now


def _selling(
    sells: list[Proposed], bot: str, account: AccountState, pending: Mapping[str, Approved]
) -> set[str]:
    """The quotes that a bot's sales at market are about to bring."""
    specs = [
        *[order.spec for order in sells],
        *[o.armed.spec for o in account.live.values() if o.armed.bot == bot and o.outstanding],
        *[p.order.spec for p in pending.values() if p.order.bot == bot],
    ]
    return {
        spec.symbol.split("/")[1]
        for spec in specs
        if spec.side is _SELL and spec.type is OrderType.MARKET
    }

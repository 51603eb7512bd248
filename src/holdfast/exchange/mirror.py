"""Matching against a market that happens elsewhere: its depth is taken from, its prints fill.

Lives here: the book as an account may take from it, and the engine's rules for such a market. What
is done here never shows in that market. No clock, no I/O. Not here: bringing its events (app).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Final

from holdfast.domain.instrument import Instrument
from holdfast.domain.market import Trade as Print
from holdfast.domain.money import ZERO
from holdfast.domain.order import Side
from holdfast.domain.waiting_line import WaitingLine
from holdfast.exchange.accounts import Account
from holdfast.exchange.book import Level
from holdfast.exchange.contingency import Placement
from holdfast.exchange.errors import bad_symbol, market_closed
from holdfast.exchange.flow import Depth, Past, Refresh
from holdfast.exchange.listener import Listener
from holdfast.exchange.listing import Listing
from holdfast.exchange.matching import Engine, rest
from holdfast.exchange.order_list import ListTicket
from holdfast.exchange.orders import Kind, Order, Ticket, Trade

_BUY: Final = Side.BUY

# Who offers what is shown there, nobody knows here.
_NOBODY: Final[OrderedDict[int, Order]] = OrderedDict()

ASSUMPTION = (
    "Orders here do not move the mirrored market. One that takes walks its book, and takes nothing "
    "twice before the level is told anew. One that rests fills when a trade prints through its "
    "price, or at it once all that stood there before has traded, and never more than the print."
)


class MirroredHalf:
    """One side as everybody sees it, and the line of those who rest on it."""

    def __init__(self, side: Side, depth: Depth) -> None:
        self.side = side
        self.line: WaitingLine[Order] = WaitingLine(side, self)
        self._depth = depth

    def __len__(self) -> int:
        return sum(1 for _ in self.quantities())

    @property
    def best(self) -> Level | None:
        """The first level, None when the side is empty or not known."""
        return next(self.levels(), None)

    def levels(self) -> Iterator[Level]:
        """All levels from the best on."""
        for price, quantity in self.quantities():
            yield Level(price, quantity, _NOBODY)

    def quantities(self) -> Iterator[tuple[Decimal, Decimal]]:
        """All levels as price and quantity."""
        return self._depth.bids() if self.side is _BUY else self._depth.asks()

    def quantity_at(self, price: Decimal) -> Decimal:
        """What is shown at a price."""
        return self._depth.bid_at(price) if self.side is _BUY else self._depth.ask_at(price)

    @property
    def edge(self) -> Decimal | None:
        """The last price that a snapshot told."""
        return self._depth.bid_edge if self.side is _BUY else self._depth.ask_edge

    def at(self, price: Decimal) -> Level | None:
        """The level at `price`, or None."""
        quantity = self.quantity_at(price)
        return Level(price, quantity, _NOBODY) if quantity else None

    def add(self, order: Order, price: Decimal) -> None:
        """Let `order` wait behind all that is, or may be, at `price`."""
        self.line.join(order, price, self._depth.at_ns)

    def remove(self, order: Order, _price: Decimal) -> None:
        """Take a resting order out; KeyError when it does not rest here."""
        self.line.leave(order)

    def fill(self, _level: Level, _order: Order, _quantity: Decimal) -> None:
        """Not for everybody: only an account takes, from its own view."""
        raise TypeError("a mirrored book is taken from through `facing`")


class _View:
    """One side as one account may take from it: without what it took since a level was told."""

    def __init__(self, half: MirroredHalf, taken: dict[Decimal, Decimal]) -> None:
        self._half = half
        self._taken = taken

    @property
    def best(self) -> Level | None:
        level = next(self.levels(), None)
        return level and _held_level(self._half.side, level.price, level.quantity)

    def levels(self) -> Iterator[Level]:
        for price, quantity in self._half.quantities():
            left = quantity - self._taken.get(price, ZERO)
            if left > 0:
                yield Level(price, left, _NOBODY)

    def fill(self, level: Level, _order: Order, quantity: Decimal) -> None:
        self._taken[level.price] = self._taken.get(level.price, ZERO) + quantity


class MirroredBook:
    """Another exchange's book, with those who wait in it and what each account took from it."""

    def __init__(self, depth: Depth) -> None:
        self.bids = MirroredHalf(Side.BUY, depth)
        self.asks = MirroredHalf(Side.SELL, depth)
        self._depth = depth
        self._last_id = 0
        self._taken: dict[tuple[int, Side], dict[Decimal, Decimal]] = {}
        self._touched: tuple[set[Decimal], set[Decimal]] = (set(), set())

    @property
    def is_known(self) -> bool:
        """Whether it is the other exchange's book; nothing is matched on another."""
        return self._depth.is_known

    @property
    def update_id(self) -> int:
        """The other exchange's number of the last change, also while the book is not known."""
        if self._depth.is_known:
            self._last_id = self._depth.last_id
        return self._last_id

    def half(self, side: Side) -> MirroredHalf:
        """The side on which orders of `side` rest."""
        return self.bids if side is _BUY else self.asks

    def facing(self, side: Side, account: Account | None) -> _View:
        """What an order of `side` of this account can take."""
        number = 0 if account is None else account.number
        half = self.asks if side is _BUY else self.bids
        return _View(half, self._taken.setdefault((number, half.side), {}))

    def refresh(self, change: Refresh) -> None:
        """Learn that levels were told anew: what was taken there before counts no more."""
        for half, prices, touched in (
            (self.bids, change.bids, self._touched[0]),
            (self.asks, change.asks, self._touched[1]),
        ):
            touched.update(prices)
            half.line.learn(None if change.is_whole else prices)
        for (_number, side), taken in self._taken.items():
            if change.is_whole:
                taken.clear()
            elif taken:
                for price in change.bids if side is _BUY else change.asks:
                    taken.pop(price, None)

    def drain_touched(self) -> tuple[list[Decimal], list[Decimal]]:
        """Prices that changed since the last call: bids descending, asks ascending."""
        bids, asks = self._touched
        found = sorted(bids, reverse=True), sorted(asks)
        bids.clear()
        asks.clear()
        return found


class MirroredListing(Listing):
    """A symbol of another exchange. Its prices are that one's; executions here count from 1."""

    is_mirror = True

    def __init__(self, instrument: Instrument, depth: Depth) -> None:
        self.mirrored = MirroredBook(depth)
        super().__init__(instrument, self.mirrored)

    @property
    def status(self) -> str:
        """BREAK while the other exchange's book is not known."""
        return super().status if self.mirrored.is_known else "BREAK"

    def print_trade(
        self, price: Decimal, quantity: Decimal, at_ns: int, *, buyer_is_maker: bool
    ) -> Trade:
        """Number an execution of an account here; it is no print, so no price learns of it."""
        self.last_trade_id += 1
        cost = price * quantity
        return Trade(self.symbol, self.last_trade_id, price, quantity, cost, buyer_is_maker, at_ns)


class MirrorEngine(Engine):
    """All markets of one mirrored exchange.

    Orders of accounts never meet each other. While a book is not known its market takes no orders,
    nothing fills and no stop fires; orders rest on, and can be cancelled.

    Args:
        depths: of each instrument, by symbol.
    """

    def __init__(
        self,
        instruments: Iterable[Instrument],
        depths: Mapping[str, Depth],
        listener: Listener | None = None,
    ) -> None:
        self._depths = depths
        self._mirrored: dict[str, MirroredListing] = {}
        super().__init__(instruments, listener)

    def _list(self, instrument: Instrument) -> Listing:
        made = MirroredListing(instrument, self._depths[instrument.symbol])
        self._mirrored[instrument.symbol] = made
        return made

    def submit(self, account: Account, ticket: Ticket, at_ns: int) -> Order:
        """As everywhere; RefusedError also while the book is not known."""
        self._check_known(ticket.symbol)
        return super().submit(account, ticket, at_ns)

    def submit_list(self, account: Account, ticket: ListTicket, at_ns: int) -> Placement:
        """As everywhere; RefusedError also while the book is not known."""
        self._check_known(ticket.symbol)
        return super().submit_list(account, ticket, at_ns)

    def refresh(self, change: Refresh) -> None:
        """Take in that the depth changed."""
        self._mirrored[change.symbol].mirrored.refresh(change)

    def remember(self, past: Past) -> None:
        """Take in trades that nobody here could have had a part in."""
        listing = self._mirrored[past.symbol]
        for seen in past.trades:
            self._tell(listing, seen)

    def witness(self, seen: Print, at_ns: int) -> None:
        """Take in a trade of the mirrored market: it fills what it reaches, and fires stops.

        Args:
            at_ns: exchange time, which fills are stamped with; the print keeps its own.
        """
        listing = self._mirrored[seen.symbol]
        if not listing.mirrored.is_known:
            self._tell(listing, seen)
            return
        for half in (listing.mirrored.bids, listing.mirrored.asks):
            if half.line:
                self._fill_reached(listing, half, seen, at_ns)
        self._tell(listing, seen)
        self._settle(listing, at_ns)

    def _check_known(self, symbol: str) -> None:
        listing = self._mirrored.get(symbol)
        if listing is None:
            raise bad_symbol()
        if not listing.mirrored.is_known:
            raise market_closed()

    def _fill_reached(
        self, listing: MirroredListing, half: MirroredHalf, seen: Print, at_ns: int
    ) -> None:
        for order, quantity in half.line.reached(seen):
            if order.account is None or order.price is None:
                raise ValueError("only limit orders of accounts rest in a mirrored market")
            order.remaining -= quantity
            trade = listing.print_trade(
                order.price, quantity, at_ns, buyer_is_maker=half.side is _BUY
            )
            self._book_fill(listing, order.account, order, trade)

    def _rejoin(self, listing: Listing, order: Order, _at_ns: int) -> None:
        """Let it wait at its price, at the end of the line: nobody knows what would have been."""
        if order.price is None:
            raise ValueError("a market order is never open")
        rest(listing, order, order.price)

    def _tell(self, listing: MirroredListing, seen: Print) -> None:
        """Make a print of the mirrored market known, under its own number."""
        listing.last_price = seen.price
        cost = seen.price * seen.quantity
        listing.average.note(seen.price, cost, seen.quantity, seen.at_ns)
        self.listener.on_trade(
            Trade(
                seen.symbol, seen.trade_id, seen.price, seen.quantity, cost, seen.buyer_is_maker,
                seen.at_ns,
            )
        )


def _held_level(side: Side, price: Decimal, quantity: Decimal) -> Level:
    """A level with one order of the house on it, to trade against."""
    order = Order(
        account=None,
        sequence=0,
        symbol="",
        side=side,
        kind=Kind.LIMIT,
        quantity=quantity,
        remaining=quantity,
        price=price,
        created_ns=0,
        updated_ns=0,
    )
    return Level(price, quantity, OrderedDict({0: order}))

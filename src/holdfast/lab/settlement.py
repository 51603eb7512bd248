"""Money at a simulated venue: terms, what an order holds, pays and gets, and its fills.

Lives here: what venues that know bars and those that know prints share, pure. Not here: when an
order fills, and at which price (bar_venue, tape_venue).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, NamedTuple

import msgspec

from holdfast.domain.fee import fee_of
from holdfast.domain.fill import Fill
from holdfast.domain.instrument import Instrument
from holdfast.domain.money import ZERO, plain
from holdfast.domain.order import OrderSpec, OrderState, Side
from holdfast.lab.depth import Books, Walk
from holdfast.lab.triggers import crosses, jumped, trigger_of

_BUY, _SELL = Side.BUY, Side.SELL
_NEW = OrderState.NEW
_TOGETHER = frozenset({OrderState.REJECTED, OrderState.CANCELLED})


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What trading costs in a backtest.

    Attributes:
        fee_rate: fraction of what is traded, 0.001 for 10 basis points.
        fee_in: `quote` always; `base` takes the fee of a buy from the base units bought, as spot
            exchanges do, and that of a sell from the quote received.
        slippage: fraction by which market and stop orders fill worse than the bar says.
        margin: fraction by which a bar must trade beyond a limit before that fills.
        latency_ns: by which an order, or a cancel, arrives after it was decided.
        order_lists: the venue takes a pair of orders of which one ends the other (OCO), on the
            symbols that say so.
    """

    fee_rate: Decimal = Decimal("0.001")
    fee_in: Literal["quote", "base"] = "quote"
    slippage: Decimal = ZERO
    margin: Decimal = ZERO
    latency_ns: int = 0
    order_lists: bool = True


CONSERVATIVE = Terms(
    slippage=Decimal("0.0005"), margin=Decimal("0.0002"), latency_ns=250_000_000
)
"""For those who would rather be surprised by the market's kindness."""


class Outcome(NamedTuple):
    """What became of an order.

    Attributes:
        fills: those of one moment, best price first; a bar gives one, a book one for each level.
        reason: why it was refused.
        at_ns: when that was, UTC nanoseconds.
        mate: what became of the other of its list in the same moment; None where nothing did.
    """

    cid: str
    order_id: int
    state: OrderState
    fills: tuple[Fill, ...] = ()
    reason: str = ""
    at_ns: int = 0
    mate: Outcome | None = None


class Working(msgspec.Struct, eq=False):
    """An order that the venue has; two are never the same one.

    Attributes:
        held: what it keeps from being spent, of the asset that it spends; of a list the first
            order keeps it for both.
        mate: the other of its list, until one of them ends or begins to execute.
    """

    order_id: int
    cid: str
    spec: OrderSpec
    held: Decimal = ZERO
    mate: Working | None = None


class Settlement:
    """The money side of one market of one account.

    Args:
        free: what can be spent, by asset; the markets of one account share it.
    """

    def __init__(self, instrument: Instrument, terms: Terms, free: dict[str, Decimal]) -> None:
        self.instrument = instrument
        self.terms = terms
        self.free = free
        self._orders = 0
        self._trades = 0
        self._latest_ns = 0  # of what is known to have happened

    def _hold(self, order: Working, price: Decimal) -> str:
        """Keep what an order needs at `price`; why not, when there is too little of it."""
        asset, needed = self._needs(order.spec, price)
        if needed > self.free.get(asset, ZERO):
            return self._too_little(asset, needed)
        order.held = needed
        self.free[asset] = self.free.get(asset, ZERO) - needed
        return ""

    def _let_go(self, order: Working) -> None:
        """Give back what an order has held."""
        spent = self.instrument.quote if order.spec.side is _BUY else self.instrument.base
        self.free[spent] += order.held
        order.held = ZERO

    def _at_market(self, order: Working, price: Decimal, at_ns: int) -> Outcome:
        """An order that takes meets a market at `price`, and whatever it asks for is there."""
        spec = order.spec
        price = self._slipped(spec.side, price)
        if spec.price is not None:
            missed = price > spec.price if spec.side is _BUY else price < spec.price
            if missed:
                return Outcome(order.cid, order.order_id, OrderState.EXPIRED, at_ns=at_ns)
        asset, needed = self._needs(spec, price)
        if needed > self.free.get(asset, ZERO):
            return self._refused(order, self._too_little(asset, needed), at_ns)
        return self._fill(order, price, at_ns)

    def _fill(self, order: Working, price: Decimal, at_ns: int) -> Outcome:
        """An order executes whole at `price`."""
        at_ns = max(at_ns, self._latest_ns)  # a bar does not tell when, but this came after that
        fill = self._booked(order, price, order.spec.quantity, at_ns)
        return Outcome(order.cid, order.order_id, OrderState.FILLED, (fill,), at_ns=at_ns)

    def _taken(self, order: Working, walk: Walk, books: Books, at_ns: int) -> Outcome:
        """An order executes the levels that it has walked; what is unfilled expires."""
        spec = order.spec
        if spec.side is _SELL:
            asset, needed = self.instrument.base, walk.quantity
        else:
            asset, needed = self.instrument.quote, self._cost(walk.value)
        if needed > self.free.get(asset, ZERO):
            return self._refused(order, self._too_little(asset, needed), at_ns)
        books.take(spec.side, walk.parts)
        fills = tuple([self._booked(order, *part, at_ns) for part in walk.parts])
        state = OrderState.EXPIRED if walk.unfilled else OrderState.FILLED
        return Outcome(order.cid, order.order_id, state, fills, at_ns=at_ns)

    def _booked(
        self,
        order: Working,
        price: Decimal,
        quantity: Decimal,
        at_ns: int,
        *,
        is_maker: bool = False,
    ) -> Fill:
        spec, free, terms = order.spec, self.free, self.terms
        base, quote = self.instrument.base, self.instrument.quote
        value = price * quantity
        sign = 1 if spec.side is _BUY else -1
        in_base = terms.fee_in == "base" and spec.side is _BUY
        fee_asset = base if in_base else quote
        fee = fee_of(quantity if in_base else value, terms.fee_rate)
        free[base] = free.get(base, ZERO) + sign * quantity
        free[quote] = free.get(quote, ZERO) - sign * value
        free[fee_asset] -= fee
        self._trades += 1
        self._latest_ns = max(self._latest_ns, at_ns)
        return Fill(
            symbol=spec.symbol,
            side=spec.side,
            trade_id=str(self._trades),
            venue_order_id=str(order.order_id),
            cid=order.cid,
            quantity=quantity,
            price=price,
            fee=fee,
            fee_asset=fee_asset,
            at_ns=at_ns,
            is_maker=is_maker,
        )

    def _needs(self, spec: OrderSpec, price: Decimal) -> tuple[str, Decimal]:
        """The asset that an order spends and how much of it, fee included."""
        if spec.side is _SELL:
            return self.instrument.base, spec.quantity
        return self.instrument.quote, self._cost(price * spec.quantity)

    def _cost(self, value: Decimal) -> Decimal:
        """What a buy worth `value` takes from the quote units, its fee included."""
        if self.terms.fee_in == "quote":
            return value + fee_of(value, self.terms.fee_rate)
        return value

    def _slipped(self, side: Side, price: Decimal) -> Decimal:
        slippage = self.terms.slippage
        if not slippage:
            return price
        if side is _BUY:
            return self.instrument.ceil_price(price * (1 + slippage))
        return self.instrument.floor_price(price * (1 - slippage))

    def _refused(self, order: Working, why: str, at_ns: int) -> Outcome:
        refused = Outcome(order.cid, order.order_id, OrderState.REJECTED, (), why, at_ns)
        return parted(order, order.mate, refused)

    def _too_little(self, asset: str, needed: Decimal) -> str:
        return f"{plain(needed)} {asset} needed, {plain(self.free.get(asset, ZERO))} free"


def is_unfit(order: Working, best: Decimal | None, last: Decimal | None) -> str:
    """Why a venue does not let an order rest, or a list; nothing when it does.

    Args:
        best: the first price that the order would meet, None where nothing is offered.
        last: the last one that was traded, None before any.
    """
    spec, mate = order.spec, order.mate
    if best is not None and crosses(spec, best):
        return f"post-only {plain(trigger_of(spec))} would cross {plain(best)}"
    if mate is None or last is None:
        return ""
    if jumped(mate.spec, last):
        return f"the list's stop {plain(trigger_of(mate.spec))} is reached at {plain(last)}"
    if last == trigger_of(spec) or jumped(spec, last):
        return f"the list's limit {plain(trigger_of(spec))} is reached at {plain(last)}"
    return ""


def accepted(order: Working, at_ns: int) -> Outcome:
    """An order rests, and with it the other of its list."""
    mate = order.mate
    other = None if mate is None else Outcome(mate.cid, mate.order_id, _NEW, at_ns=at_ns)
    return Outcome(order.cid, order.order_id, _NEW, at_ns=at_ns, mate=other)


def parted(order: Working, mate: Working | None, outcome: Outcome) -> Outcome:
    """What became of an order that ends its list, and so of the other one, `mate`.

    It is refused or cancelled together with it, and expires when it executes.
    """
    if mate is None:
        return outcome
    order.mate = mate.mate = None
    state = outcome.state if outcome.state in _TOGETHER else OrderState.EXPIRED
    other = Outcome(mate.cid, mate.order_id, state, (), outcome.reason, outcome.at_ns)
    return outcome._replace(mate=other)

"""A venue that knows nothing but bars: when an order fills in one, at which price, at what fee.

Lives here: the fill rules of a backtest, pure. Market orders fill at the next open, moved by the
slippage; limits when a bar trades through them, at the better of open and limit; stops inside the
bar. Where one bar reaches a stop and a limit that would close the same position, the stop fills and
the bar counts as ambiguous. Not here: books and queues (exchange), time (app.backtest).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal, NamedTuple

import msgspec

from holdfast.domain.fee import fee_of
from holdfast.domain.fill import Fill
from holdfast.domain.instrument import Instrument
from holdfast.domain.money import ZERO, plain
from holdfast.domain.order import OrderSpec, OrderState, OrderType, Side, TimeInForce

_BUY, _SELL = Side.BUY, Side.SELL
_NEVER_FALLS, _NEVER_RISES = float("-inf"), float("inf")
_STOPS = frozenset({OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT})


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What trading costs in a backtest.

    Attributes:
        fee_rate: fraction of what is traded, 0.001 for 10 basis points.
        fee_in: `quote` always; `base` takes the fee of a buy from the base units bought, as spot
            exchanges do, and that of a sell from the quote received.
        slippage: fraction by which market and stop orders fill worse than the bar says.
        margin: fraction by which a bar must trade beyond a limit before that fills.
    """

    fee_rate: Decimal = Decimal("0.001")
    fee_in: Literal["quote", "base"] = "quote"
    slippage: Decimal = ZERO
    margin: Decimal = ZERO


CONSERVATIVE = Terms(slippage=Decimal("0.0005"), margin=Decimal("0.0002"))
"""For those who would rather be surprised by the market's kindness."""


class Outcome(NamedTuple):
    """What became of an order: a fill, or why there is none."""

    cid: str
    order_id: int
    state: OrderState
    fill: Fill | None
    reason: str = ""


class _Working(msgspec.Struct):
    order_id: int
    cid: str
    spec: OrderSpec
    held: Decimal


class BarVenue:
    """One market of one account.

    Args:
        free: what can be spent, by asset; the markets of one account share it.

    Attributes:
        fall_to, rise_to: a bar whose low (high) does not reach them fills nothing that rests.
        at_market: whether orders wait for the next open.
        ambiguous_bars: bars in which the order of events decided, and the worse one was taken.
    """

    def __init__(self, instrument: Instrument, terms: Terms, free: dict[str, Decimal]) -> None:
        self.instrument = instrument
        self.terms = terms
        self.free = free
        self.fall_to = _NEVER_FALLS
        self.rise_to = _NEVER_RISES
        self.at_market = False
        self.ambiguous_bars = 0
        self._market: list[_Working] = []
        self._resting: dict[str, _Working] = {}
        self._orders = 0
        self._trades = 0

    # -- orders in ---------------------------------------------------------------------------------

    def submit(self, cid: str, spec: OrderSpec, last: Decimal) -> Outcome | None:
        """Take an order: it rests, is refused, or waits for the next open (None).

        Args:
            last: the market's last price, which a post-only order may not cross.
        """
        self._orders += 1
        order = _Working(self._orders, cid, spec, ZERO)
        if spec.type is OrderType.MARKET or spec.time_in_force is TimeInForce.IOC:
            self._market.append(order)
            self.at_market = True
            return None
        limit = spec.price
        if spec.type is OrderType.LIMIT_MAKER and limit is not None:
            crosses = limit >= last if spec.side is _BUY else limit <= last
            if crosses:
                return self._refused(order, f"post-only {plain(limit)} would cross {plain(last)}")
        asset, held = self._needs(spec, limit if limit is not None else last)
        if held > self.free.get(asset, ZERO):
            return self._refused(order, f"{plain(held)} {asset} needed, {self._told(asset)} free")
        order.held = held
        self.free[asset] = self.free.get(asset, ZERO) - held
        self._resting[cid] = order
        self._look()
        return Outcome(cid, order.order_id, OrderState.NEW, None)

    def cancel(self, cid: str) -> bool:
        """Take an order back; False when there is none any more."""
        order = self._resting.pop(cid, None)
        if order is None:
            return False
        self._release(order)
        self._look()
        return True

    # -- bars --------------------------------------------------------------------------------------

    def open(self, price: Decimal, at_ns: int) -> Iterator[Outcome]:
        """The bar opens: what waited for it fills, and what it jumped over."""
        yield from self.now(price, at_ns)
        for order in [o for o in self._resting.values() if _jumped(o.spec, price)]:
            stop = order.spec.type in _STOPS
            yield self._fill(order, self._slipped(order.spec.side, price) if stop else price, at_ns)

    def inside(self, low: Decimal, high: Decimal, at_ns: int) -> Iterator[Outcome]:
        """Between open and close: stops first, then the limits that the bar traded through.

        What is submitted meanwhile waits for the next bar.
        """
        stops = [o for o in self._resting.values() if _stopped(o.spec, low, high)]
        limits = [o for o in self._resting.values() if self._through(o.spec, low, high)]
        if stops and any(order.spec.side is stops[0].spec.side for order in limits):
            self.ambiguous_bars += 1
        for order in stops:
            if order.cid in self._resting:
                price = order.spec.stop_price
                assert price is not None  # noqa: S101 - a stop has one
                yield self._fill(order, self._slipped(order.spec.side, price), at_ns)
        for order in limits:
            if order.cid in self._resting:  # what followed from a stop may have cancelled it
                limit = order.spec.price
                assert limit is not None  # noqa: S101 - a limit order has one
                yield self._fill(order, limit, at_ns)

    def now(self, price: Decimal, at_ns: int) -> Iterator[Outcome]:
        """Fill what waits at market: at the open, or where the engine saw the market just now."""
        waiting, self._market, self.at_market = self._market, [], False
        for order in waiting:
            yield self._at_market(order, price, at_ns)

    # -- money -------------------------------------------------------------------------------------

    def _at_market(self, order: _Working, price: Decimal, at_ns: int) -> Outcome:
        spec = order.spec
        price = self._slipped(spec.side, price)
        if spec.price is not None:
            missed = price > spec.price if spec.side is _BUY else price < spec.price
            if missed:
                return Outcome(order.cid, order.order_id, OrderState.EXPIRED, None)
        asset, needed = self._needs(spec, price)
        if needed > self.free.get(asset, ZERO):
            return self._refused(order, f"{plain(needed)} {asset} needed, {self._told(asset)} free")
        return self._fill(order, price, at_ns)

    def _fill(self, order: _Working, price: Decimal, at_ns: int) -> Outcome:
        if self._resting.pop(order.cid, None) is not None:
            self._release(order)
            self._look()
        spec, free, terms = order.spec, self.free, self.terms
        base, quote = self.instrument.base, self.instrument.quote
        value = price * spec.quantity
        sign = 1 if spec.side is _BUY else -1
        in_base = terms.fee_in == "base" and spec.side is _BUY
        fee_asset = base if in_base else quote
        fee = fee_of(spec.quantity if in_base else value, terms.fee_rate)
        free[base] = free.get(base, ZERO) + sign * spec.quantity
        free[quote] = free.get(quote, ZERO) - sign * value
        free[fee_asset] -= fee
        self._trades += 1
        fill = Fill(
            symbol=spec.symbol,
            side=spec.side,
            trade_id=str(self._trades),
            venue_order_id=str(order.order_id),
            cid=order.cid,
            quantity=spec.quantity,
            price=price,
            fee=fee,
            fee_asset=fee_asset,
            at_ns=at_ns,
        )
        return Outcome(order.cid, order.order_id, OrderState.FILLED, fill)

    def _needs(self, spec: OrderSpec, price: Decimal) -> tuple[str, Decimal]:
        """The asset that an order spends and how much of it, fee included."""
        if spec.side is _SELL:
            return self.instrument.base, spec.quantity
        value = price * spec.quantity
        if self.terms.fee_in == "quote":
            value += fee_of(value, self.terms.fee_rate)
        return self.instrument.quote, value

    def _slipped(self, side: Side, price: Decimal) -> Decimal:
        slippage = self.terms.slippage
        if not slippage:
            return price
        if side is _BUY:
            return self.instrument.ceil_price(price * (1 + slippage))
        return self.instrument.floor_price(price * (1 - slippage))

    def _release(self, order: _Working) -> None:
        spent = self.instrument.quote if order.spec.side is _BUY else self.instrument.base
        self.free[spent] += order.held

    def _refused(self, order: _Working, why: str) -> Outcome:
        return Outcome(order.cid, order.order_id, OrderState.REJECTED, None, why)

    def _told(self, asset: str) -> str:
        return plain(self.free.get(asset, ZERO))

    # -- which bars matter ---------------------------------------------------------------------

    def _through(self, spec: OrderSpec, low: Decimal, high: Decimal) -> bool:
        if spec.price is None or spec.type in _STOPS:
            return False
        if spec.side is _BUY:
            return low < spec.price * (1 - self.terms.margin)
        return high > spec.price * (1 + self.terms.margin)

    def _look(self) -> None:
        """Work out which bars can fill anything."""
        falls, rises = [_NEVER_FALLS], [_NEVER_RISES]
        for order in self._resting.values():
            spec = order.spec
            is_stop = spec.type in _STOPS
            trigger = spec.stop_price if is_stop else spec.price
            assert trigger is not None  # noqa: S101 - what rests has a price
            below = (spec.side is _BUY) is not is_stop
            (falls if below else rises).append(float(trigger))
        self.fall_to, self.rise_to = max(falls), min(rises)


def _jumped(spec: OrderSpec, price: Decimal) -> bool:
    """Whether a bar that opens at `price` has left the order's price behind."""
    if spec.type in _STOPS:
        assert spec.stop_price is not None  # noqa: S101 - a stop has one
        return price >= spec.stop_price if spec.side is _BUY else price <= spec.stop_price
    assert spec.price is not None  # noqa: S101 - what rests has a price
    return price < spec.price if spec.side is _BUY else price > spec.price


def _stopped(spec: OrderSpec, low: Decimal, high: Decimal) -> bool:
    if spec.type not in _STOPS:
        return False
    assert spec.stop_price is not None  # noqa: S101 - a stop has one
    return high >= spec.stop_price if spec.side is _BUY else low <= spec.stop_price

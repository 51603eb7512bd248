"""The risk gate: the only way from a proposed order to one that can be armed.

Lives here: the rules, each a small function with its reason. Limits bind what adds exposure; what
only reduces it is checked for holding, venue filters and price band. Not here: derivation.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

import msgspec

from holdfast.domain.action import Approved, Proposed, RiskRefused
from holdfast.domain.fact import BreakerState, HaltLevel
from holdfast.domain.instrument import TradingStatus
from holdfast.domain.limits import Limits
from holdfast.domain.money import ZERO, plain
from holdfast.domain.order import AttemptState, Side, TimeInForce
from holdfast.engine.rate import RateMeter
from holdfast.ledger.state import AccountState, once

# Members of an enum are slow to look up on Python 3.11, and every order meets these often.
_BUY: Final = Side.BUY
_SELL: Final = Side.SELL
_REJECTED: Final = AttemptState.REJECTED
_TRADING: Final = TradingStatus.TRADING
LOSS_DIGITS: Final = 8
"""Of a loss as it is told: measured in units, it has no last digit of its own."""
_UNKNOWN_EQUITY: Final = ("equity unknown", "a price for every holding")
_UNKNOWN_PROFIT: Final = ("profit unknown", "a price for what the bot pays with")

Why = tuple[str, str, str]  # rule, seen, limit
Rule = Callable[[Proposed, "Gate"], Why | None]


class Gate(msgspec.Struct):
    """What the rules may look at.

    Attributes:
        bot_limits, account_limits: both hold; the tighter one binds.
        prices: last price by symbol.
        pending: everything handed out for arming and not yet in the journal, by intent id.
        max_order_notional, price_band_pct: the tighter of both limits.
        bot_rate, account_rate: attempts armed lately.
        equity: tells the account's, None while it cannot be told.
        bot_loss: tells what the bot lost since 00:00 UTC, reporting units; negative when it won,
            None while it cannot be told.
        drawdown_pct: tells the bot's (True) or the account's, None while it cannot be told.
    """

    account: AccountState
    bot_limits: Limits
    account_limits: Limits
    prices: dict[str, Decimal]
    pending: dict[str, Approved]
    bot_rate: RateMeter
    account_rate: RateMeter
    equity: Callable[[], Decimal | None]
    bot_loss: Callable[[], Decimal | None]
    drawdown_pct: Callable[[bool], Decimal | None]
    max_order_notional: Decimal | None = None
    price_band_pct: Decimal | None = None
    now_ns: int = 0
    limits: tuple[tuple[Limits, bool], ...] = ()
    always: tuple[Rule, ...] = ()
    adding: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        """Both sets of limits, each with whether it is the bot's; and the rules that they need."""
        self.limits = ((self.bot_limits, True), (self.account_limits, False))
        self.always = tuple(rule for rule, limit in _ALWAYS if self._has(limit))
        self.adding = tuple(rule for rule, limit in (*_ALWAYS, *_ADDING) if self._has(limit))

    def _has(self, limit: str) -> bool:
        """Whether the bot or the account has this limit; rules without one always hold."""
        return not limit or any(getattr(each, limit) not in {None, ()} for each, _ in self.limits)


def check(order: Proposed, gate: Gate) -> Approved | RiskRefused:
    """Approve an order with its reservation, or refuse it with the first rule it breaks."""
    for rule in gate.always if order.reduces else gate.adding:
        why = rule(order, gate)
        if why is not None:
            return RiskRefused(order, *why)
    spec = order.spec
    base, quote = spec.symbol.split("/")
    if spec.side is _BUY:
        return Approved(order, quote, spec.quantity * order.price)
    return Approved(order, base, spec.quantity)


def is_hopeless(sale: Proposed, gate: Gate) -> bool:
    """Whether a sale would be refused even if nothing else had set aside what it sells."""
    return any(rule is not _holding_covers and rule(sale, gate) for rule in gate.always)


def _symbol_allowed(order: Proposed, gate: Gate) -> Why | None:
    for limits, _ in gate.limits:
        if limits.symbols and order.spec.symbol not in limits.symbols:
            return "symbols", order.spec.symbol, ", ".join(limits.symbols)
    return None


def _instrument_trades(order: Proposed, gate: Gate) -> Why | None:
    instrument = gate.account.instruments.get(order.spec.symbol)
    if instrument is None:
        return "instrument", order.spec.symbol, "a symbol that the venue lists"
    if instrument.status is not _TRADING:
        return "instrument", f"{order.spec.symbol} {instrument.status}", "TRADING"
    return None


def _fits_filters(order: Proposed, gate: Gate) -> Why | None:
    price = gate.prices.get(order.spec.symbol)
    if price is None:
        return "price", "no price yet", f"a price of {order.spec.symbol}"
    instrument = gate.account.instruments[order.spec.symbol]
    for spec in order.specs:
        fault = instrument.fault(spec.quantity, spec.price, price)
        if fault:
            return "filters", fault, "the venue's filters"
    return None


def _in_price_band(order: Proposed, gate: Gate) -> Why | None:
    """A limit may not lie further on the losing side of the market than the band."""
    limit = order.spec.price
    if limit is None or gate.price_band_pct is None:
        return None
    market = gate.prices[order.spec.symbol]
    width = market * gate.price_band_pct / 100
    if order.spec.side is _BUY and limit > market + width:
        return "price_band", plain(limit), f"at most {plain(market + width)}"
    if order.spec.side is _SELL and limit < market - width:
        return "price_band", plain(limit), f"at least {plain(market - width)}"
    return None


def _holding_covers(order: Proposed, gate: Gate) -> Why | None:
    """Sells never exceed what is confirmed less all sells open, on their way or in doubt.

    Neither of the account, nor of the bot: it may not sell what another bot bought.
    """
    spec = order.spec
    if spec.side is not _SELL:
        return None
    base = spec.symbol.split("/")[0]
    free = gate.account.free(base) - _pending_reserve(gate, base)
    own = gate.account.bots[order.bot].position(spec.symbol).quantity
    for live in once(gate.account.live.values()):
        other = live.armed.spec
        if live.armed.bot == order.bot and other.symbol == spec.symbol and other.side is _SELL:
            own -= live.outstanding
    for pending in gate.pending.values():
        other = pending.order.spec
        if pending.order.bot == order.bot and other.symbol == spec.symbol and other.side is _SELL:
            own -= other.quantity
    free = max(min(free, own), ZERO)
    if spec.quantity > free:
        return "holding", plain(spec.quantity), f"{plain(free)} {base} free"
    return None


def _not_halted(order: Proposed, gate: Gate) -> Why | None:
    account = gate.account
    bot = account.bots[order.bot]
    if bot.draining:
        return "draining", "a bot that drains", f"`holdfast bot start {order.bot}`"
    reason = account.halted or bot.halted
    return (
        ("halted", reason, "a trading account and bot; run `holdfast resume`") if reason else None
    )


def _may_rest(order: Proposed, gate: Gate) -> Why | None:
    """From level `cancel` on, nothing rests but what protects a position."""
    level = gate.account.halt(order.bot)
    if level is None or level is HaltLevel.ENTRIES:
        return None
    spec = order.spec
    if order.mate is not None or spec.price is None or spec.time_in_force is TimeInForce.IOC:
        return None  # the list of a stop, a stop, or over at once
    return "halted", f"level {level}", "no order that rests; run `holdfast resume`"


def _venue_answers(_order: Proposed, gate: Gate) -> Why | None:
    """An exchange that fails is left alone with what adds exposure; all else goes on."""
    if gate.account.in_maintenance:
        return "maintenance", "the exchange is under maintenance", "an exchange that is open"
    for endpoint, state in gate.account.breakers.items():
        if state is BreakerState.OPEN:
            return "circuit_breaker", f"{endpoint} requests fail", "an exchange that answers"
    return None


def _not_quarantined(order: Proposed, gate: Gate) -> Why | None:
    """Nothing is added to what is not what the exchange says it is."""
    if why := gate.account.quarantined(order.spec.symbol):
        return "quarantine", why, "an explanation; run `holdfast reconcile`"
    return None


def _no_doubt(order: Proposed, gate: Gate) -> Why | None:
    """Nothing adds exposure to a symbol while an order on it is in doubt or may yet be."""
    for live in gate.account.orders(order.spec.symbol):
        if live.in_doubt:
            return "doubt", f"attempt {live.armed.cid} in doubt", "no doubt on the symbol"
        if (
            live.state is _REJECTED
            and live.armed.bot == order.bot
            and live.armed.spec.side is order.spec.side
        ):
            return "doubt", f"rejection of {live.armed.cid} is provisional", "its horizon to pass"
    return None


def _order_notional(order: Proposed, gate: Gate) -> Why | None:
    most = gate.max_order_notional
    if most is not None and (notional := order.spec.quantity * order.price) > most:
        return "max_order_notional", plain(notional), plain(most)
    return None


def _position_notional(order: Proposed, gate: Gate) -> Why | None:
    """In-doubt and open quantities count as filled."""
    symbol = order.spec.symbol
    for limits, own in gate.limits:
        most = limits.max_position_notional
        if most is None:
            continue
        bots = (order.bot,) if own else gate.account.bots
        quantity = order.spec.quantity
        for bot in bots:
            quantity += gate.account.bots[bot].position(symbol).quantity
        for live in gate.account.live.values():
            spec = live.armed.spec
            if spec.symbol == symbol and spec.side is _BUY and live.armed.bot in bots:
                quantity += live.outstanding
        for approved in gate.pending.values():
            spec = approved.order.spec
            if spec.symbol == symbol and spec.side is _BUY and approved.order.bot in bots:
                quantity += spec.quantity
        if quantity * gate.prices[symbol] > most:
            return "max_position_notional", plain(quantity * gate.prices[symbol]), plain(most)
    return None


def _open_orders(order: Proposed, gate: Gate) -> Why | None:
    for limits, own in gate.limits:
        most = limits.max_open_orders
        if most is None:
            continue
        count = len(gate.account.live) + len(gate.pending)
        if own:
            count -= sum(1 for o in gate.account.live.values() if o.armed.bot != order.bot)
            count -= sum(1 for p in gate.pending.values() if p.order.bot != order.bot)
        if count >= most:
            return "max_open_orders", str(count + 1), str(most)
    return None


def _order_rate(order: Proposed, gate: Gate) -> Why | None:
    for limits, own in gate.limits:
        most = limits.max_orders_per_minute
        if most is None:
            continue
        count = (gate.bot_rate if own else gate.account_rate).count(gate.now_ns)
        count += len(gate.pending)
        if own:
            count -= sum(1 for p in gate.pending.values() if p.order.bot != order.bot)
        if count >= most:
            return "max_orders_per_minute", str(count + 1), str(most)
    return None


def _daily_loss(_order: Proposed, gate: Gate) -> Why | None:
    for limits, own in gate.limits:
        most = limits.max_daily_loss
        if most is None:
            continue
        equity = gate.equity()
        if equity is None:
            return "max_daily_loss", *_UNKNOWN_EQUITY
        loss = gate.bot_loss() if own else gate.account.units.day_loss(equity)
        if loss is None:
            return "max_daily_loss", *_UNKNOWN_PROFIT
        if loss >= most:
            return "max_daily_loss", plain(round(loss, LOSS_DIGITS)), plain(most)
    return None


def _drawdown(_order: Proposed, gate: Gate) -> Why | None:
    for limits, own in gate.limits:
        most = limits.max_drawdown_pct
        if most is None:
            continue
        drawdown = gate.drawdown_pct(own)
        if drawdown is None and gate.equity() is not None:
            return "max_drawdown_pct", *_UNKNOWN_PROFIT
        if drawdown is None:
            return "max_drawdown_pct", *_UNKNOWN_EQUITY
        if drawdown >= most:
            return "max_drawdown_pct", f"{drawdown:.2f} %", f"{plain(most)} %"
    return None


def _cash_covers(order: Proposed, gate: Gate) -> Why | None:
    """Cash that is reserved for open orders and doubts, account-wide, is not there."""
    quote = order.spec.symbol.split("/")[1]
    need = order.spec.quantity * order.price
    free = gate.account.free(quote) - _pending_reserve(gate, quote)
    if need > free:
        return "balance", plain(need), f"{plain(max(free, ZERO))} {quote} free"
    return None


def _pending_reserve(gate: Gate, asset: str) -> Decimal:
    pending = gate.pending
    if not pending:
        return ZERO
    return sum((p.reserve for p in pending.values() if p.reserve_asset == asset), ZERO)


# Each with the limit that it checks, and is left out without; "" for what always holds.
_ALWAYS: Final[tuple[tuple[Rule, str], ...]] = (
    (_symbol_allowed, "symbols"),
    (_instrument_trades, ""),
    (_fits_filters, ""),
    (_in_price_band, "price_band_pct"),
    (_holding_covers, ""),
    (_may_rest, ""),
)
_ADDING: Final[tuple[tuple[Rule, str], ...]] = (
    (_not_halted, ""),
    (_venue_answers, ""),
    (_not_quarantined, ""),
    (_no_doubt, ""),
    (_order_notional, "max_order_notional"),
    (_position_notional, "max_position_notional"),
    (_open_orders, "max_open_orders"),
    (_order_rate, "max_orders_per_minute"),
    (_daily_loss, "max_daily_loss"),
    (_drawdown, "max_drawdown_pct"),
    (_cash_covers, ""),
)

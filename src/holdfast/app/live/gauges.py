"""How an account is now, set from its fold and its lines whenever numbers are collected.

A follower tells how fresh and how near to leading it is; only a leader tells of orders and money,
so that a standby's older view never stands beside it. Not here: what is counted (counting).
"""

from __future__ import annotations

import time
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from holdfast.app.live.activity import condition
from holdfast.app.live.counting import Counts
from holdfast.domain.fact import BreakerState, HaltLevel
from holdfast.domain.money import ZERO
from holdfast.execution.breaker import Endpoint
from holdfast.telemetry.catalogue import node, trading

if TYPE_CHECKING:
    from holdfast.app.live.follower import Follower
    from holdfast.app.live.trader import Trader

CONDITIONS: Final = ("running", "draining", "halted", "stopped", "failed")
_LEVELS: Final = {None: 0} | {level: n for n, level in enumerate(HaltLevel, 1)}
_BREAKERS: Final = {BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}


def tell_follower(counts: Counts, follower: Follower) -> None:
    """What is known while following, and while leading as well."""
    meter, account = counts.meter, follower.account
    exchange = follower.config.account.venue.kind
    meter.gauge(node.EPOCH).set(account.epoch)
    meter.gauge(node.SEQUENCE).set(account.seq)
    meter.gauge(node.STREAM_UP).set(follower.stream_is_up, (exchange,))
    meter.gauge(node.KEY_TAKEN).set(follower.keys.is_taken, (exchange,))
    for limit, left in follower.venue.gate.left().items():
        meter.gauge(node.RATE_BUDGET).set(left, (exchange, limit))
    clock = follower.clock
    if clock.sample_ms:
        meter.gauge(node.CLOCK_AGE).set(clock.age_s, (exchange,))
        width_s = (clock.latest_ms() - clock.earliest_ms()) / 1000
        meter.gauge(node.CLOCK_UNCERTAINTY).set(width_s, (exchange,))
        off_s = clock.off_ms(time.time() * 1000) / 1000
        meter.gauge(node.CLOCK_OFFSET).set(off_s, (exchange,))
    now_s = time.monotonic()
    for bot in follower.bots:
        oldest_s = min(follower.heard_s.get(symbol, follower.began_s) for symbol in bot.symbols)
        meter.gauge(node.DATA_AGE).set(now_s - oldest_s, (bot.name,))


def tell_leader(counts: Counts, trader: Trader) -> None:
    """What only a leader knows for certain."""
    _tell_orders(counts, trader)
    _tell_bots(counts, trader)
    _tell_money(counts, trader)


def _tell_orders(counts: Counts, trader: Trader) -> None:
    meter, account = counts.meter, trader.account
    exchange = trader.config.account.venue.kind
    doubts = [order for order in account.live.values() if order.in_doubt]
    working = sum(order.is_working for order in account.live.values())
    meter.gauge(trading.ORDERS_OPEN).set(working)
    meter.gauge(trading.ORDERS_IN_DOUBT).set(len(doubts))
    now_ms = trader.clock.latest_ms()
    oldest_ms = min((order.armed.timestamp_ms for order in doubts), default=now_ms)
    meter.gauge(trading.DOUBT_AGE).set(max(0, now_ms - oldest_ms) / 1000)
    meter.gauge(trading.QUARANTINED).set(len(account.quarantine))
    meter.gauge(node.MAINTENANCE).set(account.in_maintenance, (exchange,))
    for endpoint in Endpoint:
        state = account.breakers.get(endpoint.value, BreakerState.CLOSED)
        meter.gauge(node.BREAKER_STATE).set(_BREAKERS.get(state, 0), (exchange, endpoint.value))
    meter.gauge(node.COMMIT_AGE).set(trader.stream.writer.fails_s)


def _tell_bots(counts: Counts, trader: Trader) -> None:
    meter, account = counts.meter, trader.account
    level = account.halt_level if account.halted else None
    meter.gauge(trading.HALT_LEVEL).set(_LEVELS[level], ("",))
    now_s = time.monotonic()
    for bot in trader.bots:
        meter.gauge(trading.HALT_LEVEL).set(_LEVELS[account.halt(bot.name)], (bot.name,))
        is_in = condition(account, bot.name)
        for each in CONDITIONS:
            meter.gauge(trading.BOT_CONDITION).set(each == is_in, (bot.name, each))
        asked_s = counts.asked_s.get(bot.name, trader.follower.began_s)
        meter.gauge(node.DECISION_AGE).set(now_s - asked_s, (bot.name,))


def _tell_money(counts: Counts, trader: Trader) -> None:
    meter, account, marks = counts.meter, trader.account, trader.engine.marks
    holders: dict[str, int] = {}
    for bot in trader.bots:
        found = account.bot(bot.name).positions
        for symbol in bot.symbols:
            position, price = found.get(symbol), marks.prices.get(symbol)
            held = position.quantity if position is not None else ZERO
            holders[symbol] = holders.get(symbol, 0) + (held > ZERO)
            meter.gauge(trading.POSITION).set(float(held), (bot.name, symbol))
            if price is None:
                continue
            labels = (bot.name, symbol, bot.quote)
            meter.gauge(trading.EXPOSURE).set(float(held * price), labels)
            pnl = position.pnl(price) if position is not None else ZERO
            meter.gauge(trading.POSITION_PNL).set(float(pnl), labels)
    for symbol, count in holders.items():
        meter.gauge(trading.POSITIONS).set(count, (symbol,))
        if symbol in marks.prices:
            meter.gauge(trading.PRICE).set(float(marks.prices[symbol]), (symbol,))
    equity = marks.equity()
    if equity is not None:
        _tell_equity(counts, trader, equity)


def _tell_equity(counts: Counts, trader: Trader, equity: Decimal) -> None:
    meter, account = counts.meter, trader.account
    currency = (account.reporting,)
    meter.gauge(trading.EQUITY).set(float(equity), currency)
    if account.units.units > ZERO:
        units = account.units
        meter.gauge(trading.UNIT_VALUE).set(float(units.price(equity)))
        meter.gauge(trading.DAILY_PNL).set(-float(units.day_loss(equity)), currency)
        drawdown = float(units.drawdown_pct(equity)) / 100
        meter.gauge(trading.DRAWDOWN).set(drawdown)

"""An account as people and programs see it: made of its fold and of prices when it is asked for.

Not here: orders (orders), what lies further back than the fold remembers (history).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec

from holdfast.api.shapes.accounts import Account
from holdfast.api.shapes.base import amount, amount_or_none
from holdfast.api.shapes.bots import Bot, BotCondition
from holdfast.api.shapes.limits import LimitsOut
from holdfast.api.shapes.market import Price
from holdfast.api.shapes.trading import Balance, Position
from holdfast.app.live.activity import activity_of, condition
from holdfast.app.reports.telling import legs_text
from holdfast.app.view.journals import Followed
from holdfast.app.view.prices import Seen, by_asset
from holdfast.config import Bot as WrittenBot
from holdfast.domain.limits import Limits
from holdfast.domain.money import ZERO
from holdfast.domain.timeframe import timeframe_text
from holdfast.journal.report_months import moment
from holdfast.ledger.state import AccountState, BotState

RATIO_DIGITS: Final = 8
"""Of averages and percentages, which have no last digit of their own."""

Last = Mapping[str, Seen]
"""The last price of each symbol."""


class Config(msgspec.Struct, frozen=True):
    """A bot's configuration as its journal keeps it."""

    strategy: str = ""
    symbol: str = ""
    symbols: tuple[str, ...] = ()
    timeframe_s: int = 60
    params: dict[str, Any] = {}
    limits: Limits = msgspec.field(default_factory=Limits)
    join_timeout_s: float = 5.0
    decide_budget_ms: float = 100.0

    @property
    def traded(self) -> tuple[str, ...]:
        """Its symbols, the primary one first."""
        return self.symbols or ((self.symbol,) if self.symbol else ())


def config_of(bot: BotState) -> Config:
    """What it runs with; empty before it first ran."""
    return msgspec.json.decode(bot.config, type=Config) if bot.config else Config()


def symbols_in(followed: Followed) -> set[str]:
    """Symbols whose price says something about the account."""
    state = followed.state
    found = {symbol for bot in state.bots.values() for symbol in config_of(bot).traded}
    held = {f"{asset}/{state.reporting}" for asset, amount_ in state.holdings.items() if amount_}
    return found | (held & set(state.instruments))


def account_of(followed: Followed, last: Last, leader: str | None, venue: str | None) -> Account:
    """The account in numbers.

    Args:
        leader: name of the live node that leads it.
        venue: whose protocol is spoken.
    """
    state = followed.state
    activity = activity_of(state, led=leader is not None)
    equity = state.equity(by_asset(last, state.reporting))
    day_pnl = drawdown = None
    if equity is not None and state.units.units:
        day_pnl = -state.units.day_loss(equity)
        drawdown = round(state.units.drawdown_pct(equity), RATIO_DIGITS)
    return Account(
        name=followed.name,
        venue=venue,
        leader=leader,
        epoch=state.epoch,
        seq=state.seq,
        trades=activity.trades,
        halt=state.halt_level if state.halted else None,
        reason=state.halted,
        in_maintenance=state.in_maintenance,
        breakers=activity.breakers,
        quarantine=activity.quarantine,
        in_doubt=sum(order.in_doubt for order in state.live.values()),
        resting=len(activity.resting),
        protecting=len(activity.protecting),
        reporting=state.reporting,
        equity=amount_or_none(equity),
        day_pnl=None if day_pnl is None else amount(round(day_pnl, RATIO_DIGITS)),
        exposure=amount_or_none(exposure_of(state, last)),
        drawdown_pct=amount_or_none(drawdown),
        heard_at=time_of(followed.leadership.last_ns),
    )


def exposure_of(state: AccountState, last: Last) -> Decimal | None:
    """Reporting units of all that is held beyond the reporting currency; None without a price."""
    marks = by_asset(last, state.reporting)
    total = ZERO
    for asset, held in state.holdings.items():
        if asset != state.reporting and held:
            if asset not in marks:
                return None
            total += held * marks[asset]
    return total


def balances_of(followed: Followed, last: Last) -> Iterator[Balance]:
    """What is not zero, by asset."""
    state = followed.state
    for asset, held in sorted(state.holdings.items()):
        if held:
            mark = _mark(asset, last, state.reporting)
            reserved = state.reserved(asset)
            yield Balance(
                account=followed.name,
                asset=asset,
                total=amount(held),
                free=amount(held - reserved),
                reserved=amount(reserved),
                value=None if mark is None else amount(held * mark),
            )


def positions_of(followed: Followed, last: Last, bot: str | None = None) -> Iterator[Position]:
    """Open ones, by bot and symbol."""
    for name, state in sorted(followed.state.present.items()):
        if bot is not None and name != bot:
            continue
        for symbol, position in sorted(state.positions.items()):
            if not position.quantity:
                continue
            seen, exits = last.get(symbol), state.exits.get(symbol)
            price = None if seen is None else seen.price
            value = None if price is None else position.quantity * price
            yield Position(
                account=followed.name,
                bot=name,
                symbol=symbol,
                quantity=amount(position.quantity),
                average_price=amount(round(position.average_price, RATIO_DIGITS)),
                price=amount_or_none(price),
                value=amount_or_none(value),
                pnl=None if price is None else amount(position.pnl(price)),
                unrealised=None if value is None else amount(round(value - position.cost, 8)),
                stop=amount_or_none(exits.stop if exits is not None else None),
                take_profit=amount_or_none(exits.take_profit if exits is not None else None),
            )


def bot_of(followed: Followed, name: str, last: Last, written: WrittenBot | None) -> Bot:
    """A bot of it.

    Args:
        written: what the configuration says, where there is one.
    """
    state, bot = followed.state, followed.state.bot(name)
    config = config_of(bot)
    pnl, value = _profit(bot, last), _value(bot, last)
    symbols = config.traded or (written.symbols if written is not None else ())
    quote = symbols[0].split("/")[1] if symbols else state.reporting
    mark = _mark(quote, last, state.reporting)
    begun = state.units.day_pnl.get(name, ZERO)  # reporting units
    day_pnl = None if pnl is None or mark is None else pnl - begun / mark
    timeframe = timeframe_text(config.timeframe_s)
    return Bot(
        account=followed.name,
        name=name,
        strategy=config.strategy or (written.strategy if written is not None else ""),
        symbols=symbols,
        timeframe=timeframe if config.strategy or written is None else written.timeframe,
        condition=BotCondition(condition(state, name)),
        reason=bot.failed or bot.halted or (state.halted if bot.running else ""),
        halt=state.halt(name),
        config_version=bot.config_version,
        decisions=bot.number,
        wish=legs_text(bot.legs) if bot.number else "",
        pnl=amount_or_none(pnl),
        day_pnl=None if day_pnl is None else amount(round(day_pnl, RATIO_DIGITS)),
        value=amount_or_none(value),
        quote=quote,
        decided_at=time_of(bot.decided_ns),
    )


def _profit(bot: BotState, last: Last) -> Decimal | None:
    total = ZERO
    for symbol, position in bot.positions.items():
        seen = last.get(symbol)
        if seen is None and position.quantity:
            return None
        total += position.cash if seen is None else position.pnl(seen.price)
    return total


def _mark(asset: str, last: Last, reporting: str) -> Decimal | None:
    """Reporting units per unit of an asset."""
    if asset == reporting:
        return Decimal(1)
    seen = last.get(f"{asset}/{reporting}")
    return None if seen is None else seen.price


def _value(bot: BotState, last: Last) -> Decimal | None:
    total = ZERO
    for symbol, position in bot.positions.items():
        if position.quantity:
            if symbol not in last:
                return None
            total += position.quantity * last[symbol].price
    return total


def limits_of(limits: Limits) -> LimitsOut:
    """Limits as they go over the wire."""
    return LimitsOut(
        max_order_notional=amount_or_none(limits.max_order_notional),
        max_position_notional=amount_or_none(limits.max_position_notional),
        max_open_orders=limits.max_open_orders,
        price_band_pct=amount_or_none(limits.price_band_pct),
        max_orders_per_minute=limits.max_orders_per_minute,
        max_daily_loss=amount_or_none(limits.max_daily_loss),
        max_drawdown_pct=amount_or_none(limits.max_drawdown_pct),
        symbols=limits.symbols,
    )


def price_of(symbol: str, seen: Seen) -> Price:
    """A price as it goes over the wire."""
    return Price(
        symbol=symbol,
        price=amount(seen.price),
        at=moment(seen.at_ns),
        age_s=round(time.monotonic() - seen.seen_s, 3),
    )


def time_of(at_ns: int) -> datetime | None:
    """A moment; None for 0."""
    return moment(at_ns) if at_ns else None


def now() -> datetime:
    """This moment."""
    return moment(time.time_ns())

"""Bots from their configuration, and where they go on: with what was kept, else from their anchor.

Not here: feeding them (trader), what they derive (engine.derived).
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager

import msgspec

from holdfast.app.live.budget import Budget
from holdfast.app.live.configuring.in_effect import config_text
from holdfast.app.live.history import LONGEST_HISTORY_BARS
from holdfast.config import Bot
from holdfast.domain.market import NS_PER_S
from holdfast.domain.timeframe import timeframe_s
from holdfast.engine.bot import BotRuntime
from holdfast.engine.derived import Derived, derived_of, go_on, read_derived
from holdfast.strategy.load import create
from holdfast.telemetry.log import get_logger

log = get_logger("app.bots")


def make_bot(written: Bot, guard: AbstractContextManager[object] | None = None) -> BotRuntime:
    """A bot from its configuration.

    Args:
        guard: entered whenever code of the strategy's author runs.

    Raises:
        ConfigError: the strategy or its parameters are unusable.
    """
    return BotRuntime(
        written.name,
        create(written.strategy, written.params),
        symbols=written.symbols,
        join_timeout_s=written.join_timeout_s,
        timeframe_s=timeframe_s(written.timeframe),
        limits=written.limits,
        ask=Budget(written.name, written.decide_budget_ms / 1000).ask,
        guard=guard,
    )


def symbols_of(bots: Iterable[BotRuntime]) -> tuple[str, ...]:
    """All that they trade, each once."""
    return tuple(dict.fromkeys(symbol for bot in bots for symbol in bot.symbols))


def all_derived(bots: Iterable[tuple[BotRuntime, Bot]]) -> dict[str, msgspec.Raw]:
    """What bots have derived from bars by now, as far as it can be kept, by name."""
    derived = ((bot.name, derived_of(bot, config_text(bot, written))) for bot, written in bots)
    return {name: body for name, body in derived if body is not None}


def take_up(bot: BotRuntime, written: Bot, body: msgspec.Raw | None, now_ns: int) -> bool:
    """Let a bot that has seen no bar yet go on where another process left it; whether it does.

    It begins anew when the configuration has changed, what was kept cannot be read, or so many bars
    have closed since that nobody asks for all of them.
    """
    kept = read_derived(body) if body is not None else None
    if kept is None or not _is_near(bot, kept, now_ns) or kept.config != config_text(bot, written):
        return False
    try:
        go_on(make_bot(written), kept)  # tried on another one: half a state must not be left behind
    except ValueError as error:
        log.warning("indicators begin anew", action="anew", bot=bot.name, why=str(error))
        return False
    go_on(bot, kept)
    log.info("indicators go on", action="go_on", bot=bot.name, seen_ns=kept.decides_ns)
    return True


def _is_near(bot: BotRuntime, kept: Derived, now_ns: int) -> bool:
    if set(kept.bars) != set(bot.symbols):
        return False
    oldest_ns = min(bar.close_ns for bar in kept.bars.values())
    return now_ns - oldest_ns <= LONGEST_HISTORY_BARS * bot.timeframe_s * NS_PER_S

"""The emergency flatten of an account, joined: its key, its exchange, and this host's file.

Not here: what is sent (execution.emergency).
"""

from __future__ import annotations

import time
from decimal import Decimal
from functools import partial
from pathlib import Path

from holdfast.app.live.activity import is_led
from holdfast.app.live.keys import key_of
from holdfast.app.live.lines import endpoints_of
from holdfast.config import Config
from holdfast.domain.order import deployment_tag
from holdfast.errors import ConfigError, PlatformError
from holdfast.execution.clock import ExchangeClock
from holdfast.execution.emergency import Emergency, EmergencyFile, Line
from holdfast.execution.recorder import Recorder
from holdfast.journal.database import database_at
from holdfast.venues.binance.client import BinanceVenue
from holdfast.venues.binance.inspection import last_price


def emergency_file(config: Config) -> EmergencyFile:
    """Of one account, at this host."""
    return EmergencyFile(Path(config.state_dir) / f"{config.account.name}.emergency")


async def merge_emergency(config: Config, recorder: Recorder) -> None:
    """Tell the journal what this host did without it; the account is halted until it is resumed.

    What executed has been booked from the exchange's own word before this.
    """
    file = emergency_file(config)
    facts = file.merge_facts()
    if facts:
        await recorder.record(*facts)
        file.append(Line(what="merged"))


async def flatten_without_journal(
    config: Config, *, by: str, cap_pct: Decimal
) -> dict[str, Decimal]:
    """Take back our orders and sell what is free of every bot's symbols; what is left, by symbol.

    Args:
        config: of one account.

    Raises:
        ConfigError: a node trades the account: it can do this with its journal.
        RejectedError, RetryableError: as `Emergency.flatten`.
    """
    _refuse_beside_a_node(config)
    account = config.account
    endpoints = endpoints_of(account.venue)
    venue = BinanceVenue(key_of(account), endpoints)

    symbols = {symbol for bot in config.bots for symbol in bot.symbols}
    try:
        listed = await venue.instruments(sorted(symbols))
        return await Emergency(
            account=account.name,
            tag=deployment_tag(config.deployment),
            by=by,
            venue=venue,
            clock=ExchangeClock(time.monotonic_ns),
            file=emergency_file(config),
            price=partial(last_price, venue),
            cap_pct=cap_pct,
        ).flatten(each for each in listed if each.symbol in symbols)
    finally:
        await venue.close()


def _refuse_beside_a_node(config: Config) -> None:
    database = database_at(
        config.database_url, Path(config.state_dir), may_lose=config.may_lose_commits
    )
    try:
        database.require()
        database.version()
        led = is_led(database, config.account.name)
    except PlatformError:
        return  # the journal is gone, which is what this is for
    if led:
        raise ConfigError(
            f"seen: {database.name} answers, and a node trades {config.account.name}; expected: no "
            "journal, or no node; do: `holdfast halt --level flatten`"
        )

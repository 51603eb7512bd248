"""The ports of the API, made of what an installation has.

Not here: serving it (serve), what each port does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from holdfast.api.ports import Ports, Probe, Rates
from holdfast.api.rates import MemoryRates
from holdfast.app.jobs.installation import board_of, rows_of
from holdfast.app.notify.numbers import NotifyNumbers
from holdfast.app.notify.own import OwnNotifications
from holdfast.app.view.open import viewing
from holdfast.app.web.commands import JournalCommands
from holdfast.app.web.exchange_accounts import KeptExchangeAccounts
from holdfast.app.web.probes import DatabaseProbe
from holdfast.app.web.signals import SignalDoor
from holdfast.app.web.strike import NodeStriker
from holdfast.app.web.told_settings import ToldSettings
from holdfast.config import Config
from holdfast.config.api import redis_url
from holdfast.config.environment import with_aliases
from holdfast.config.identity import identity_settings
from holdfast.errors import ConfigError
from holdfast.journal.database import Database, SqliteDatabase
from holdfast.journal.pool_metrics import tell_pool
from holdfast.platform.identity.service import IdentityService
from holdfast.platform.port import PlatformStore
from holdfast.platform.requests.store import KeptRequests
from holdfast.telemetry.meter import Meter
from holdfast.telemetry.metrics import AuthMetrics


@asynccontextmanager
async def joined(config: Config, meter: Meter, file: Path | None = None) -> AsyncIterator[Ports]:
    """All ports, until the context ends; a database is made where there is none.

    Args:
        meter: of the event loop, where what they do is counted.
        file: that the configuration was read from; None is the working directory's.

    Raises:
        ConfigError: wrong settings, or a database of another schema.
        RetryableError: it does not answer.
    """
    async with AsyncExitStack() as stack:
        view = await stack.enter_async_context(viewing(config, meter=meter))
        tell_pool(meter, view.database.pool)
        store = await asyncio.to_thread(_platform, view.database)
        stack.callback(store.close)
        numbers = asyncio.create_task(NotifyNumbers(store, meter).run())
        stack.callback(numbers.cancel)
        auth = AuthMetrics(meter)
        store.on_noted = auth.heard
        identity = IdentityService(store, identity_settings(with_aliases()))
        commands = JournalCommands(view.database, store, config)
        accounts = KeptExchangeAccounts(config, store, view.model)
        learning = asyncio.create_task(accounts.run())
        stack.callback(learning.cancel)
        rates, redis = _rates(config, stack, meter)
        jobs = rows_of(config)
        stack.callback(jobs.close)
        yield Ports(
            identity=identity,
            audit=identity.audit,
            requests=KeptRequests(store),
            reads=view.reads,
            feeds=view.feeds,
            commands=commands,
            exchange_accounts=accounts,
            signals=SignalDoor(config, commands),
            jobs=board_of(config, jobs),
            notifications=OwnNotifications(store, config.notify),
            rates=rates,
            settings=ToldSettings(config, file),
            database=DatabaseProbe(store),
            redis=redis,
            striker=NodeStriker(view.reads) if config.api.demo else None,
        )


def _platform(database: Database) -> PlatformStore:
    """The platform's tables, made with all the others where there are none."""
    is_new = isinstance(database, SqliteDatabase) and not database.name.exists()
    if is_new or database.version() is None:
        if isinstance(database, SqliteDatabase):
            Path(database.name).parent.mkdir(parents=True, exist_ok=True)
        database.upgrade()
    return database.platform()


def _rates(
    config: Config, stack: AsyncExitStack, meter: Meter
) -> tuple[Rates, Probe | None]:
    """Counted in Redis where there is one, which is then a part of health; else in memory."""
    url = redis_url(config.api)
    if not url:
        return MemoryRates(), None
    try:
        from holdfast.app.web.redis_rates import RedisRates  # noqa: PLC0415  # optional
    except ImportError as error:
        raise ConfigError(
            f"seen: an address of Redis, and no driver for it ({error}); expected: redis; do: "
            "pip install 'holdfast[redis]', or unset the variable"
        ) from error
    rates = RedisRates(url, config.deployment, meter=meter)
    stack.push_async_callback(rates.close)
    return rates, rates

"""The read model of a configuration, opened and kept running.

Not here: HTTP over it (app.web).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from holdfast.app.live.opening import database_of
from holdfast.app.view.candles import Candles
from holdfast.app.view.feeds import ViewFeeds
from holdfast.app.view.filling import keep_filling
from holdfast.app.view.history import History
from holdfast.app.view.model import Model
from holdfast.app.view.reads import ViewReads
from holdfast.app.view.recent import Recent
from holdfast.config import Config
from holdfast.config.api import redis_url
from holdfast.errors import ConfigError, RetryableError
from holdfast.journal.database import Database, database_at
from holdfast.telemetry.log import get_logger
from holdfast.telemetry.meter import Meter

if TYPE_CHECKING:
    from holdfast.platform.cache.redis import RedisCache

log = get_logger("app.view")

AGAIN_S: Final = 1.0


class View(msgspec.Struct, frozen=True):
    """The read model, as the API is given it."""

    model: Model
    reads: ViewReads
    feeds: ViewFeeds
    database: Database


@asynccontextmanager
async def viewing(
    config: Config, *, fills: bool = True, meter: Meter | None = None
) -> AsyncIterator[View]:
    """Follow everything that a configuration names; it ends on the way out.

    It starts beside a node or before it: what is not there yet is looked for again.

    Args:
        fills: keep a process beside this one that fills the tables of reports.
        meter: where calls to the cache are counted.

    Raises:
        ConfigError: an address is of no database that this program knows.
        Exception: a defect in one of its parts, which cancels whoever is inside.
    """
    database = database_of(config)
    replica = _replica_of(config)
    model = Model(config, database)
    history = History(
        database, config.reports, model.journals,
        replica=replica, most_lag_s=config.replica_lag_s,
    )  # fmt: skip
    cache = _cache_of(config, meter)
    charts = Candles(cache)
    feeds, recent = ViewFeeds(model, database), Recent(model)
    parts = [model.run(), feeds.run(), history.run(), recent.run(), _make_tables(config, database)]
    if fills:
        parts.append(keep_filling(config))
    inside = asyncio.current_task()
    running = [asyncio.create_task(part) for part in parts]
    for task in running:
        task.add_done_callback(lambda done: _end_with(done, inside))
    try:
        reads = ViewReads(model, history, recent, charts, Path(config.jobs.data_dir))
        yield View(model, reads, feeds, database)
    finally:
        for task in running:
            task.cancel()
        ended = await asyncio.gather(*running, return_exceptions=True)
        await charts.close()
        if cache is not None:
            await cache.close()
        await history.close()
        for one in (database, replica):
            if one is not None:
                await asyncio.to_thread(one.close)
        for outcome in ended:
            if isinstance(outcome, Exception):
                raise outcome


def _end_with(part: asyncio.Task[None], inside: asyncio.Task[object] | None) -> None:
    """What cannot go on must not look as if it did."""
    if inside is not None and not part.cancelled() and part.exception() is not None:
        inside.cancel()


def _cache_of(config: Config, meter: Meter | None) -> RedisCache | None:
    url = redis_url(config.api)
    if not url:
        return None
    try:
        from holdfast.platform.cache.redis import RedisCache  # noqa: PLC0415  # optional
    except ImportError as error:
        raise ConfigError(
            f"seen: an address of Redis, and no driver for it ({error}); expected: redis; do: "
            "pip install 'holdfast[redis]', or unset the variable"
        ) from error
    return RedisCache(url, config.deployment, meter=meter)


def _replica_of(config: Config) -> Database | None:
    if not config.database_replica_url:
        return None
    state = Path(config.state_dir)
    return database_at(config.database_replica_url, state, pool=config.database_pool)


async def _make_tables(config: Config, database: Database) -> None:
    """Make the tables of reports where nobody has filled any yet, so that they can be asked."""

    def make() -> None:
        database.require()
        reports = database.reports(config.reports)
        try:
            reports.make(time.time_ns())
        finally:
            reports.close()

    while True:
        try:
            await asyncio.to_thread(make)
        except (RetryableError, ConfigError) as error:
            log.info("reports are not there yet", action="reports_wait", why=str(error))
            await asyncio.sleep(AGAIN_S)
        else:
            return

"""`holdfast notify serve`: the process that tells people, and listens to their chats.

A process of its own: what it waits for, and the secrets of channels, are nowhere near trading or
the API. Any number may run; one works, and the others take over. Not here: its parts.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, closing
from functools import partial
from typing import Final

import msgspec

from holdfast.app.notify.channels import Channels
from holdfast.app.notify.claim import Claim
from holdfast.app.notify.desk import Desk
from holdfast.app.notify.follow import Follower
from holdfast.app.notify.watch import Watch
from holdfast.app.view.open import View, viewing
from holdfast.app.web.commands import JournalCommands
from holdfast.config import Config, resolve
from holdfast.config.identity import identity_settings
from holdfast.errors import FencedError
from holdfast.operations.notify.deliver import Delivery
from holdfast.operations.notify.telegram import Bot
from holdfast.platform.identity.sealing import Sealer
from holdfast.platform.port import PlatformStore
from holdfast.secrets.candidates import candidates
from holdfast.telemetry.log import get_logger

log = get_logger("app.notify")

READ_S: Final = 0.05
_LISTENS: Final = "tells and listens"


class Serving(msgspec.Struct, frozen=True):
    """What it does.

    Attributes:
        channels: names.
        telegram: `tells`, `tells and listens`, or empty without a bot.
    """

    channels: Sequence[str]
    telegram: str


def run_notifier(config: Config, told: Callable[[Serving], None]) -> None:
    """Tell people until SIGTERM or SIGINT.

    Args:
        told: is called once, when this process is the one that tells.

    Raises:
        ConfigError: it cannot work as it is told to.
        RetryableError: the database does not answer.
    """
    asyncio.run(_run(config, told))


async def _run(config: Config, told: Callable[[Serving], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    serving = asyncio.create_task(serve(config, told))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        serving.cancel()
        outcome = (await asyncio.gather(serving, return_exceptions=True))[0]
    if isinstance(outcome, Exception):
        raise outcome


async def serve(config: Config, told: Callable[[Serving], None] = lambda _: None) -> None:
    """Tell people until cancelled; stands by while another process does.

    Raises: as `run_notifier`.
    """
    settings = config.notify
    async with AsyncExitStack() as stack:
        bot = None
        if settings.telegram is not None:
            token = settings.telegram.token
            tokens = partial(candidates, token, purpose="the bot of Telegram")
            first = await asyncio.to_thread(resolve, token)
            bot = await stack.enter_async_context(Bot(settings.telegram.url, first, tokens))
        view = await stack.enter_async_context(viewing(config, fills=False))
        view.database.require()
        store = stack.enter_context(closing(view.database.platform()))
        while True:
            claim = Claim(store)
            await claim.acquire()
            told(Serving([one.name for one in settings.channels], _telegram(config)))
            try:
                await _tell(config, view, store, claim, bot)
            except* FencedError as error:
                log.warning("another process took over", action="notify_fenced", why=str(error))
            finally:
                await asyncio.shield(claim.release())


async def _tell(
    config: Config, view: View, store: PlatformStore, claim: Claim, bot: Bot | None
) -> None:
    """Do all of it until the claim is lost."""
    settings, journals = config.notify, view.model.journals
    while not journals.is_reached:  # noqa: ASYNC110 - what is whose is read from there
        await asyncio.sleep(READ_S)
    channels = Channels(store, settings, bot)
    follower = Follower(view.database, store, claim, journals, settings)
    delivery = Delivery(store, claim.changing, channels.of, settings, config.deployment)
    watch = Watch(config, view.database, store, claim, journals)
    parts = [claim.keep(), follower.run(), delivery.run(), watch.run()]
    if bot is not None and _telegram(config) == _LISTENS:
        commands = JournalCommands(view.database, store, config)
        sealer = Sealer((await asyncio.to_thread(identity_settings)).sealing)
        parts.append(Desk(bot, store, claim, view.reads, commands, sealer=sealer).run())
    async with asyncio.TaskGroup() as group:
        for part in parts:
            group.create_task(part)


def _telegram(config: Config) -> str:
    found = config.notify.telegram
    if found is None:
        return ""
    return _LISTENS if found.listens else "tells"

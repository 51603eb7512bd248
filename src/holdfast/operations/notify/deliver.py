"""Delivering what waits: one message at a time to each subscription, each at its own pace.

A target that is down is tried less and less often, and said once; nobody else waits for it. What
waits meanwhile comes as one message. Not here: what waits (rows), the ways out (apprise, telegram).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

from holdfast.config.notify import NotifySettings
from holdfast.errors import ConfigError, RetryableError
from holdfast.operations.notify import rows
from holdfast.operations.notify.port import DeliveryError, Subscription
from holdfast.operations.notify.words import Text, compose
from holdfast.platform.port import Change, PlatformStore
from holdfast.telemetry.log import get_logger

log = get_logger("operations.notify")

T = TypeVar("T")

LOOK_S: Final = 0.25
SWEEP_S: Final = 30.0
STOP_S: Final = 5.0
FIRST_RETRY_S: Final = 2.0
LONGEST_RETRY_S: Final = 900.0
HELD_BACK: Final = 0.4
"""Of a minute's messages: what is not urgent leaves so many for what is."""

_S: Final = 1_000_000_000


class Channel(Protocol):
    """A way to one person."""

    async def send(self, text: Text) -> None:
        """Deliver a message.

        Raises:
            DeliveryError, ConfigError.
        """
        ...


class Pace:
    """How many messages a subscription may still be sent now: a bucket that fills evenly."""

    def __init__(self, per_minute: int, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._most = float(per_minute)
        self._clock_s = clock_s
        self._left = self._most
        self._at_s = clock_s()

    def take(self, *, urgent: bool) -> bool:
        """Take one, if there is one for such a message."""
        now_s = self._clock_s()
        self._left = min(self._most, self._left + (now_s - self._at_s) * self._most / 60.0)
        self._at_s = now_s
        kept = 0.0 if urgent else self._most * HELD_BACK
        if self._left - kept < 1.0:
            return False
        self._left -= 1.0
        return True


def retry_s(tries: int) -> float:
    """How long to wait after so many failures in a row, from 1."""
    return min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(tries - 1, 20))


class Delivery:
    """Delivers until it is cancelled; for the one process that holds the claim.

    Args:
        changing: commits a change if the claim is still held, and raises FencedError if not.
        channel_of: the way to the user of a subscription.
        deployment: names the installation in every message.
    """

    def __init__(
        self,
        store: PlatformStore,
        changing: Callable[[Callable[[Change], T]], Awaitable[T]],
        channel_of: Callable[[Subscription], Awaitable[Channel]],
        settings: NotifySettings,
        deployment: str,
    ) -> None:
        self._store = store
        self._changing: Callable[[Callable[[Change], object]], Awaitable[object]] = changing  # type: ignore[assignment]
        self._channel_of = channel_of
        self._settings = settings
        self._deployment = deployment
        self._paces: dict[str, Pace] = {}
        self._under_way: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Deliver until cancelled.

        Raises:
            FencedError: another process does.
        """
        sweep_s = 0.0
        try:
            while True:
                try:
                    await self.look()
                    if time.monotonic() >= sweep_s:
                        sweep_s = time.monotonic() + SWEEP_S
                        await self._give_up()
                except RetryableError as error:
                    log.warning("cannot look what waits", action="notify_wait", why=str(error))
                await asyncio.sleep(LOOK_S)
        finally:
            await asyncio.shield(self._rest())

    async def look(self) -> None:
        """Begin to deliver what may be delivered now.

        Raises:
            FencedError, RetryableError; what ended a delivery that should not have.
        """
        for subscription_id, task in list(self._under_way.items()):
            if task.done():
                del self._under_way[subscription_id]
                task.result()
        now_ns = time.time_ns()
        for to in await asyncio.to_thread(self._store.look, lambda look: rows.due(look, now_ns)):
            if to.subscription_id not in self._under_way:
                self._under_way[to.subscription_id] = asyncio.create_task(self._deliver(to))

    async def _rest(self) -> None:
        """Let what is on its way arrive, so that it need not come again."""
        under_way = list(self._under_way.values())
        if under_way:
            await asyncio.wait(under_way, timeout=STOP_S)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _deliver(self, to: Subscription) -> None:
        waiting = await asyncio.to_thread(
            self._store.look, lambda look: rows.messages(look, to.subscription_id)
        )
        pace = self._paces.setdefault(to.subscription_id, Pace(self._settings.per_minute))
        if not waiting or not pace.take(urgent=any(one.is_urgent for one in waiting)):
            return
        text, upto = compose(self._deployment, waiting, to.unsaid), waiting[-1].number
        await self._changing(lambda change: rows.begin(change, to.subscription_id, upto))
        try:
            channel = await self._channel_of(to)
            await channel.send(text)
        except (DeliveryError, ConfigError) as error:
            await self._failed(to, error)
            return
        await self._changing(
            lambda change: rows.delivered(change, to.subscription_id, upto, text.said)
        )
        if to.tries:
            log.info("delivered again", action="notify_again", subscription=to.subscription_id,
                     channel=to.channel, tries=to.tries)  # fmt: skip

    async def _failed(self, to: Subscription, error: DeliveryError | ConfigError) -> None:
        """Quiet but for the first time."""
        why = error.reason if isinstance(error, DeliveryError) else str(error)
        asked_s = getattr(error, "retry_after_s", None)
        wait_s = retry_s(to.tries + 1) if asked_s is None else float(asked_s)
        now_ns = time.time_ns()
        if not to.tries:
            log.warning("not delivered", action="notify_failed", subscription=to.subscription_id,
                        channel=to.channel, why=why, again_s=wait_s)  # fmt: skip
        next_ns = now_ns + round(wait_s * _S)
        await self._changing(lambda change: rows.failed(change, to, why, now_ns, next_ns))

    async def _give_up(self) -> None:
        before_ns = time.time_ns() - self._settings.keep_hours * 3600 * _S
        lost = await self._changing(lambda change: rows.give_up(change, before_ns))
        if lost:
            log.error("notices lost", action="notify_lost", lost=lost)

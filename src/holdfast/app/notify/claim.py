"""Being the one process that tells people: a row that is renewed, and proved by every change.

It is a row and no lease of the cluster's, because what it guards are rows of the same database: a
change and the proof that it may be made are one transaction. Not here: what is told.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Callable
from typing import Final, TypeVar

from holdfast.errors import FencedError, RetryableError
from holdfast.operations.notify import rows
from holdfast.platform.port import Change, PlatformStore
from holdfast.telemetry.log import get_logger

log = get_logger("app.notify")

T = TypeVar("T")

TTL_S: Final = 15.0
RENEW_S: Final = 4.0
LOOK_S: Final = 1.0

_S: Final = 1_000_000_000


class Claim:
    """This process's, for one event loop.

    Attributes:
        holder: what it is called in the database.

    Args:
        now_ns: the clock that claims end by; hosts may differ by some seconds.
    """

    def __init__(
        self,
        store: PlatformStore,
        now_ns: Callable[[], int] = time.time_ns,
        ttl_s: float = TTL_S,
    ) -> None:
        self._store = store
        self._now_ns = now_ns
        self._ttl_ns = round(ttl_s * _S)
        self.holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    async def acquire(self) -> None:
        """Wait until nobody else has it, and take it."""
        said = False
        while True:
            try:
                if await asyncio.to_thread(self._store.change, self._claim):
                    log.info("tells people", action="notify_claim", holder=self.holder)
                    return
                if not said:
                    log.info("another process tells people", action="notify_stand_by")
                said = True
            except RetryableError as error:
                log.warning("claim not read", action="notify_wait", why=str(error))
            await asyncio.sleep(LOOK_S)

    async def keep(self) -> None:
        """Renew it until cancelled.

        Raises:
            FencedError: it is another's.
        """
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                await self.changing(lambda _: None)
            except RetryableError as error:  # every change proves it anyway
                log.warning("claim not renewed", action="notify_wait", why=str(error))

    async def changing(self, change: Callable[[Change], T]) -> T:
        """Commit a change, if it is still ours.

        Raises:
            FencedError: it is another's; nothing was changed.
            RetryableError: nothing was changed.
        """

        def held(tables: Change) -> T:
            rows.hold(tables, self.holder, self._now_ns() + self._ttl_ns)
            return change(tables)

        return await asyncio.to_thread(self._store.change, held)

    async def release(self) -> None:
        """Let the next one begin at once."""
        try:
            await asyncio.to_thread(
                self._store.change, lambda change: rows.release(change, self.holder)
            )
        except (RetryableError, FencedError) as error:
            log.warning("claim not released", action="notify_wait", why=str(error))

    def _claim(self, change: Change) -> bool:
        now_ns = self._now_ns()
        return rows.claim(change, self.holder, now_ns, now_ns + self._ttl_ns)

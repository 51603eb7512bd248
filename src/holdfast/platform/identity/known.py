"""Bearers that were proved lately, until the platform's stream says that something changed.

A request costs a look into a dictionary. Once a second the stream is asked for news, which is one
small query however many users there are; what an event is about is forgotten, and proved afresh.
Not here: the proof (service).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from holdfast.domain.platform import (
    AnyPlatformFact,
    KeyCreated,
    SessionEnded,
    TokenRevoked,
    UserChanged,
)
from holdfast.errors import RetryableError
from holdfast.platform.identity.values import Principal
from holdfast.platform.port import PlatformStore
from holdfast.telemetry.log import get_logger

LOOK_S: Final = 1.0
TRUSTED_S: Final = 10.0
"""For so long what is known is believed while the database does not answer."""

MOST: Final = 10_000
_PAGE: Final = 1000

log = get_logger("platform.identity")


class Known:
    """For one event loop.

    Args:
        now_ns: the clock that tokens end by.
        on_new_key: told that the keys of access tokens were replaced.
    """

    def __init__(
        self, store: PlatformStore, now_ns: Callable[[], int], on_new_key: Callable[[], None]
    ) -> None:
        self._store = store
        self._now_ns = now_ns
        self._on_new_key = on_new_key
        self._found: dict[bytes, tuple[Principal, int]] = {}
        self._seq: int | None = None
        self._looked_s = -LOOK_S
        self._sure_s = -TRUSTED_S
        self._looking = asyncio.Lock()
        self._losses = 0

    @property
    def seq(self) -> int:
        """Up to which record of the stream everything known is true."""
        return self._seq or 0

    @property
    def losses(self) -> int:
        """How often something was heard of by which somebody may do less than before.

        New keys do not count: they void tokens and shut nobody out, and all would ask at once.
        """
        return self._losses

    def get(self, bearer: str) -> Principal | None:
        """Who it was proved to be, unless that is over."""
        found = self._found.get(_digest(bearer))
        if found is None or (found[1] and self._now_ns() >= found[1]):
            return None
        return found[0]

    def put(self, bearer: str, principal: Principal, expires_ns: int, as_of: int) -> None:
        """Remember a proof that began when `seq` was `as_of`; `expires_ns` 0 is never."""
        if as_of != self.seq:
            return  # something was changed meanwhile, perhaps of this one
        if len(self._found) >= MOST:
            del self._found[next(iter(self._found))]
        self._found[_digest(bearer)] = (principal, expires_ns)

    async def keep_up(self) -> None:
        """Hear what changed, if that was not asked lately, nor is being asked.

        Raises:
            RetryableError: the database has not answered for too long to believe anything.
        """
        now_s = time.monotonic()
        if now_s - self._looked_s < LOOK_S:
            return
        if not self._looking.locked() or now_s - self._sure_s > TRUSTED_S:
            await self.look_now()

    async def look_now(self) -> None:
        """Hear what changed up to now. Raises: as `keep_up`."""
        async with self._looking:
            await self._look()

    async def _look(self) -> None:
        began_s = time.monotonic()
        try:
            facts, seq = await asyncio.to_thread(self._news)
        except RetryableError as error:
            self._looked_s = time.monotonic()
            if began_s - self._sure_s > TRUSTED_S:
                self._found.clear()
                raise
            log.warning("cannot hear who was shut out", action="identity_news", why=str(error))
            return
        for fact in facts:
            self._forget(fact)
        self._seq, self._looked_s, self._sure_s = seq, time.monotonic(), began_s

    def _news(self) -> tuple[list[AnyPlatformFact], int]:
        if self._seq is None:  # nothing is known yet that could be wrong
            return [], self._store.head()
        facts: list[AnyPlatformFact] = []
        seq = self._seq
        while events := self._store.events(seq, _PAGE):
            facts += [event.fact for event in events]
            seq = events[-1].seq
        return facts, seq

    def _forget(self, fact: AnyPlatformFact) -> None:
        if isinstance(fact, UserChanged | SessionEnded | TokenRevoked):
            self._losses += 1
        if isinstance(fact, UserChanged):
            self._drop(lambda known: known.user_id == fact.user_id)
        elif isinstance(fact, SessionEnded):
            self._drop(lambda known: known.session_id == fact.session_id)
        elif isinstance(fact, TokenRevoked):
            self._drop(lambda known: known.token_id == fact.token_id)
        elif isinstance(fact, KeyCreated):
            self._drop(lambda known: bool(known.session_id))
            self._on_new_key()

    def _drop(self, concerns: Callable[[Principal], bool]) -> None:
        self._found = {
            digest: found for digest, found in self._found.items() if not concerns(found[0])
        }


def _digest(bearer: str) -> bytes:
    return sha256(bearer.encode(errors="surrogatepass")).digest()

"""One answer for all who ask the same while nothing has changed, worked out once.

In this process and for moments: what may be minutes old, for all processes, is cached
(platform.cache).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

MOST: Final = 128


class Shared(Generic[T]):
    """The newest answers to different questions, at most `MOST`."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[Hashable, asyncio.Future[T]]] = {}

    async def answer(
        self, question: Hashable, version: Hashable, work: Callable[[], Awaitable[T]]
    ) -> T:
        """What `work` came to for whoever asked first.

        Args:
            version: of what the answer is made from; with another one it is worked out anew.

        Raises:
            Exception: what `work` raised, for all who wait; who asks next begins again.
        """
        kept = self._kept.pop(question, None)
        if kept is None or kept[0] != version:
            kept = version, asyncio.ensure_future(work())
            kept[1].add_done_callback(lambda done: self._forget_failed(question, done))
        self._kept[question] = kept
        if len(self._kept) > MOST:
            del self._kept[next(iter(self._kept))]
        # One who gives up does not take the answer away from the others.
        return await asyncio.shield(kept[1])

    def _forget_failed(self, question: Hashable, done: asyncio.Future[T]) -> None:
        has_failed = done.cancelled() or done.exception() is not None
        if has_failed and self._kept.get(question, (None, None))[1] is done:
            del self._kept[question]

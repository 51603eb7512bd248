"""An asynchronous context in a thread of its own, for tests whose own code blocks.

Not here: what runs there.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

from tests.support.waiting import PATIENCE_S

_T = TypeVar("_T")


@contextmanager
def threaded(
    context: AbstractAsyncContextManager[_T], name: str
) -> Iterator[tuple[_T, asyncio.AbstractEventLoop]]:
    """What an asynchronous context yields, and the loop that it lives in, until the block ends."""
    begun: list[tuple[_T, asyncio.AbstractEventLoop]] = []
    failed: list[BaseException] = []
    stop: list[asyncio.Event] = []
    ready = threading.Event()

    async def main() -> None:
        stop.append(asyncio.Event())
        async with context as made:
            begun.append((made, asyncio.get_running_loop()))
            ready.set()
            await stop[0].wait()

    def host() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:  # noqa: BLE001 - raised again in the test's thread
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=host, name=name, daemon=True)
    thread.start()
    try:
        assert ready.wait(PATIENCE_S), f"the {name} did not start"
        if failed:
            raise failed[0]
        yield begun[0]
    finally:
        if begun and thread.is_alive():
            begun[0][1].call_soon_threadsafe(stop[0].set)
        thread.join(PATIENCE_S)
    if failed:
        raise AssertionError(f"the {name} ended badly") from failed[0]

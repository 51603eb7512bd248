"""An API on its real server, in a thread of this process.

Not here: what it is made of (api_world).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from holdfast.api.build import Terms
from holdfast.app.web.serve import serving
from holdfast.config import Config
from holdfast.config.cluster import Cluster
from tests.support.api_world import World, world

START_S = 30.0


class Hosted(NamedTuple):
    """Where it is, and the world behind it, whose coroutines belong to another thread."""

    url: str
    world: World
    loop: asyncio.AbstractEventLoop

    def run(self, work: Any) -> Any:
        """What a coroutine of the world comes to."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(START_S)


@contextmanager
def hosted(folder: Path, terms: Terms | None = None, **ports: Any) -> Iterator[Hosted]:
    """Serve until the context ends."""
    found: list[Hosted | BaseException] = []
    there = threading.Event()
    stop: list[asyncio.Event] = []
    config = Config(
        database_url=f"sqlite:///{folder}/journal.db", state_dir=str(folder),
        cluster=Cluster(profile="fast"),
    )  # fmt: skip

    async def serve() -> None:
        stop.append(asyncio.Event())
        async with world(folder, terms, config, **ports) as made, serving(
            made.api, "127.0.0.1", 0
        ) as port:
            url = f"http://127.0.0.1:{port}"
            found.append(Hosted(url, made, asyncio.get_running_loop()))
            there.set()
            await stop[0].wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # noqa: BLE001 - told by who waits
            found.append(error)
            there.set()

    thread = threading.Thread(target=run, name="api")
    thread.start()
    try:
        assert there.wait(START_S), "the API did not start"
        first = found[0]
        if isinstance(first, BaseException):
            raise first
        yield first
    finally:
        if stop and isinstance(found[0], Hosted):
            found[0].loop.call_soon_threadsafe(stop[0].set)
        thread.join(START_S)
    if len(found) > 1:
        raise AssertionError("the API ended badly") from found[1]  # type: ignore[misc]

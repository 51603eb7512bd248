"""An API on its real server, in a thread of this process.

Not here: what it is made of (api_world).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from holdfast.api.build import Terms
from holdfast.app.web.serve import serving
from holdfast.config import Config
from holdfast.config.cluster import Cluster
from tests.support.api_world import World, world
from tests.support.threaded import threaded
from tests.support.waiting import PATIENCE_S


class Hosted(NamedTuple):
    """Where it is, and the world behind it, whose coroutines belong to another thread."""

    url: str
    world: World
    loop: asyncio.AbstractEventLoop

    def run(self, work: Any) -> Any:
        """What a coroutine of the world comes to."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE_S)


@contextmanager
def hosted(folder: Path, terms: Terms | None = None, **ports: Any) -> Iterator[Hosted]:
    """Serve until the context ends."""
    config = Config(
        database_url=f"sqlite:///{folder}/journal.db", state_dir=str(folder),
        cluster=Cluster(profile="fast"),
    )  # fmt: skip

    @asynccontextmanager
    async def served() -> AsyncIterator[tuple[str, World]]:
        async with world(folder, terms, config, **ports) as made, serving(
            made.api, "127.0.0.1", 0
        ) as port:
            yield f"http://127.0.0.1:{port}", made

    with threaded(served(), "API") as ((url, made), loop):
        yield Hosted(url, made, loop)

"""How late a fill comes to who listens: from exchange to journal, and from there to a socket.

A node and an API beside the exchange, on one journal in SQLite. Not here: from the socket to the
screen (`dashboard`), a thousand listeners (`users`).
"""

from __future__ import annotations

import asyncio
import statistics
import time
from contextlib import ExitStack
from datetime import datetime

import aiohttp
import msgspec

from benchmarks import ordering, site, users
from benchmarks.row import Row
from holdfast.app.chaos.store import chaos_store

SETTLE_S = 10.0
FILLS = 300
LATE_S = 120.0


def run() -> list[Row]:
    """Both parts, and the whole, of fills that come some ten times a second."""
    with ExitStack() as stack:
        home = stack.enter_context(site.folder())
        url = stack.enter_context(site.exchange(home))
        store = stack.enter_context(chaos_store("sqlite", home))
        config = ordering.write_config(home, url, store.url, [site.open_account(url)], users.API)
        (token,) = users.signed_in(store.database, 1, accounts=1)
        stack.enter_context(ordering.node(home, config))
        api, _ = stack.enter_context(users.api(home, config))
        time.sleep(SETTLE_S)
        kept_ms, heard_ms = zip(*asyncio.run(_heard(api, token)), strict=True)
    whole_ms = [kept + heard for kept, heard in zip(kept_ms, heard_ms, strict=True)]
    return [
        Row(what=f"a fill, {name}, p{percent}", unit="ms",
            measured=statistics.quantiles(part_ms, n=20)[percent // 5 - 1])
        for name, part_ms in (
            ("exchange to journal", kept_ms), ("journal to socket", heard_ms),
            ("exchange to socket", whole_ms),
        )
        for percent in (50, 95)
    ]  # fmt: skip


async def _heard(url: str, token: str) -> list[tuple[float, float]]:
    """Of each fill, how long until it was journaled, and from then until it was heard (ms)."""
    found: list[tuple[float, float]] = []
    async with (
        asyncio.timeout(LATE_S),
        aiohttp.ClientSession(url) as http,
        http.ws_connect("/api/v1/stream") as socket,
    ):
        hello = {"type": "auth", "token": token, "topics": ["orders"]}
        await socket.send_str(msgspec.json.encode(hello).decode())
        while len(found) < FILLS:
            message = msgspec.json.decode(await socket.receive_str())
            heard_ms = time.time() * 1e3
            for event in message.get("events", ()):
                if event["fill"] is not None:
                    kept_ms = datetime.fromisoformat(event["at"]).timestamp() * 1e3
                    found.append((kept_ms - event["fill"]["at_ns"] / 1e6, heard_ms - kept_ms))
    return found

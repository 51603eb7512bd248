"""How long nobody knows: replies that are lost, requests that are lost, at an exchange far away.

The user stream is silent, so that all evidence has to be asked for. One account, one order, at a
time; with the other accounts beside it. Not here: whether what was found is true (simulation,
chaos, tests).
"""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec

from benchmarks import ordering, site
from benchmarks.row import Row
from holdfast.domain.fact import Armed, AttemptMoved
from holdfast.domain.order import AttemptState
from holdfast.journal.database import database_at
from tests.support.distance import far_away

ACCOUNTS = 8
RTT_S = 0.05
BEGIN_S = 20.0
LOST_REPLIES_S = 60.0
LOST_REQUESTS_S = 75.0
SETTLE_S = 20.0
SHARE = 0.3
HORIZON_S = 12.0


def run() -> list[Row]:
    """Doubts that ended with an order found, and those that ended without one."""
    with site.folder() as home, site.exchange(home) as url:
        asyncio.run(_trade(home, url))
        found = list(_doubts(home))
    known_s = sorted(ended_s for state, ended_s, _ in found if state is AttemptState.ACKED)
    absent_s = sorted(
        after_s for state, _, after_s in found if state is AttemptState.NEVER_EXECUTED
    )
    return [
        Row(
            what=f"a doubt whose order executed, reply lost, until it is known: p50 of "
            f"{len(known_s)}", unit="s", measured=known_s[len(known_s) // 2],
        ),
        Row(
            what="the same: p99", unit="s", measured=known_s[len(known_s) * 99 // 100], at_most=1,
        ),
        Row(
            what=f"a request that was lost, from its deadline until it is declared absent: least "
            f"of {len(absent_s)}", unit="s", measured=absent_s[0], at_least=HORIZON_S,
        ),
        Row(what="the same: p99", unit="s", measured=absent_s[len(absent_s) * 99 // 100]),
    ]  # fmt: skip


async def _trade(home: Path, url: str) -> None:
    """A node under one fault after the other, and calm in the end."""
    keys = [site.open_account(url) for _ in range(ACCOUNTS)]
    async with far_away(url, RTT_S, lambda _piece: None) as far_url:
        config = ordering.write_config(home, far_url, f"sqlite:///{home}/journal.db", keys)
        with ordering.node(home, config):
            await asyncio.sleep(BEGIN_S)
            for kind, for_s in (("drop_reply", LOST_REPLIES_S), ("drop_request", LOST_REQUESTS_S)):
                await asyncio.to_thread(_fault, url, "stream_silence")
                await asyncio.to_thread(_fault, url, kind, match=_ORDERS, probability=SHARE)
                await asyncio.sleep(for_s)
                await asyncio.to_thread(_lift_all, url)
                await asyncio.sleep(SETTLE_S)


_ORDERS = {"path": "/api/v3/order", "method": "POST"}


def _fault(url: str, kind: str, **more: object) -> None:
    body = msgspec.json.encode({"kind": kind, "match": {}, "params": {}, **more})
    request = urllib.request.Request(f"{url}/admin/faults", body, method="POST")
    urllib.request.urlopen(request, timeout=10).close()


def _lift_all(url: str) -> None:
    request = urllib.request.Request(f"{url}/admin/faults", method="DELETE")
    urllib.request.urlopen(request, timeout=10).close()


def _doubts(home: Path) -> Iterator[tuple[AttemptState, float, float]]:
    """Of each doubt that ended: how; seconds since it began, and since its signed deadline."""
    database = database_at(f"sqlite:///{home}/journal.db", home)
    for number in range(ACCOUNTS):
        armed: dict[str, Armed] = {}
        since_ns: dict[str, int] = {}
        for record in database.read(f"a{number}"):
            match record.fact:
                case Armed(cid=cid):
                    armed[cid] = record.fact
                case AttemptMoved(cid=cid, state=AttemptState.IN_DOUBT):
                    since_ns[cid] = record.at_ns
                case AttemptMoved(cid=cid, state=state) if cid in since_ns:
                    deadline_ms = armed[cid].timestamp_ms + armed[cid].window_ms
                    yield (
                        state,
                        (record.at_ns - since_ns.pop(cid)) / 1e9,
                        record.at_ns / 1e9 - deadline_ms / 1e3,
                    )
                case _:
                    pass
    database.close()

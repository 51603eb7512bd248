"""A thousand users beside a node that trades: how long they wait, and what orders notice of it.

Exchange, store, node, API and the users themselves share this machine's processors. Each turn is a
while without users and a while with them, so that whatever else runs meets both alike. Not here:
what one answer costs (`api`), what users do (`users_load`).
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks import ordering, site
from benchmarks.row import Row
from benchmarks.users_load import MIX, Task, Told
from holdfast.app.chaos.store import chaos_store
from holdfast.config.identity import IdentitySettings
from holdfast.journal.database import Database
from holdfast.platform.identity.console import Console
from holdfast.platform.identity.service import IdentityService
from holdfast.platform.identity.values import Caller, Grant, Role

USERS = 1000
ACCOUNTS = 2
APIS = 2
TURNS = 2
SETTLE_S = 10.0
ALONE_S = 15.0
WARM_S = 15.0
LOADED_S = 20.0
API = "[api]\nport = 0\nmetrics_port = 0\n"


class _Span(NamedTuple):
    """Of wall time, in which orders are looked at."""

    from_s: float
    to_s: float


class _Turn(NamedTuple):
    alone: _Span
    loaded: _Span
    told: Told
    api_cores: float
    node_cores: float


def run() -> list[Row]:
    """All of it at once."""
    with ExitStack() as stack:
        home = stack.enter_context(site.folder())
        url = stack.enter_context(site.exchange(home))
        store = stack.enter_context(chaos_store("postgres", home))
        accounts = [site.open_account(url) for _ in range(ACCOUNTS)]
        config = ordering.write_config(home, url, store.url, accounts, API)
        tokens = signed_in(store.database, USERS, accounts=ACCOUNTS)
        node = stack.enter_context(ordering.node(home, config))
        apis = [stack.enter_context(api(home, config)) for _ in range(APIS)]
        time.sleep(SETTLE_S)
        turns = [_turn(apis, node, tokens) for _ in range(TURNS)]

        def waits_ms(span: _Span) -> list[float]:
            arrived = ordering.arrivals(url, span.from_s * 1e3, span.to_s * 1e3)
            return list(ordering.waits_ms(store.url, home, ACCOUNTS, arrived))

        alone_ms = [one for turn in turns for one in waits_ms(turn.alone)]
        loaded_ms = [one for turn in turns for one in waits_ms(turn.loaded)]
    return [*_people(turns), *_orders(alone_ms, loaded_ms, turns)]


def _people(turns: Sequence[_Turn]) -> list[Row]:
    told = [turn.told for turn in turns]
    took_ms = [one for each in told for one in each.took_ms]
    late_ms = [one for each in told for one in each.late_ms]
    lag_ms = [one for each in told for one in each.lag_ms]
    by_path = {
        path: [one for each in told for one in each.by_path.get(path, [])] for path, _ in MIX
    }
    seconds = TURNS * LOADED_S
    for each in told:
        for what, count in each.errors.items():
            print(f"{count} times: {what}", file=sys.stderr)
    return [
        Row(what=f"{USERS} users: answers", unit="per s", measured=len(took_ms) / seconds),
        Row(what="answer, p50", unit="ms", measured=_percentile(took_ms, 50)),
        Row(what="answer, p95", unit="ms", measured=_percentile(took_ms, 95), at_most=100),
        Row(what="answer, p99", unit="ms", measured=_percentile(took_ms, 99)),
        *(
            Row(what=f"answer, p95 of {path}", unit="ms", measured=_percentile(took, 95))
            for path, took in by_path.items()
        ),
        Row(what="errors", unit="", at_most=0,
            measured=sum(n for each in told for n in each.errors.values())),
        Row(what=f"prices at {USERS} sockets", unit="per s",
            measured=sum(each.heard for each in told) / seconds),
        Row(what="a price, told to read, p95", unit="ms", measured=_percentile(late_ms, 95)),
        Row(what="how late the users' own process asks, p95", unit="ms",
            measured=_percentile(lag_ms, 95)),
        Row(what=f"processors that {APIS} API(s) used", unit="",
            measured=statistics.mean(turn.api_cores for turn in turns)),
    ]  # fmt: skip


def _orders(
    alone_ms: Sequence[float], loaded_ms: Sequence[float], turns: Sequence[_Turn]
) -> list[Row]:
    rows = [
        Row(what="processors that the node used beside them", unit="",
            measured=statistics.mean(turn.node_cores for turn in turns)),
    ]  # fmt: skip
    for percent in (50, 95):
        alone, loaded = (_percentile(one, percent) for one in (alone_ms, loaded_ms))
        rows += [
            Row(what=f"strategy asked to order at the exchange, without users, p{percent}",
                unit="ms", measured=alone),
            Row(what=f"the same with them, p{percent}", unit="ms", measured=loaded),
            Row(what=f"with over without, p{percent}", unit="×", measured=loaded / alone,
                at_most=1.5),
        ]  # fmt: skip
    return rows


def _percentile(values: Sequence[float], percent: int) -> float:
    return sorted(values)[len(values) * percent // 100]


def _turn(apis: Sequence[tuple[str, int]], node: int, tokens: Sequence[str]) -> _Turn:
    """Without users, then with them."""
    alone = _Span(time.time(), time.time() + ALONE_S)
    time.sleep(ALONE_S)
    pids = [pid for _, pid in apis]
    task = Task([url for url, _ in apis], list(tokens), WARM_S, LOADED_S)
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.users_load"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as crowd:  # fmt: skip
        assert crowd.stdin is not None
        assert crowd.stdout is not None
        crowd.stdin.write(msgspec.json.encode(task) + b"\n")
        crowd.stdin.flush()
        begun = msgspec.json.decode(crowd.stdout.readline(), type=float)
        time.sleep(max(0.0, begun - time.time()))
        before = [ordering.cpu_s(pid) for pid in (*pids, node)]
        time.sleep(LOADED_S)
        spent = [ordering.cpu_s(pid) - was for pid, was in zip((*pids, node), before, strict=True)]
        told = msgspec.json.decode(crowd.stdout.readline(), type=Told)
    loaded = _Span(begun, begun + LOADED_S)
    return _Turn(alone, loaded, told, sum(spent[:-1]) / LOADED_S, spent[-1] / LOADED_S)


def signed_in(database: Database, count: int, *, accounts: int) -> list[str]:
    """The access token of a session of each of `count` users, who may look at all accounts."""
    grants = [Grant(f"a{number}") for number in range(accounts)]
    with closing(database.platform()) as store:
        console, identity = Console(store, "benchmark"), IdentityService(store, IdentitySettings())
        codes = []
        for number in range(count):
            codes.append(console.link(f"user-{number}", Role.VIEWER))
            console.grant(f"user-{number}", grants)

        async def redeemed() -> list[str]:
            here = Caller("127.0.0.1", "benchmark")
            return [(await identity.redeem_link(code, here)).access_token for code in codes]

        return asyncio.run(redeemed())


@contextmanager
def api(home: Path, config: Path) -> Iterator[tuple[str, int]]:
    """The process that people run; its address and id."""
    with (home / "api.log").open("ab") as log, subprocess.Popen(
        [sys.executable, "-m", "holdfast", "api", "--json", "--config", str(config)],
        cwd=home, stdout=subprocess.PIPE, stderr=log,
        env={name: value for name, value in os.environ.items() if not name.endswith("_URL")},
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())["listening"], process.pid
        finally:
            process.terminate()
            process.communicate()

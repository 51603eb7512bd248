"""The whole path under load: one node with many accounts, the exchange and PostgreSQL beside it.

Everything shares this machine's processors. Not here: the node and its orders (`ordering`), one
order's path (`live`).
"""

from __future__ import annotations

import time
from contextlib import ExitStack

from benchmarks import ordering, site
from benchmarks.row import Row
from holdfast.app.chaos.store import chaos_store

ACCOUNTS = 40
SECONDS = 60.0
WARM_S = 15.0


def run() -> list[Row]:
    """Orders a minute that arrived, how long each took, and what a node's processors spent."""
    with ExitStack() as stack:
        home = stack.enter_context(site.folder())
        url = stack.enter_context(site.exchange(home))
        store = stack.enter_context(chaos_store("postgres", home))
        keys = [site.open_account(url) for _ in range(ACCOUNTS)]
        config = ordering.write_config(home, url, store.url, keys)
        with ordering.node(home, config) as pid:
            time.sleep(WARM_S)
            began_s, cpu_s = time.time(), ordering.cpu_s(pid)
            time.sleep(SECONDS)
            ended_s, spent_s = time.time(), ordering.cpu_s(pid) - cpu_s
        arrived = ordering.arrivals(url, began_s * 1e3, ended_s * 1e3)
        waits_ms = sorted(ordering.waits_ms(store.url, home, ACCOUNTS, arrived))
    minutes = (ended_s - began_s) / 60
    return [
        Row(
            what=f"orders a minute, {ACCOUNTS} accounts in one node, PostgreSQL", unit="/min",
            measured=len(arrived) / minutes, at_least=20_000,
        ),
        Row(
            what="strategy asked to order at the exchange: p50", unit="ms",
            measured=waits_ms[len(waits_ms) // 2],
        ),
        Row(
            what="strategy asked to order at the exchange: p99", unit="ms",
            measured=waits_ms[len(waits_ms) * 99 // 100], at_most=20,
        ),
        Row(
            what="orders a minute that the node's own CPU allows on one processor", unit="/min",
            measured=len(arrived) / spent_s * 60, at_least=60_000,
        ),
    ]  # fmt: skip

"""The whole path under load: one node with many accounts, the exchange and PostgreSQL beside it.

Everything shares this machine's processors. `python -m benchmarks.fleet ACCOUNTS SECONDS BOTS` runs
another size. Not here: the node and its orders (`ordering`), one order's path (`live`).
"""

from __future__ import annotations

import os
import socket
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import psycopg
from prometheus_client.parser import text_string_to_metric_families

from benchmarks import ordering, site
from benchmarks.row import Row
from holdfast.app.chaos.postgres import PostgresServer
from holdfast.app.chaos.store import ChaosStore, chaos_store
from holdfast.domain.fact import BotStarted
from holdfast.telemetry.catalogue.trading import FIRST_BYTE

ACCOUNTS = 40
BOTS = 5
"""Of an account, beside one: their orders share commits."""
TIMEFRAME = "1m"
"""Bots decide between closes for the most part, as tenths of a second are not the bars of many."""
SECONDS = 60.0
START_S = 180.0  # at most, until every account trades
SETTLE_S = 5.0
QUIET_S = 10.0
DEPLOYED = Path(__file__).parents[1] / "deploy/postgres/postgresql.conf"
SAME = (
    "shared_buffers", "wal_buffers", "checkpoint_timeout", "checkpoint_completion_target",
    "max_wal_size", "min_wal_size",
)  # fmt: skip
SEGMENTS = 32
"""As many as are kept for further use are left of these: 16 at least (`min_wal_size`)."""


class _Spent(msgspec.Struct, frozen=True):
    """Processor time of a stretch, in seconds.

    Attributes:
        wall_s: how long it was.
        node_s: of the node's processes.
        beside_s: of the exchange and the database's server.
    """

    wall_s: float
    node_s: float
    beside_s: float


def run() -> list[Row]:
    """Forty accounts with a bot each; and with several, in turns."""
    return [row for bots in (1, BOTS) for row in measured(ACCOUNTS, SECONDS, bots)]


def measured(accounts: int, seconds: float, bots: int) -> list[Row]:
    """Orders a minute that arrived, how long each took, and what processors spent on them."""
    port = _free_port()
    with ExitStack() as stack:
        home = stack.enter_context(site.folder())
        url = stack.enter_context(site.exchange(home))
        store = stack.enter_context(_store(home, accounts))
        beside = _children(os.getpid())  # the exchange and the server, and nothing else yet
        keys = [site.open_account(url) for _ in range(accounts)]
        more = f"[api]\nport = 0\nmetrics_port = {port}\n"
        config = ordering.write_config(home, url, store.url, keys, more, bots, TIMEFRAME)
        hold = home / ordering.HOLD
        hold.touch()
        with ordering.node(home, config) as pid:
            _until(lambda: _leading(store, accounts), "every account is led")
            time.sleep(SETTLE_S)
            quiet = _spent(pid, beside, QUIET_S)
            hold.unlink()
            _until(lambda: len(_arrived(url, 1.0)) >= 3 * accounts, "most accounts trade")
            time.sleep(SETTLE_S)
            before = _first_bytes(port)
            busy = _spent(pid, beside, seconds)
            left = _first_bytes(port) - before
            arrived = _arrived(url, seconds)
        waits_ms = sorted(ordering.waits_ms(store.url, home, accounts, arrived))
    rows = _rows(accounts, quiet, busy, len(arrived), waits_ms)
    rows.append(Row(
        what="signal to first byte, as the node's metrics say: p99", unit="ms",
        measured=_percentile_s(left, 0.99) * 1e3, at_most=20,
    ))  # fmt: skip
    return [msgspec.structs.replace(row, what=f"{row.what} ({bots} bots each)") for row in rows]


def _rows(
    accounts: int, quiet: _Spent, busy: _Spent, orders: int, waits_ms: list[float]
) -> list[Row]:
    fixed_s = quiet.node_s / quiet.wall_s
    return [
        Row(
            what=f"orders a minute, {accounts} accounts in one node, PostgreSQL", unit="/min",
            measured=orders / busy.wall_s * 60, at_least=20_000,
        ),
        Row(
            what="strategy asked to order at the exchange: p50", unit="ms",
            measured=waits_ms[len(waits_ms) // 2],
        ),
        Row(
            what="strategy asked to order at the exchange: p99", unit="ms",
            measured=waits_ms[len(waits_ms) * 99 // 100],
        ),
        Row(
            what="orders a minute that the node's own CPU allows on two processors", unit="/min",
            measured=2 * orders / busy.node_s * 60, at_least=60_000,
        ),
        Row(
            what="the same beyond what it takes without orders", unit="/min",
            measured=(2 - fixed_s) * orders / (busy.node_s - fixed_s * busy.wall_s) * 60,
            at_least=60_000,
        ),
        Row(
            what="CPU of the node per account and second without orders", unit="ms",
            measured=fixed_s / accounts * 1e3,
        ),
        Row(
            what="CPU of the node per order, all of it", unit="ms",
            measured=busy.node_s / orders * 1e3,
        ),
        Row(
            what="CPU of the node per order, beyond what it takes without orders", unit="ms",
            measured=(busy.node_s - fixed_s * busy.wall_s) / orders * 1e3,
        ),
        Row(
            what="CPU of exchange and PostgreSQL per order", unit="ms",
            measured=busy.beside_s / orders * 1e3,
        ),
    ]  # fmt: skip


@contextmanager
def _store(home: Path, accounts: int) -> Iterator[ChaosStore]:
    """A server of our own, set as a deployed one is, with room for every account."""
    server = PostgresServer(f"max_connections={4 * accounts + 50}", *_deployed())
    try:
        _recycle_wal(server.url)
        with chaos_store("postgres", home, {"DATABASE_URL": server.url}) as store:
            yield store
    finally:
        server.stop()


def _deployed() -> list[str]:
    lines = (line.partition("=") for line in DEPLOYED.read_text().splitlines())
    return [f"{name.strip()}={value.strip()}" for name, _, value in lines if name.strip() in SAME]


def _recycle_wal(url: str) -> None:
    """Have segments of WAL there to be used again, as on every server that has run for a while.

    A new one is filled with 16 MB of zeros, and all commits wait until these are on the disk.
    """
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("CREATE TABLE filler (n int)")
        for number in range(SEGMENTS):
            server.execute("INSERT INTO filler VALUES (%s)", (number,))
            server.execute("SELECT pg_switch_wal()")
        server.execute("CHECKPOINT")
        server.execute("DROP TABLE filler")


def _leading(store: ChaosStore, accounts: int) -> bool:
    """Whether every account has a bot that was started, as its journal says."""
    return all(
        any(isinstance(record.fact, BotStarted) for record in store.database.read(f"a{number}"))
        for number in range(accounts)
    )


def _until(is_so: Callable[[], bool], what: str) -> None:
    give_up_s = time.monotonic() + START_S
    while not is_so():
        if time.monotonic() > give_up_s:
            raise TimeoutError(f"{what}: not within {START_S:g} s")
        time.sleep(1.0)


def _spent(pid: int, beside: list[int], seconds: float) -> _Spent:
    began_s, node_s, beside_s = time.monotonic(), _cpu_s(_family(pid)), _cpu_s(_family(*beside))
    time.sleep(seconds)
    return _Spent(
        time.monotonic() - began_s,
        _cpu_s(_family(pid)) - node_s,
        _cpu_s(_family(*beside)) - beside_s,
    )


def _arrived(url: str, seconds: float) -> dict[str, float]:
    """The orders of the last so many seconds."""
    now_ms = time.time() * 1e3
    return ordering.arrivals(url, now_ms - seconds * 1e3, now_ms)


def _first_bytes(port: int) -> Counter[float]:
    """How many orders of the node took at most so many seconds, by the upper ends of buckets."""
    found: Counter[float] = Counter()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        for family in text_string_to_metric_families(answer.read().decode()):
            if family.name == FIRST_BYTE.name:
                for sample in family.samples:
                    if "le" in sample.labels:
                        found[float(sample.labels["le"])] += int(sample.value)
    return found


def _percentile_s(at_most: Counter[float], share: float) -> float:
    """Within its bucket as if all of that were spread evenly."""
    rank, below_s, below = share * max(at_most.values()), 0.0, 0
    for upper_s, orders in sorted(at_most.items()):
        if orders >= rank:
            return below_s + (upper_s - below_s) * (rank - below) / (orders - below)
        below_s, below = upper_s, orders
    raise AssertionError("the last bucket has all of them")


def _free_port() -> int:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        return int(holder.getsockname()[1])


def _children(pid: int) -> list[int]:
    return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def _family(*pids: int) -> list[int]:
    """Processes and all that they forked."""
    return [*pids, *(one for pid in pids for one in _family(*_children(pid)))] if pids else []


def _cpu_s(pids: list[int]) -> float:
    """Processor time of processes, as far as they live: by the scheduler, to the nanosecond."""
    tasks = (task for pid in pids for task in Path(f"/proc/{pid}/task").iterdir())
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


if __name__ == "__main__":
    for row in measured(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])):
        print(row.what, f"{row.measured:.4g}", row.unit)

"""The whole path under load: one node with many accounts, the exchange and PostgreSQL beside it.

Everything shares this machine's processors. `python -m benchmarks.fleet ACCOUNTS SECONDS` runs
another size. Not here: the node and its orders (`ordering`), one order's path (`live`).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from benchmarks import ordering, site
from benchmarks.row import Row
from holdfast.app.chaos.postgres import PostgresServer
from holdfast.app.chaos.store import ChaosStore, chaos_store
from holdfast.domain.fact import BotStarted

ACCOUNTS = 40
SECONDS = 60.0
START_S = 180.0  # at most, until every account trades
SETTLE_S = 5.0
QUIET_S = 10.0


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


def run(accounts: int = ACCOUNTS, seconds: float = SECONDS) -> list[Row]:
    """Orders a minute that arrived, how long each took, and what processors spent on them."""
    with ExitStack() as stack:
        home = stack.enter_context(site.folder())
        url = stack.enter_context(site.exchange(home))
        store = stack.enter_context(_store(home, accounts))
        beside = _children(os.getpid())  # the exchange and the server, and nothing else yet
        keys = [site.open_account(url) for _ in range(accounts)]
        config = ordering.write_config(home, url, store.url, keys)
        hold = home / ordering.HOLD
        hold.touch()
        with ordering.node(home, config) as pid:
            _until(lambda: _leading(store, accounts), "every account is led")
            time.sleep(SETTLE_S)
            quiet = _spent(pid, beside, QUIET_S)
            hold.unlink()
            _until(lambda: len(_arrived(url, 1.0)) >= 3 * accounts, "most accounts trade")
            time.sleep(SETTLE_S)
            busy = _spent(pid, beside, seconds)
            arrived = _arrived(url, seconds)
        waits_ms = sorted(ordering.waits_ms(store.url, home, accounts, arrived))
    return _rows(accounts, quiet, busy, len(arrived), waits_ms)


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
            measured=waits_ms[len(waits_ms) * 99 // 100], at_most=20,
        ),
        Row(
            what="orders a minute that the node's own CPU allows on one processor", unit="/min",
            measured=orders / busy.node_s * 60, at_least=60_000,
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
    """A server of our own with room for three connections of each account."""
    server = PostgresServer(f"max_connections={4 * accounts + 50}")
    try:
        with chaos_store("postgres", home, {"DATABASE_URL": server.url}) as store:
            yield store
    finally:
        server.stop()


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
    for row in run(int(sys.argv[1]), float(sys.argv[2])):
        print(row.what, f"{row.measured:.4g}", row.unit)

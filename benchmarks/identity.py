"""What identity costs: a bearer that is known, a refresh, and an account's commits beside it.

Not here: whole requests (the API's benchmark).
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

from benchmarks.row import Row
from holdfast.config.identity import IdentitySettings
from holdfast.domain.fact import Draining
from holdfast.domain.platform import Requested
from holdfast.journal.platform_sqlite import SqlitePlatform
from holdfast.journal.port import Group, Head
from holdfast.journal.sqlite_file import SqliteFile
from holdfast.platform.identity.console import Console
from holdfast.platform.identity.service import IdentityService
from holdfast.platform.identity.values import Caller, Role

PASSWORD = "seven quiet lanterns"
HERE = Caller("127.0.0.1", "benchmark")
KNOWN = 20_000
REFRESHES = 100
COMMITS = 600
CHANGES_PER_S = 20
"""Of the platform beside commits: sign-ins, refreshes and commands of a thousand people."""
ROUNDS = 5
_FACT = Draining(bot="cross", on=True, by="benchmark", reason="")


def run() -> list[Row]:
    """The rows of `make bench`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        with closing(SqlitePlatform(path)) as store:
            Console(store, "benchmark").create("ana", Role.ADMIN, (), PASSWORD)
            known_us, refresh_ms = asyncio.run(_bearers(IdentityService(store, IdentitySettings())))
            alone_ms, beside_ms = _commits(path, store)
    return [
        Row(what="a bearer that was seen lately", unit="µs", measured=known_us, at_most=50),
        Row(what="a session carried on, durably, p50", unit="ms", measured=refresh_ms, at_most=25),
        Row(
            what=f"an account's commits beside {CHANGES_PER_S} changes of the platform a second, "
            "p99 over that without",
            unit="×",
            measured=beside_ms / alone_ms,
            at_most=1.5,
        ),
    ]


async def _bearers(identity: IdentityService) -> tuple[float, float]:
    tokens = await identity.sign_in("ana", PASSWORD, "", HERE)
    await identity.authenticate(tokens.access_token)
    began_s = time.perf_counter()
    for _ in range(KNOWN):
        await identity.authenticate(tokens.access_token)
    known_us = (time.perf_counter() - began_s) / KNOWN * 1e6
    took_ms = []
    for _ in range(REFRESHES):
        began_s = time.perf_counter()
        tokens = await identity.refresh(tokens.refresh_token, HERE)
        took_ms.append((time.perf_counter() - began_s) * 1e3)
    return known_us, statistics.median(took_ms)


def _commits(path: Path, store: SqlitePlatform) -> tuple[float, float]:
    """The p99 of a commit alone and beside changes, each the median of rounds that alternate."""
    file = SqliteFile(path)
    head = file.acquire("main", "benchmark")
    found: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(ROUNDS):
        for beside in (False, True):
            end = threading.Event()
            thread = threading.Thread(target=_change, args=(store, end))
            if beside:
                thread.start()
            head, p99_ms = _round(file, head)
            end.set()
            if beside:
                thread.join()
            found[beside].append(p99_ms)
    file.close()
    return statistics.median(found[False]), statistics.median(found[True])


def _round(file: SqliteFile, head: Head) -> tuple[Head, float]:
    took_ms = []
    for _ in range(COMMITS):
        began_s = time.perf_counter()
        head, _ = file.commit(head, [Group((_FACT,))], 1)
        took_ms.append((time.perf_counter() - began_s) * 1e3)
        time.sleep(0.001)
    return head, statistics.quantiles(took_ms, n=100)[98]


def _change(store: SqlitePlatform, end: threading.Event) -> None:
    while not end.wait(1 / CHANGES_PER_S):
        store.change(lambda change: change.note(Requested(by="user:ana", action="benchmark")))

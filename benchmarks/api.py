"""What reading costs over HTTP: each list and the first screen against a bare authenticated answer
of the same process, asked in turns. Each turn has its own ratio, since what else runs changes
between turns; processor time says the same of a machine with nothing else to do.

Not here: what identity costs (identity), streams.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.row import Row
from holdfast.journal.database import SqliteDatabase
from holdfast.platform.identity.console import Console
from holdfast.platform.identity.values import Role, Scope
from tests.support.report_stream import stream, write

BARE = "/api/v1/me"
EQUITY = "/api/v1/equity?points=200"
READS = (
    "/api/v1/overview", "/api/v1/positions", "/api/v1/bots", "/api/v1/orders?limit=50",
    "/api/v1/fills?limit=50", "/api/v1/balances", "/api/v1/prices", EQUITY,
)  # fmt: skip
TRADES = 200
ROUNDS = 15
ROUND_S = 0.6
CONNECTIONS = 16
_CONFIG = """
[api]
port = 0
metrics_port = 0
per_user = 1000000
"""


class _Turn(NamedTuple):
    per_s: float
    cpu_ms: float


def run() -> list[Row]:
    """The rows of `make bench`."""
    with tempfile.TemporaryDirectory() as folder:
        token = _prepared(Path(folder))
        with _serving(Path(folder)) as (url, pid):
            _await_marks(url, token)
            found = asyncio.run(_measured(url, pid, token))
    rows = [
        Row(
            what="a bare authenticated answer, processor time of the API", unit="ms",
            measured=statistics.median(turn.cpu_ms for turn in found[BARE]),
        )
    ]  # fmt: skip
    for path in READS:
        turns = list(zip(found[BARE], found[path], strict=True))
        rows += [
            Row(
                what=f"{path}, requests a second over those of a bare authenticated answer",
                unit="×",
                measured=statistics.median(one.per_s / bare.per_s for bare, one in turns),
                at_least=0.5,
            ),
            Row(
                what=f"{path}, processor time of a bare authenticated answer over its own",
                unit="×",
                measured=statistics.median(bare.cpu_ms / one.cpu_ms for bare, one in turns),
            ),
        ]
    return rows


def _prepared(folder: Path) -> str:
    """A journal with some hundreds of orders, and an administrator's token."""
    database = SqliteDatabase(folder / "journal.db")
    write(database, stream(TRADES))
    (folder / "holdfast.toml").write_text(
        f'database_url = "sqlite:///{folder}/journal.db"\nstate_dir = "{folder}"\n{_CONFIG}'
    )
    with closing(database.platform()) as store:
        console = Console(store, "benchmark")
        console.create("ada", Role.ADMIN, (), "seven quiet lanterns")
        return console.create_token("ada", "all", tuple(Scope), None).secret


@contextmanager
def _serving(folder: Path) -> Iterator[tuple[str, int]]:
    """The process that people run; its address and id."""
    process = subprocess.Popen(
        [sys.executable, "-m", "holdfast", "api", "--json"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={name: value for name, value in os.environ.items() if not name.endswith("_URL")},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield str(json.loads(process.stdout.readline())["listening"]), process.pid
    finally:
        process.terminate()
        process.communicate()


def _await_marks(url: str, token: str) -> None:
    """Wait until the journal has been read, and the tables of reports were filled from it."""
    request = urllib.request.Request(
        f"{url}{EQUITY}", headers={"Authorization": f"Bearer {token}"}
    )
    while True:
        with urllib.request.urlopen(request) as response:
            if len(json.load(response)["items"]) >= TRADES:
                return
        time.sleep(0.1)


async def _measured(url: str, pid: int, token: str) -> dict[str, list[_Turn]]:
    """Each path, in turns, so that whatever else runs meets all alike."""
    found: dict[str, list[_Turn]] = {}
    for _ in range(ROUNDS):
        for path in (BARE, *READS):
            spent_ns = _cpu_ns(pid)
            answered = await _round(url, path, token)
            cpu_ms = (_cpu_ns(pid) - spent_ns) / 1e6 / answered
            found.setdefault(path, []).append(_Turn(answered / ROUND_S, cpu_ms))
    return found


def _cpu_ns(pid: int) -> int:
    """Of all threads of a process that live; what it forked is not counted."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads)


async def _round(url: str, path: str, token: str) -> int:
    """Each connection asks as soon as it was answered; how many were."""
    host, port = url.removeprefix("http://").split(":")
    request = (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
    ).encode()
    loop = asyncio.get_running_loop()
    until_s = loop.time() + ROUND_S
    answered = 0

    async def ask() -> None:
        nonlocal answered
        reader, writer = await asyncio.open_connection(host, int(port))
        while loop.time() < until_s:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            answered += 1
        writer.close()

    await asyncio.gather(*(ask() for _ in range(CONNECTIONS)))
    return answered

"""A node whose bots want something else ten times a second, and how long each order took.

The exchange's rate limits are raised for it (`site.exchange`): real ones would allow a hundredth.
Not here: what runs beside it, and what is made of the numbers.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from benchmarks import site
from holdfast.domain.fact import Armed, Decided
from holdfast.journal.database import database_at

HOLD = "hold"
"""As long as a file of this name lies beside the strategies, bots that have not begun wait."""

STRATEGY = '''
"""Wants something else ten times a second, or in its turn, and notes when it was asked."""

import time
from decimal import Decimal
from pathlib import Path

import msgspec

from holdfast.strategy import FLAT, KEEP, Setup, Strategy, Target, View, Wish

HOLD = Path(__file__).with_name("hold")


class Flip(Strategy):
    class Memory(msgspec.Struct):
        asked_ns: int = 0

    quantity: Decimal = Decimal("0.0002")
    turn: int = 0
    turns: int = 1

    def setup(self, on: Setup) -> None:
        on.every("100ms")

    def decide(self, now: View) -> Wish | tuple[Wish, Memory]:
        if now.time_ns // 100_000_000 % self.turns != self.turn:
            return KEEP
        if not now.memory.asked_ns and HOLD.exists():
            return KEEP
        now.memory.asked_ns = time.time_ns()
        return (FLAT if now.position.quantity else Target(quantity=self.quantity)), now.memory
'''


class _Request(msgspec.Struct, rename="camel"):
    at_ms: float
    method: str
    path: str
    params: dict[str, str]


class _Requests(msgspec.Struct):
    requests: list[_Request]


class _Memory(msgspec.Struct):
    memory: dict[str, int]


def write_config(
    home: Path, url: str, database: str, accounts: Sequence[site.Account], more: str = "",
    bots: int = 1, timeframe: str = "1s",
) -> Path:
    """A configuration with bots for each account; the accounts are called a0, a1, ....

    Args:
        url: of the exchange.
        database: address of the journal.
        more: tables that stand below the others.
        bots: of each account. They decide together, once in so many tenths of a second, and
            accounts take turns: an account has ten orders a second however many they are.
        timeframe: of their bars; at each close all accounts are busy at once.
    """  # fmt: skip
    (home / "bots.py").write_text(STRATEGY)
    websocket = url.replace("http", "ws", 1)
    lines = [
        'deployment = "bench"', f'database_url = "{database}"', f'state_dir = "{home}"',
        'log_level = "error"',
    ]  # fmt: skip
    for number, one in enumerate(accounts):
        for what, text in (("key", one.apiKey), ("secret", one.secret)):
            (home / f"{number}.{what}").write_text(text)
        lines += [
            "[[accounts]]", f'name = "a{number}"', f'api_key = "file:{home}/{number}.key"',
            f'api_secret = "file:{home}/{number}.secret"',
            "[accounts.venue]", f'rest_url = "{url}"', f'stream_url = "{websocket}/stream"',
            f'ws_api_url = "{websocket}/ws-api/v3"',
            "[accounts.limits]", "max_orders_per_minute = 1000000",
        ]  # fmt: skip
        for bot in range(bots):
            lines += [
                "[[bots]]", f'name = "b{number}-{bot}"', f'account = "a{number}"',
                f'strategy = "{home}/bots.py:Flip"', f'symbols = ["{site.SYMBOL}"]',
                f'timeframe = "{timeframe}"',
                f"params = {{turn = {number % bots}, turns = {bots}}}", "[bots.limits]",
                "max_orders_per_minute = 1000000",
            ]  # fmt: skip
    config = home / "holdfast.toml"
    config.write_text("\n".join(lines) + f"\n{more}")
    return config


@contextmanager
def node(home: Path, config: Path) -> Iterator[int]:
    """The node that people run, until the block ends; its id."""
    with (home / "node.log").open("ab") as log, subprocess.Popen(
        [sys.executable, "-m", "holdfast", "node", "--config", str(config)],
        stdout=log, stderr=log, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def cpu_s(pid: int) -> float:
    """Processor time of a process and of all that it forked, as far as they live."""
    total = 0.0
    pending = [pid]
    while pending:
        one = pending.pop()
        stat = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        total += (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
        pending += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
    return total


def arrivals(url: str, from_ms: float, to_ms: float) -> dict[str, float]:
    """When each order of the measured time arrived, by client order id."""
    with urllib.request.urlopen(f"{url}/admin/requests", timeout=120) as answer:
        seen = msgspec.json.decode(answer.read(), type=_Requests).requests
    return {
        one.params["newClientOrderId"]: one.at_ms
        for one in seen
        if one.method == "POST" and one.path == "/api/v3/order" and from_ms <= one.at_ms < to_ms
    }


def waits_ms(
    database_url: str, home: Path, accounts: int, arrived: dict[str, float]
) -> Iterator[float]:
    """From each decision to its order; what follows from no decision of its own is left out."""
    database = database_at(database_url, home)
    for number in range(accounts):
        asked_ms: dict[int, float] = {}
        for record in database.read(f"a{number}"):
            match record.fact:
                case Decided(number=decision, memory=str(text)):
                    memory = msgspec.json.decode(text, type=_Memory).memory
                    asked_ms[decision] = memory["asked_ns"] / 1e6
                case Armed(seq=0, n=1, cid=cid, decision=decision) if cid in arrived:
                    if decision in asked_ms:
                        yield arrived[cid] - asked_ms[decision]
    database.close()

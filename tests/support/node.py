"""A real `holdfast node` as a process, with strategies that trade on every bar.

Lives here: its files, its start and its ends, and what it wrote. Not here: the market
(`tests.support.pulse`), the exchange that it trades on (`tests.support.scene`).
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from copy import copy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from holdfast.domain.fact import Armed
from holdfast.exchange.server import Running
from holdfast.journal.database import database_at
from holdfast.journal.record import Record
from holdfast.journal.upgrade import upgrade
from holdfast.ledger.state import AccountState
from tests.support import warm
from tests.support.ledger_check import folded
from tests.support.pulse import SYMBOLS
from tests.support.waiting import PATIENCE_S, until
from tests.support.warm import WarmProcess

STRATEGIES = '''
"""Strategies that always want something else."""

from decimal import Decimal

from holdfast.strategy import FLAT, Level, Quotes, Strategy, Target, View, Wish


class Flip(Strategy):
    """Buy at one bar, sell at the next; what a fee in the base asset leaves is no position."""

    quantity: Decimal = Decimal("0.5")

    def decide(self, now: View) -> Wish:
        is_in = now.position.quantity > self.quantity / 2
        return FLAT if is_in else Target(quantity=self.quantity)


class Quoter(Strategy):
    """Rest inside the spread and far below it, at other prices with every bar.

    The near order is filled in parts; the far one never, so that it must be cancelled.
    """

    quantity: Decimal = Decimal("0.8")
    middle: Decimal = Decimal("59999.5")

    def decide(self, now: View) -> Wish:
        shift = Decimal(now.time_ns // 1_000_000_000 % 5) / 100
        near = Level(self.middle + shift, self.quantity)
        far = Level(self.middle - 500 + shift, self.quantity)
        if now.position.quantity >= self.quantity:
            return Quotes(asks=[near], bids=[far])
        return Quotes(bids=[near, far])
'''
ACCOUNT = "main"
FUNDS = {"USDT": "1000000"}
# These bots trade with every bar, more often than the limit that holds where nobody set one.
ORDERS_PER_MINUTE = 10_000
POLL_S = 0.1


class BotLine(msgspec.Struct, frozen=True):
    """A bot as it stands in the configuration; the strategy is a class of the file.

    Attributes:
        symbol: one, or several with commas between them.
        join_timeout_s: less than a bar, for bars of a second.
    """

    name: str
    symbol: str
    strategy: str = "Flip"
    params: dict[str, str] = {}
    join_timeout_s: float = 0.6


def flips(symbols: Iterable[str] = SYMBOLS) -> tuple[BotLine, ...]:
    """A bot per symbol that trades at every bar."""
    return tuple(BotLine(f"flip-{s.split('/')[0].lower()}", s) for s in symbols)


QUOTER = BotLine("quoter", "BTC/USDT", "Quoter")


def _send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # it has ended, of itself or with its supervisor
            os.kill(pid, number)


class Node:
    """A node's files, and its process while it runs.

    Args:
        folder: its own, for configuration, journal and log.
        account: of the exchange; key and secret.
        strategies: source of the strategy file.
        settings: more lines of the `[account]` table.
        database: address of its journal; a file in the folder otherwise.
    """

    def __init__(
        self,
        folder: Path,
        running: Running,
        account: tuple[str, str],
        bots: Sequence[BotLine],
        *,
        strategies: str = STRATEGIES,
        settings: str = "",
        database: str = "",
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.key, self._secret = account
        self.former_keys: list[str] = []
        self.journal = folder / "journal.db"
        self.config = folder / "holdfast.toml"
        self.log = folder / "node.log"
        self.process: asyncio.subprocess.Process | WarmProcess | None = None
        self._records: list[Record] = []
        self._rested: list[str] = []
        url = database or f"sqlite:///{self.journal}"
        self._url = url
        self._account = account
        self.database = database_at(url, folder)
        if not database:
            self.journal.write_bytes(_empty_journal())
        (folder / "bots.py").write_text(strategies)
        self.config.write_text(_config(folder, url, running, bots, settings))

    async def start(
        self,
        *,
        crash_at: str = "",
        environ: dict[str, str] | None = None,
        before: Callable[[], None] | None = None,
    ) -> None:
        """Start it; see `holdfast.app.live.crash` for `crash_at`.

        Args:
            environ: beside this process's. What tells Python something is told to a fresh one.
            before: called in the child first; it begins from cold then, as a user's does.
        """
        is_cold = before is not None or any(name.startswith("PYTHON") for name in environ or ())
        known = {
            **os.environ,
            **self.secrets(),
            **({"HOLDFAST_CRASH_AT": crash_at} if crash_at else {}),
            **(environ or {}),
        }
        words = ("node", "--config", str(self.config))
        if not is_cold:
            self.process = await warm.start(words, known, self.log)
            return
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "holdfast", *words,
                stdout=log, stderr=log, env=known, preexec_fn=before,
            )  # fmt: skip

    def secrets(self) -> dict[str, str]:
        """What its configuration refers to."""
        return {"NODE_KEY": self.key, "NODE_SECRET": self._secret}

    def configure(self, running: Running, bots: Sequence[BotLine]) -> None:
        """Give it other bots from its next start on."""
        self.config.write_text(_config(self.folder, self._url, running, bots, ""))

    async def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self.send(signal.SIGTERM)
        return await self.ended()

    def send(self, number: signal.Signals) -> None:
        """Send the supervisor a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    async def ended(self, within_s: float = PATIENCE_S) -> int:
        """Its exit code, once it has ended."""
        assert self.process is not None
        return await asyncio.wait_for(self.process.wait(), within_s)

    async def ends_with(self, code: int, *said: str) -> None:
        """It ends by itself with this code, after saying all of this."""
        assert await self.ended() == code, self.said()
        for text in said:
            assert text in self.said()

    def children(self) -> list[int]:
        """Its keeper, its teller and its account process, in the order of their starts."""
        assert self.process is not None
        pid = self.process.pid
        try:
            return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except FileNotFoundError:
            return []

    def child_pid(self) -> int:
        """The account process; LookupError while there is none."""
        children = self.children()
        if len(children) < 3:
            raise LookupError("there is no account process")
        return children[-1]

    async def kill_all(self) -> None:
        """kill -9 of the supervisor and of its children, together."""
        children = self.children()
        self.send(signal.SIGKILL)
        _send(children, signal.SIGKILL)
        await self.ended()

    def send_all(self, number: signal.Signals) -> None:
        """Send the supervisor and its children a signal."""
        children = self.children()
        self.send(number)
        _send(children, number)

    def sibling(self, name: str) -> Node:
        """Another node of the same cluster: its configuration, journal and key, and a log of its
        own.
        """
        other = copy(self)
        other.log = self.folder / f"{name}.log"
        other.process = None
        return other

    async def end(self) -> None:
        """Whatever state it is in, it ends; for the way out of a test."""
        if self.process is None or self.process.returncode is not None:
            return
        self.send(signal.SIGKILL)  # the account process follows by itself
        await self.ended()

    @asynccontextmanager
    async def at_rest(self) -> AsyncIterator[None]:
        """Its bots are stopped by an operator's commands while this lasts, and started again."""
        await until_node(self, self._have_begun_again, "the start of those that rested before")
        bots = [name for name, bot in self.state().bots.items() if bot.running]
        for bot in bots:
            self.command("stop", {"bot": bot})
        await until_node(
            self, lambda: not any(bot.running for bot in self.state().bots.values()), "rest"
        )
        yield
        for bot in bots:
            self.command("start", {"bot": bot})
        self._rested = bots

    def _have_begun_again(self) -> bool:
        known = self.state().bots
        return all(known[bot].running for bot in self._rested)

    def command(self, name: str, arguments: dict[str, str]) -> None:
        """As an operator's; who starts later takes it first."""
        commands = self.database.commands()
        commands.submit(ACCOUNT, name, msgspec.json.encode(arguments).decode(), "test")
        commands.close()

    def lose_journal(self) -> None:
        """With its mark; an empty one is in its place."""
        for file in self.folder.glob(f"{self.journal.name}*"):
            file.unlink()
        self.journal.write_bytes(_empty_journal())
        self.forget_what_was_read()

    def records(self) -> list[Record]:
        """The whole journal, verified link by link."""
        # What is known already is not read again: tests ask often.
        self._records += self.database.read(ACCOUNT, len(self._records))
        return self._records

    def forget_what_was_read(self) -> None:
        """Another journal is there now."""
        self._records = []

    def state(self) -> AccountState:
        """The fold of the journal from its first record."""
        return folded(self.records())

    def armed(self) -> list[Armed]:
        """Every attempt, in order."""
        return [record.fact for record in self.records() if isinstance(record.fact, Armed)]

    def said(self) -> str:
        """Everything it wrote to stdout and stderr."""
        return self.log.read_text() if self.log.exists() else ""

    def logged(self, action: str) -> list[dict[str, Any]]:
        """Its whole log lines of one action, in order."""
        lines = self.said().splitlines()
        found = [msgspec.json.decode(line) for line in lines if f'"action":"{action}"' in line]
        return [line for line in found if line["action"] == action]


async def until_node(node: Node, holds: Callable[[], bool], what: str) -> None:
    """Return when `holds`; AssertionError with what the node said last when it never does."""
    await until(holds, lambda: f"{what}; it said {node.said()[-2000:]}", every_s=POLL_S)


async def until_armed(node: Node, count: int) -> None:
    """Return when the node has armed `count` attempts in all."""
    await until_node(node, lambda: len(node.armed()) >= count, f"{count} attempts")


@functools.cache
def _empty_journal() -> bytes:
    """Tables and nothing in them: making them takes a node half a second of imports."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        upgrade(path)
        return path.read_bytes()


def _config(
    folder: Path, url: str, running: Running, bots: Sequence[BotLine], settings: str
) -> str:
    lines = [
        f'database_url = "{url}"',
        f'state_dir = "{folder}"',
        "[account]",
        f'name = "{ACCOUNT}"',
        'api_key = "env:NODE_KEY"',
        'api_secret = "env:NODE_SECRET"',
        settings,
        "[account.venue]",
        f'rest_url = "{running.url}"',
        f'stream_url = "{running.url.replace("http", "ws", 1)}/stream"',
        f'ws_api_url = "{running.ws_api_url}"',
    ]
    busy = f"max_orders_per_minute = {ORDERS_PER_MINUTE}"
    lines += ["[account.limits]", busy]
    for bot in bots:
        shipped = "/" in bot.strategy or bot.strategy.islower()
        strategy = bot.strategy if shipped else f"{folder}/bots.py:{bot.strategy}"
        lines += [
            "[[bots]]",
            f'name = "{bot.name}"',
            f'strategy = "{strategy}"',
            f"symbols = {bot.symbol.split(',')}",
            f"join_timeout_s = {bot.join_timeout_s}",
            'timeframe = "1s"',
            "[bots.params]",
            *(f'{name} = "{value}"' for name, value in bot.params.items()),
            "[bots.limits]",
            busy,
        ]
    return "\n".join(lines) + "\n"

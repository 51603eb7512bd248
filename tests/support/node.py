"""A real `holdfast node` as a process, with strategies that trade on every bar.

Lives here: its files, its start and its ends, what it wrote, and the wait until its journal agrees
with the exchange. Not here: the market (`tests.support.pulse`) or the verdict (`ledger_check`).
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from copy import copy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import msgspec

from holdfast.domain.fact import Armed
from holdfast.exchange.server import Running
from holdfast.exchange.traffic import Call, Delivery
from holdfast.journal.database import database_at
from holdfast.journal.record import Record
from holdfast.journal.upgrade import upgrade
from holdfast.ledger.state import AccountState
from tests.support import warm
from tests.support.exchange import open_account
from tests.support.ledger_check import Judgement, folded, judge
from tests.support.pulse import PULSE_NS, SYMBOLS, PulseFlow, pulsing_exchange
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
DOUBTS_S = 40.0


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


class Answered(msgspec.Struct, frozen=True):
    """A request of any kind, when it came (`time.monotonic`), and the status of its reply."""

    method: str
    path: str
    status: int
    came_s: float


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


class Scene:
    """An exchange with a pulsing market, and nodes that trade on it."""

    def __init__(self, running: Running, flow: PulseFlow, folder: Path) -> None:
        self.running = running
        self.flow = flow
        self.folder = folder
        self.nodes: list[Node] = []

    def node(
        self,
        bots: Sequence[BotLine],
        name: str = "node",
        *,
        funds: dict[str, str] | None = None,
        **options: Any,
    ) -> Node:
        """A node with an account of its own."""
        account = open_account(self.running, FUNDS if funds is None else funds)
        made = Node(
            self.folder / name, self.running, (account.api_key, account.secret), bots, **options
        )
        self.nodes.append(made)
        return made

    async def admin(self, method: str, route: str, body: Any = None) -> bytes:
        """The answer of an admin route, JSON."""
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, f"{self.running.url}/admin/{route}", json=body) as response,
        ):
            answer = await response.read()
            assert response.status == 200, answer
            return answer

    async def renew_key(self, node: Node) -> tuple[str, str]:
        """Another key for a node's account, and its secret; the one before it is dead."""
        made = msgspec.json.decode(await self.admin("POST", "keys", {"apiKey": node.key}))
        node.former_keys.append(node.key)
        node.key = made["apiKey"]
        return node.key, made["secret"]

    async def requests(self, node: Node) -> list[dict[str, Any]]:
        """The signed requests of a node, as the exchange saw them."""
        rows = msgspec.json.decode(await self.admin("GET", "requests"))["requests"]
        return [row for row in rows if row["apiKey"] == node.key]

    def calls(self) -> list[Answered]:
        """From now on: every request at either door, signed or not, with what it was answered."""
        gateway = self.running.desk.gateway
        handle, answered = gateway.handle, list[Answered]()

        async def listening(call: Call) -> Delivery:
            came_s = time.monotonic()
            delivery = await handle(call)
            if delivery.reply is not None:
                answered.append(Answered(call.method, call.path, delivery.reply.status, came_s))
            return delivery

        gateway.handle = listening  # type: ignore[method-assign]
        return answered

    async def fault(self, kind: str, path: str | None = "/api/v3/order", **options: Any) -> None:
        """Put a fault in force; `method`, `door`, `probability` and `count` are not parameters."""
        body: dict[str, Any] = {"kind": kind, "match": {} if path is None else {"path": path}}
        for name in ("method", "door"):
            if name in options:
                body["match"][name] = options.pop(name)
        for name in ("probability", "count"):
            if name in options:
                body[name] = options.pop(name)
        await self.admin("POST", "faults", {**body, "params": options})

    async def judge(self, node: Node) -> Judgement:
        """Compare a node's journal with the exchange, as both are now."""
        ledger = await self.admin("GET", "ledger")
        requests = await self.admin("GET", "requests")
        for former in node.former_keys:
            requests = requests.replace(former.encode(), node.key.encode())
        return judge(ledger, requests, node.key, node.records())

    async def judged(
        self, node: Node, accepts: Callable[[Judgement], bool], within_s: float = PATIENCE_S
    ) -> Judgement:
        """Wait for a judgement that is acceptable; the last one if none ever is."""
        deadline = time.monotonic() + within_s
        while True:
            found = await self.judge(node)
            if accepts(found) or time.monotonic() > deadline:
                return found
            await asyncio.sleep(POLL_S)

    async def agreed(self, node: Node) -> Judgement:
        """Wait until journal and exchange agree in everything; the last judgement if they do not.

        A node at work has orders on their way at most moments, so a moment without is waited for.
        It takes as long as a doubt: its window and the exchange's horizon of 12 s, or twice that
        when the next attempt meets a doubt as well. Where the machine is so slow that orders come
        late again and again, there is no such moment until the bots rest for a while.
        """
        found = await self.judged(node, _agrees, DOUBTS_S)
        if not _agrees(found):
            async with node.at_rest():
                found = await self.judged(node, _agrees)
        return found

    async def ended_well(self, node: Node) -> Judgement:
        """Let doubts run out, stop the node, and judge what it leaves behind.

        Its bots rest before it is stopped: what they would place in its last moment, and the
        exchange refuse, would still be open to doubt when the node is gone.
        """
        self.flow.is_still = True  # nobody hits what rests when the node is gone
        await asyncio.sleep(2 * PULSE_NS / 1e9)
        async with node.at_rest():
            found = await self.agreed(node)
            if not found.faults:
                code = await node.stop()
                assert code == 0, (code, node.said())
                found = await self.judge(node)
        return found


@asynccontextmanager
async def scene(folder: Path, **options: Any) -> AsyncIterator[Scene]:
    """A scene; its processes end with it."""
    async with pulsing_exchange(**options) as (running, flow):
        made = Scene(running, flow, folder)
        try:
            yield made
        finally:
            for node in made.nodes:
                await node.end()


def _agrees(found: Judgement) -> bool:
    return not found.faults


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

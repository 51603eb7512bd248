"""A scene: an exchange with a pulsing market, and real nodes that trade on it.

Lives here: its making and its end, the exchange's admin routes, and the wait until a node's journal
agrees with the exchange. Not here: a node (`tests.support.node`), the verdict (`ledger_check`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from holdfast.exchange.server import Running
from holdfast.exchange.traffic import Call, Delivery
from tests.support.exchange import open_account
from tests.support.ledger_check import Judgement, judge
from tests.support.node import FUNDS, POLL_S, BotLine, Node
from tests.support.pulse import PULSE_NS, PulseFlow, pulsing_exchange
from tests.support.waiting import PATIENCE_S

DOUBTS_S = 40.0


class Answered(msgspec.Struct, frozen=True):
    """A request of any kind, when it came (`time.monotonic`), and the status of its reply."""

    method: str
    path: str
    status: int
    came_s: float


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

    async def orders(self, node: Node) -> list[dict[str, Any]]:
        """The orders of a node, as the exchange saw them."""
        return [row for row in await self.requests(node) if row["method"] == "POST"]

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


def in_a_scene(folder: Path, work: Callable[[Scene], Awaitable[None]]) -> None:
    """Run `work` in a scene of its own."""

    async def run() -> None:
        async with scene(folder) as at:
            await work(at)

    asyncio.run(run())


async def together(*works: Awaitable[None]) -> None:
    """All of them side by side; the first failure is told after all have ended."""
    for outcome in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


def _agrees(found: Judgement) -> bool:
    return not found.faults

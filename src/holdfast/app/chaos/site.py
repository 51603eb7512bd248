"""The site of a chaos run: exchange, proxy, store and nodes, each a process of its own.

Lives here: starting and ending them, a node's configuration, and what it has logged. Not here: what
is done to them (strikes), and what is measured (run).
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from holdfast.app.chaos import steady, surroundings
from holdfast.app.chaos.proxy import LOOPBACK, Conditions
from holdfast.app.chaos.proxy_process import Proxy
from holdfast.app.chaos.redis import RedisServer
from holdfast.app.chaos.store import ChaosStore, chaos_store
from holdfast.app.demo.admin import Admin
from holdfast.app.demo.nodes import NodeLog
from holdfast.app.demo.processes import Child

FIRST_ACCOUNT: Final = "main"
EXCHANGE_RTT_MS: Final = 50.0
STORE_RTT_MS: Final = 1.0  # and of Redis
LEASES: Final = ("journal", "redis")
_FUNDS: Final = {"USDT": "1000000", "BTC": "1", "ETH": "20", "SOL": "400"}
# Nothing in a chaos run is about how many orders an exchange allows.
_LIMITS: Final = {
    "weight_per_minute": 600_000, "orders_per_10s": 10_000, "orders_per_day": 100_000_000,
    "raw_requests_per_5m": 1_000_000, "connections_per_5m": 10_000,
}  # fmt: skip
_WARM_UP_S: Final = 30
_EVENTS_PER_S: Final = 10


class Links(msgspec.Struct):
    """What the links of a node are like at the moment."""

    exchange: Conditions = Conditions(delay_ms=EXCHANGE_RTT_MS / 2)
    store: Conditions = Conditions(delay_ms=STORE_RTT_MS / 2)
    leases: Conditions = Conditions(delay_ms=STORE_RTT_MS / 2)


class Node:
    """One node: its files, its links, and its process while it runs.

    Args:
        has_store_link, has_leases_link: its store, its Redis is behind a link.
        has_own_host: it believes to be on another host than the others.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        proxy: Proxy,
        *,
        has_store_link: bool,
        has_leases_link: bool,
        has_own_host: bool,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.folder = folder
        self.config = folder / "holdfast.toml"
        self.log = folder / "node.log"
        self.child: Child | None = None
        self.links = Links()
        self._log = NodeLog(self.log)
        self._proxy = proxy
        self._has_store_link = has_store_link
        self._has_leases_link = has_leases_link
        self._clock = folder / "clock"
        self._environ = {surroundings.CLOCK: str(self._clock)}
        if has_own_host:
            self._environ[surroundings.HOST] = name
        self.set_clock(0.0)

    async def start(self) -> None:
        """Start its process."""
        self._log.warm.clear()
        words = ["node", "--config", str(self.config)]
        self.child = await Child.start(
            self.name, words, self.log, module=surroundings.__name__, environ=self._environ
        )

    def set_clock(self, off_s: float) -> None:
        """Let its wall clock jump: it is so far ahead of the true time from now on."""
        surroundings.set_clock(self._clock, off_s)

    async def link(self, links: Links, *, cut: bool = False) -> int:
        """Change its links; when that was done, `time.monotonic_ns`."""
        self.links = links
        at_ns = await self._proxy.change(f"{self.name} exchange", links.exchange, cut=cut)
        if self._has_store_link:
            at_ns = await self._proxy.change(f"{self.name} store", links.store, cut=cut)
        if self._has_leases_link:
            at_ns = await self._proxy.change(f"{self.name} leases", links.leases, cut=cut)
        return at_ns

    def owns(self, pid: int) -> bool:
        """Whether a process is one of this node's."""
        if self.child is None:
            return False
        try:
            return os.getpgid(pid) == self.child.pid
        except ProcessLookupError:
            return False

    @property
    def is_running(self) -> bool:
        """Whether its supervisor runs, or is stopped."""
        return self.child is not None and self.child.is_running

    @property
    def refused(self) -> int:
        """How many of its commits the journal refused because another had taken it over.

        As far as `is_warm` has read its log.
        """
        return self._log.refused

    def begins_again(self, accounts: Collection[str]) -> None:
        """What it said of these until now says nothing of what it does when it wakes."""
        self._log.read()
        self._log.warm.difference_update(accounts)

    def is_warm(self, accounts: Collection[str] = (FIRST_ACCOUNT,)) -> bool:
        """Whether it said last that it follows or leads all of them."""
        self._log.read()
        return self._log.warm.issuperset(accounts)


class Site(msgspec.Struct, frozen=True):
    """What runs.

    Attributes:
        api_keys: of the accounts, by name.
        leases: the Redis that keeps leases; None when they are kept beside the journal.
    """

    exchange: Child
    admin: Admin
    proxy: Proxy
    store: ChaosStore
    nodes: tuple[Node, ...]
    api_keys: dict[str, str]
    leases: RedisServer | None


@asynccontextmanager
async def running_site(
    folder: Path,
    *,
    store: str,
    leases: str,
    profile: str,
    nodes: int,
    accounts: int = 1,
    between_hosts: bool,
    seed: int,
    say: Callable[[str], None],
) -> AsyncIterator[Site]:
    """All of it for as long as the context lasts, and not longer than this process.

    Args:
        leases: one of `LEASES`, where they are kept.
        accounts: how many each node serves.
        between_hosts: each node believes to be on a host of its own.

    Raises:
        ConfigError, UnreachableError: something did not start; the text says why.
    """
    async with AsyncExitStack() as stack:
        kept = stack.enter_context(chaos_store(store, folder))
        redis = RedisServer() if leases == "redis" else None
        if redis is not None:
            stack.callback(redis.stop)
        limits = folder / "limits.json"
        limits.write_text(json.dumps(_LIMITS), encoding="utf-8")
        words = [
            "exchange", "serve", "--port", "0", "--synthetic", "--seed", str(seed),
            "--warm-up", str(_WARM_UP_S), "--rate", str(_EVENTS_PER_S), "--limits", str(limits),
        ]  # fmt: skip
        exchange = await Child.start("exchange", words, folder / "exchange.log")
        stack.push_async_callback(exchange.stop)
        proxy = await Proxy.start()
        stack.push_async_callback(proxy.close)
        url = await exchange.listening()
        admin = Admin(url)
        stack.push_async_callback(admin.close)
        names = [FIRST_ACCOUNT, *(f"{FIRST_ACCOUNT}-{n}" for n in range(2, accounts + 1))]
        api_keys = {}
        for account in names:
            keys = await admin.open_account(dict(_FUNDS))
            _keep(folder / f"{account}.key", keys.api_key)
            _keep(folder / f"{account}.secret", keys.secret)
            api_keys[account] = keys.api_key
        made = []
        for number in range(1, nodes + 1):
            name = f"node-{number}"
            node = Node(
                name, folder / name, proxy,
                has_store_link=bool(kept.upstream), has_leases_link=redis is not None,
                has_own_host=between_hosts,
            )  # fmt: skip
            await _configure(node, proxy, kept, redis, url=url, profile=profile, accounts=names)
            made.append(node)
            stack.push_async_callback(_end, node)
            await node.start()
        say(
            f"exchange at {url}, journal in {kept.database.name}, {nodes} nodes, "
            f"{accounts} account{'s' if accounts > 1 else ''}"
        )
        yield Site(exchange, admin, proxy, kept, tuple(made), api_keys, redis)


async def _end(node: Node) -> None:
    if node.child is not None:
        await node.child.kill()


def _keep(file: Path, secret: str) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(f"{secret}\n")


async def _configure(
    node: Node,
    proxy: Proxy,
    store: ChaosStore,
    redis: RedisServer | None,
    *,
    url: str,
    profile: str,
    accounts: Sequence[str],
) -> None:
    """Open its links and write its configuration."""
    links = node.links
    upstream = urlsplit(url).netloc
    port = await proxy.open(
        f"{node.name} exchange", upstream, links.exchange, carries_orders=True
    )
    store_port = 0
    if store.upstream:
        store_port = await proxy.open(
            f"{node.name} store", store.upstream, links.store, carries_orders=False
        )
    cluster = f'node = "{node.name}"\nprofile = "{profile}"'
    if redis is not None:
        leases_port = await proxy.open(
            f"{node.name} leases", str(redis.socket), links.leases, carries_orders=False
        )
        cluster += f'\nlease_url = "redis://{LOOPBACK}:{leases_port}/0"'
    reached = f"http://{LOOPBACK}:{port}"
    text = _toml(node, store.through(store_port), cluster) + "".join(
        _account_toml(node, account, reached) for account in accounts
    )
    node.config.write_text(text, encoding="utf-8")


def _toml(node: Node, database_url: str, cluster: str) -> str:
    text = json.dumps  # a JSON string is a TOML string
    return f"""\
deployment = "chaos"
database_url = {text(database_url)}
state_dir = {text(str(node.folder))}
log_level = "info"

[database_pool]
min = 1
max = 8

[api]
metrics_port = 0

[cluster]
{cluster}
"""


def _account_toml(node: Node, account: str, url: str) -> str:
    """An account and its bots; names of bots are told apart by the account's number."""
    text = json.dumps
    websocket = url.replace("http", "ws", 1)
    keys = node.folder.parent
    number = account.removeprefix(FIRST_ACCOUNT)
    head = f"""
[[accounts]]
name = "{account}"
api_key = {text(f"file:{keys / f'{account}.key'}")}
api_secret = {text(f"file:{keys / f'{account}.secret'}")}
limits = {{ max_orders_per_minute = 100000 }}

[accounts.venue]
rest_url = "{url}"
stream_url = "{websocket}/stream"
ws_api_url = "{websocket}/ws-api/v3"
"""
    bots = (
        ("btc", "Flip", "BTC/USDT", 0, Decimal("0.01")),
        ("eth", "Flip", "ETH/USDT", 1, Decimal("0.2")),
        ("sol", "Quote", "SOL/USDT", 2, Decimal(4)),
    )
    return head + "".join(
        f"""
[[bots]]
name = "{name}{number}"
account = "{account}"
strategy = {text(f"{steady.__file__}:{kind}")}
symbols = ["{symbol}"]
timeframe = "1s"
params = {{ turn = {turn}, turns = {len(bots)}, quantity = "{quantity}" }}
limits = {{ max_orders_per_minute = 100000 }}
"""
        for name, kind, symbol, turn, quantity in bots
    )

"""A local exchange for tests: on a free port of the running loop, with a small, still market.

Not here: anything that trades on it, apart from a bare signed client to ask it with.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, ParamSpec
from urllib.parse import urlencode

import aiohttp
import msgspec

from holdfast.domain.instrument import Instrument
from holdfast.domain.order import Side
from holdfast.exchange.accounts import Account
from holdfast.exchange.flow import FlowEvent, Place
from holdfast.exchange.server import Running, serve
from holdfast.simulation.loop import VirtualLoop
from tests.support.waiting import PATIENCE_S, until

BTC_USDT = Instrument(
    symbol="BTC/USDT",
    venue_symbol="BTCUSDT",
    base="BTC",
    quote="USDT",
    price_tick=Decimal("0.01"),
    quantity_step=Decimal("0.00001"),
    min_quantity=Decimal("0.00001"),
    max_quantity=Decimal(9000),
    min_notional=Decimal(5),
    market_max_quantity=Decimal(100),
)
ETH_USDT = Instrument(
    symbol="ETH/USDT",
    venue_symbol="ETHUSDT",
    base="ETH",
    quote="USDT",
    price_tick=Decimal("0.01"),
    quantity_step=Decimal("0.0001"),
    min_quantity=Decimal("0.0001"),
    max_quantity=Decimal(9000),
    min_notional=Decimal(5),
)
P = ParamSpec("P")
MIDDLES = {"BTC/USDT": Decimal(60_000), "ETH/USDT": Decimal(3_000)}
LEVELS = 20
PER_LEVEL = Decimal(1)


def on_loop(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Run an async test on a loop of its own, and end it when it hangs."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(2 * PATIENCE_S):
                await test(*args, **kwargs)

        asyncio.run(bounded())

    return run


def on_virtual_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an async test on a loop of its own whose time passes at once when nothing else is due."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        loop = VirtualLoop()
        try:
            loop.run_until_complete(test(*args, **kwargs))
        finally:
            loop.close()

    return run


class LadderFlow:
    """Twenty levels a side around 60,000 and 3,000, one unit each, one first trade; then `more`.

    The best bid lies one, the best ask is the middle itself; neither moves by itself.
    """

    def __init__(self, more: Iterable[FlowEvent] = ()) -> None:
        self._more = tuple(more)

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """Bitcoin and ether against USDT."""
        return (BTC_USDT, ETH_USDT)

    def events(self) -> Iterator[FlowEvent]:
        """The ladders, a print at each middle, then what the test adds."""
        key = 0
        for symbol, middle in MIDDLES.items():
            for level in range(LEVELS):
                for side, price in (
                    (Side.SELL, middle + level), (Side.BUY, middle - 1 - level),
                ):
                    key += 1
                    yield Place(0, symbol, side, price, PER_LEVEL, key)
            # A print, so that there is a last price; the level is refilled behind it.
            yield Place(0, symbol, Side.BUY, None, Decimal("0.1"))
            key += 1
            yield Place(0, symbol, Side.SELL, middle, Decimal("0.1"), key)
        yield from self._more


class Clock:
    """Exchange time that stands until it is moved: 2026-01-01 00:00:05 UTC at first."""

    def __init__(self) -> None:
        self.ns = 1_767_225_605_000_000_000

    def __call__(self) -> int:
        """Now."""
        return self.ns

    def move(self, seconds: float) -> None:
        """Let time pass."""
        self.ns += int(seconds * 1_000_000_000)


class Client:
    """Asks a local exchange as an account, signing each request once; judges nothing."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        api_key: str,
        secret: str,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.http = http
        self.url = url
        self.now_ns = now_ns
        self.api_key = api_key
        self.secret = secret

    async def call(
        self, method: str, path: str, *, timestamp: int | None = None, **params: Any
    ) -> tuple[int, Any]:
        """The status and the decoded body of a signed request."""
        text = self.signed(timestamp=timestamp, **params)
        headers = {"X-MBX-APIKEY": self.api_key}
        async with self.http.request(
            method, f"{self.url}{path}?{text}", headers=headers
        ) as response:
            return response.status, msgspec.json.decode(await response.read())

    async def get(self, path: str, **params: Any) -> tuple[int, Any]:
        """The status and the decoded body of an unsigned request."""
        async with self.http.get(f"{self.url}{path}", params=params) as response:
            return response.status, msgspec.json.decode(await response.read())

    async def admin(self, method: str, route: str, body: Any = None) -> Any:
        """The decoded body of an admin request; fails the test when it is refused."""
        async with self.http.request(method, f"{self.url}/admin/{route}", json=body) as response:
            answer = msgspec.json.decode(await response.read())
            assert response.status == 200, answer
            return answer

    async def order(self, **params: Any) -> tuple[int, Any]:
        """Place an order on BTCUSDT: a market buy of 0.01 unless told otherwise."""
        defaults = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
        wanted = {**defaults, **params}
        if wanted["type"] != "MARKET" and params.get("timeInForce", "GTC"):
            wanted.setdefault("timeInForce", "GTC")
        return await self.call(
            "POST", "/api/v3/order", **{k: v for k, v in wanted.items() if v is not None}
        )

    def signed(self, *, timestamp: int | None = None, **params: Any) -> str:
        """Parameters with their signature, as a query string."""
        stamp = self.now_ns() // 1_000_000 if timestamp is None else timestamp
        text = urlencode({**params, "timestamp": stamp})
        return f"{text}&signature={self.sign(text)}"

    def sign(self, text: str) -> str:
        """The signature of a text."""
        return hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).hexdigest()

    async def fault(
        self, kind: str, path: str | None = "/api/v3/order", method: str | None = None,
        **options: Any,
    ) -> None:
        """Put a fault in force, on the order route unless told otherwise.

        Args:
            options: `count`, `probability`, `door`, and the fault's own parameters.
        """
        body: dict[str, Any] = {"kind": kind, "match": {}}
        door = options.pop("door", None)
        for name, value in (("path", path), ("method", method), ("door", door)):
            if value is not None:
                body["match"][name] = value
        for name in ("count", "probability"):
            if name in options:
                body[name] = options.pop(name)
        await self.admin("POST", "faults", {**body, "params": options})

    async def ledger(self) -> dict[str, Any]:
        """The exchange's truth; not from where to ask for what changes in it."""
        found: dict[str, Any] = await self.admin("GET", "ledger")
        return {name: rows for name, rows in found.items() if name not in {"whole", "next"}}

    async def requests(self) -> list[dict[str, Any]]:
        """The signed requests as the exchange saw them."""
        found: list[dict[str, Any]] = (await self.admin("GET", "requests"))["requests"]
        return found

    async def subscribe(self, running: Running) -> aiohttp.ClientWebSocketResponse:
        """A socket that hears the account's events."""
        socket = await self.http.ws_connect(running.ws_api_url)
        params = {"apiKey": self.api_key, "timestamp": self.now_ns() // 1_000_000}
        text = "&".join(f"{name}={value}" for name, value in sorted(params.items()))
        await socket.send_json({
            "id": 1,
            "method": "userDataStream.subscribe.signature",
            "params": {**params, "signature": self.sign(text)},
        })
        answer = await socket.receive_json(timeout=PATIENCE_S)
        assert answer["status"] == 200, answer
        return socket


@asynccontextmanager
async def local_exchange(
    balances: dict[str, str] | None = None, more: Iterable[FlowEvent] = (), **options: Any
) -> AsyncIterator[tuple[Running, Client]]:
    """A running exchange with one account (100,000 USDT and 10 BTC unless told otherwise).

    Args:
        more: events of the market after the ladder.
        options: of `holdfast.exchange.server.serve`.
    """
    funds = {"USDT": "100000", "BTC": "10"} if balances is None else balances
    # The ladder stands before the doors open.
    async with serve(LadderFlow(more), **{"speed": 0, "warm_up_s": 1, **options}) as running:
        account = open_account(running, funds)
        async with aiohttp.ClientSession() as http:
            yield running, Client(
                http, running.url, account.api_key, account.secret, running.desk.exchange.now_ns
            )


async def struck(running: Running, times: int = 1) -> None:
    """Return right after the fault put in force last has struck so often.

    A delay that it makes has begun by then and has not ended, however slow the machine is.
    """
    fault = running.desk.gateway.faults.faults[-1]
    await until(lambda: fault.struck >= times, f"a {fault.kind} that strikes")
    await asyncio.sleep(0)  # what the strike started in a task of its own gets its first turn


def open_account(running: Running, balances: dict[str, str]) -> Account:
    """One more account, made without asking over HTTP."""
    return running.desk.exchange.open_account(
        {asset: Decimal(amount) for asset, amount in balances.items()}
    )

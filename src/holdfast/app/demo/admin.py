"""The local exchange's admin routes over HTTP: the account, the ledger, one fault.

Not here: what the exchange offers to everybody (venues).
"""

from __future__ import annotations

import asyncio
from decimal import Decimal

import aiohttp
import msgspec

from holdfast.app.demo.evidence import (
    Ledger,
    LedgerCopy,
    SignedRequest,
    read_ledger,
    read_requests,
)
from holdfast.errors import UnreachableError

_TIMEOUT = aiohttp.ClientTimeout(total=60)  # all of a long run is told once, at its end


class Keys(msgspec.Struct, frozen=True):
    """A new account's keys."""

    api_key: str = msgspec.field(name="apiKey")
    secret: str


class _Price(msgspec.Struct):
    price: Decimal


class Admin:
    """A connection to the exchange's operator; `close` it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        self._copy, self._copying = LedgerCopy(), asyncio.Lock()

    async def open_account(self, balances: dict[str, str]) -> Keys:
        """Make an account with these balances."""
        body = await self._call("POST", "/admin/accounts", {"balances": balances})
        return msgspec.json.decode(body, type=Keys)

    async def ledger(self, *, anew: bool = False) -> Ledger:
        """The truth, as it is now.

        Args:
            anew: ask for all of it, not only for what has changed since the last call.
        """
        async with self._copying:
            since = 0 if anew else self._copy.next
            part = read_ledger(await self._call("GET", f"/admin/ledger?since={since}"))
            return self._copy.take(part)

    async def requests(self) -> tuple[SignedRequest, ...]:
        """Every signed request since the exchange started."""
        return read_requests(await self._call("GET", "/admin/requests"))

    async def lose_next_reply(self) -> None:
        """The next new order is carried out, and its reply never arrives."""
        match = {"method": "POST", "path": "/api/v3/order*"}  # also of an order list
        await self._call(
            "POST", "/admin/faults", {"kind": "drop_reply", "match": match, "count": 1}
        )

    async def price(self, symbol: str) -> Decimal:
        """The last price of `symbol` (`ETHUSDT`), quote units."""
        body = await self._call("GET", f"/api/v3/ticker/price?symbol={symbol}")
        return msgspec.json.decode(body, type=_Price).price

    async def close(self) -> None:
        """Let the connection go."""
        await self._session.close()

    async def _call(self, method: str, path: str, document: object = None) -> bytes:
        body = None if document is None else msgspec.json.encode(document)
        try:
            async with self._session.request(method, f"{self.url}{path}", data=body) as reply:
                answer = await reply.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UnreachableError(
                f"seen: no answer from the local exchange to {method} {path} ({error!r}); "
                "expected: it to run; do: start it again, it goes on where it was"
            ) from error
        if reply.status != 200:
            raise UnreachableError(
                f"seen: the local exchange answers {method} {path} with {reply.status}: "
                f"{answer[:200].decode(errors='replace')}; expected: 200; do: report this"
            )
        return answer

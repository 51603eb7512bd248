"""A local exchange in a thread of its own, for clients that block.

Not here: the exchange's market or the bare client (`tests.support.exchange`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from tests.support.exchange import Client, local_exchange
from tests.support.threaded import threaded
from tests.support.waiting import PATIENCE_S

_T = TypeVar("_T")


class Hosted:
    """A running exchange, and a client of one account that lives in its loop.

    Attributes:
        url: its address.
        client: the account's; use it through `ask` only.
    """

    def __init__(self, url: str, client: Client, loop: asyncio.AbstractEventLoop) -> None:
        self.url = url
        self.client = client
        self._loop = loop

    def ask(self, what: Callable[[Client], Coroutine[Any, Any, _T]]) -> _T:
        """Run `what` with the client in the exchange's loop and return what it returns."""
        return asyncio.run_coroutine_threadsafe(what(self.client), self._loop).result(PATIENCE_S)

    def admin(self, method: str, route: str, body: Any = None) -> Any:
        """The decoded answer of an admin route."""
        return self.ask(lambda client: client.admin(method, route, body))

    def signed(self, method: str, path: str, **params: Any) -> tuple[int, Any]:
        """Status and body of a signed request of the account."""
        return self.ask(lambda client: client.call(method, path, **params))

    def last_request(self) -> dict[str, Any]:
        """The last signed request that the exchange has seen, of any account."""
        rows: list[dict[str, Any]] = self.admin("GET", "requests")["requests"]
        return rows[-1]


@contextmanager
def hosted_exchange(**options: Any) -> Iterator[Hosted]:
    """Run an exchange for as long as the context lasts; options as for `local_exchange`."""
    with threaded(local_exchange(**options), "local exchange") as ((running, client), loop):
        yield Hosted(running.url, client, loop)

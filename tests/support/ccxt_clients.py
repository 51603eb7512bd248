"""An unmodified ccxt, pointed at a local exchange in its three flavours.

Not here: what is asked of it. ccxt takes seconds to import: only who makes one does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib import import_module
from typing import Any

from tests.support.waiting import PATIENCE_S

OPTIONS = {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False, "fetchMargins": False}


class Flavour(StrEnum):
    """Which ccxt."""

    SYNC = "sync"
    ASYNC = "async"
    PRO = "pro"


_MODULES = {Flavour.SYNC: "ccxt", Flavour.ASYNC: "ccxt.async_support", Flavour.PRO: "ccxt.pro"}


def error(name: str) -> type[Exception]:
    """A class of ccxt's errors."""
    found: type[Exception] = getattr(import_module("ccxt"), name)
    return found


def make(flavour: Flavour, url: str, key: str = "", secret: str = "", **config: Any) -> Any:
    """A ccxt exchange that talks to `url` instead of Binance; nothing else of it is changed."""
    settings = {
        "enableRateLimit": False, "timeout": int(PATIENCE_S * 1000), "options": dict(OPTIONS),
        **config,
    }  # fmt: skip
    binance = import_module(_MODULES[flavour]).binance
    exchange = binance({"apiKey": key, "secret": secret, **settings})
    for name, address in list(exchange.urls["api"].items()):
        if isinstance(address, str):
            # https://api.binance.com/api/v3 keeps its /api/v3.
            exchange.urls["api"][name] = f"{url}/{address.split('/', 3)[3]}"
    streams = url.replace("http", "ws", 1)
    if flavour is Flavour.PRO:
        # ccxt takes an address without "/stream" in it for one of the futures exchange.
        exchange.urls["api"]["ws"]["spot"] = f"{streams}/stream/ws"
        exchange.urls["api"]["ws"]["ws-api"]["spot"] = f"{streams}/ws-api/v3"
    return exchange


def map_errors_as_on_binance(exchange: Any) -> None:
    """Use the exception table of spot, which ccxt otherwise finds by Binance's own address."""
    exchange.get_exceptions_by_url = lambda _url, kind: exchange.exceptions["spot"].get(kind, {})


class Caller:
    """Calls a ccxt exchange by method name, whether its methods are coroutines or not."""

    def __init__(self, exchange: Any, runner: asyncio.Runner | None) -> None:
        self.exchange = exchange
        self._runner = runner

    def __call__(self, method: str, *args: Any, **options: Any) -> Any:
        result = getattr(self.exchange, method)(*args, **options)
        return result if self._runner is None else self._runner.run(result)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine where this exchange lives; only for those that have a loop."""
        if self._runner is None:
            raise TypeError("the synchronous ccxt has no loop to run in")
        return self._runner.run(work)


@contextmanager
def calling(
    flavour: Flavour, url: str, key: str = "", secret: str = "", **config: Any
) -> Iterator[Caller]:
    """A ccxt exchange to call, closed at the end."""
    exchange = make(flavour, url, key, secret, **config)
    if flavour is Flavour.SYNC:
        yield Caller(exchange, None)
        exchange.session.close()
        return
    with asyncio.Runner() as runner:
        caller = Caller(exchange, runner)
        try:
            yield caller
        finally:
            caller("close")

"""The demo's site: exchange, account and node, started in this order and ended in reverse.

Not here: watching them (run), or the folder they live in (home).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import ROUND_HALF_UP, Decimal
from urllib.parse import urlsplit

import msgspec

from holdfast.app.database import upgrade_file
from holdfast.app.demo.admin import Admin
from holdfast.app.demo.home import Home
from holdfast.app.demo.processes import Child

# Enough bars of a second for every indicator of the demo's bots; more would only take longer.
WARM_UP_S = 300
# Besides the cash, a little of each coin: fees are taken in it, and a sell must be covered.
OPENING = {"USDT": "10000", "BTC": "0.01", "ETH": "0.2"}
SYMBOLS = ("BTC/USDT", "ETH/USDT")
_GRID_HALF_WIDTH = Decimal("0.0035")
_CENT = Decimal("0.01")


class Site(msgspec.Struct, frozen=True):
    """What runs."""

    exchange: Child
    node: Child
    admin: Admin
    url: str


@asynccontextmanager
async def running_site(home: Home, say: Callable[[str], None]) -> AsyncIterator[Site]:
    """Exchange and node for as long as the context lasts, and not longer than this process.

    Args:
        say: told of each step, for people.

    Raises:
        ConfigError, UnreachableError: one of them did not start; the text says why.
    """
    manifest = home.manifest
    words = [
        "exchange", "serve", "--port", str(home.free_port()), "--synthetic",
        "--seed", str(manifest.seed), "--warm-up", str(WARM_UP_S),
        "--state", str(home.exchange_state),
    ]  # fmt: skip
    for symbol in SYMBOLS:
        words += ["--symbol", symbol]
    exchange = await Child.start("exchange", words, home.log("exchange"))
    try:
        await _begin_journal(home)  # while the exchange starts: the node need not do it later
        url = await exchange.listening()
        say(f"exchange at {url}, an invented market (seed {manifest.seed})")
        admin = Admin(url)
        try:
            if not home.is_complete:
                await _move_in(home, admin)
                say("a new account with 10,000 USDT, 0.01 BTC and 0.2 ETH")
            manifest.port = urlsplit(url).port or 0
            manifest.runs += 1
            home.save()
            home.write_config(url)
            node = await Child.start(
                "node", ["node", "--config", str(home.config)], home.log("node")
            )
            try:
                yield Site(exchange, node, admin, url)
            finally:
                await node.stop()
        finally:
            await admin.close()
    finally:
        await exchange.stop()


async def _begin_journal(home: Home) -> None:
    if not home.journal.exists():
        await asyncio.to_thread(upgrade_file, home.journal)


async def _move_in(home: Home, admin: Admin) -> None:
    """Make the account and choose the grid's prices; whole once the manifest is saved."""
    keys = await admin.open_account(OPENING)
    home.keep_keys(keys.api_key, keys.secret)
    price = await admin.price("ETHUSDT")
    for side, name in ((-1, "grid_low"), (1, "grid_high")):
        edge = (price * (1 + side * _GRID_HALF_WIDTH)).quantize(_CENT, ROUND_HALF_UP)
        setattr(home.manifest, name, str(edge))
    home.save()

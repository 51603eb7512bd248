"""The site: exchange, account and nodes, started in this order and ended in reverse.

Not here: watching them (run), or the folder they live in (home).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from urllib.parse import urlsplit

import msgspec

from holdfast.app.database import SqliteDatabase, upgrade
from holdfast.app.demo.admin import Admin
from holdfast.app.demo.home import Home
from holdfast.app.demo.nodes import Nodes
from holdfast.app.demo.plan import Plan
from holdfast.app.demo.processes import Child


class Site(msgspec.Struct, frozen=True):
    """What runs."""

    exchange: Child
    nodes: Nodes
    admin: Admin
    url: str


@asynccontextmanager
async def running_site(home: Home[Plan], say: Callable[[str], None]) -> AsyncIterator[Site]:
    """Exchange and nodes for as long as the context lasts, and not longer than this process.

    Args:
        say: told of each step, for people.

    Raises:
        ConfigError, UnreachableError: one of them did not start; the text says why.
    """
    plan = home.plan
    if plan.assumption:
        say(plan.assumption)
    words = [
        "exchange", "serve", "--port", str(home.free_port()), *plan.exchange_words(),
        "--state", str(home.exchange_state),
    ]  # fmt: skip
    for symbol in plan.symbols:
        words += ["--symbol", symbol]
    exchange = await Child.start("exchange", words, home.log("exchange"))
    try:
        await _begin_journal(home)  # while the exchange starts: the node need not do it later
        url = await exchange.listening()
        say(f"exchange at {url}, {plan.market}")
        admin = Admin(url)
        try:
            if not plan.is_complete:
                await _move_in(home, admin)
                held = (f"{Decimal(amount):,} {asset}" for asset, amount in plan.opening.items())
                say(f"a new account with {', '.join(held)}")
            plan.port = urlsplit(url).port or 0
            plan.runs += 1
            home.save()
            home.write_config(url)
            nodes = Nodes(home.seats())
            await nodes.seats[0].start()  # the others follow once it trades
            try:
                yield Site(exchange, nodes, admin, url)
            finally:
                await nodes.stop()
        finally:
            await admin.close()
    finally:
        await exchange.stop()


async def _begin_journal(home: Home[Plan]) -> None:
    if not home.journal.exists():
        await asyncio.to_thread(upgrade, SqliteDatabase(home.journal))


async def _move_in(home: Home[Plan], admin: Admin) -> None:
    """Make the account and complete the plan; whole once that is saved."""
    keys = await admin.open_account(home.plan.opening)
    home.keep_keys(keys.api_key, keys.secret)
    await home.plan.settle_in(admin)
    home.save()

"""A journal that is written, users who asked to be told, and webhooks that take what is told.

Not here: Telegram (telegram_server), what is expected (the tests).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
from aiohttp import web

from holdfast.app.notify import people
from holdfast.app.notify.own import OwnNotifications
from holdfast.app.notify.serve import serve
from holdfast.config import Account, Config, Venue
from holdfast.config.notify import Channel, NotifySettings
from holdfast.domain.fact import AnyFact, CashFlow, CommandTaken, Filled, Opened
from holdfast.domain.fill import Fill
from holdfast.domain.order import Side
from holdfast.journal.database import Database
from holdfast.journal.port import Store
from holdfast.journal.writer import JournalWriter
from holdfast.operations.notify import rows
from holdfast.operations.notify.port import Subscription, Wanted
from holdfast.platform.identity.console import Console
from holdfast.platform.identity.values import Grant, Principal, Role
from holdfast.platform.port import PlatformStore
from tests.support.platform_stores import journal
from tests.support.waiting import until

NOWHERE: Final = Venue(
    rest_url="http://127.0.0.1:9", ws_api_url="ws://127.0.0.1:9/ws", stream_url="ws://127.0.0.1:9"
)
PEOPLE: Final = {
    "tom": (Role.TRADER, (Grant("main"),)),
    "bea": (Role.TRADER, (Grant("other"),)),
    "cut": (Role.VIEWER, (Grant("main", "cross"),)),
    "ada": (Role.ADMIN, ()),
}
"""Two traders with an account each, one who looks at a bot of the first's, and an admin."""

TOKEN: Final = "planted-token-0123456789abcdef"


def fill(number: int, bot: str = "cross", value: str = "100") -> Filled:
    """An execution of one unit at `value`."""
    return Filled(
        bot=bot,
        fill=Fill(
            symbol="BTC/USDT", side=Side.BUY, trade_id=str(number), venue_order_id=f"v{number}",
            cid=f"cid-{number}", quantity=Decimal(1), price=Decimal(value), fee=Decimal(0),
            fee_asset="USDT", at_ns=1,
        ),
    )  # fmt: skip


def money(amount: int) -> CashFlow:
    """What an account begins with."""
    return CashFlow(
        asset="USDT", amount=Decimal(amount), reason="opening", evidence="e", at_ns=1
    )


class Webhook:
    """Takes what Apprise's `json://` posts, unless it is told to be down.

    Attributes:
        taken: title, body and type of each.
        tries: requests, those that were refused among them.
    """

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.is_down = False
        self.tries = 0
        self.url = ""
        self.hold = asyncio.Event()
        self.hold.set()

    async def take(self, request: web.Request) -> web.Response:
        self.tries += 1
        body = msgspec.json.decode(await request.read())
        if self.is_down:
            raise web.HTTPServiceUnavailable
        self.taken.append(body)
        await self.hold.wait()
        return web.Response()

    @property
    def said(self) -> str:
        """All of it, line by line."""
        return "\n".join(one["message"] for one in self.taken)


@asynccontextmanager
async def webhook() -> AsyncIterator[Webhook]:
    """One that listens on loopback."""
    made = Webhook()
    app = web.Application()
    app.router.add_post(f"/{TOKEN}", made.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    made.url = f"json://127.0.0.1:{port}/{TOKEN}"
    try:
        yield made
    finally:
        made.hold.set()
        await runner.cleanup()


@dataclass
class World:
    """Everything but the process that tells.

    Attributes:
        hooks: by the name of their channel.
        who: by name.
    """

    database: Database
    store: PlatformStore
    config: Config
    hooks: dict[str, Webhook]
    who: dict[str, Principal]
    writers: dict[str, JournalWriter] = field(default_factory=dict)
    stores: list[Store] = field(default_factory=list)
    telling_now: list[asyncio.Task[None]] = field(default_factory=list)

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait for something, unless a process that tells has failed."""
        await until(
            lambda: holds() or any(one.done() and not one.cancelled() for one in self.telling_now),
            what, every_s=0.01,
        )  # fmt: skip
        if not holds():
            for one in self.telling_now:
                if one.done() and not one.cancelled():
                    one.result()

    async def write(self, account: str, *facts: AnyFact) -> None:
        """Let an account's leader write."""
        if account not in self.writers:
            await self.take_over(account)
        for fact in facts:
            await self.writers[account].append(fact)

    async def take_over(self, account: str) -> None:
        """Become its leader."""
        store = self.database.store()
        self.stores.append(store)
        self.writers[account] = JournalWriter(store, await store.acquire(account, "test"))

    @property
    def own(self) -> OwnNotifications:
        """What users ask for."""
        return OwnNotifications(self.store, self.config.notify)

    async def add(self, who: str, name: str, channel: str = "hook", **more: Any) -> Subscription:
        """Let somebody hear of something."""
        return await self.own.add(self.who[who], Wanted(name=name, channel=channel, **more))

    async def subscription(self, who: str, name: str) -> Subscription:
        """How one goes."""
        found = await self.own.subscriptions(self.who[who])
        return next(one for one in found if one.name == name)

    async def lead(self, account: str) -> None:
        """Take what the account's leader is asked for, as it comes, until cancelled."""
        with closing(self.database.commands()) as commands:
            while True:
                for one in commands.pending(account):
                    fact = CommandTaken(
                        command_id=one.command_id, name=one.name, by=one.by,
                        arguments=one.arguments,
                    )  # fmt: skip
                    await self.write(account, fact)
                await asyncio.sleep(0.02)

    def asked(self) -> list[tuple[Any, ...]]:
        """What leaders were asked for: account, name, arguments, by whom."""
        statement = 'SELECT account, name, arguments, "by" FROM command ORDER BY number'
        return self.store.look(lambda look: look.rows(statement))

    def told_upto(self, account: str) -> int:
        """The last record that is known to be told."""
        found = self.store.look(lambda look: rows.position(look, account))
        return found[0] if found is not None else 0

    @asynccontextmanager
    async def telling(self, count: int = 1) -> AsyncIterator[Sequence[asyncio.Task[None]]]:
        """So many processes that tell, of which one does; it does when this is entered."""
        begun = asyncio.Event()
        tasks = [
            asyncio.create_task(serve(self.config, lambda _: begun.set())) for _ in range(count)
        ]
        self.telling_now = tasks
        try:
            waiting = asyncio.create_task(begun.wait())
            await asyncio.wait((waiting, *tasks), return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            for task in tasks:
                if task.done():
                    task.result()
            yield tasks
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task


Scenario = Callable[[World], Awaitable[None]]


@asynccontextmanager
async def world(
    kind: str, folder: Path, monkeypatch: Any, hooks: Sequence[str] = ("hook",), **notify: Any
) -> AsyncIterator[World]:
    """A journal with two accounts, people, and a webhook for each channel."""
    async with AsyncExitStack() as stack:
        database = stack.enter_context(journal(kind, folder))
        await asyncio.to_thread(database.upgrade)
        store = stack.enter_context(closing(database.platform()))
        made = World(database, store, Config(), {}, _people(store))
        for name in hooks:
            made.hooks[name] = await stack.enter_async_context(webhook())
            monkeypatch.setenv(f"NOTIFY_{name.upper()}", made.hooks[name].url)
        channels = tuple(Channel(name=name, to=f"env:NOTIFY_{name.upper()}") for name in hooks)
        made.config = Config(
            database_url=_url(database, folder), state_dir=str(folder),
            account=Account(venue=NOWHERE),
            notify=NotifySettings(channels=channels, **notify),
        )  # fmt: skip
        try:
            for account in ("main", "other"):
                opened = Opened(account=account, deployment="test", generation=1, reporting="USDT")
                await made.write(account, opened, money(10_000))
            yield made
        finally:
            for one in made.stores:
                await one.close()


def _people(store: PlatformStore) -> dict[str, Principal]:
    console = Console(store, "test@here")
    for name, (role, grants) in PEOPLE.items():
        console.create(name, role, grants)
    return {name: people.principal_of(store.look(lambda k, n=name: people.named(k, n)))  # type: ignore[misc]
            for name in PEOPLE}  # fmt: skip


def _url(database: Database, folder: Path) -> str:
    return str(getattr(database, "url", f"sqlite:///{folder}/journal.db"))

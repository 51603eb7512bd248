"""The API over a real database: real users, sessions, keys, commands and jobs; only the read model
says what it was told.

Not here: the process (tests/acceptance), the read model (app.view).
"""

from __future__ import annotations

import asyncio
import functools
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, cast

import httpx
import msgspec

from holdfast.api.build import Api, Terms, build
from holdfast.api.ports import Ports, Rate
from holdfast.api.rates import MemoryRates
from holdfast.app.jobs.inputs import KINDS
from holdfast.app.notify.own import OwnNotifications
from holdfast.app.view.model import Model
from holdfast.app.web.commands import JournalCommands
from holdfast.app.web.exchange_accounts import KeptExchangeAccounts
from holdfast.app.web.probes import DatabaseProbe
from holdfast.app.web.signals import SignalDoor
from holdfast.app.web.told_settings import ToldSettings
from holdfast.config import Config
from holdfast.config.identity import IdentitySettings
from holdfast.journal.database import Database, SqliteDatabase
from holdfast.platform.identity.console import Console
from holdfast.platform.identity.service import IdentityService
from holdfast.platform.identity.values import Grant, Role, User
from holdfast.platform.jobs.board import Board
from holdfast.platform.jobs.sqlite import SqliteJobs
from holdfast.platform.port import PlatformStore
from holdfast.platform.requests.store import KeptRequests
from tests.support.api_reads import ToldReads

PASSWORD: Final = "correct horse battery staple"
PEOPLE: Final = {
    "vera": (Role.VIEWER, (Grant("main"),)),
    "tom": (Role.TRADER, (Grant("main"),)),
    "bea": (Role.TRADER, (Grant("other"),)),
    "ada": (Role.ADMIN, ()),
}
"""Who there is: two traders with an account each, one who looks at the first's, and an admin."""

PLENTY: Final = Rate(1_000_000, 60.0)


@dataclass
class World:
    """An API with people.

    Attributes:
        tokens: access tokens of confirmed sessions, by name.
    """

    api: Api
    ports: Ports
    database: Database
    store: PlatformStore
    reads: ToldReads
    client: httpx.AsyncClient
    users: dict[str, User]
    tokens: dict[str, str] = field(default_factory=dict)

    async def ask(
        self, method: str, path: str, who: str = "", **more: Any
    ) -> httpx.Response:
        """Ask for something as somebody; what changes something gets a key of its own."""
        headers: dict[str, str] = {**more.pop("headers", {})}
        if who:
            headers.setdefault("Authorization", f"Bearer {await self.token(who)}")
        if method != "GET":
            headers.setdefault("Idempotency-Key", uuid.uuid4().hex)
        return await self.client.request(method, path, headers=headers, **more)

    async def token(self, who: str) -> str:
        """An access token with which he may do all that his role lets him."""
        if who not in self.tokens:
            first = await self.sign_in(who)
            confirmed = await self.client.post(
                "/api/v1/auth/confirm", json={"password": PASSWORD},
                headers={"Authorization": f"Bearer {first['access_token']}"},
            )  # fmt: skip
            self.tokens[who] = confirmed.raise_for_status().json()["access_token"]
        return self.tokens[who]

    async def sign_in(self, who: str) -> dict[str, Any]:
        """A session that was not confirmed."""
        given = {"name": who, "password": PASSWORD}
        response = await self.client.post("/api/v1/auth/sign-in", json=given)
        found: dict[str, Any] = response.raise_for_status().json()
        return found

    def audit_head(self) -> int:
        """How far the platform's stream has come."""
        return self.store.head()

    def commands(self) -> list[tuple[Any, ...]]:
        """What leaders were asked for: account, name, arguments and by whom."""
        statement = 'SELECT account, name, arguments, "by" FROM command ORDER BY number'
        return self.store.look(lambda look: look.rows(statement))


@asynccontextmanager
async def world(
    folder: Path, terms: Terms | None = None, config: Config | None = None, **ports: Any
) -> AsyncIterator[World]:
    """An API in this process, and a client of it."""
    config = config or Config(database_url=f"sqlite:///{folder}/journal.db", state_dir=str(folder))
    path = folder / "journal.db"
    if path.exists():
        users = await asyncio.to_thread(_settle, path)
    else:
        content, users = await asyncio.to_thread(_settled)
        path.write_bytes(content)
    database = SqliteDatabase(path)
    store = database.platform()
    identity = IdentityService(store, IdentitySettings())
    reads = ToldReads()
    commands = JournalCommands(database, store, config)
    rows = SqliteJobs(folder / "jobs.db")
    made: Mapping[str, Any] = {
        "identity": identity, "audit": identity.audit, "requests": KeptRequests(store),
        "reads": reads, "feeds": None, "commands": commands,
        "exchange_accounts": KeptExchangeAccounts(config, store, Model(config, database)),
        "signals": SignalDoor(config, commands), "jobs": Board(rows, KINDS),
        "notifications": OwnNotifications(store, config.notify),
        "rates": MemoryRates(), "settings": ToldSettings(config, None),
        "database": DatabaseProbe(store), "redis": None, **ports,
    }  # fmt: skip
    joined = Ports(**made)
    api = build(joined, terms or Terms(by_user=PLENTY, by_address=PLENTY, folder=folder))
    transport = httpx.ASGITransport(cast("Any", api.app), client=("127.0.0.1", 50_000))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield World(api, joined, database, store, reads, client, dict(users))
    finally:
        store.close()


@functools.cache
def _settled() -> tuple[bytes, dict[str, User]]:
    """A new file with people, and who they are: to hash their passwords is dear on purpose."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        users = _settle(path)
        return path.read_bytes(), users


def _settle(path: Path) -> dict[str, User]:
    database = SqliteDatabase(path)
    database.upgrade()
    with closing(database.platform()) as store:
        console = Console(store, "test@here")
        found: dict[str, User] = {}
        for name, (role, grants) in PEOPLE.items():
            made = console.create(name, role, grants, PASSWORD)
            assert isinstance(made, User)
            found[name] = made
    return found


def problem(response: httpx.Response) -> dict[str, Any]:
    """The problem document of an answer, which must be one."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    found: dict[str, Any] = msgspec.json.decode(response.content)
    assert found["status"] == response.status_code
    return found

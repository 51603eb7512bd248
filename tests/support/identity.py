"""Identity over a real database, with a clock of the test's own.

Not here: what is asked of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pyotp
import pytest

from holdfast.config.identity import IdentitySettings
from holdfast.domain.platform import AnyPlatformFact
from holdfast.journal.database import Database
from holdfast.platform.identity.console import Console
from holdfast.platform.identity.service import IdentityService
from holdfast.platform.identity.values import (
    Caller,
    ForbiddenError,
    Grant,
    Principal,
    Role,
    SessionTokens,
    UnauthenticatedError,
    User,
)
from holdfast.platform.port import PlatformStore
from tests.support.platform_stores import KINDS, journal

S = 1_000_000_000
HERE = Caller("127.0.0.1", "tests")
AFAR = Caller("203.0.113.7", "tests")
ELSEWHERE = Caller("198.51.100.9", "tests")
PASSWORD = "seven quiet lanterns"
WRONG = "seven loud lanterns"


class World:
    """Identity, the console, and the time."""

    def __init__(self, database: Database, store: PlatformStore) -> None:
        self.database = database
        self.store = store
        self.now_ns = 1_800_000_000 * S
        self.settings = IdentitySettings()
        self.identity = self.process()
        self.console = Console(store, "tester@here", lambda: self.now_ns)

    def process(self, settings: IdentitySettings | None = None) -> IdentityService:
        """Another process over the same database."""
        return IdentityService(self.store, settings or self.settings, lambda: self.now_ns)

    def wait(self, seconds: float) -> None:
        """Time goes by."""
        self.now_ns += round(seconds * S)

    def create(self, name: str, role: Role, *grants: Grant) -> str:
        """A user with `PASSWORD`; his id."""
        made = self.console.create(name, role, grants, PASSWORD)
        assert isinstance(made, User)
        return made.user_id

    async def sign_in(self, name: str, caller: Caller = AFAR) -> SessionTokens:
        """Begin a session by the usual password."""
        return await self.identity.sign_in(name, PASSWORD, "", caller)

    async def guess(self, name: str, caller: Caller = ELSEWHERE, *, times: int = 1) -> None:
        """Try a wrong password, which nobody is let in by."""
        for _ in range(times):
            with pytest.raises(UnauthenticatedError):
                await self.identity.sign_in(name, WRONG, "", caller)

    async def signed_in(self, name: str) -> Principal:
        """Who has just signed in."""
        return await self.identity.authenticate((await self.sign_in(name)).access_token)

    async def confirmed(self, name: str) -> Principal:
        """Who has just signed in, and confirmed it."""
        who = await self.signed_in(name)
        tokens = await self.identity.confirm(who, PASSWORD, "", AFAR)
        return await self.identity.authenticate(tokens.access_token)

    def code(self, secret: str) -> str:
        """What an authenticator shows now."""
        return pyotp.TOTP(secret).at(self.now_ns // S)

    def facts(self, *kinds: type) -> list[AnyPlatformFact]:
        """What the stream says, of these kinds."""
        found = [event.fact for event in self.store.events(0, 10_000)]
        return [fact for fact in found if not kinds or isinstance(fact, kinds)]


@contextmanager
def refused_for(
    code: str, kind: type[ForbiddenError | UnauthenticatedError] = UnauthenticatedError
) -> Iterator[None]:
    """What is tried within is refused, for this reason."""
    with pytest.raises(kind) as error:
        yield
    assert error.value.code == code


Scenario = Callable[[World], Coroutine[Any, Any, None]]


def scenario(test: Scenario) -> Callable[..., None]:
    """Run `test` over each kind of database, in a loop of its own."""

    @pytest.mark.parametrize("kind", KINDS)
    def against(kind: str, tmp_path: Path) -> None:
        with world(kind, tmp_path) as made:
            asyncio.run(test(made))

    against.__name__, against.__doc__ = test.__name__, test.__doc__
    return against


@contextmanager
def world(kind: str, directory: Path) -> Iterator[World]:
    """Identity over an empty database."""
    with journal(kind, directory) as database, closing(database.platform()) as store:
        yield World(database, store)

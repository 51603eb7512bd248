"""What all parts of the service share: the store away from the loop, keys, and who may what.

Not here: what can be asked (sign_ins, people, access).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, TypeVar

from holdfast.config.identity import IdentitySettings
from holdfast.platform.identity import passwords, signing, users
from holdfast.platform.identity.known import Known
from holdfast.platform.identity.sealing import Sealer
from holdfast.platform.identity.sessions import SessionRow
from holdfast.platform.identity.users import UserRow
from holdfast.platform.identity.values import (
    ForbiddenError,
    Principal,
    Scope,
    SessionTokens,
    ThrottledError,
)
from holdfast.platform.port import Change, Look, PlatformStore

T = TypeVar("T")

HASHES_AT_ONCE: Final = 2
HASHES_WAITING: Final = 32
"""Sign-ins that wait for their turn; more are sent away, so that a flood costs others no core."""

_S: Final = 1_000_000_000


class Core:
    """For one event loop.

    Args:
        now_ns: the clock that everything ends by, UTC.
    """

    def __init__(
        self,
        store: PlatformStore,
        settings: IdentitySettings,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.store = store
        self.now_ns = now_ns
        self.keys = signing.Keys(store, settings.jwt_secret, now_ns)
        self.sealer = Sealer(settings.sealing)
        self.known = Known(store, now_ns, self.keys.forget)
        self._turns = asyncio.Semaphore(HASHES_AT_ONCE)
        self._hashing = 0

    async def look(self, look: Callable[[Look], T]) -> T:
        """What the tables say."""
        return await asyncio.to_thread(self.store.look, look)

    async def change(self, change: Callable[[Change], T]) -> T:
        """Change them; what is known of anybody is true to it when this returns."""
        result = await asyncio.to_thread(self.store.change, change)
        await self.known.look_now()
        return result

    async def hashing(self, function: Callable[..., T], *args: object) -> T:
        """Run what hashes a password, few at once.

        Raises:
            ThrottledError: too many wait for that.
        """
        if self._hashing >= HASHES_WAITING:
            raise ThrottledError(
                "busy", "seen: too many sign-ins at once; expected: fewer; do: try again", 1
            )
        self._hashing += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(function, *args)
        finally:
            self._hashing -= 1

    async def tokens_of(self, session: SessionRow, refresh_token: str) -> SessionTokens:
        """What a session is carried on with."""

        def principal(look: Look) -> Principal:
            return principal_of(look, users.required(look, session.user_id), session)

        who = await self.look(principal)
        access = await asyncio.to_thread(
            self.keys.sign_access, who.user_id, session.session_id, session.step_up_until_ns
        )
        lasts_ns = session.expires_ns - self.now_ns()
        return SessionTokens(who, access, signing.ACCESS_S, refresh_token, lasts_ns // _S)

    async def hash_password(self, password: str, name: str) -> str:
        """What is kept of a new password.

        Raises:
            UnsuitableError
        """
        passwords.require_suitable(password, name)
        return await self.hashing(passwords.hashed, password)

    def require_confirmed(self, principal: Principal, scope: Scope) -> None:
        """Let somebody pass who may do it and has just confirmed who he is.

        Raises:
            ForbiddenError
        """
        require(principal, scope)
        require_session(principal)
        if not self.now_ns() < principal.step_up_until_ns:
            raise ForbiddenError(
                "step_up_required",
                "seen: a session that did not confirm this lately; expected: a confirmation; do: "
                "confirm, and ask again",
            )


def principal_of(look: Look, user: UserRow, session: SessionRow) -> Principal:
    """Who a session is of."""
    return Principal(
        user_id=user.user_id,
        name=user.name,
        role=user.role,
        scopes=user.role.scopes,
        grants=users.grants_of(look, user.user_id),
        session_id=session.session_id,
        has_totp=bool(user.totp_secret),
        step_up_until_ns=session.step_up_until_ns,
    )


def require(principal: Principal, scope: Scope) -> None:
    """Let somebody pass who may do such things.

    Raises:
        ForbiddenError
    """
    if not principal.may(scope):
        raise ForbiddenError(
            "scope",
            f"seen: {principal.actor} without the scope {scope.value}; expected: one who has it; "
            "do: ask an admin",
        )


def require_session(principal: Principal) -> None:
    """Let a person pass, and no program.

    Raises:
        ForbiddenError
    """
    if not principal.session_id:
        raise ForbiddenError(
            "session_required",
            f"seen: {principal.actor}; expected: a person who is signed in; do: sign in",
        )


def require_oneself_or_admin(principal: Principal, user_id: str) -> str:
    """The user that is meant: himself where `user_id` is empty.

    Raises:
        ForbiddenError: it is another's, and he is no admin.
    """
    if user_id in ("", principal.user_id):
        return principal.user_id
    require(principal, Scope.ADMIN)
    return user_id

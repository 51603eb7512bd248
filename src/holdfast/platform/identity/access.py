"""Sessions and API tokens as they are managed, and the platform's stream as it is read.

Not here: their rows (sessions, api_tokens), what they prove (sign_ins).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from holdfast.domain.platform import AnyPlatformFact
from holdfast.platform.identity import api_tokens, sessions
from holdfast.platform.identity.core import Core, require_oneself_or_admin
from holdfast.platform.identity.values import (
    AbsentError,
    ApiToken,
    ForbiddenError,
    NewApiToken,
    Principal,
    Scope,
    Session,
)
from holdfast.platform.port import Change, Event


class Access:
    """The part of `Identity` that manages sessions and tokens."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def sessions(self, principal: Principal, user_id: str = "") -> tuple[Session, ...]:
        """Those that go on, newest first: his own, or for an admin anybody's."""
        wanted, now_ns = require_oneself_or_admin(principal, user_id), self._core.now_ns()
        return await self._core.look(lambda look: sessions.going_on(look, wanted, now_ns))

    async def revoke_session(self, principal: Principal, session_id: str) -> None:
        """End one of his own, or for an admin anybody's."""
        now_ns = self._core.now_ns()

        def change(change: Change) -> None:
            session = sessions.find(change, session_id)
            his = session is not None and session.user_id == principal.user_id
            if session is None or not session.goes_on(now_ns) or not (
                his or principal.may(Scope.ADMIN)
            ):
                raise AbsentError("session", f"seen: no session {session_id!r} that goes on")
            sessions.end(change, session, "revoked", by=principal.actor, now_ns=now_ns)

        await self._core.change(change)

    async def tokens(self, principal: Principal, user_id: str = "") -> tuple[ApiToken, ...]:
        """API tokens that are good: his own, or for an admin anybody's."""
        wanted, now_ns = require_oneself_or_admin(principal, user_id), self._core.now_ns()
        return await self._core.look(lambda look: api_tokens.good(look, wanted, now_ns))

    async def create_token(
        self,
        principal: Principal,
        name: str,
        scopes: Iterable[Scope],
        expires_in_s: int | None = None,
    ) -> NewApiToken:
        """Let a program act for him, with some of his scopes; for confirmed sessions."""
        self._core.require_confirmed(principal, Scope.READ)
        wanted, now_ns = frozenset(scopes), self._core.now_ns()
        if not wanted <= principal.scopes:
            beyond = ", ".join(sorted(wanted - principal.scopes))
            raise ForbiddenError(
                "scope", f"seen: {beyond} for a token; expected: scopes that {principal.name} has"
            )
        return await self._core.change(
            lambda change: api_tokens.create(
                change, principal.user_id, name, wanted,
                expires_in_s=expires_in_s, by=principal.actor, now_ns=now_ns,
            )
        )  # fmt: skip

    async def revoke_token(self, principal: Principal, token_id: str) -> None:
        """End one of his own, or for an admin anybody's."""
        whose = "" if principal.may(Scope.ADMIN) else principal.user_id
        now_ns = self._core.now_ns()
        await self._core.change(
            lambda change: api_tokens.revoke(
                change, token_id, whose, by=principal.actor, now_ns=now_ns
            )
        )


class Trail:
    """An `Audit`."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def note(self, *facts: AnyPlatformFact) -> None:
        """Append facts, durably."""
        await asyncio.to_thread(self._core.store.change, lambda change: change.note(*facts))

    async def events(self, *, before_seq: int = 0, limit: int = 100) -> Sequence[Event]:
        """Up to `limit` records before `before_seq`, newest first."""
        return await asyncio.to_thread(self._core.store.events_before, before_seq, limit)

    async def events_after(self, after_seq: int, limit: int = 1000) -> Sequence[Event]:
        """Up to `limit` records after `after_seq`, in order."""
        return await asyncio.to_thread(self._core.store.events, after_seq, limit)

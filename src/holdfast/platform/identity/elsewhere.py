"""Sign-in elsewhere: a provider proves an address, and the user who has it gets a session.

Nobody becomes a user by that: an admin made him before. Not here: the provider's protocol (oidc).
"""

from __future__ import annotations

from collections.abc import Callable
from hmac import compare_digest

import msgspec

from holdfast.domain.platform import SignInFailed
from holdfast.platform.identity import sessions, signing, throttle, users
from holdfast.platform.identity.core import Core
from holdfast.platform.identity.oidc import Begun, Elsewhere, Provider, failed
from holdfast.platform.identity.sessions import Method, SessionRow
from holdfast.platform.identity.values import (
    AbsentError,
    Caller,
    OidcStart,
    SessionTokens,
    UnauthenticatedError,
)
from holdfast.platform.port import Change


class SignInsElsewhere:
    """The part of `Identity` about a provider.

    Args:
        provider: None: nobody signs in elsewhere.
    """

    def __init__(self, core: Core, provider: Provider | None) -> None:
        self._core = core
        self._provider = provider

    def has_oidc(self) -> bool:
        """Whether a provider is configured."""
        return self._provider is not None

    async def begin_oidc(self, redirect_uri: str) -> OidcStart:
        """Begin a sign-in elsewhere."""
        url, begun = await self._known().begin(redirect_uri)
        cookie = self._core.keys.sign_cookie({"oidc": msgspec.to_builtins(begun)})
        return OidcStart(url, cookie, signing.COOKIE_S)

    async def finish_oidc(
        self, cookie: str, state: str, code: str, redirect_uri: str, caller: Caller
    ) -> SessionTokens:
        """Begin the session that was begun elsewhere."""
        provider, now_ns = self._known(), self._core.now_ns()
        await self._core.look(lambda look: throttle.require_free(look, "", caller.address, now_ns))
        try:
            begun = self._begun(cookie, state, redirect_uri)
            who = await provider.finish(begun, code)
        except UnauthenticatedError as error:
            await self._core.change(lambda change: self._note_failed(change, caller, "oidc"))
            raise error from None
        session = await self._core.change(self._session_of(who, caller))
        if session is None:
            raise UnauthenticatedError(
                "oidc_unknown_user",
                f"seen: {who.email}, who is no user here, or signs in by another account; "
                "expected: a user of this address; do: ask an admin to create one",
            )
        return await self._core.tokens_of(*session)

    def _begun(self, cookie: str, state: str, redirect_uri: str) -> Begun:
        """What this browser began; another one's answer does not fit to it."""
        claims = self._core.keys.cookie(cookie)
        try:
            begun = msgspec.convert(claims.get("oidc"), Begun)
        except msgspec.ValidationError as error:
            raise failed("no sign-in that this browser began") from error
        if not compare_digest(begun.state.encode(), state.encode(errors="surrogatepass")):
            raise failed("the answer to another sign-in")
        if begun.redirect_uri != redirect_uri:
            raise failed("an answer that came to another address")
        return begun

    def _session_of(
        self, who: Elsewhere, caller: Caller
    ) -> Callable[[Change], tuple[SessionRow, str] | None]:
        def begin(change: Change) -> tuple[SessionRow, str] | None:
            user = users.by_subject(change, who.subject) or users.by_name(change, who.email)
            bound = user is not None and users.bind_subject(
                change, user, who.subject, by=f"user:{user.name}"
            )
            if user is None or not bound or user.disabled:
                self._note_failed(change, caller, "oidc", user.user_id if user else "")
                return None
            return sessions.begin(change, user, Method.OIDC, caller, self._core.now_ns())

        return begin

    def _note_failed(self, change: Change, caller: Caller, why: str, user_id: str = "") -> None:
        throttle.failed(change, "", caller.address, self._core.now_ns())
        change.note(SignInFailed(by="somebody", user_id=user_id, why=why, address=caller.address))

    def _known(self) -> Provider:
        if self._provider is None:
            raise AbsentError(
                "oidc", "seen: no provider to sign in at; expected: GOOGLE_CLIENT_ID"
            )
        return self._provider

"""Proofs of who somebody is: passwords, codes, links, refresh tokens, bearers.

Not here: sign-in elsewhere (oidc), what is theirs (people, access).
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable
from typing import Final

import msgspec

from holdfast.domain.platform import SignInFailed, StepUpConfirmed
from holdfast.platform.identity import (
    api_tokens,
    codes,
    passwords,
    secret_text,
    sessions,
    throttle,
    totp,
    users,
)
from holdfast.platform.identity.codes import Purpose
from holdfast.platform.identity.core import Core, principal_of, require_session
from holdfast.platform.identity.sessions import Method, Refusal, SessionRow
from holdfast.platform.identity.users import UserRow
from holdfast.platform.identity.values import (
    Caller,
    ForbiddenError,
    Principal,
    SessionTokens,
    UnauthenticatedError,
)
from holdfast.platform.port import Change, Look

_S: Final = 1_000_000_000
_BY_PASSWORD: Final = frozenset({Method.PASSWORD, Method.TOTP})
_REFUSED: Final = {
    Refusal.BAD: "seen: no refresh token of ours; expected: one of a sign-in; do: sign in",
    Refusal.REVOKED: "seen: a session that was ended; expected: one that goes on; do: sign in",
    Refusal.EXPIRED: "seen: a session that is too old; expected: one that goes on; do: sign in",
    Refusal.REUSE: "seen: a refresh token for the second time; expected: each once; the session "
    "is ended, since somebody else may have it; do: sign in, and look through your sessions",
}


class SignIns:
    """The part of `Identity` that proves who is asking."""

    def __init__(self, core: Core) -> None:
        self._core = core

    # -- bearers -------------------------------------------------------------------------------

    async def authenticate(self, bearer: str) -> Principal:
        """Who the bearer of a token is."""
        known = self._core.known
        await known.keep_up()
        found = known.get(bearer)
        if found is not None:
            return found
        as_of = known.seq
        prove = self._api_token if bearer.startswith(secret_text.API_TOKEN) else self._access_token
        principal, expires_ns = await asyncio.to_thread(prove, bearer)
        known.put(bearer, principal, expires_ns, as_of)
        return principal

    async def losses(self) -> int:
        """A number that grows when somebody was shut out, or may do less; as of a second ago."""
        await self._core.known.keep_up()
        return self._core.known.losses

    def _access_token(self, bearer: str) -> tuple[Principal, int]:
        if not bearer:
            raise UnauthenticatedError("no_token", "seen: no token; expected: one; do: sign in")
        claims = self._core.keys.access(bearer)

        def look(look: Look) -> Principal:
            session = sessions.find(look, claims.sid)
            user = users.by_id(look, claims.sub)
            if (
                session is None or session.user_id != claims.sub or user is None
                or user.disabled or not session.goes_on(self._core.now_ns())
            ):  # fmt: skip
                raise UnauthenticatedError("revoked", _REFUSED[Refusal.REVOKED])
            return principal_of(look, user, session)

        principal = self._core.store.look(look)
        # What this token was given, and not what another one of the session was since.
        until_ns = min(principal.step_up_until_ns, claims.stp * _S)
        principal = msgspec.structs.replace(principal, step_up_until_ns=until_ns)
        return principal, claims.exp * _S

    def _api_token(self, bearer: str) -> tuple[Principal, int]:
        now_ns = self._core.now_ns()

        def look(look: Look) -> tuple[Principal, int, bool]:
            token = api_tokens.find(look, bearer[: secret_text.LONGEST], now_ns)
            user = users.by_id(look, token.user_id) if token else None
            if token is None or user is None or user.disabled:
                raise UnauthenticatedError(
                    "bad_token", "seen: no API token that is good; expected: one; do: make another"
                )
            principal = Principal(
                user_id=user.user_id,
                name=user.name,
                role=user.role,
                scopes=token.scopes & user.role.scopes,
                grants=users.grants_of(look, user.user_id),
                token_id=token.token_id,
                has_totp=bool(user.totp_secret),
            )
            seen_until_ns = now_ns + api_tokens.SEEN_EVERY_NS
            known_until_ns = min(token.expires_ns or seen_until_ns, seen_until_ns)
            return principal, known_until_ns, api_tokens.is_to_be_seen(token, now_ns)

        principal, until_ns, to_be_seen = self._core.store.look(look)
        if to_be_seen:
            self._core.store.change(lambda c: api_tokens.see(c, principal.token_id, now_ns))
        return principal, until_ns

    # -- beginning -----------------------------------------------------------------------------

    async def sign_in(
        self, name: str, password: str, totp: str, caller: Caller
    ) -> SessionTokens:
        """Begin a session by a password, and a code where the user has a second factor."""
        name = users.named(name)
        user = await self._core.look(lambda look: self._let_try(look, name, caller))
        right = await self._is_right(user, password)
        if user is None or not right or user.disabled:
            why = "disabled" if right else "password"
            await self._fail(name, user, why, caller)
            raise _wrong()
        method = Method.PASSWORD
        if user.totp_secret:
            if not totp:
                raise UnauthenticatedError(
                    "totp_required", "seen: no code; expected: one of the authenticator; do: add it"
                )
            await self._prove_totp(user, totp, caller)
            method = Method.TOTP
        return await self._begin(user, method, caller, lambda c: self._passed(c, user, caller))

    async def redeem_link(self, code: str, caller: Caller) -> SessionTokens:
        """Begin a session by a one-time link, from this machine only."""
        user = await self._owner(code, Purpose.LINK, caller)
        if not is_here(caller.address):
            await self._fail("", user, "link", caller)
            raise _bad_code()
        return await self._begin(user, Method.LINK, caller, lambda c: _use(c, code))

    async def accept_invitation(
        self, code: str, password: str, caller: Caller
    ) -> SessionTokens:
        """Set the password and begin a session."""
        user = await self._owner(code, Purpose.INVITATION, caller)
        kept = await self._core.hash_password(password, user.name)

        def change(change: Change) -> None:
            _use(change, code)
            users.set_password(change, user, kept, by=f"user:{user.name}")
            sessions.end_all(
                change, user.user_id, "password", by=f"user:{user.name}", now_ns=self._core.now_ns()
            )

        return await self._begin(user, Method.INVITATION, caller, change)

    async def _begin(
        self, user: UserRow, method: Method, caller: Caller, before: Callable[[Change], None]
    ) -> SessionTokens:
        def change(change: Change) -> tuple[SessionRow, str]:
            before(change)
            now = users.by_id(change, user.user_id)
            changed = now is None or now.password_hash != user.password_hash
            if now is None or now.disabled or (changed and method in _BY_PASSWORD):
                raise _wrong()  # since it was looked at
            return sessions.begin(change, user, method, caller, self._core.now_ns())

        session, refresh_token = await self._core.change(change)
        return await self._core.tokens_of(session, refresh_token)

    # -- going on ------------------------------------------------------------------------------

    async def refresh(self, refresh_token: str, caller: Caller) -> SessionTokens:
        """Carry a session on; the token is used up."""
        del caller  # its address may change from network to network
        now_ns = self._core.now_ns()
        token = refresh_token[: secret_text.LONGEST]
        rotated = await self._core.change(lambda change: sessions.rotate(change, token, now_ns))
        if isinstance(rotated, Refusal):
            raise UnauthenticatedError(rotated.value, _REFUSED[rotated])
        return await self._core.tokens_of(*rotated)

    async def sign_out(self, principal: Principal) -> None:
        """End his session."""
        now_ns = self._core.now_ns()

        def change(change: Change) -> None:
            session = sessions.find(change, principal.session_id)
            if session is not None:
                sessions.end(change, session, "signed_out", by=principal.actor, now_ns=now_ns)

        await self._core.change(change)

    async def confirm(
        self, principal: Principal, password: str, totp: str, caller: Caller
    ) -> SessionTokens:
        """Let a session do for some minutes what adds risk."""
        require_session(principal)
        within = principal.session_id
        user = await self._core.look(
            lambda look: self._let_try(look, principal.name, caller, within)
        )
        if user is None:
            raise _wrong()
        if user.totp_secret:
            await self._prove_totp(user, totp, caller, within)
            method = "totp"
        elif user.password_hash:
            await self.prove_password(principal, password, caller)
            method = "password"
        elif user.oidc_subject is None and is_here(caller.address):
            method = "here"
        else:
            raise ForbiddenError(
                "sign_in_again",
                "seen: a user without password and second factor; expected: a fresh sign-in; do: "
                "sign in again, or set up a second factor",
            )

        def change(change: Change) -> SessionRow:
            session = sessions.find(change, principal.session_id)
            if session is None or not session.goes_on(self._core.now_ns()):
                raise UnauthenticatedError("revoked", _REFUSED[Refusal.REVOKED])
            throttle.succeeded(change, user.name, caller.address, within=within)
            change.note(
                StepUpConfirmed(
                    by=principal.actor, user_id=user.user_id, session_id=session.session_id,
                    method=method, address=caller.address,
                )
            )  # fmt: skip
            return sessions.confirm(change, session, self._core.now_ns())

        return await self._core.tokens_of(await self._core.change(change), "")

    async def prove_password(
        self, principal: Principal, password: str, caller: Caller
    ) -> UserRow:
        """Who is signed in knows his password as well.

        Raises:
            UnauthenticatedError, ThrottledError
        """
        within = principal.session_id
        user = await self._core.look(
            lambda look: self._let_try(look, principal.name, caller, within)
        )
        if user is None or not await self._is_right(user, password):
            await self._fail(principal.name, user, "confirmation", caller, within=within)
            raise _wrong()
        return user

    # -- proofs --------------------------------------------------------------------------------

    def _let_try(self, look: Look, name: str, caller: Caller, within: str = "") -> UserRow | None:
        now_ns = self._core.now_ns()
        is_usual = sessions.is_usual(look, name, caller.address, now_ns)
        throttle.require_free(look, name, caller.address, now_ns, within=within, is_usual=is_usual)
        return users.by_name(look, name)

    async def _is_right(self, user: UserRow | None, password: str) -> bool:
        kept = user.password_hash if user is not None else ""
        given = password[: passwords.LONGEST + 1]
        return await self._core.hashing(passwords.verified, kept, given)

    async def _prove_totp(self, user: UserRow, code: str, caller: Caller, within: str = "") -> None:
        sealer = self._core.sealer
        secret = sealer.opened(user.totp_secret, user.user_id)
        step = totp.step_of(secret, code, self._core.now_ns())

        def change(change: Change) -> bool:
            taken = step is not None and users.use_totp_step(change, user, step)
            if taken:
                users.reseal_totp(change, user, sealer)
            return taken

        if await self._core.change(change):
            return
        await self._fail(user.name, user, "totp", caller, within=within)
        raise _wrong()

    async def _owner(self, code: str, purpose: Purpose, caller: Caller) -> UserRow:
        now_ns = self._core.now_ns()

        def look(look: Look) -> UserRow | None:
            throttle.require_free(look, "", caller.address, now_ns)
            user_id = codes.owner(look, code[: secret_text.LONGEST], purpose, now_ns)
            return users.by_id(look, user_id) if user_id else None

        user = await self._core.look(look)
        if user is None or user.disabled:
            await self._fail("", user, purpose.value, caller)
            raise _bad_code()
        return user

    def _passed(self, change: Change, user: UserRow, caller: Caller) -> None:
        throttle.succeeded(change, user.name, caller.address)
        throttle.forget_old(change, self._core.now_ns())

    async def _fail(
        self, name: str, user: UserRow | None, why: str, caller: Caller, *, within: str = ""
    ) -> None:
        """Count it, and note it; a name that is nobody's may be a password, and is not noted."""

        def change(change: Change) -> None:
            throttle.failed(change, name, caller.address, self._core.now_ns(), within=within)
            change.note(
                SignInFailed(
                    by=f"user:{user.name}" if user else "somebody",
                    user_id=user.user_id if user else "",
                    why=why,
                    address=caller.address,
                )
            )

        await self._core.change(change)


def is_here(address: str) -> bool:
    """Whether a caller is on this machine."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _use(change: Change, code: str) -> None:
    if not codes.use(change, code):
        raise _bad_code()


def _wrong() -> UnauthenticatedError:
    return UnauthenticatedError(
        "wrong_credentials", "seen: a wrong name, password or code; expected: the right ones"
    )


def _bad_code() -> UnauthenticatedError:
    return UnauthenticatedError(
        "bad_code", "seen: a link or invitation that is used, too old or none; do: ask for another"
    )

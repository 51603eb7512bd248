"""What others may ask about who somebody is: the port.

All methods are coroutines that never block the loop. Not here: the values and errors it speaks in
(platform.identity.values), how any of it is kept or proved.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from holdfast.domain.platform import AnyPlatformFact
from holdfast.platform.identity.values import (
    ApiToken,
    Caller,
    Grant,
    Invitation,
    NewApiToken,
    OidcStart,
    Principal,
    Role,
    Scope,
    Session,
    SessionTokens,
    TotpOffer,
    User,
)
from holdfast.platform.port import Event


class Audit(Protocol):
    """The platform's stream, for who writes to it besides and who reads it."""

    async def note(self, *facts: AnyPlatformFact) -> None:
        """Append facts, durably; returns when they are."""
        ...

    async def events(self, *, before_seq: int = 0, limit: int = 100) -> Sequence[Event]:
        """Up to `limit` records before `before_seq`, newest first; 0 begins at the end."""
        ...

    async def events_after(self, after_seq: int, limit: int = 1000) -> Sequence[Event]:
        """Up to `limit` records after `after_seq`, in order."""
        ...


class Identity(Protocol):
    """Who somebody is, and the proofs of it.

    Any method may raise RetryableError (the database does not answer). Those that take a principal
    check what he may do themselves, so a route that forgets lets nobody through.
    """

    async def authenticate(self, bearer: str) -> Principal:
        """Who the bearer of an access token or of an API token is; quick when seen lately.

        A token that was revoked by another process is refused within about a second.

        Raises:
            UnauthenticatedError: it proves nothing (any more).
        """
        ...

    async def losses(self) -> int:
        """A number that grows when somebody was shut out, or may do less; as of a second ago.

        Who relies on an earlier `authenticate` for long asks again when it has grown.
        """
        ...

    async def sign_in(self, name: str, password: str, totp: str, caller: Caller) -> SessionTokens:
        """Begin a session. `totp` is empty when the user gave none.

        Raises:
            UnauthenticatedError: `totp_required` only after a password that is right.
            ThrottledError: too many tries failed from this address, or of this name from anywhere
                while he was not let in from this address for a month.
        """
        ...

    async def refresh(self, refresh_token: str, caller: Caller) -> SessionTokens:
        """Carry a session on; the token is used up, and the answer has the next one.

        Of one that was used before, the whole session is ended: one of the two who had it was a
        thief. An answer that was lost may be asked for again within seconds.

        Raises:
            UnauthenticatedError: `reuse`, `revoked`, `expired_token` or `bad_token`.
        """
        ...

    async def sign_out(self, principal: Principal) -> None:
        """End his session. Safe to repeat."""
        ...

    async def confirm(
        self, principal: Principal, password: str, totp: str, caller: Caller
    ) -> SessionTokens:
        """Let a session do for some minutes what adds risk; a new access token carries that.

        A user with a second factor proves that, else the password. One who has neither, as in the
        demo, is taken at his word on this machine and nowhere else.

        Raises:
            UnauthenticatedError, ThrottledError: as `sign_in`.
            ForbiddenError: an API token asks, or a user who has to sign in elsewhere again.
        """
        ...

    async def redeem_link(self, code: str, caller: Caller) -> SessionTokens:
        """Begin a session by a one-time link, from this machine only.

        Raises:
            UnauthenticatedError, ThrottledError: it is none, or used, or too old, or from afar.
        """
        ...

    def has_oidc(self) -> bool:
        """Whether sign-in elsewhere (Google) is configured."""
        ...

    async def begin_oidc(self, redirect_uri: str) -> OidcStart:
        """Begin a sign-in elsewhere.

        Raises:
            AbsentError: it is not configured.
            UnauthenticatedError: `oidc_failed`, the provider does not answer.
        """
        ...

    async def finish_oidc(
        self, cookie: str, state: str, code: str, redirect_uri: str, caller: Caller
    ) -> SessionTokens:
        """Begin the session that was begun elsewhere.

        It is a confirmation as well of a user who has neither password nor second factor here.

        Raises:
            UnauthenticatedError: `oidc_failed`; `oidc_unknown_user`: no user has this address.
        """
        ...

    async def user(self, principal: Principal, user_id: str = "") -> User:
        """Himself, or for an admin anybody."""
        ...

    async def users(self, principal: Principal) -> tuple[User, ...]:
        """All users by name; for admins."""
        ...

    async def create_user(
        self, principal: Principal, name: str, role: Role, grants: Iterable[Grant] = ()
    ) -> Invitation:
        """Let somebody use the platform; for confirmed admins.

        Raises:
            TakenError, UnsuitableError, ForbiddenError.
        """
        ...

    async def invite(self, principal: Principal, user_id: str) -> Invitation:
        """A new invitation, which is also how a lost password is replaced; for confirmed admins."""
        ...

    async def accept_invitation(self, code: str, password: str, caller: Caller) -> SessionTokens:
        """Set the password and begin a session.

        Raises:
            UnauthenticatedError: `bad_code`. UnsuitableError: of the password; the code stays good.
        """
        ...

    async def change_user(
        self,
        principal: Principal,
        user_id: str,
        *,
        role: Role | None = None,
        grants: Iterable[Grant] | None = None,
        disabled: bool | None = None,
        reset_totp: bool = False,
    ) -> User:
        """Change what is given; for confirmed admins. Disabling ends his sessions and API tokens.

        Raises:
            ForbiddenError: `last_admin`: nobody could undo it.
        """
        ...

    async def change_password(
        self, principal: Principal, old: str, new: str, caller: Caller
    ) -> None:
        """Change his own; all his other sessions end.

        Raises:
            UnauthenticatedError, ThrottledError, UnsuitableError.
        """
        ...

    async def begin_totp(self, principal: Principal) -> TotpOffer:
        """A new second factor, which does not count yet; for confirmed sessions."""
        ...

    async def enable_totp(self, principal: Principal, code: str) -> None:
        """It counts from here on.

        Raises:
            UnauthenticatedError: the code is not one of it.
        """
        ...

    async def disable_totp(self, principal: Principal) -> None:
        """Go without; for confirmed sessions."""
        ...

    async def sessions(self, principal: Principal, user_id: str = "") -> tuple[Session, ...]:
        """Those that go on, newest first: his own, or for an admin anybody's."""
        ...

    async def revoke_session(self, principal: Principal, session_id: str) -> None:
        """End one of his own, or for an admin anybody's.

        Raises:
            AbsentError.
        """
        ...

    async def tokens(self, principal: Principal, user_id: str = "") -> tuple[ApiToken, ...]:
        """API tokens that are good: his own, or for an admin anybody's."""
        ...

    async def create_token(
        self,
        principal: Principal,
        name: str,
        scopes: Iterable[Scope],
        expires_in_s: int | None = None,
    ) -> NewApiToken:
        """Let a program act for him, with some of his scopes; for confirmed sessions.

        Args:
            expires_in_s: None is 90 days; 0 never.

        Raises:
            ForbiddenError: he has not all of them; an API token asks.
        """
        ...

    async def revoke_token(self, principal: Principal, token_id: str) -> None:
        """End one of his own, or for an admin anybody's.

        Raises:
            AbsentError.
        """
        ...

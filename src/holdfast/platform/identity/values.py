"""Who somebody is and what he may do, as values; and what is said to who is not let through.

A port module: HTTP needs this and `port`. Not here: how any of it is kept or proved.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from holdfast.errors import RejectedError


class Scope(StrEnum):
    """A kind of thing that can be done. A request needs one; a principal has some."""

    READ = "read"  # look at what is one's own: accounts, bots, orders, jobs
    RESEARCH = "research"  # run backtests and sweeps
    TRADE = "trade"  # start, stop, drain, configure, halt: commands to accounts and bots
    RISK = "risk"  # what adds risk: live start, raising limits, flatten, resume; see `confirmed`
    ADMIN = "admin"  # users, everybody's tokens and sessions, the audit, the platform


class Role(StrEnum):
    """What a user may do; each may do what the ones before may."""

    VIEWER = "viewer"
    TRADER = "trader"
    ADMIN = "admin"

    @property
    def scopes(self) -> frozenset[Scope]:
        """All that a user of this role may do himself."""
        return _SCOPES[self]


_SCOPES: Final = {
    Role.VIEWER: frozenset({Scope.READ}),
    Role.TRADER: frozenset({Scope.READ, Scope.RESEARCH, Scope.TRADE, Scope.RISK}),
    Role.ADMIN: frozenset(Scope),
}


class Grant(msgspec.Struct, frozen=True, order=True):
    """That an account, or one bot of it (`bot` not empty), is a user's to see and to act on."""

    account: str
    bot: str = ""

    def __str__(self) -> str:
        return f"{self.account}/{self.bot}" if self.bot else self.account


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asking, as one bearer proved it.

    Attributes:
        name: with which the user signs in.
        scopes: of the role, or of an API token as far as its user's role still has them.
        grants: what is his; an admin needs none.
        session_id, token_id, chat_id: by which he came; the others are empty. A chat is one with
            Telegram's bot.
        has_totp: whether he signs in with a second factor.
        step_up_until_ns: until when a session may do what adds risk, UTC; 0 when not.
    """

    user_id: str
    name: str
    role: Role
    scopes: frozenset[Scope]
    grants: tuple[Grant, ...] = ()
    session_id: str = ""
    token_id: str = ""
    chat_id: str = ""
    has_totp: bool = False
    step_up_until_ns: int = 0

    @property
    def actor(self) -> str:
        """What the journals call him: `by` of facts and of commands."""
        if self.chat_id:
            return f"telegram:{self.name}/{self.chat_id}"
        return f"token:{self.name}/{self.token_id}" if self.token_id else f"user:{self.name}"

    @property
    def accounts(self) -> frozenset[str] | None:
        """The accounts of which he may see something; None: all there are."""
        if self.role is Role.ADMIN:
            return None
        return frozenset(grant.account for grant in self.grants)

    def may(self, scope: Scope) -> bool:
        """Whether he may do this kind of thing at all."""
        return scope in self.scopes

    def owns(self, account: str, bot: str = "") -> bool:
        """Whether an account as a whole (`bot` empty), or that bot of it, is his.

        Who has one bot of an account sees that bot, and neither its neighbours nor the balances.
        """
        if self.role is Role.ADMIN:
            return True
        grants = self.grants
        return Grant(account) in grants or (bool(bot) and Grant(account, bot) in grants)

    def confirmed(self, now_ns: int) -> bool:
        """Whether he may do what adds risk now.

        A session must have confirmed it within the last minutes (`Identity.confirm`); a program
        cannot be asked, so its token needs the scope, which only a confirmed session can give it.
        """
        if Scope.RISK not in self.scopes:
            return False
        return bool(self.token_id) or now_ns < self.step_up_until_ns


class Caller(msgspec.Struct, frozen=True):
    """Where a request comes from.

    Attributes:
        address: of the peer, as a proxy that is trusted told it.
        agent: what the program calls itself; for people.
        request_id: of the request; empty elsewhere.
    """

    address: str
    agent: str = ""
    request_id: str = ""


class SessionTokens(msgspec.Struct, frozen=True):
    """What a session is carried on with.

    Attributes:
        access_token: the bearer of the next minutes.
        expires_in_s: until then a refresh must have come.
        refresh_token: good for one refresh; empty when the one before stays good.
        refresh_expires_in_s: how long that is, unless it is used before.
    """

    principal: Principal
    access_token: str
    expires_in_s: int
    refresh_token: str
    refresh_expires_in_s: int


class User(msgspec.Struct, frozen=True, kw_only=True):
    """A user as administrators and he himself see him; nothing of it is secret.

    Attributes:
        has_password, has_totp, has_oidc: how he can prove who he is.
        disabled: may not sign in, and none of his tokens is worth anything.
        created_ns, last_sign_in_ns: UTC; 0 never.
    """

    user_id: str
    name: str
    role: Role
    grants: tuple[Grant, ...]
    has_password: bool
    has_totp: bool
    has_oidc: bool
    disabled: bool
    created_ns: int
    last_sign_in_ns: int = 0


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in that goes on.

    Attributes:
        method: as in `domain.platform.SignedIn`.
        expires_ns: when it ends if it is not carried on before, UTC.
    """

    session_id: str
    user_id: str
    method: str
    address: str
    agent: str
    created_ns: int
    last_used_ns: int
    expires_ns: int


class ApiToken(msgspec.Struct, frozen=True, kw_only=True):
    """A program's leave to act for a user.

    Attributes:
        prefix: how it begins, by which a person recognises it.
        expires_ns, last_used_ns: UTC; 0 never. The second is true within a minute.
    """

    token_id: str
    user_id: str
    name: str
    prefix: str
    scopes: frozenset[Scope]
    created_ns: int
    expires_ns: int
    last_used_ns: int


class NewApiToken(msgspec.Struct, frozen=True):
    """A token that was just made; `secret` is shown now and never again."""

    token: ApiToken
    secret: str


class Invitation(msgspec.Struct, frozen=True):
    """With this code, once, a user sets his password and is signed in.

    Attributes:
        code: shown now and never again.
    """

    user: User
    code: str
    expires_ns: int


class TotpOffer(msgspec.Struct, frozen=True):
    """What an authenticator needs; it counts once `enable_totp` was given a code of it.

    Attributes:
        secret: base 32.
        uri: `otpauth://…`, for a QR code.
    """

    secret: str
    uri: str


class OidcStart(msgspec.Struct, frozen=True):
    """A sign-in elsewhere that begins.

    Attributes:
        url: where the browser is to go.
        cookie: for the browser to bring back (HttpOnly, SameSite=Lax); binds the answer to it.
        expires_in_s: of the cookie.
    """

    url: str
    cookie: str
    expires_in_s: int


class UnauthenticatedError(RejectedError):
    """It was not proved who is asking (HTTP 401).

    `code`: `no_token`, `bad_token`, `expired_token`, `revoked`, `wrong_credentials` (a name or a
    password or a code: which, is not said), `totp_required`, `bad_code` (of a link or invitation),
    `oidc_failed`, `oidc_unknown_user`, `reuse`.
    """


class ForbiddenError(RejectedError):
    """It is known who is asking, and he may not (HTTP 403).

    `code`: `scope`, `not_yours`, `step_up_required`, `sign_in_again`,
    `session_required`, `last_admin`.
    """


class ThrottledError(RejectedError):
    """Too many tries failed (HTTP 429).

    Attributes:
        retry_after_s: before that no try is looked at.
    """

    def __init__(self, code: str, reason: str, retry_after_s: int) -> None:
        super().__init__(code, reason)
        self.retry_after_s = retry_after_s


class AbsentError(RejectedError):
    """There is no such user, session or token, or it is not this one's to see (HTTP 404)."""


class TakenError(RejectedError):
    """A name is another's already (HTTP 409)."""


class UnsuitableError(RejectedError):
    """A value cannot be taken: a password too short, a name with spaces (HTTP 422).

    Attributes:
        field: which.
    """

    def __init__(self, code: str, reason: str, field: str) -> None:
        super().__init__(code, reason)
        self.field = field

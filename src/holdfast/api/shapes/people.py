"""Signing in, users, sessions, tokens, and the audit.

Not here: how anybody proves who he is (platform.identity).
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from holdfast.api.shapes.base import In, Name, Out
from holdfast.platform.identity.values import Role, Scope

Words = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]
Code = Annotated[str, msgspec.Meta(max_length=64)]


class SignIn(In, frozen=True, kw_only=True):
    """A name and the proof that goes with it; `totp` where the user has a second factor."""

    name: Words
    password: Secret
    totp: Code = ""


class Link(In, frozen=True, kw_only=True):
    """The code of a one-time link."""

    code: Secret


class Invited(In, frozen=True, kw_only=True):
    """The code of an invitation, and the password to set."""

    code: Secret
    password: Secret


class Confirmation(In, frozen=True, kw_only=True):
    """What a session proves again before it adds risk: the second factor, or else the password."""

    password: Annotated[str, msgspec.Meta(max_length=1024)] = ""
    totp: Code = ""


class Refresh(In, frozen=True, kw_only=True):
    """The last refresh token; left out by a browser, which has it in a cookie."""

    refresh_token: Annotated[str, msgspec.Meta(max_length=1024)] = ""


class Grant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """That an account is a user's, or one bot of it where `bot` is not empty."""

    account: Name
    bot: Annotated[str, msgspec.Meta(pattern=r"^([a-z0-9][a-z0-9_-]{0,31})?$", max_length=32)] = ""


class Me(Out, frozen=True, kw_only=True):
    """Who is asking.

    Attributes:
        scopes: what he may do.
        grants: what is his; an admin needs none.
        is_token: an API token asks, not a session.
        has_totp: the user signs in with a second factor.
        confirmed_until: until when the session may do what adds risk; null when it may not.
    """

    user_id: str
    name: str
    role: Role
    scopes: tuple[Scope, ...]
    grants: tuple[Grant, ...]
    session_id: str | None = None
    is_token: bool
    has_totp: bool
    confirmed_until: datetime | None = None


class SignedIn(Out, frozen=True, kw_only=True):
    """What a session is carried on with.

    Attributes:
        access_token: the bearer of the next minutes.
        refresh_token: null where the browser was given it in a cookie.
    """

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - what kind it is
    expires_in_s: int
    refresh_token: str | None = None
    refresh_expires_in_s: int
    me: Me


class SignInWays(Out, frozen=True, kw_only=True):
    """How one may sign in here."""

    password: bool
    google: bool


class User(Out, frozen=True, kw_only=True):
    """A user; nothing of it is secret."""

    user_id: str
    name: str
    role: Role
    grants: tuple[Grant, ...]
    has_password: bool
    has_totp: bool
    has_oidc: bool
    disabled: bool
    created_at: datetime
    last_sign_in_at: datetime | None = None


class Users(Out, frozen=True, kw_only=True):
    """All users, by name."""

    items: tuple[User, ...]


class NewUser(In, frozen=True, kw_only=True):
    """Somebody who is to use the platform."""

    name: Words
    role: Role = Role.VIEWER
    grants: Annotated[tuple[Grant, ...], msgspec.Meta(max_length=200)] = ()


class UserChange(In, frozen=True, kw_only=True):
    """What is to be another; what is left out, or null, stays."""

    role: Role | None = None
    grants: Annotated[tuple[Grant, ...], msgspec.Meta(max_length=200)] | None = None
    disabled: bool | None = None
    reset_totp: bool = False


class Invitation(Out, frozen=True, kw_only=True):
    """With this code, once, the user sets his password.

    Attributes:
        code: shown now and never again: null in the answer to a repeated request.
    """

    user: User
    code: str | None
    expires_at: datetime


class NewPassword(In, frozen=True, kw_only=True):
    """The password that is to follow the old one."""

    old: Annotated[str, msgspec.Meta(max_length=1024)] = ""
    new: Secret


class TotpOffer(Out, frozen=True, kw_only=True):
    """What an authenticator needs; it counts once a code of it was given.

    Attributes:
        secret, uri: shown now and never again: null in the answer to a repeated request.
    """

    secret: str | None
    uri: str | None


class TotpCode(In, frozen=True, kw_only=True):
    """What the authenticator shows."""

    code: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{6,8}$", max_length=8)]


class Session(Out, frozen=True, kw_only=True):
    """A sign-in that goes on.

    Attributes:
        is_this: the one that asks.
    """

    session_id: str
    user_id: str
    method: str
    address: str
    agent: str
    is_this: bool
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime


class Sessions(Out, frozen=True, kw_only=True):
    """Newest first."""

    items: tuple[Session, ...]


class Token(Out, frozen=True, kw_only=True):
    """A program's leave to act for a user.

    Attributes:
        prefix: how it begins.
        expires_at: null never. `last_used_at` is true within a minute.
    """

    token_id: str
    user_id: str
    name: str
    prefix: str
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None


class Tokens(Out, frozen=True, kw_only=True):
    """Those that are good."""

    items: tuple[Token, ...]


class NewToken(In, frozen=True, kw_only=True):
    """A token that is to be.

    Attributes:
        scopes: of the caller's own.
        expires_in_s: left out, 90 days; 0 never.
    """

    name: Words
    scopes: Annotated[tuple[Scope, ...], msgspec.Meta(min_length=1, max_length=5)]
    expires_in_s: Annotated[int, msgspec.Meta(ge=0, le=315_360_000)] | None = None


class TokenMade(Out, frozen=True, kw_only=True):
    """A token that was just made.

    Attributes:
        secret: shown now and never again: null in the answer to a repeated request.
    """

    token: Token
    secret: str | None


class AuditEvent(Out, frozen=True, kw_only=True):
    """One record of the platform's stream.

    Attributes:
        by: who did it.
        user_id: whom it is about; empty when nobody is.
        told: the same in one sentence.
        fact: all that it says; never a secret.
    """

    seq: int
    at: datetime
    kind: str
    by: str
    user_id: str
    told: str
    fact: dict[str, Any]


class AuditEvents(Out, frozen=True, kw_only=True):
    """A page of them, newest first."""

    items: tuple[AuditEvent, ...]
    next_cursor: str | None = None

"""Users, sessions and tokens as they go over the wire.

Not here: the routes (routes.people, routes.auth).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from holdfast.api.shapes import people
from holdfast.api.times import moment_of, moment_or_none
from holdfast.platform.identity import values

GrantShape: TypeAlias = people.Grant


def me(who: values.Principal) -> people.Me:
    """Who is asking."""
    return people.Me(
        user_id=who.user_id, name=who.name, role=who.role, scopes=tuple(sorted(who.scopes)),
        grants=_grants(who.grants), session_id=who.session_id or None,
        is_token=bool(who.token_id), has_totp=who.has_totp,
        confirmed_until=moment_or_none(who.step_up_until_ns),
    )  # fmt: skip


def user(found: values.User) -> people.User:
    """A user."""
    return people.User(
        user_id=found.user_id, name=found.name, role=found.role, grants=_grants(found.grants),
        has_password=found.has_password, has_totp=found.has_totp, has_oidc=found.has_oidc,
        disabled=found.disabled, created_at=moment_of(found.created_ns),
        last_sign_in_at=moment_or_none(found.last_sign_in_ns),
    )  # fmt: skip


def invitation(made: values.Invitation) -> people.Invitation:
    """An invitation, with its code."""
    return people.Invitation(
        user=user(made.user), code=made.code, expires_at=moment_of(made.expires_ns)
    )


def session(found: values.Session, who: values.Principal) -> people.Session:
    """A session, as one user sees it."""
    return people.Session(
        session_id=found.session_id, user_id=found.user_id, method=found.method,
        address=found.address, agent=found.agent, is_this=found.session_id == who.session_id,
        created_at=moment_of(found.created_ns), last_used_at=moment_of(found.last_used_ns),
        expires_at=moment_of(found.expires_ns),
    )  # fmt: skip


def token(found: values.ApiToken) -> people.Token:
    """An API token, without its secret."""
    return people.Token(
        token_id=found.token_id, user_id=found.user_id, name=found.name, prefix=found.prefix,
        scopes=tuple(sorted(found.scopes)), created_at=moment_of(found.created_ns),
        expires_at=moment_or_none(found.expires_ns),
        last_used_at=moment_or_none(found.last_used_ns),
    )  # fmt: skip


def _grants(found: Iterable[values.Grant]) -> tuple[people.Grant, ...]:
    return tuple(people.Grant(account=one.account, bot=one.bot) for one in found)
